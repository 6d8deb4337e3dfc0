"""Numbers of an SAE on tokens that it did not learn from, and its health."""

from saegrid.metrics import METRICS
from saegrid.stages.places import ENCODER, MODEL, TOKENS, VERIFIED, all_activations, dumped
from saegrid.stages.stage import CELL, At, Many, Needs, Plan, Settings, Source, Stage, Weight


def activations(plan: Plan, at: At) -> list[Source]:
    """The activations on which a cell is judged, shards in order; ConfigError where it has none."""
    plan.judged.check(at.cell, at.corpus)
    return all_activations(plan, at)


def target(plan: Plan, at: At) -> list[Source]:
    """The activations of the same tokens at the site that a transcoder writes; none of an SAE."""
    writes = plan.saes.writes(at.cell)
    return all_activations(plan, At(at.corpus, site=str(writes))) if writes else []


def settings(plan: Plan, at: At) -> Settings:
    """The split, the samples and the model."""
    return {
        "cell": at.cell,
        "corpus": at.corpus,
        "split": plan.judged.split(at.cell, at.corpus),
        "metrics": dumped(plan.study.metrics, "tokens", "rows", "seed"),
        **plan.model.spec,
        "threads": plan.study.threads.metrics,
    }


MEASURE = Stage(
    "measure",
    reads={
        "activations": Many(activations, settled=True),
        "target": Many(target, settled=True),
        "sae": ENCODER,
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
        priority=2,
        group="measurements",
    ),
    # Encoder and decoder are read.
    weighs=lambda sizes, at: Weight(write=30_000, read=2 * sizes.sae(at.cell).matrix),
)
