"""What all jobs of a run come to: a line a rule, their sum, and the table as text.

Times are sums: nothing that a job does overlaps.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from saegrid.stages.estimate import Cost
from saegrid.stages.rates import Rates


class Line(NamedTuple):
    """All jobs of a rule."""

    rule: str
    jobs: int
    read: int
    write: int
    memory: int
    """Of the largest job."""
    seconds: float | None
    """Wall time at the given cores; None without rates."""


class Estimate(NamedTuple):
    """What a run comes to."""

    lines: list[Line]
    passing: int
    """Bytes on disk beside what stays, of the worst job."""
    work: int
    """Multiplications."""
    cores: int
    """On which the times are."""

    @property
    def total(self) -> Line:
        """The sum of all rules; memory of the largest job."""
        seconds = [line.seconds for line in self.lines if line.seconds is not None]
        return Line(
            "total",
            sum(line.jobs for line in self.lines),
            sum(line.read for line in self.lines),
            sum(line.write for line in self.lines),
            max((line.memory for line in self.lines), default=0),
            sum(seconds) if seconds or not self.lines else None,
        )

    @property
    def needed(self) -> int:
        """Bytes that must be free on disk."""
        return self.total.write + self.passing


def seconds_of(cost: Cost, rates: Rates, threads: int) -> tuple[float, float]:
    """Seconds of a job at the disk, and at the processor with so many threads."""
    disk = cost.read / rates.read + cost.write / rates.write + cost.passing / rates.write
    products = (
        cost.model / rates.model + cost.float32 / rates.float32 + cost.bfloat16 / rates.bfloat16
    )
    start = rates.start_torch if cost.torch else rates.start
    return disk, start + products / threads + cost.entries / rates.entries


def line(rule: str, costs: Sequence[Cost], rates: Rates | None, cores: int) -> Line:
    """The line of a rule. Jobs run side by side as threads and cores allow; they share the disk."""
    seconds = None
    if rates is not None:
        threads = [min(cost.threads, cores) for cost in costs]
        pairs = [seconds_of(cost, rates, n) for cost, n in zip(costs, threads, strict=True)]
        disk = sum(pair[0] for pair in pairs)
        work = sum(sum(pair) * n for pair, n in zip(pairs, threads, strict=True)) / cores
        seconds = max(disk, work, max(sum(pair) for pair in pairs))
    return Line(
        rule,
        len(costs),
        sum(cost.read for cost in costs),
        sum(cost.write for cost in costs),
        max(cost.memory for cost in costs),
        seconds,
    )


def add_up(
    jobs: Iterable[tuple[str, Cost]], rates: Rates | None = None, cores: int = 1
) -> Estimate:
    """What jobs (rule, cost) come to, a line a rule in the order in which the rules come."""
    by_rule: dict[str, list[Cost]] = {}
    for rule, cost in jobs:
        by_rule.setdefault(rule, []).append(cost)
    costs = [cost for several in by_rule.values() for cost in several]
    return Estimate(
        [line(rule, several, rates, cores) for rule, several in by_rule.items()],
        max((cost.passing for cost in costs), default=0),
        sum(cost.model + cost.float32 + cost.bfloat16 for cost in costs),
        cores,
    )


def duration(seconds: float | None) -> str:
    """Seconds as people read them."""
    if seconds is None:
        return "-"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def size(n: int) -> str:
    """Bytes as people read them."""
    unit, name = next((u for u in ((10**9, "GB"), (10**6, "MB")) if n >= u[0]), (1000, "kB"))
    return f"{n / unit:,.1f} {name}"


def plural(n: int, word: str) -> str:
    """A number and what it counts."""
    return f"{n:,} {word}" + ("" if n == 1 else "s")


def table(found: Estimate) -> str:
    """The estimate as text."""
    head = ("rule", "jobs", "reads", "writes", "memory", f"time, {plural(found.cores, 'core')}")
    rows = [
        (
            one.rule,
            f"{one.jobs:,}",
            size(one.read),
            size(one.write),
            size(one.memory),
            duration(one.seconds),
        )
        for one in [*found.lines, found.total]
    ]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not i else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [head, *rows]
    )
