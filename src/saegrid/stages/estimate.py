"""Estimates of a run: bytes, memory, free disk and time.

Bytes of tensors are exact once the tokens are counted; those of tables and pages follow from
measured bytes per row or per feature. Times are medians of earlier jobs of the same rule, from its
benchmark files.
"""

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from humanfriendly import format_size, format_timespan
from humanfriendly.text import pluralize
from tabulate import tabulate

from saegrid.base.progress.times import earlier
from saegrid.stages.graph import Job, needs
from saegrid.stages.sizes import Sizes, Unknown
from saegrid.stages.stage import Plan, Source

HEAVY = 20 * 10**9
"""Bytes read and written from which a run is worth a table."""


class DiskError(ValueError):
    """A run for which the disk does not suffice; the message says how much is missing."""


class Line(NamedTuple):
    """All jobs of a rule, or of a run."""

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
    freed: int = 0
    """Bytes of files that are there and are made again: Snakemake deletes them before the job."""

    def row(self) -> list[str]:
        """The line as text."""
        amounts = map(format_size, (self.read, self.write, self.memory))
        return [self.rule, f"{self.jobs:,}", *amounts, duration(self.seconds)]


class Estimate(NamedTuple):
    """The estimate of a run by rule, with the gaps that it has."""

    lines: list[Line]
    notes: list[str]
    """Guesses and gaps, a sentence each."""
    cores: int
    free: int
    """Bytes free on the disk of the results."""
    root: str
    """Folder of the study."""
    warnings: Sequence[str] = ()
    """Notes without which the summary would mislead."""

    @property
    def total(self) -> Line:
        """The sum of all rules; memory and passing bytes of the largest job."""
        _, jobs, read, write, memory, passing, seconds, freed = zip(*self.lines, strict=True)
        known = [value for value in seconds if value is not None]
        sums = sum(jobs), sum(read), sum(write), max(memory), max(passing)
        return Line("total", *sums, sum(known) if known else None, sum(freed))

    @property
    def needed(self) -> int:
        """Bytes that must be free on disk."""
        return max(0, self.total.write - self.total.freed) + self.total.passing

    def is_heavy(self) -> bool:
        """Return True if the run reads and writes enough to show a table."""
        return self.total.read + self.total.write > HEAVY

    def summary(self) -> str:
        """One line, and the warnings below it."""
        total = self.total
        line = (
            f"Estimate: {pluralize(total.jobs, 'job')}, {self.time()}"
            f"{format_size(total.read)} to read, {format_size(total.write)} to write, asks for up "
            f"to {format_size(total.memory)} of memory in a job; {format_size(self.free)} free on "
            "the disk."
        )
        return "\n".join([line, *self.warnings])

    def time(self) -> str:
        """The time of the run, as the summary says it; where most stages have none, how many have
        one; empty where none has."""
        known, n = sum(line.seconds is not None for line in self.lines), len(self.lines)
        if 0 < 2 * known < n:
            return f"{known} of {n} stages have times of earlier jobs, "
        seconds, about = self.total.seconds, "about" if known == n else "at least"
        cores = pluralize(self.cores, "core")
        return f"{about} {duration(seconds)} on {cores} by earlier jobs, " * bool(seconds)

    def text(self) -> str:
        """The table, what it rests on, and how the disk stands."""
        time = f"time, {pluralize(self.cores, 'core')}"
        head = ["rule", "jobs", "reads", "writes", "memory", time]
        rows = [line.row() for line in [*self.lines, self.total]]
        right = ("left", *["right"] * 5)
        table = tabulate(rows, head, "plain", colalign=right, disable_numparse=True)
        needed, free = format_size(self.needed), format_size(self.free)
        verdict = "enough" if self.needed <= self.free else "NOT ENOUGH"
        disk = f"{self.root}: needs {needed} of disk, {free} are free: {verdict}."
        return "\n".join([table, *self.notes, disk])

    def check(self) -> None:
        """DiskError where the disk does not suffice."""
        if self.needed > self.free:
            raise DiskError(
                f"{self.root}: this run needs about {format_size(self.needed)} of disk, but "
                f"{format_size(self.free)} are free. Make room, let `results` be a link to a "
                "larger disk, or do less: a smaller grid, fewer context tokens "
                "(corpora.*.tokens.context), dtype bfloat16. `snakemake estimate` shows the table; "
                "--no-hooks goes on anyway."
            )


def estimate(plan: Plan, jobs: Iterable[Job], cores: int = 1) -> Estimate | None:
    """Estimate these jobs; None if none of them can be estimated."""
    sizes, times = Sizes(plan), earlier(Path("logs") / plan.study.study)
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        by_rule.setdefault(job.stage.name, []).append(job)
    lines, unknown = [], []
    for rule, members in by_rule.items():
        try:
            lines.append(_line(sizes, rule, members, times.get(rule), cores))
        except Unknown:
            unknown.append(rule)
    notes = [
        f"{name}: not tokenised yet; counts are guessed from {text.guess}."
        for name, text in sizes.texts.items()
        if text.guess
    ]
    warnings = []
    if unknown:
        warnings.append(
            f"Not counted: {', '.join(unknown)}. The model lies on the hub: name a local folder in "
            "model.path."
        )
    machine = machine_memory()
    warnings += [
        f"{line.rule}: a job may hold {format_size(line.memory)}; this machine has "
        f"{format_size(machine)}."
        for line in lines
        if line.memory > machine > 0
    ]
    if not lines:
        return None
    free = free_bytes(plan.root)
    return Estimate(lines, [*notes, *warnings], cores, free, plan.root, warnings)


def _line(sizes: Sizes, rule: str, jobs: list[Job], median: float | None, cores: int) -> Line:
    graph = sizes.plan.graph
    wanted = [needs(graph, *job) for job in jobs]
    weights = [job.stage.weighs(sizes, job.at) for job in jobs]
    threads = sum(min(need["threads"], cores) for need in wanted)
    return Line(
        rule,
        len(jobs),
        sum(weight.read for weight in weights) + sum(read_bytes(sizes, job) for job in jobs),
        sum(weight.write for weight in weights),
        max(need["memory"] for need in wanted) * 10**6,
        max(weight.passing for weight in weights),
        None if median is None else median * max(1, threads / cores),
        sum(_freed(path) for job in jobs for path in graph.outputs(*job)),
    )


def _freed(path: str) -> int:
    """Bytes that deleting a file frees; a link to what stands in a store frees none."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError:
        return 0
    return stat.st_size * (stat.st_nlink == 1)


def read_bytes(sizes: Sizes, job: Job) -> int:
    """Bytes of a job's inputs: of files as they are, of others as their makers will write them."""
    graph, total = sizes.plan.graph, 0
    for name in job.stage.reads:
        if not graph.reads[job.stage.name][name].counted:
            continue
        source = graph.sources(job.stage, name, job.at)
        for one in source if isinstance(source, list) else [source]:
            paths = graph.paths(one) if isinstance(one, Source) else [one] * bool(one)
            beside = isinstance(one, Source) and graph.write(one).beside
            if not beside and all(Path(path).is_file() for path in paths):
                total += sum(Path(path).stat().st_size for path in paths)
            elif isinstance(one, Source):
                stage, at = graph.maker(one)
                share = len(paths) / len(graph.outputs(graph.stages[stage], at))
                total += round(graph.stages[stage].weighs(sizes, at).write * share)
    return total


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


def duration(seconds: float | None) -> str:
    """Seconds as people read them."""
    return "-" if seconds is None else format_timespan(round(seconds, 1), max_units=2)
