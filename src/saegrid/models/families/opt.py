"""The family of OPT.

Its smallest relatives differ: OPT-350M has its norms behind the sums, as BERT has, no last norm,
and an embedding narrower than the stream.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from saegrid.models import Family, Keys, Last

BEFORE = Last(
    "decoder.final_layer_norm",
    "layer",
    shifted=True,
    eps=1e-5,
    embedding="decoder.embed_tokens",
    tied=True,
)


def _norms(config: Mapping[str, Any]) -> dict[str, Any]:
    before = config.get("do_layer_norm_before", True)
    narrow = config.get("word_embed_proj_dim") or config.get("hidden_size")
    affine = config.get("layer_norm_elementwise_affine", True)
    last = before and not config.get("_remove_final_layer_norm", False)
    return {
        "residual_sum": before,
        "middle": "final_layer_norm" if before else "self_attn_layer_norm",
        "last": replace(
            BEFORE,
            norm=BEFORE.norm if last else "",
            scaled=affine,
            shifted=affine,
            project="decoder.project_out" if narrow != config.get("hidden_size") else "",
        ),
    }


OPT = Family(
    name="opt",
    blocks="decoder.layers",
    attention="self_attn.out_proj",
    mlp="fc2",
    enters="fc1",
    middle="final_layer_norm",
    flat=True,
    keys=Keys(d_mlp="ffn_dim"),
    last=BEFORE,
    depends=_norms,
)
