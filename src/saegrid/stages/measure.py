"""Numbers of an SAE on tokens that it did not learn from, and its health."""

from typing import TYPE_CHECKING, Any

from saegrid.metrics import METRICS
from saegrid.stages.places import MODEL, SAE, TOKENS, VERIFIED, all_activations, dumped
from saegrid.stages.stage import CELL, At, Many, Needs, Source, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes


def activations(plan: "Plan", at: At) -> list[Source]:
    """The activations on which a cell is judged, shards in order; ConfigError where it has none."""
    plan.judged.check(at.cell, at.corpus)
    return all_activations(plan, at)


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The split, the samples and the model."""
    return {
        "cell": at.cell,
        "corpus": at.corpus,
        "split": plan.judged.split(at.cell, at.corpus),
        "metrics": dumped(plan.study.metrics, "tokens", "rows", "seed"),
        **plan.model.spec,
        "threads": plan.study.threads.metrics,
    }


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Encoder and decoder are read."""
    sae = sizes.sae(at.cell)
    return sae and Weight(write=30_000, read=2 * sae.matrix)


MEASURE = Stage(
    "measure",
    reads={
        "activations": Many(activations, settled=True),
        "sae": SAE,
        "tokens": TOKENS,
        "model": MODEL,
        "verified": VERIFIED,
    },
    writes={"metrics": CELL + "metrics.json"},
    settings=settings,
    code=lambda plan, at: [plan.saes.reader(at.cell), *METRICS.values(), *plan.model.code],
    needs=Needs(
        memory=lambda plan, at: plan.judged.memory(),
        minutes=240,
        threads="metrics",
        gpu=True,
        hub=True,
        priority=1,
        group="measurements",
    ),
    weighs=weighs,
)
