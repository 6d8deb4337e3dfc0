"""Sizes of the activations of all sites on all corpora, and the dimensions that stand out."""

from typing import Any

from saegrid.stages.places import all_activations, paths
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Sizes, Source, Stage, Weight


def corpora(plan: Plan) -> list[str]:
    """The main corpus, those that SAEs learn from, and those that the config names beside."""
    named = plan.study.survey.corpora
    return list(dict.fromkeys([plan.main, *plan.learned_corpora(), *named]))


def activations(plan: Plan, at: At) -> list[Source]:
    """The activations of every site on every corpus."""
    places = [At(name, site=str(site)) for name in corpora(plan) for site in plan.sites]
    return [source for place in places for source in all_activations(plan, place)]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """Corpus, site, files and norm of each part."""
    parts = [
        {
            "corpus": name,
            "site": str(site),
            "files": paths(plan, all_activations(plan, At(name, site=str(site)))),
            "normed": plan.corpora[name].norm,
        }
        for name in corpora(plan)
        for site in plan.sites
    ]
    return {"parts": parts, "cut": plan.study.survey.cut}


def weighs(sizes: Sizes, at: At) -> Weight:
    """A row a dimension, and single tokens."""
    plan = sizes.plan
    return Weight(write=76 * len(corpora(plan)) * sum(map(plan.model.width, plan.sites)))


SURVEY = Stage(
    "survey",
    reads={"activations": Many(activations)},
    writes={
        name: STUDY + f"survey/{name}.parquet"
        for name in ("layers", "dimensions", "pairs", "passes")
    },
    settings=settings,
    needs=Needs(memory=2000, minutes=60, group="study"),
    weighs=weighs,
)
