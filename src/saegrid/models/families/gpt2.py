"""The families of GPT-2, and of GPT-Neo and GPT-J after it."""

from dataclasses import replace

from saegrid.models import Family, Keys, Last

GPT2 = Family(
    name="gpt2",
    blocks="h",
    attention="attn.c_proj",
    mlp="mlp.c_proj",
    middle="ln_2",
    prefix="transformer.",
    keys=Keys("n_layer", "n_embd", "n_inner", "n_head", "n_positions", four=True),
    last=Last("ln_f", "layer", shifted=True, eps="layer_norm_epsilon", embedding="wte", tied=True),
)

# Every other layer sees a window only, and scores are not scaled: by plain products alone.
GPT_NEO = replace(
    GPT2,
    name="gpt_neo",
    attention="attn.attention.out_proj",
    keys=Keys("num_layers", heads="num_heads", four=True),
    kernel="eager",
    tuples=True,
)

# Parallel blocks; rotary tables lie in the blocks, and logits have a shift.
GPTJ = replace(
    GPT2,
    name="gptj",
    attention="attn.out_proj",
    mlp="mlp.fc_out",
    middle="",
    kernel="eager",
    tuples=True,
    last=Last(
        "ln_f", "layer", shifted=True, eps="layer_norm_epsilon", embedding="wte", biased=True
    ),
)
