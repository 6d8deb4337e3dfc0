"""Words filled in by the model while confirmed features are turned up: is it funnier?"""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.section import Many as Count
from saegrid.base.section import Number, Seed, Shown, Strict
from saegrid.models import family_of
from saegrid.stages import evidence, places
from saegrid.stages.places import MODEL, family_code
from saegrid.stages.stage import STUDY, At, Many, Needs, One, Plan, Source, Stage, Weight

Dose = Annotated[Number, Field(gt=0, le=100)]


class Settings(Strict):
    """Confirmed features of contrasts about a label, such as how funny an edit is, are turned up
    while the model fills the edited word in; needs `tests` and a causal model."""

    part: str | None = None
    """Part of the tests whose headlines are filled in, one that was not searched. null: test where
    there is one, else confirmation."""
    n_features: Annotated[Count, Field(le=200)] = 10
    """Confirmed features, those with the smallest p_confirm."""
    n_originals: Count = 100
    """Originals, drawn by seed, with all their edits."""
    doses: Annotated[list[Dose], Field(min_length=1, max_length=10)] = [0.5, 1.0, 2.0]
    """Values at which a feature is clamped, in its own maxima. Features that fire more on low
    labels are ablated too."""
    n_texts: Shown = 5
    """Headlines whose likeliest words before and after are kept."""
    draws: Annotated[int, Field(ge=20, le=100_000)] = 1000
    """Draws of originals and features behind intervals."""
    seed: Seed = 0
    """Seed of the originals and of the draws."""


def check(plan: Plan) -> None:
    """ConfigError where there are no tests, no edits, or no model that predicts the next token."""
    if plan.study.analyses.tests is None:
        raise ConfigError(
            "analyses.filling needs what analyses.tests makes, which the study does not name: add "
            "`analyses: {tests: {...}}` to its config."
        )
    if not plan.corpora[plan.main].has_edits:
        raise ConfigError(
            "analyses.filling needs edited texts, and those of the main corpus "
            f"{plan.main} have no edits: leave analyses.filling out."
        )
    config = plan.model.config
    if config is not None and not family_of(config, plan.study.model.family).causal:
        raise ConfigError(
            f"analyses.filling needs a causal model, and {plan.study.model.path} does not predict "
            "the next token: leave analyses.filling out."
        )


def planned(plan: Plan, at: At) -> Source:
    """The plan of the tests."""
    check(plan)
    return Source("analysis_plan.plan", At())


def corpora(plan: Plan) -> list[str]:
    """The corpora of the tests but the control."""
    check(plan)
    control = evidence.section(plan).control
    return [name for name in evidence.corpora(plan) if name != control]


def cells(plan: Plan) -> list[str]:
    """The cells whose SAE has weights."""
    return [str(cell) for cell in plan.cells if not plan.saes.is_displayed(str(cell))]


def codes(plan: Plan, at: At) -> list[Source]:
    """The codes of these cells on the corpus that was searched."""
    check(plan)
    named = evidence.section(plan).discovery
    corpus = named if named in plan.study.corpora else plan.main
    return [Source("encode.features", At(corpus, cell)) for cell in cells(plan)]


def saes(plan: Plan, at: At) -> list[Source]:
    """The files of the SAEs of these cells, two of each."""
    return [one for cell in cells(plan) for one in places.sae(plan, At(cell=cell))]


def code(plan: Plan, at: At) -> list[str]:
    """Code that knows the model's architecture, and that reads the formats of the SAEs."""
    readers = {plan.saes.reader(cell) for cell in cells(plan)}
    return [*family_code(plan, at), *sorted(readers)]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The model, the threads that it runs on, and names of corpora and cells."""
    return {
        **plan.model.spec,
        "threads": plan.study.threads.capture,
        "corpora": corpora(plan),
        "cells": cells(plan),
    }


FILLING = Stage(
    "filling",
    reads={
        "plan": One(planned),
        "discoveries": "tests.discoveries",
        "features": Many(codes, counted=False),
        "saes": Many(saes, counted=False),
        **evidence.asked(corpora),
        "model": MODEL,
    },
    writes={
        "facts": STUDY + "filling.json",
        "table": STUDY + "filling.parquet",
        "texts": STUDY + "filling_texts.parquet",
    },
    config=Settings,
    ends=places.once,
    settings=settings,
    code=code,
    needs=Needs("capture", 240, "capture", gpu=True),
    weighs=lambda sizes, at: Weight(write=500_000),
)
