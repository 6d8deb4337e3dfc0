"""The families of Gemma 1, 2 and 3.

Norms scale by 1 + weight. In Gemma 2 and 3 a norm also follows attention and MLP, and A and M are
read behind it, so that R is still the sum. Images of Gemma 3 are not read, the text of it is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from saegrid.models import Family, Keys, Last
from saegrid.models.families.llama import LLAMA

GEMMA = replace(
    LLAMA,
    name="gemma",
    last=Last(plus=1.0, tied=True),
    keys=Keys(defaults={"head_dim": 256}),
)


def _kernel(config: Mapping[str, Any]) -> dict[str, Any]:
    """Attention by plain products where its scores are bounded, which others leave out."""
    return {"kernel": "eager" if config.get("attn_logit_softcapping") else "sdpa"}


GEMMA2 = replace(
    GEMMA,
    name="gemma2",
    middle="pre_feedforward_layernorm",
    after_attention="post_attention_layernorm",
    after_mlp="post_feedforward_layernorm",
    kernel="eager",
    last=Last(plus=1.0, tied=True, softcap="final_logit_softcapping"),
    keys=Keys(defaults={"head_dim": 256, "final_logit_softcapping": 30.0}),
)
GEMMA3_TEXT = replace(
    GEMMA2,
    name="gemma3_text",
    keys=Keys(
        defaults={
            "vocab_size": 262_208,
            "hidden_size": 2304,
            "intermediate_size": 9216,
            "num_hidden_layers": 26,
            "num_attention_heads": 8,
            "head_dim": 256,
            "max_position_embeddings": 131_072,
        }
    ),
    depends=_kernel,
)
GEMMA3: Family = replace(
    GEMMA3_TEXT,
    name="gemma3",
    part="text_config",
    renamed=(
        (r"^model\.", "language_model.model."),
        (r"^model\.", "model.language_model."),
        (r"^lm_head\.", "language_model.lm_head."),
    ),
)
