"""What a run comes to: bytes, memory, the check of the disk, and times of earlier jobs.

Bytes of tensors are exact once the tokens are counted; those of tables and pages are as measured a
row or a feature. Times are medians of earlier jobs of the same rule, from its benchmark files.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from saegrid.stages.graph import Job, listed
from saegrid.stages.settled import is_recorded
from saegrid.stages.sizes import Sizes, Unknown
from saegrid.stages.stage import At, Plan, Source

if TYPE_CHECKING:
    from saegrid.stages.graph import Graph

HEAVY = 20 * 10**9
"""Bytes read and written from which a run is worth a table."""


class DiskError(ValueError):
    """A run for which the disk does not suffice; the message says how much is missing."""


class Line(NamedTuple):
    """All jobs of a rule."""

    rule: str
    jobs: int
    read: int
    write: int
    memory: int
    """Bytes of the largest job."""
    passing: int
    """Bytes on disk beside what stays, of the largest job."""
    seconds: float | None
    """Wall time at the given cores; None where no earlier job is known."""


class Estimate(NamedTuple):
    """What a run comes to, with what it rests on."""

    lines: list[Line]
    notes: list[str]
    """Guesses and gaps, a sentence each."""
    cores: int
    free: int
    """Bytes free on the disk of the results."""
    root: str
    """Folder of the study."""

    @property
    def total(self) -> Line:
        """The sum of all rules; memory and passing bytes of the largest job."""
        lines = self.lines
        seconds = [line.seconds for line in lines if line.seconds is not None]
        return Line(
            "total",
            sum(line.jobs for line in lines),
            sum(line.read for line in lines),
            sum(line.write for line in lines),
            max((line.memory for line in lines), default=0),
            max((line.passing for line in lines), default=0),
            sum(seconds) if seconds else None,
        )

    @property
    def needed(self) -> int:
        """Bytes that must be free on disk."""
        return self.total.write + self.total.passing

    @property
    def is_heavy(self) -> bool:
        """Whether the run is worth a table."""
        return self.total.read + self.total.write > HEAVY

    def summary(self) -> str:
        """One line."""
        total = self.total
        unknown = [line.rule for line in self.lines if line.seconds is None]
        took = ""
        if total.seconds is not None:
            least = (
                f"at least {duration(total.seconds)}"
                if unknown
                else f"about {duration(total.seconds)}"
            )
            took = f", {least} on {plural(self.cores, 'core')} as earlier jobs took"
        return (
            f"Estimate: {plural(total.jobs, 'job')}, {size(total.read)} to read, "
            f"{size(total.write)} to write, {size(total.memory)} of memory in the largest job"
            f"{took}; {size(self.free)} free on the disk."
        )

    def text(self) -> str:
        """The table, what it rests on, and how the disk stands."""
        verdict = "enough" if self.needed <= self.free else "NOT ENOUGH"
        disk = f"needs {size(self.needed)} of disk, {size(self.free)} are free: {verdict}"
        return "\n".join([table(self), *self.notes, f"{self.root}: {disk}."])

    def check(self) -> None:
        """DiskError where the disk does not suffice."""
        if self.needed > self.free:
            raise DiskError(
                f"{self.root}: this run needs about {size(self.needed)} of disk, but "
                f"{size(self.free)} are free. Make room, let `results` be a link to a larger disk, "
                "or do less: a smaller grid, fewer context tokens (corpora.*.tokens.context), "
                "dtype bfloat16. `snakemake estimate` shows the table; --no-hooks goes on anyway."
            )


def estimate(plan: Plan, jobs: Iterable[Job], cores: int = 1) -> Estimate:
    """What these jobs come to."""
    sizes, by_rule, unknown = Sizes(plan), {}, set()
    for job in jobs:
        try:
            pair = job, job.stage.weighs(sizes, job.at)
        except Unknown:
            unknown.add(job.stage.name)
        else:
            by_rule.setdefault(job.stage.name, []).append(pair)
    times = earlier(Path("logs") / plan.study.study)
    lines = []
    for rule, pairs in by_rule.items():
        needs = [plan.graph.needs(*job) for job, _ in pairs]
        threads = sum(min(need["threads"], cores) for need in needs)
        seconds = None if rule not in times else max(times[rule], times[rule] * threads / cores)
        lines.append(
            Line(
                rule,
                len(pairs),
                sum(weight.read + read_bytes(plan, sizes, job) for job, weight in pairs),
                sum(weight.write for _, weight in pairs),
                max(need["memory"] for need in needs) * 10**6,
                max(weight.passing for _, weight in pairs),
                seconds,
            )
        )
    notes = [
        f"{name}: not tokenised yet; counts are guessed from {text.guess}."
        for name, text in sizes.texts.items()
        if text.guess
    ]
    if unknown:
        notes.append(
            f"Not counted: {', '.join(sorted(unknown))}. The model lies on the hub: name a local "
            "folder in model.path."
        )
    machine = machine_memory()
    notes += [
        f"{line.rule}: a job may hold {size(line.memory)}; this machine has {size(machine)}."
        for line in lines
        if line.memory > machine > 0
    ]
    return Estimate(lines, notes, cores, free_bytes(plan.root), plan.root)


def read_bytes(plan: Plan, sizes: Sizes, job: Job) -> int:
    """Bytes of a job's inputs: of files as they are, of others as their makers will write them."""
    total = 0
    for name in job.stage.reads:
        source = plan.graph.sources(job.stage, name, job.at)
        for one in source if isinstance(source, list) else [source]:
            if isinstance(one, Source):
                total += _weight_of(plan, sizes, one)
            elif one is not None:
                total += Path(one).stat().st_size
    return total


def _weight_of(plan: Plan, sizes: Sizes, source: Source) -> int:
    paths = plan.graph.paths(source)
    if all(Path(path).is_file() for path in paths):
        return sum(Path(path).stat().st_size for path in paths)
    name, at = plan.graph.maker(source)
    stage = plan.graph.stages[name]
    share = len(paths) / len(plan.graph.outputs(stage, at))
    try:
        return round(stage.weighs(sizes, at).write * share)
    except Unknown:
        return 0


def to_do(plan: Plan, jobs: Sequence[Job]) -> list[Job]:
    """Jobs that a run will start: files are missing or record another spec, or a job that makes an
    input of theirs is started, unless the dates of that input count for nothing."""
    graph = plan.graph
    again = {job for job in jobs if not _is_finished(graph, job)}
    started = {(job.stage.name, job.at) for job in again}
    while True:
        more = [job for job in jobs if job not in again and started & set(_makers(graph, job))]
        if not more:
            return [job for job in jobs if job in again]
        again.update(more)
        started.update((job.stage.name, job.at) for job in more)


def _is_finished(graph: "Graph", job: Job) -> bool:
    """Whether all files of a job are there and record its spec."""
    spec = graph.spec(job.stage.name, job.at)
    for name in job.stage.writes:
        records = job.stage.write(name).is_recording
        for path in graph.paths(Source(f"{job.stage.name}.{name}", job.at)):
            if not (is_recorded(path, spec) if records else Path(path).is_file()):
                return False
    return True


def _makers(graph: "Graph", job: Job) -> Iterator[tuple[str, At]]:
    """The jobs that make those inputs of a job whose dates count."""
    ancient = graph.ancient_inputs(*job)
    for name in job.stage.reads:
        if name not in ancient:
            yield from map(graph.maker, listed(graph.sources(job.stage, name, job.at)))


def earlier(folder: Path) -> Mapping[str, float]:
    """Median wall time of the jobs of each rule in seconds, from the benchmark files of a study."""
    seconds: dict[str, list[float]] = {}
    for path in folder.rglob("*.tsv"):
        head, *rows = path.read_text(encoding="utf-8").splitlines() or [""]
        if rows and head.startswith("s\t"):
            named = path.parent if path.name.startswith("shard-") else path
            rule = named.name.partition("-")[0].removesuffix(".tsv")
            seconds.setdefault(rule, []).append(float(rows[-1].partition("\t")[0]))
    return {rule: median(values) for rule, values in seconds.items()}


def free_bytes(folder: str | Path) -> int:
    """Free bytes on the disk of a folder that may not be there yet."""
    path = Path(folder).resolve()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def machine_memory() -> int:
    """Bytes of memory of this machine; 0 where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


# --- words -------------------------------------------------------------------------------------


def duration(seconds: float | None) -> str:
    """Seconds as people read them."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(n: int) -> str:
    """Bytes as people read them."""
    units = ((10**9, "GB"), (10**6, "MB"), (1000, "kB"))
    unit, name = next((u for u in units if n >= u[0]), (1, "bytes"))
    return f"{n:,} {name}" if unit == 1 else f"{n / unit:,.1f} {name}"


def plural(n: int, word: str) -> str:
    """A number and what it counts."""
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def table(estimate: Estimate) -> str:
    """The estimate as text."""
    head = ("rule", "jobs", "reads", "writes", "memory", f"time, {plural(estimate.cores, 'core')}")
    rows = [
        (
            line.rule,
            f"{line.jobs:,}",
            size(line.read),
            size(line.write),
            size(line.memory),
            duration(line.seconds),
        )
        for line in [*estimate.lines, estimate.total]
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            entry.rjust(width) if i else entry.ljust(width)
            for i, (entry, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    )
