"""SAEs of a site, trained together on one stream of activations into a store of trainings."""

from saegrid.stages import train_sae
from saegrid.stages.settled import is_settled
from saegrid.stages.stage import STUDY, At, Many, Needs, One, Plan, Settings, Stage


def members(plan: Plan, at: At) -> list[str]:
    """The cells of a job."""
    return plan.trainings.together[at.site, at.together]


def settings(plan: Plan, at: At) -> Settings:
    """The spec of each member, in which its code is."""
    return {"members": {c: plan.specs.spec("train_sae", At(cell=c)) for c in members(plan, at)}}


def threads(plan: Plan, at: At) -> int:
    """Threads of each member times how many are trained at a time, and those of a filling."""
    cells, chosen = members(plan, at), plan.study.threads
    return chosen.train * min(len(cells), chosen.together) + filling(plan, at)[1]


def filling(plan: Plan, at: At) -> tuple[int, int]:
    """Megabytes and threads of a filling beside them."""
    return train_sae.filling(plan, members(plan, at)[0])


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
        memory=lambda plan, at: train_sae.memory(plan, members(plan, at), 8000),
        minutes=240,
        threads=threads,
        gpu=lambda plan, at: plan.gpu() * plan.trainings.fills(members(plan, at)[0]),
        filling=filling,
        group="together",
    ),
    only={"together": lambda plan: plan.trainings.pattern},
)
