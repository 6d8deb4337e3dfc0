"""Names of modules of models, and the sites of what goes into them and comes out."""

import re

from saegrid.base.words import Site

ATTENTION = ("self_attn", "attn", "attention")
PROJECTIONS = (
    *("self_attn.o_proj", "self_attn.dense", "self_attn.out_proj", "attention.dense"),
    *("attn.c_proj", "attn.out_proj", "attn.attention.out_proj"),
)
DOWN = ("mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h", "mlp.fc_out", "mlp.fc2", "fc2")
PLACES = {
    "": ("B", "R"),
    "mlp": ("I", "M"),
    **dict.fromkeys(ATTENTION, (None, "A")),
    **dict.fromkeys(PROJECTIONS, ("Z", "A")),
    **dict.fromkeys(DOWN, ("N", "M")),
}
"""Positions of the input and of the output of a module, by its name in a block."""
NORMS_BEHIND = re.compile(r"gemma-?[234]|olmo-?[23]\b", re.IGNORECASE)
"""Models that put a norm between the output of attention or MLP and the residual stream."""


def site_of_module(name: str, side: str = "out", model: str = "") -> Site | None:
    """The site of a module's input or output; None where it is none.

    Args:
        name: name of the module in the model, like `model.layers.7.mlp` or `layers.7`.
        side: `in` or `out`.
        model: name of the model, where it is known: of one with norms behind its parts, their
            outputs are no sites.
    """
    match = re.fullmatch(r"(?:\w+\.)*?(?:layers|h|blocks)\.(\d+)(?:\.(\S+))?", name)
    if match is None:
        return None
    position = PLACES.get(match[2] or "", (None, None))[side == "out"]
    if position is None or (position in "AM" and NORMS_BEHIND.search(model)):
        return None
    return Site(int(match[1]), position)
