"""The family of Llama, and those with its names of parts: Mistral, Qwen 2 and 3, Phi 3, OLMo,
StableLM, Granite, Cohere, SmolLM 3."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from saegrid.models import Family, Keys, Last

LLAMA = Family(
    name="llama",
    blocks="layers",
    attention="self_attn.o_proj",
    mlp="mlp.down_proj",
    middle="post_attention_layernorm",
)
QWEN3 = replace(LLAMA, name="qwen3", keys=Keys(defaults={"head_dim": 128}))
SMOLLM3 = replace(LLAMA, name="smollm3", last=Last(tied=True))

# Norms without parameters.
OLMO = replace(LLAMA, name="olmo", last=Last(kind="layer", scaled=False, eps=1e-5))

# A norm follows attention and MLP, and none comes before them: the MLP reads the stream itself.
OLMO2 = replace(
    LLAMA,
    name="olmo2",
    middle="mlp",
    after_attention="post_attention_layernorm",
    after_mlp="post_feedforward_layernorm",
)

# A and M are multiplied where they are added, the logits divided.
GRANITE = replace(
    LLAMA,
    name="granite",
    multiplier="residual_multiplier",
    last=Last(scale="logits_scaling", divided=True),
)

# Parallel blocks: attention and MLP read the same normed stream.
COHERE = replace(
    LLAMA,
    name="cohere",
    middle="",
    last=Last(kind="layer", eps="layer_norm_eps", tied=True, scale="logit_scale"),
    keys=Keys(defaults={"logit_scale": 0.0625}),
)


def _stablelm(config: Mapping[str, Any]) -> dict[str, Any]:
    parallel = config.get("use_parallel_residual", False)
    return {"middle": "" if parallel else LLAMA.middle}


STABLELM = replace(
    LLAMA,
    name="stablelm",
    last=Last(kind="layer", shifted=True, eps="layer_norm_eps"),
    depends=_stablelm,
)
