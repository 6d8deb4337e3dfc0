"""Surprisal of the edits of a corpus, and of what they replaced, under the model itself.

One job runs the whole corpus. No target asks for it: it is made where something reads it.
"""

from saegrid.models.memory import needed
from saegrid.stages.places import MODEL, VERIFIED, family_code
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Settings, Sizes, Stage, Weight

ROW = 50
"""Bytes of a row of the table."""


def settings(plan: Plan, at: At) -> Settings:
    """The model, and the threads that it runs on."""
    return {**plan.model.spec, "threads": plan.study.threads.capture}


def weighs(sizes: Sizes, at: At) -> Weight:
    """A row for each side of an item. A model that does not fit in the job's memory has its
    residual stream in three files while it runs."""
    plan, text = sizes.plan, sizes.text(at.corpus)
    sizes.widths()  # Unknown where the model is on the hub
    passing = 0
    if needed(plan.model.stored()) > plan.study.memory.capture * 10**6:
        passing = 3 * text.positions * plan.model.sizes.d_model * sizes.itemsize
    return Weight(write=ROW * 2 * text.items, passing=passing)


SURPRISAL = Stage(
    "surprisal",
    reads={
        "tokens": "tokens.tokens",
        "spans": "tokens.spans",
        "model": MODEL,
        "verified": VERIFIED,
    },
    writes={"table": CORPUS + "surprisal.parquet"},
    settings=settings,
    code=family_code,
    needs=Needs("capture", 240, "capture", gpu=True),
    weighs=weighs,
)
