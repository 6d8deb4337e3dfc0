"""Other descriptions of a site's activations, beside its SAEs on the same tokens."""

from typing import Any

from saegrid.base.registry import lookup
from saegrid.metrics.baselines.memory import held
from saegrid.stages.places import TOKENS, all_activations, dumped
from saegrid.stages.settled import is_recorded
from saegrid.stages.sizes import sae_of
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Source, Stage


def metrics(plan: Plan, at: At) -> list[Source]:
    """Numbers of all cells of the site that are judged on the corpus."""
    cells = plan.judged.cells(at.corpus, at.site)
    return [Source("measure.metrics", At(at.corpus, cell)) for cell in cells]


def is_settled(plan: Plan, at: At) -> bool:
    """Return True if the table records its present spec, or does not exist."""
    (path,) = plan.graph.paths(Source("baselines.table", at))
    return is_recorded(path, plan.specs.spec("baselines", at), missing=True)


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The splits of the site's cells, and the methods."""
    cells = plan.judged.cells(at.corpus, at.site)
    splits = {tuple(plan.judged.split(cell, at.corpus).items()) for cell in cells}
    chosen = dumped(plan.study.metrics, "tokens", "fit", "ranks", "baselines", "seed")
    return {
        "site": at.site,
        "splits": [dict(split) for split in sorted(splits)],
        "metrics": chosen,
        "threads": plan.study.threads.metrics,
    }


def code(plan: Plan, at: At) -> list[str]:
    """Code of the methods."""
    table = "saegrid.metrics.baselines:BASELINES"
    return [lookup(table, name, "metrics.baselines:") for name in plan.study.metrics.baselines]


def memory(plan: Plan, at: At) -> int:
    """Megabytes, by the width of the site and the features of its SAEs."""
    saes = [sae_of(plan, cell) for cell in plan.judged.cells(at.corpus, at.site)]
    if not saes or None in saes:
        return 4000
    return max(4000, held(saes[0].d_model, sum(sae.d_sae for sae in saes)))


BASELINES = Stage(
    "baselines",
    reads={
        "activations": Many(all_activations, settled=is_settled),
        "metrics": Many(metrics),
        "tokens": TOKENS,
    },
    writes={"table": CORPUS + "baselines/{site}.parquet"},
    settings=settings,
    code=code,
    needs=Needs(memory=memory, minutes=60, threads="metrics", group="baselines"),
)
