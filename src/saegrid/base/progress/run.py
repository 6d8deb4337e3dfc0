"""A run as it goes on: jobs that are done, run and failed, by stage, and the time that is left."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, NamedTuple

ENOUGH = 3
"""Finished jobs of a stage from which this run's times count alone."""


class Task(NamedTuple):
    """A job of a run."""

    stage: str
    place: str = ""
    """Corpus, cell and what else tells the jobs of a stage apart."""
    log: str = ""
    weight: int = 1
    """Part of the capacity that it takes: its threads, on a cluster 1."""
    began: float = 0.0
    """Seconds since 1970."""

    def __str__(self) -> str:
        return f"{self.stage} {self.place}".strip()


class Failure(NamedTuple):
    """A job that failed, with the reason in words."""

    task: Task
    reason: str


class Left(NamedTuple):
    """A forecast of the time that a run still takes."""

    seconds: float
    """Time of the jobs of which a time is known."""
    unknown: int = 0
    """Stages of which no job has ended, now or earlier: their time is not counted."""
    most: bool = False
    """Jobs that wait for a failed one, and will not run, are counted."""
    share: float = 1.0
    """Share of the jobs left of which a time is known."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> "Left":
        """The forecast of a record, which may be of another version."""
        return cls(**{name: content[name] for name in cls._fields if name in content})


@dataclass
class Run:
    """The state of a run. Times are seconds since 1970, as the caller reads them off its clock."""

    study: str = ""
    page: str = ""
    """The page to open at the end."""
    began: float = 0.0
    capacity: int = 1
    """Cores of this machine, or jobs at a time on a cluster."""
    local: bool = True
    totals: dict[str, int] = field(default_factory=dict)
    """Jobs of each stage, in the order of the stages."""
    whole: dict[str, int] = field(default_factory=dict)
    """Jobs of each stage with those that were done before the run, in the order of the stages."""
    weights: dict[str, int] = field(default_factory=dict)
    """Capacity that a job of each stage takes; 1 where a stage is not named."""
    earlier: dict[str, float] = field(default_factory=dict)
    """Median seconds of a job of each stage in earlier runs."""
    single: frozenset[str] = frozenset()
    """Stages of which one job runs at a time, as on a single GPU."""
    done: Counter[str] = field(default_factory=Counter)
    running: dict[int, Task] = field(default_factory=dict)
    failed: dict[int, Failure] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    """Wall times of the jobs that are done."""

    def start(self, number: int, task: Task) -> None:
        """A job begins, or begins again after a failure."""
        self.failed.pop(number, None)
        self.running[number] = task

    def finish(self, number: int, now: float) -> Task | None:
        """A job is done; returns it, or None where no such job has begun."""
        task = self.running.pop(number, None)
        if task is not None:
            self.done[task.stage] += 1
            self.seconds.setdefault(task.stage, []).append(now - task.began)
        return task

    def fail(self, number: int, failure: Failure) -> None:
        """A job has failed."""
        self.running.pop(number, None)
        self.failed[number] = failure

    def is_whole(self, stage: str) -> bool:
        """Return True if all jobs of a stage are done."""
        return self.done[stage] >= self.totals.get(stage, 0)

    @property
    def n_done(self) -> int:
        """Number of jobs that are done."""
        return self.done.total()

    @property
    def n_total(self) -> int:
        """Number of jobs of the run."""
        return sum(self.totals.values())

    def usual(self, stage: str) -> float | None:
        """Median seconds of a job of a stage: of this run's jobs where three are done or no earlier
        ones are known, else of the earlier ones; None where there are none."""
        own = self.seconds.get(stage, [])
        if len(own) >= ENOUGH or (own and stage not in self.earlier):
            return median(own)
        return self.earlier.get(stage)

    def left(self, now: float) -> Left | None:
        """The time that is left; None where no job is.

        Of each stage, jobs left x median seconds x weight, less what its running jobs have had;
        divided by the capacity. It is at least what the longest running job and the stages with one
        job at a time still take. Of a stage of which no job has ended, those that wait are taken to
        last as long as the longest of those that run has by now.
        """
        work = alone = longest = 0.0
        n = {"known": 0, "unknown": 0}
        unknown = 0
        for stage, waiting, tasks in self._open():
            usual = self.usual(stage)
            times = [now - task.began for task in tasks]
            n["known" if usual is not None else "unknown"] += waiting + len(tasks)
            unknown += usual is None
            rests = [max(0.0, (usual or 0.0) - had) for had in times]
            each = max([0.0, *times]) if usual is None else usual
            seconds = waiting * each + sum(rests)
            work += seconds * min(self.capacity, self.weights.get(stage, 1))
            alone += seconds if stage in self.single else 0.0
            longest = max([longest, *rests])
        total = sum(n.values())
        if not total:
            return None
        seconds = max(work / self.capacity, alone, longest)
        return Left(seconds, unknown, bool(self.failed), n["known"] / total)

    def _open(self) -> Iterator[tuple[str, int, list[Task]]]:
        """The stages with jobs left: how many wait, and those that run."""
        for stage, total in self.totals.items():
            tasks = [task for task in self.running.values() if task.stage == stage]
            failures = sum(failure.task.stage == stage for failure in self.failed.values())
            waiting = max(0, total - self.done[stage] - len(tasks) - failures)
            if waiting or tasks:
                yield stage, waiting, tasks


def shares(run: Run) -> Iterable[str]:
    """The stages that run, each with its finished jobs of all: `encode 3/21`."""
    names = dict.fromkeys(task.stage for task in run.running.values())
    for stage in run.totals:
        if stage in names:
            yield f"{stage} {run.done[stage]}/{run.totals[stage]}"


def facts(run: Run, now: float) -> Mapping[str, object]:
    """A run as plain values, for its record; `stages` has the jobs that are done, and all."""
    left = run.left(now)
    return {
        "left": left._asdict() if left else None,
        "study": run.study,
        "page": run.page,
        "began": run.began,
        "capacity": run.capacity,
        "local": run.local,
        "stages": {
            stage: [n - run.totals.get(stage, 0) + run.done[stage], n]
            for stage, n in (run.whole or run.totals).items()
        },
        "running": [task._asdict() for task in run.running.values()],
        "failed": [{**f.task._asdict(), "reason": f.reason} for f in run.failed.values()],
    }
