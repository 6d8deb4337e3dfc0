"""The family of GPT-NeoX, and so of Pythia; its blocks are parallel unless config.json says not."""

from collections.abc import Mapping
from typing import Any

from saegrid.models import Family, Keys, Last


def _blocks(config: Mapping[str, Any]) -> dict[str, Any]:
    parallel = config.get("use_parallel_residual", True)
    return {"middle": "" if parallel else "post_attention_layernorm"}


GPT_NEOX = Family(
    name="gpt_neox",
    blocks="layers",
    attention="attention.dense",
    mlp="mlp.dense_4h_to_h",
    prefix="gpt_neox.",
    renamed=((r"^lm_head\.", "embed_out."),),
    keys=Keys(),
    last=Last(
        "final_layer_norm", "layer", shifted=True, eps="layer_norm_eps", embedding="embed_in"
    ),
    depends=_blocks,
)
