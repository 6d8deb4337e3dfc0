"""Inputs and settings that the stages of the tests share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from saegrid.base.digest import file_digest
from saegrid.base.errors import ConfigError
from saegrid.base.paths import expand
from saegrid.base.registry import entry, nearest
from saegrid.evidence import CONFIRMATION, TEST, USUAL
from saegrid.evidence.contrasts import CONTRASTS
from saegrid.stages.places import cells
from saegrid.stages.stage import At, Many, Plan, Source

FACTS = "tests.json"
"""The file of another study in which its tests stand."""


def section(plan: Plan) -> Any:
    """The settings of the analysis."""
    return plan.study.analyses.tests


def corpora(plan: Plan) -> list[str]:
    """Names of the corpora that the tests read: the main one, those that are named as parts or as
    control, and holdouts with the usual names where nothing is named."""
    named = section(plan)
    if named.control and named.control not in plan.study.corpora:
        known = list(plan.study.corpora)
        raise ConfigError(
            f"analyses.tests.control: {named.control!r} is no corpus of the study."
            f"{nearest(named.control, known)} Known: {', '.join(known)}."
        )
    parts = [named.discovery, named.confirmation, named.test, *named.beyond]
    if not any(parts[:3]):
        holdouts = set(plan.corpora.studied[1:])
        parts += [USUAL[name] for name in (CONFIRMATION, TEST) if USUAL[name] in holdouts]
    others = [name for name in [*parts, named.control] if name in plan.study.corpora]
    return list(dict.fromkeys([plan.main, *others]))


def searched(plan: Plan) -> list[str]:
    """The corpora that the search alone reads: the main one, that of discovery, and the control."""
    named = section(plan)
    return [n for n in corpora(plan) if n in (plan.main, named.discovery, named.control)]


def grade(plan: Plan) -> str | None:
    """The column of the mean grade of the main corpus, the label where none is named."""
    grades = plan.study.corpora[plan.main].grades
    return grades.mean if grades else None


Names = Callable[[Plan], list[str]]


def of_each(output: str, names: Names) -> Many:
    """An output on each of some corpora."""
    return Many(lambda plan, at: [Source(output, At(name)) for name in names(plan)])


def asked(names: Names) -> dict[str, Many]:
    """The tables of the texts of some corpora."""
    return {
        "texts": of_each("items.table", names),
        "tokens": of_each("tokens.tokens", names),
        "spans": of_each("tokens.spans", names),
    }


def codes(plan: Plan, at: At) -> list[Source]:
    """The codes of every cell on each of these corpora, those of the main one first."""
    return [
        Source("encode.features", place._replace(corpus=name))
        for name in corpora(plan)
        for place in cells(plan)
    ]


def frozen(plan: Plan, cell: str) -> str:
    """The part of a cell's SAE that stays at its random start: none, decoder, encoder or soft."""
    if not plan.saes.is_trained(cell):
        return "none"
    return getattr(plan.trainings.recipe(cell), "freeze", "none")


def reference(plan: Plan) -> str | None:
    """The corpus of in-distribution text on which features are described, the first one."""
    named = plan.study.corpora
    return next((n for n in plan.corpora.studied if named[n].role == "reference"), None)


def beside(plan: Plan, at: At) -> list[Source]:
    """Densities of every cell on the reference corpus."""
    name = reference(plan)
    return [Source("density.table", p._replace(corpus=name)) for p in cells(plan) if name]


def measured(plan: Plan, at: At) -> list[Source]:
    """Reconstruction of every cell on the main and on the reference corpus, where there is one;
    left out where a cell has learned from these texts."""
    name = reference(plan)
    sources = []
    for place in cells(plan) if name else []:
        for corpus in (plan.main, name):
            try:
                plan.judged.check(place.cell, corpus)
            except ConfigError:
                continue
            sources.append(Source("measure.metrics", At(corpus, place.cell)))
    return sources


def untrained(plan: Plan) -> dict[str, Any]:
    """The tests of the study of the untrained model, where these were made: their content."""
    name = section(plan).untrained
    if name == plan.study.study:
        raise ConfigError(
            f"analyses.tests.untrained: must be another study than {name!r}, one with "
            "model.weights: random."
        )
    path = Path(expand(f"results/{name}/{FACTS}")) if name else None
    return {"untrained_content": file_digest(str(path)) if path and path.is_file() else None}


def code(plan: Plan) -> list[str]:
    """The modules of the contrasts that a study may ask for."""
    names = section(plan).contrasts
    keys = CONTRASTS if names is None else [name.partition(":")[0] for name in names]
    try:
        return sorted({entry(CONTRASTS, key, "Contrast") for key in keys})
    except ValueError as problem:
        raise ConfigError(f"analyses.tests.contrasts: {problem}") from None
