"""Tokens that the features shown raise and lower most."""

from typing import TYPE_CHECKING

from saegrid.stages.places import MODEL, SAE, family_code
from saegrid.stages.stage import CELL, At, Needs, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.sizes import Sizes


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """The decoder is read."""
    sae = sizes.sae(at.cell)
    return sae and Weight(write=220 * sizes.shown(at), read=sae.matrix)


LOGIT_EFFECTS = Stage(
    "logit_effects",
    reads={"top": "top_tokens.top", "sae": SAE, "model": MODEL},
    writes={"effects": CELL + "logit_effects.parquet"},
    sections=("logits",),
    settings=lambda plan, at: plan.model.spec,
    code=family_code,
    needs=Needs(memory=8000, minutes=20, hub=True, priority=4, group="cells"),
    weighs=weighs,
)
