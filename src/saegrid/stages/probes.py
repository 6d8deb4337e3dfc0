"""Classifiers of texts: what activations, codes and words predict, on texts not learned from."""

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.registry import entry
from saegrid.base.section import Number, Positive, Strict
from saegrid.base.words import Site
from saegrid.evidence.probes.representations import BASELINES, REPRESENTATIONS
from saegrid.evidence.probes.targets import PROBES as TARGETS
from saegrid.stages import evidence
from saegrid.stages.places import all_activations
from saegrid.stages.stage import CORPUS, At, Many, Needs, One, Plan, Sizes, Source, Stage, Weight


class Settings(Strict):
    """Classifiers of texts by activations, codes and words. Label, high, low, classes,
    parts and seed are those of the tests."""

    probes: list[str] | None = None
    """Probes: edited (or original), high (or low label), grade (the label as a number), label (two
    classes, or a number). null: edited where texts are pairs; high and grade where the label is a
    number, else label."""
    representations: list[str] = ["x", "codes"]
    """Descriptions of the texts: x, neurons, pca (of the activations of a site), codes, binary,
    random (of each cell, the last in random directions), word_vectors; words,
    frequency_surprisal and combined are made whatever stands here, for others are to beat them."""
    ks: list[Annotated[Positive, Field(le=10_000)]] = [1, 2, 5, 10, 20, 50, 100]
    """Numbers of features of the sparse classifiers."""
    l2: Annotated[list[Annotated[Number, Field(gt=0)]], Field(min_length=1)] = [1e-3]
    """Penalties of the classifiers on all features: this times the square of the weights, halved,
    is added to the mean loss, where texts have a mean square of 1. Of several the best on a fold of
    the training texts is taken."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the texts of discovery, each predicted after learning from the others."""
    draws: Annotated[int, Field(ge=20, le=10_000)] = 200
    """Draws of originals behind intervals."""
    shuffles: Annotated[int, Field(ge=0, le=1000)] = 1
    """Times that labels are shuffled, for chance: fits of each classifier beside its own."""


def section(plan: Plan) -> Settings:
    """The settings of the analysis."""
    return plan.study.analyses.probes or Settings()


def names(plan: Plan) -> list[str]:
    """The probes of a study."""
    named = section(plan).probes
    if named is not None:
        return list(dict.fromkeys(named))
    corpus = plan.study.corpora[plan.main]
    tests = plan.study.analyses.tests
    grade = corpus.grades.mean if corpus.grades else None
    label = (tests.label if tests else None) or grade
    is_number = label is not None and corpus.source.labels.get(label) == "number"
    labelled = (["high", "grade"] if is_number else ["label"]) if label else []
    if not plan.corpora[plan.main].has_edits:
        return ["label"]
    return ["edited", *labelled]


def check(plan: Plan) -> None:
    """ConfigError where the tests are not named, whose plan says which texts are which, or a name
    is unknown."""
    if plan.study.analyses.tests is None:
        raise ConfigError(
            "analyses.probes needs the plan of analyses.tests, which the study does not name: add "
            "`analyses: {tests: {}}` to its config."
        )
    try:
        for name in names(plan):
            entry(TARGETS, name, "analyses.probes.probes:")
        for name in section(plan).representations:
            entry(REPRESENTATIONS, name, "analyses.probes.representations:")
    except ValueError as problem:
        raise ConfigError(str(problem)) from None


def corpora(plan: Plan) -> list[str]:
    """Names of the corpora in which texts are predicted: those of the tests but the control."""
    check(plan)
    control = plan.study.analyses.tests.control
    return [name for name in evidence.corpora(plan) if name != control]


def of_each(output: str) -> Many:
    """An output on each of these corpora."""
    return Many(lambda plan, at: [Source(output, At(name)) for name in corpora(plan)])


def planned(plan: Plan, at: At) -> Source:
    """The plan of the tests."""
    check(plan)
    return Source("analysis_plan.plan", At())


def asked() -> dict[str, Any]:
    """The plan, and the tables of the texts."""
    return {
        "plan": One(planned),
        "texts": of_each("items.table"),
        "tokens": of_each("tokens.tokens"),
        "spans": of_each("tokens.spans"),
    }


def settings_of(plan: Plan) -> dict[str, Any]:
    """Settings that all jobs of the probes have."""
    return {
        "corpora": corpora(plan),
        "names": names(plan),
        "probes": section(plan).model_dump(mode="json", exclude={"probes"}),
    }


def code(plan: Plan, at: At) -> list[str]:
    """The modules of the probes and representations."""
    wanted = [*BASELINES, *section(plan).representations]
    ours = [REPRESENTATIONS[name] for name in dict.fromkeys(wanted) if name in REPRESENTATIONS]
    return [*(TARGETS[name] for name in names(plan) if name in TARGETS), *ours]


def _activations(plan: Plan, site: str) -> list[list[Source]]:
    """The activations of a site on each corpus."""
    return [all_activations(plan, At(name, site=site)) for name in corpora(plan)]


def _flat(several: Iterable[list[Source]]) -> list[Source]:
    return [one for sources in several for one in sources]


def activations(plan: Plan, at: At) -> list[list[Source]]:
    """The activations of the job's site, where something asks for them."""
    asks = {"x", "pca", "random"} & {*section(plan).representations}
    return _activations(plan, at.site) if asks else []


def neurons(plan: Plan, at: At) -> list[list[Source]]:
    """The hidden neurons of the site's layer, where they are asked for and captured."""
    site = Site.parse(at.site)._replace(position="N")
    asks = "neurons" in section(plan).representations and site in plan.sites
    return _activations(plan, str(site)) if asks else []


def cells(plan: Plan, at: At) -> list[str]:
    """The cells of the job's site."""
    return [str(cell) for cell in plan.cells if str(cell.site) == at.site]


def features(plan: Plan, at: At) -> list[Source]:
    """The codes of each cell on each corpus."""
    return [
        Source("encode.features", At(name, cell, site=at.site))
        for cell in cells(plan, at)
        for name in corpora(plan)
    ]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells, and how many files each corpus has."""
    return {
        **settings_of(plan),
        "site": at.site,
        "cells": cells(plan, at),
        "shards": [len(files) for files in activations(plan, at)],
        "neurons": [len(files) for files in neurons(plan, at)],
    }


def sites(plan: Plan) -> list[At]:
    """Each site that has cells, on the main corpus."""
    return [At(plan.main, site=site) for site in dict.fromkeys(str(c.site) for c in plan.cells)]


def weighs(sizes: Sizes, at: At) -> Weight:
    """Predictions of each text by each classifier."""
    plan = sizes.plan
    methods = (len(section(plan).ks) + 2) * (1 + len(cells(plan, at)))
    texts = sum(sizes.text(name).items for name in corpora(plan))
    return Weight(write=4 * 2 * methods * texts * len(names(plan)) + 200_000)


PROBES = Stage(
    "probes",
    reads={
        **asked(),
        "base": "probes_texts.tensors",
        "activations": Many(lambda plan, at: _flat(activations(plan, at))),
        "neurons": Many(lambda plan, at: _flat(neurons(plan, at))),
        "features": Many(features),
    },
    writes={
        "summary": CORPUS + "probes/sites/{site}.parquet",
        "folds": CORPUS + "probes/sites/{site}-folds.parquet",
        "tensors": CORPUS + "probes/sites/{site}.safetensors",
    },
    config=Settings,
    ends=sites,
    settings=settings,
    code=code,
    needs=Needs(memory=4000, minutes=120, group="cells"),
    weighs=weighs,
)
