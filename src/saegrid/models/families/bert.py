"""The families of BERT encoders: BERT, RoBERTa, DistilBERT.

A norm follows each residual add, so R is a normed sum and not R + A + M. A and M are read before
dropout, residual add and norm; H and I are what the MLP reads, behind the norm. The prediction head
is not a linear map of R, so there is no unembedding.
"""

from dataclasses import replace

from saegrid.models import Family, Keys

BERT = Family(
    name="bert",
    blocks="encoder.layer",
    attention="attention.output.dense",
    mlp="output.dense",
    enters="intermediate",
    middle="attention.output.LayerNorm",
    residual_sum=False,
    causal=False,
    prefix="bert.",
    renamed=((r"LayerNorm\.weight$", "LayerNorm.gamma"), (r"LayerNorm\.bias$", "LayerNorm.beta")),
    last=None,
)

# Positions are counted from that of the padding on, in a table that is longer by these rows.
ROBERTA = replace(
    BERT, name="roberta", prefix="roberta.", keys=Keys(padded=True, defaults={"pad_token_id": 1})
)
DISTILBERT = replace(
    BERT,
    name="distilbert",
    blocks="transformer.layer",
    attention="attention.out_lin",
    mlp="ffn.lin2",
    enters="ffn",
    middle="sa_layer_norm",
    prefix="distilbert.",
    keys=Keys("n_layers", "dim", "hidden_dim", "n_heads"),
)
