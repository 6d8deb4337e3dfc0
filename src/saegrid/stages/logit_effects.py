"""Tokens that the features shown raise and lower most."""

from saegrid.stages.places import ENCODER, MODEL, family_code
from saegrid.stages.stage import CELL, Needs, Stage, Weight

LOGIT_EFFECTS = Stage(
    "logit_effects",
    reads={"top": "top_tokens.top", "sae": ENCODER, "model": MODEL},
    writes={"effects": CELL + "logit_effects.parquet"},
    sections=("logits",),
    settings=lambda plan, at: plan.model.spec,
    code=family_code,
    needs=Needs(memory=8000, minutes=20, hub=True, priority=4, group="cells"),
    # The decoder is read.
    weighs=lambda sizes, at: Weight(220 * sizes.shown(at), sizes.sae(at.cell).matrix),
)
