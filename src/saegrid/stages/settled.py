"""The specs that finished files record, against the present ones."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from saegrid.base.errors import ConfigError
from saegrid.base.io import recorded_spec
from saegrid.stages.stage import RECORDING, At, Source

if TYPE_CHECKING:
    from saegrid.stages.graph import Graph

Job = TypeVar("Job")


def recorded(path: str) -> str | None:
    """The spec that a file records, empty where it has none; None where there is no such file."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return None
    return _recorded(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@cache
def _recorded(path: str, *state: int) -> str:
    """The same of a file in a state: a plan asks for it many times."""
    return recorded_spec(path)


def is_recorded(path: str, spec: str, missing: bool = False) -> bool:
    """Whether a file records a spec; `missing` where there is no such file."""
    text = recorded(path)
    return missing if text is None else text == spec


def is_settled(graph: "Graph", cell: str) -> bool:
    """Whether a cell has files, and all that are there record their present specs.

    One without any is not: Snakemake passes over what lies behind inputs that are all ancient, and
    with a job that has to run hides those behind it, missing or not.
    """
    if cell not in graph.settled:
        graph.settled[cell] = _is_settled(graph, cell)
    return graph.settled[cell]


def _is_settled(graph: "Graph", cell: str) -> bool:
    there = False
    for source in outputs_of(graph, cell):
        for path in graph.paths(source):
            text = recorded(path)
            if text is not None:
                there = True
                if text != graph.spec(*graph.maker(source)):
                    return False
    return there


def outputs_of(graph: "Graph", cell: str) -> Iterable[Source]:
    """The outputs of a cell that record their spec: its SAE, its tables and pages on the main
    corpus, its numbers on the corpus that judges it."""
    plan = graph.plan
    other = {"import_sae" if plan.saes.is_trained(cell) else "train_sae", "merge"}
    shards = dict.fromkeys(["", *plan.corpora[plan.main].shards])
    for output in graph.of_cells:
        name = output.partition(".")[0]
        if name not in other:
            names = graph.stages[name].wildcards
            judged = name == "measure"
            corpus = plan.judged.corpus(cell) if judged else plan.main
            for shard in shards if "shard" in names else [""]:
                yield Source(output, At(corpus if "corpus" in names else "", cell, shard))


def made_alike(jobs: Mapping[Job, tuple[Iterable[str], str]]) -> list[Job]:
    """Of finished jobs, each with its files and its spec, those whose files record the spec.

    Raises:
        ConfigError: where files record another; it names them all.
    """
    alike, others = [], []
    for job, (paths, spec) in jobs.items():
        texts = {path: recorded(path) for path in paths if path.endswith(RECORDING)}
        others += [path for path, text in texts.items() if text not in (None, "", spec)]
        if spec in texts.values():
            alike.append(job)
    if others:
        raise ConfigError(
            "These files were made with other settings than this run's, and Snakemake has no "
            f"record of them. Delete them and run again: {' '.join(others)}"
        )
    return alike
