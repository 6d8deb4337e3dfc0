"""The lines that a run shows: how far it is, a stage that is done, a failure, the end."""

from statistics import median

from saegrid.base.progress.run import Failure, Left, Run, shares
from saegrid.base.progress.words import clock, counted, fit, joined, rough, span

MANY = 10
"""Failed jobs that are listed at the end."""


KNOWN = 0.5
"""Share of the jobs left of which a time must be known for a number to be said."""


def forecast(left: Left | None) -> str:
    """The time that is left: about, at least, at most, or unknown, with the number of stages of
    which no time is known."""
    if left is None or (left.unknown and left.most):
        return "time left unknown"
    stages = counted(left.unknown, "stage")
    if left.unknown and left.share < KNOWN:
        return f"{stages} of unknown time left"
    if left.unknown:
        known = rough(left.seconds) if left.seconds >= 60 else span(max(1.0, left.seconds))
        return f"at least {known} + {stages} left"
    if left.seconds < 60:
        return "under a minute left"
    return f"{'at most' if left.most else 'about'} {rough(left.seconds)} left"


def percent(run: Run) -> int:
    """Jobs that are done of all, in percent, rounded down: 100 is the end."""
    return 100 * run.n_done // max(1, run.n_total)


def line(run: Run, now: float, width: int = 80) -> str:
    """The state of a run in one line of at most `width` characters."""
    head = f"{run.n_done}/{run.n_total} jobs, {percent(run)} %"
    tail = forecast(run.left(now)) if run.n_done < run.n_total else ""
    if run.failed:
        head += f", {len(run.failed)} failed"
    room = width - len(head) - len(tail) - 6
    middle = joined(shares(run), room) if room > 8 else ""
    return fit(" | ".join(filter(None, [head, middle, tail])), width)


def stage(run: Run, name: str, now: float) -> str:
    """A stage that is done: time of day, name, number of its jobs and their median time."""
    n, times = run.totals[name], run.seconds.get(name)
    jobs = counted(n, "job")
    took = f"{' in' if n == 1 else ','} {span(median(times))}{' each' * (n != 1)}" if times else ""
    return f"{clock(now)}  {name:<20} {jobs:>10}{took}"


def failure(one: Failure, now: float) -> list[str]:
    """A job that failed: what, why, and where to look."""
    first, *others = one.reason.splitlines() or ["The job failed without a word."]
    lines = [f"{clock(now)}  FAILED {one.task}: {first}", *(f"    {text}" for text in others)]
    return [*lines, f"    log: {one.task.log}"] if one.task.log else lines


def end(run: Run, now: float, success: bool) -> list[str]:
    """The last lines of a run, but for the page to open."""
    took = span(now - run.began)
    if success:
        jobs, stages = counted(run.n_done, "job"), counted(len(run.totals), "stage")
        return [f"Done: {jobs} of {stages} in {took}."]
    rest = run.n_total - run.n_done - len(run.failed)
    lines = [
        f"Stopped after {took}: {run.n_done:,} of {run.n_total:,} jobs are done, "
        f"{len(run.failed):,} failed, {rest:,} did not run."
    ]
    if len(run.failed) > 1:
        logs = [f"  {one.task}: {one.task.log}" for one in run.failed.values()]
        lines += [*logs[:MANY], *[f"  and {len(logs) - MANY} more"] * (len(logs) > MANY)]
    if run.failed:
        lines.append("Mend what the FAILED lines say and give the same command again.")
    else:
        lines.append("Give the same command again.")
    return [lines[0], *lines[1:-1], f"{lines[-1]} What is done stays."]
