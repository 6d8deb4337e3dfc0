"""A run before it starts, as the terminal shows it: jobs by stage, what they take, its page."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from saegrid.base.progress.run import Run
from saegrid.base.progress.times import earlier
from saegrid.stages.graph import Job, needs
from saegrid.stages.stage import STUDY, Plan


def page(plan: Plan) -> str:
    """Path of the page of a study that is opened first, where it is there: its index, else the
    first of its other pages; empty where it has none."""
    return next(iter(pages(plan)), "")


def pages(plan: Plan) -> list[str]:
    """Paths of the pages of a study, but those of single cells: the index first, then by name."""
    every = Path(plan.root).glob("*.html")
    return [str(path) for path in sorted(every, key=lambda p: (p.stem != "index", p.name))]


def opening(plan: Plan, since: float) -> str:
    """A line for the end of a run: the page to open first, and how many others were written since a
    time (s, of 1970), those of cells among them; empty where the study has no page."""
    first = page(plan)
    every = Path(plan.root).rglob("*.html") if first else ()
    n = sum(str(path) != first and path.stat().st_mtime >= since for path in every)
    others = f" ({n:,} other new page{'s' * (n > 1)})" if n else ""
    return f"Open {first}{others}" if first else ""


def forecast(
    plan: Plan,
    jobs: Iterable[Job],
    whole: Iterable[str],
    capacity: int,
    local: bool = True,
    gpus: int = 0,
) -> Run:
    """The run of these jobs.

    Args:
        plan: the study.
        jobs: what is to be run.
        whole: the stage of each job that the targets need, to be run or not.
        capacity: cores of this machine, or jobs at a time on a cluster.
        local: the jobs run on this machine.
        gpus: jobs with a GPU that may run at a time; 0 where nothing limits them.
    """
    several = list(jobs)
    n, every = Counter(job.stage.name for job in several), Counter(whole)
    order = [name for name in plan.graph.stages if name in n]
    asked = {job.stage.name: needs(plan.graph, *job) for job in several}
    return Run(
        study=plan.study.study,
        page=STUDY.format(study=plan.study.study) + "index.html",
        capacity=max(1, capacity),
        local=local,
        totals={name: n[name] for name in order},
        whole={name: every[name] for name in plan.graph.stages if name in every},
        weights={name: asked[name]["threads"] if local else 1 for name in order},
        earlier=dict(earlier(Path("logs") / plan.study.study)),
        single=frozenset(name for name in order if gpus == 1 and asked[name]["gpu"]),
    )
