"""SAEs of a site, trained together on one stream of activations into a store of trainings."""

import json
from typing import TYPE_CHECKING, Any

from saegrid.stages import train_sae
from saegrid.stages.settled import is_settled
from saegrid.stages.stage import STUDY, At, Many, Needs, One, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes


def members(plan: "Plan", at: At) -> list[str]:
    """The cells of a job."""
    return plan.trainings.together[at.site, at.together]


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The spec of each member."""
    return {"members": {c: plan.graph.spec("train_sae", At(cell=c)) for c in members(plan, at)}}


def memory(plan: "Plan", at: At) -> int:
    """Megabytes of all members, and of a filling beside them."""
    cells = members(plan, at)
    return train_sae.members_memory(plan, cells, 8000) + train_sae.filling(plan, cells[0])[0]


def threads(plan: "Plan", at: At) -> int:
    """Threads of each member times how many are trained at a time, and those of a filling."""
    cells, chosen = members(plan, at), plan.study.threads
    side_by_side = min(len(cells), chosen.together)
    return chosen.train * side_by_side + train_sae.filling(plan, cells[0])[1]


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """What is trained together is counted with its cells, which are links."""
    return Weight(write=len(json.dumps(members(sizes.plan, at))))


TRAIN_TOGETHER = Stage(
    "train_together",
    reads={
        "activations": Many(
            lambda plan, at: train_sae.activations(plan, members(plan, at)[0]),
            settled=lambda plan, at: all(is_settled(plan.graph, c) for c in members(plan, at)),
            decides=False,
        ),
        "tokens": One(
            lambda plan, at: train_sae.tokens(plan, members(plan, at)[0]),
            ancient=True,
            decides=False,
        ),
    },
    writes={"members": STUDY + "saes/store/{site}-{together}.json"},
    settings=settings,
    needs=Needs(
        memory=memory,
        minutes=240,
        threads=threads,
        gpu=lambda plan, at: train_sae.gpu(plan, members(plan, at)[0]),
        filling=lambda plan, at: train_sae.filling(plan, members(plan, at)[0]),
        group="together",
    ),
    weighs=weighs,
    only={
        "together": lambda plan: (
            "|".join(sorted({name for _, name in plan.trainings.together})) or "(?!)"
        )
    },
)
