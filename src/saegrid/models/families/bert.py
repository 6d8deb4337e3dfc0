"""The family of BERT encoders.

A norm follows each residual add, so R is a normed sum and not R + A + M. A and M are read before
dropout, residual add and norm. The prediction head is not a linear map of R, so there is no
unembedding.
"""

from collections.abc import Mapping
from typing import Any

from saegrid.models import Family, Sizes


def sizes(config: Mapping[str, Any]) -> Sizes:
    """The sizes of a model by its config.json."""
    return Sizes(
        n_layers=config["num_hidden_layers"],
        d_model=config["hidden_size"],
        d_mlp=config["intermediate_size"],
        d_vocab=config["vocab_size"],
        context=config["max_position_embeddings"],
    )


def unembedding(config: Mapping[str, Any]) -> None:
    """The unembedding: None, as BERT has no linear one."""


FAMILY = Family(
    name="bert",
    blocks="encoder.layer",
    attention="attention.output.dense",
    mlp="output.dense",
    residual_sum=False,
    causal=False,
    prefix="bert.",
    sizes=sizes,
    unembedding=unembedding,
)
