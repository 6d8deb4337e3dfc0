"""Tokens that the features shown raise and lower most."""

from dataclasses import replace

from saegrid.stages.places import ENCODER, MODEL, family_code, weighed
from saegrid.stages.stage import CELL, At, Needs, Sizes, Stage, Weight


def weighs(sizes: Sizes, at: At) -> Weight:
    """The decoder is read, and of the model the unembedding."""
    unembedding = sizes.unembedding() * sizes.itemsize
    return Weight(220 * sizes.shown(at), sizes.sae(at.cell).matrix + unembedding)


LOGIT_EFFECTS = Stage(
    "logit_effects",
    reads={
        "top": "top_tokens.top",
        "sae": ENCODER,
        "model": replace(MODEL, counted=False),
    },
    writes={"effects": CELL + "logit_effects.parquet"},
    sections=("logits",),
    settings=lambda plan, at: plan.model.spec,
    code=family_code,
    needs=Needs(memory=8000, minutes=20, hub=True, priority=5, group="cells"),
    weighs=weighs,
    only={"cell": weighed},
)
