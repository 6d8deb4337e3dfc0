"""The specs that finished files record, against the present ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from saegrid.base import recorded as base
from saegrid.base.errors import ConfigError
from saegrid.base.recorded import Recorded
from saegrid.stages.stage import RECORDING, At, Read, Source, Stage, Upstream

if TYPE_CHECKING:
    from saegrid.stages.graph import Graph, Job

Finished = TypeVar("Finished")
MANY = 50
"""Number of files that are named in a message."""


def recorded(path: str) -> str | None:
    """The spec that a file records, empty where it has none; None where it is gone or damaged."""
    record = _record(path)
    return None if record is None or record.damage else record.spec


def _record(path: str) -> Recorded | None:
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return None
    return _read(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@cache
def _read(path: str, *state: int) -> Recorded:
    """The record of a file in a state: a plan asks for it many times."""
    return base.recorded(path)


def damaged(graph: "Graph", jobs: Iterable["Job"]) -> dict[str, str]:
    """Results of these jobs that are there and cannot be read, each with the reason. They count as
    missing: the next run makes them again."""
    damages: dict[str, str] = {}
    for stage, at in jobs:
        for name in stage.writes:
            beside = stage.write(name).beside
            for path in graph.paths(Source(f"{stage.name}.{name}", at)):
                others = _damages(beside(path) if beside else [])
                damages |= others
                if others:
                    damages[path] = f"it stands for {next(iter(others))}"
                damages |= _damages([path])
    return damages


def _damages(paths: Iterable[str]) -> dict[str, str]:
    """Files that exist and cannot be read, each with the reason."""
    records = {path: _record(path) for path in paths}
    return {path: record.damage for path, record in records.items() if record and record.damage}


def is_recorded(path: str, spec: str, missing: bool = False) -> bool:
    """Return True if a file records this spec; `missing` if the file is missing or damaged."""
    text = recorded(path)
    return missing if text is None else text == spec


def is_settled(
    graph: "Graph", cell: str, measured: bool = False, corpora: Iterable[str] = ()
) -> bool:
    """Return True if a cell has files and all that exist record their present specs.

    A cell without files is not settled: Snakemake does not look behind inputs that are all ancient,
    and would overlook files that are missing there.

    measured: its numbers count too, which a study may have of earlier settings and not ask for.
    corpora: those whose tables count; without any, all on which features may stand.
    """
    key = cell, measured, tuple(corpora or graph.plan.corpora.encoded)
    if key not in graph.settled:
        graph.settled[key] = _is_settled(graph, *key)
    return graph.settled[key]


def _is_settled(graph: "Graph", cell: str, measured: bool, corpora: tuple[str, ...]) -> bool:
    exists = False
    for source in outputs_of(graph, cell, corpora):
        if source.stage == "measure" and not measured:
            continue
        for path in graph.paths(source):
            text = recorded(path)
            if text is not None:
                exists = True
                try:
                    spec = graph.plan.specs.spec(*graph.maker(source))
                except Exception as problem:  # told of the job whose spec it is
                    raise Upstream(str(problem)) from problem
                if text != spec:
                    return False
    return exists


@cache
def recording(graph: "Graph") -> list[str]:
    """The outputs of single cells that record their spec."""
    return [
        f"{stage.name}.{name}"
        for stage in graph.present
        for name in stage.writes
        if "cell" in stage.wildcards and stage.write(name).is_recording
    ]


def ancient_inputs(graph: "Graph", stage: Stage, at: At) -> set[str]:
    """Inputs of a job whose dates count for nothing.

    What an SAE learns from leads to its tables on all corpora, so that all of these must be as
    they should; what is encoded on a corpus leads to those on this one.
    """
    measured = stage.name == "measure"
    corpora = (at.corpus,) if at.corpus and not measured else ()

    def settled(read: Read) -> bool:
        return (
            read.settled(graph.plan, at)
            if callable(read.settled)
            else is_settled(graph, at.cell, measured, corpora)
        )

    reads = graph.reads[stage.name].items()
    return {name for name, read in reads if read.ancient or (read.settled and settled(read))}


def outputs_of(graph: "Graph", cell: str, corpora: Iterable[str]) -> Iterable[Source]:
    """The outputs of a cell that record their spec: its SAE, its tables and pages on these corpora,
    its numbers on the corpus that judges it."""
    plan = graph.plan
    other = {"import_sae" if plan.saes.is_trained(cell) else "train_sae", "merge"}
    for output in recording(graph):
        name = output.partition(".")[0]
        if name in other or not graph.makes(graph.stages[name], cell):
            continue
        names = graph.stages[name].wildcards
        if "corpus" not in names:
            yield Source(output, At(cell=cell))
            continue
        for corpus in [plan.judged.corpus(cell)] if name == "measure" else corpora:
            shards = dict.fromkeys(["", *plan.corpora[corpus].shards])
            for shard in shards if "shard" in names else [""]:
                yield Source(output, At(corpus, cell, shard))


def check_alike(graph: "Graph", jobs: Iterable["Job"], on_record: Callable[[str], bool]) -> None:
    """ConfigError where files of these jobs record another spec and Snakemake has none on record:
    it would take them as they are."""
    loose: dict[Job, tuple[list[str], str]] = {}
    for job in jobs:
        paths = graph.outputs(*job)
        if not any(map(on_record, paths)):
            loose[job] = paths, graph.plan.specs.spec(job.stage.name, job.at)
    made_alike(loose)


def made_alike(jobs: Mapping[Finished, tuple[Iterable[str], str]]) -> list[Finished]:
    """Return the finished jobs whose files record their spec.

    Args:
        jobs: each job with the paths of its files and its spec.

    Raises:
        ConfigError: files record another spec; the message names them all.
    """
    alike, others = [], []
    for job, (paths, spec) in jobs.items():
        texts = {path: recorded(path) for path in paths if path.endswith(RECORDING)}
        others += [path for path, text in texts.items() if text not in (None, "", spec)]
        if spec in texts.values():
            alike.append(job)
    if others:
        more = f" and {len(others) - MANY} more" if len(others) > MANY else ""
        raise ConfigError(
            "These files were made with other settings than this run's, and Snakemake has no "
            "record of them. Delete them (or make all anew with --forceall) and run again: "
            f"{' '.join(others[:MANY])}{more}"
        )
    return alike


def to_do(graph: "Graph", jobs: list["Job"]) -> list["Job"]:
    """Jobs that a run will start: files are missing or record another spec, or a job that makes an
    input of theirs is started, unless the dates of that input count for nothing."""
    again = {job for job in jobs if not _is_finished(graph, job)}
    started = {(job.stage.name, job.at) for job in again}
    while True:
        more = [job for job in jobs if job not in again and started & set(_makers(graph, job))]
        if not more:
            return [job for job in jobs if job in again]
        again.update(more)
        started.update((job.stage.name, job.at) for job in more)


def _is_finished(graph: "Graph", job: "Job") -> bool:
    """Return True if all files of a job exist and record its spec."""
    spec = graph.plan.specs.spec(job.stage.name, job.at)
    for name in job.stage.writes:
        records = job.stage.write(name).is_recording
        for path in graph.paths(Source(f"{job.stage.name}.{name}", job.at)):
            if not (is_recorded(path, spec) if records else Path(path).is_file()):
                return False
    return True


def _makers(graph: "Graph", job: "Job") -> Iterator[tuple[str, At]]:
    """The jobs that make those inputs of a job whose dates count."""
    ancient = ancient_inputs(graph, *job)
    for name in job.stage.reads:
        if name not in ancient:
            yield from map(graph.maker, graph.listed(job.stage, name, job.at))
