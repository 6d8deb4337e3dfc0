"""Tables of what a model writes: prompts, choice of a layer, features drawn by a rule, texts."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.section import Many as Count
from saegrid.base.section import Number, Seed, Strict
from saegrid.stages.places import of_every_cell, on_main, once
from saegrid.stages.stage import STUDY, At, Needs, Panel, Plan, Sizes, Stage, Weight
from saegrid.stages.stage import Settings as Values

Few = Annotated[int, Field(ge=1, le=1000)]


class Settings(Strict):
    """A report on what a model writes: main corpus of kind continued, a survey, an SAE at the layer
    that is chosen, its features and what the model writes when they are clamped."""

    theme: str | None = None
    """Label of the prompts by which they are counted and drawn; null: none."""
    strata: Few = 4
    """Parts of equal number into which the features are cut by density."""
    each: Few = 2
    """Features drawn at random from each of these."""
    least: Count = 10
    """Tokens on which a feature must be active to be drawn."""
    texts: Few = 5
    """Texts of a feature."""
    window: Annotated[int, Field(ge=0, le=1000)] = 10
    """Tokens of a text that are shown left and right of the strongest."""
    clamped: Annotated[int, Field(ge=0, le=1000)] = 3
    """Features of those drawn that are clamped, whose activation falls most on few tokens."""
    strength: Annotated[Number, Field(gt=0, le=1000)] = 1.0
    """Value of a high clamp in multiples of the largest activation of the feature."""
    read: Annotated[int, Field(ge=2, le=10_000)] = 20
    """Texts on which log-probabilities are taken, from each theme in turn."""
    shown: Few = 2
    """Prompts that the model continues with each clamp, those of the first of these."""
    new_tokens: Count = 30
    """Tokens of these texts."""
    temperature: Annotated[Number, Field(ge=0, le=100)] = 1.0
    """Temperature of these texts; 0: the likeliest token."""
    seed: Seed = 0
    """Seed of the features that are drawn and of the texts."""


def settings(plan: Plan, at: At) -> Values:
    """The cells, the model, and its tokenizer, which knows what it has no token for."""
    check(plan)
    tokenizer, revision = plan.model.tokenizer_named
    return {
        **plan.model.spec,
        "corpus": plan.main,
        "cells": list(map(str, plan.cells)),
        "tokenizer": tokenizer,
        "revision": revision,
        "content": plan.model.tokenizer,
    }


def check(plan: Plan) -> None:
    """ConfigError where the study has nothing to report on."""
    main, theme = plan.corpora[plan.main], plan.study.analyses.hooks.theme
    if not main.is_continued:
        raise ConfigError(
            f"analyses.hooks: it reports on what the model writes, but the main corpus {plan.main} "
            f"is of kind {main.settings.source.kind}. Give it the kind continued, with prompts."
        )
    labels = main.settings.source.labels
    if theme is not None and labels.get(theme) != "text":
        raise ConfigError(
            f"analyses.hooks.theme: {theme} must be a label of {plan.main} that is read as text; "
            f"its labels: {', '.join(f'{n} ({h})' for n, h in labels.items()) or 'none'}."
        )


def weighs(sizes: Sizes, at: At) -> Weight:
    """Some texts of some features."""
    section: Any = sizes.plan.study.analyses.hooks
    return Weight(write=40_000 + 200 * section.strata * section.each * section.texts)


TABLES = ("choice", "prompts", "features", "texts")
"""Tables of the stage."""

HOOKS = Stage(
    "hooks",
    reads={
        "layers": "survey.layers",
        "table": on_main("items.table"),
        "tokens": on_main("tokens.tokens"),
        "codes": of_every_cell("encode.features"),
        "densities": of_every_cell("density.table"),
    },
    writes={
        **{name: STUDY + f"hooks/{name}.parquet" for name in TABLES},
        "facts": STUDY + "hooks/facts.json",
    },
    config=Settings,
    ends=once,
    settings=settings,
    needs=Needs(memory=4000, minutes=20, group="study"),
    weighs=weighs,
    shows=(
        Panel(
            "hooks",
            "What the model writes",
            "The prompts, and what was written after them. Each theme opens the report: layer, "
            "SAE, sparsity, features with their texts, and what happens when features are held.",
            "saegrid.interventions.written:panel",
            "hooks.prompts",
        ),
    ),
)
