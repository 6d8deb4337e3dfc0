"""The page of clusters: how many, how firm, beside labels and raw activations."""

from typing import Any

from saegrid.stages.clusters import TABLES, sites
from saegrid.stages.places import once
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Weight, Write


def of_sites(table: str) -> Many:
    """A table of each site."""
    return Many(lambda plan, at: [Source(f"clusters.{table}", place) for place in sites(plan)])


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, the sites in the order of their files, and settings."""
    return {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "sites": [place.site for place in sites(plan)],
        "section": plan.settings("", "clusters"),
    }


CLUSTERS_PAGE = Stage(
    "clusters_page",
    reads={table: of_sites(table) for table in TABLES},
    writes={"page": Write(STUDY + "clusters.html", report=("clusters", "Clusters"))},
    settings=settings,
    part_of="clusters",
    ends=once,
    needs=Needs(memory=2000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=400_000 * len(sites(sizes.plan))),
)
