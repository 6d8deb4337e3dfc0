"""Contrasts of texts, tested on every feature of every cell: found on one part of the texts,
confirmed on another, beside what chance gives."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.section import Many as Count
from saegrid.base.section import Number, Seed, Strict
from saegrid.stages import places
from saegrid.stages.evidence import (
    asked,
    beside,
    code,
    codes,
    corpora,
    frozen,
    measured,
    of_each,
    reference,
    untrained,
)
from saegrid.stages.stage import CELL, STUDY, At, Many, Needs, Plan, Stage, Weight, Write

Part = Annotated[str, Field(min_length=1, max_length=100)]


class Settings(Strict):
    """Contrasts of texts, tested on every feature of every cell."""

    contrasts: list[str] | None = None
    """Contrasts: k1 edited or original word, k2 high or low label, k3 the same for edits of one
    original, k3g likewise graded, k4 graded label, k5 edited word or its neighbours, k6 edit or
    random word, label (any column: label:clickbait). null: those that the texts can answer."""
    label: str | None = None
    """Column of the items that is the label; of k2 to k4 it holds numbers. null: the mean grade,
    where the main corpus has one."""
    classes: list[str] = []
    """The two values of a label of classes, side a first; needed where it has more than two."""
    high: Number | None = None
    """Label from which a text counts as high, k2. null: the upper quartile of discovery."""
    low: Number | None = None
    """Label up to which a text counts as low, k2. null: the lower quartile of discovery."""
    same_high: Number | None = None
    """Label from which a text counts as high, k3. null: `high`."""
    same_low: Number | None = None
    """Label up to which a text counts as low, k3. null: the median of discovery where that is below
    `same_high`, else `low`."""
    control: str | None = None
    """Corpus of role control (kind random_edits), for k6."""
    discovery: Part | None = None
    """Texts that are searched: a split of the main corpus, or the corpus. null: the split train, or
    without the usual splits a share of the originals."""
    confirmation: Part | None = None
    """Texts on which it is confirmed: a split of the main corpus or a corpus of role holdout. null:
    dev, or the other originals."""
    test: Part | None = None
    """Texts that are looked at once, for what was confirmed. null: test, where it is there."""
    beyond: list[Part] = []
    """Splits or corpora out of distribution, for what was discovered."""
    share: Annotated[Number, Field(gt=0, lt=1)] | None = None
    """Share of the originals of the main corpus that is searched, the others confirm; instead of
    named parts. null: 0.7 where there are no usual splits."""
    balanced: bool = False
    """Cut `share` within each class of the label, so that each part has its share of all classes;
    where a text falls then depends on the others. false: each original falls by itself, so that the
    sizes of two halves differ as those of heads and tails do."""
    permutations: Annotated[int, Field(ge=20, le=100_000)] = 1000
    """Permutations of the labels; the smallest family-wise p is one over their number and one."""
    alpha: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """Family-wise error rate over all features of all cells, of discovery and of confirmation."""
    q: Annotated[Number, Field(gt=0, lt=1)] = 0.05
    """False discovery rate of the columns that say so; these are exploratory."""
    min_texts: Count = 10
    """Texts on which a feature must fire to be tested, whatever their labels."""
    nuisances: list[str] = ["frequency", "form", "category", "surprisal"]
    """Nuisances that are projected out in a second form of each test."""
    frequency: Annotated[str, Field(pattern="^(auto|wordfreq|corpus)$")] = "corpus"
    """Word frequencies: of the package wordfreq, counts of the corpus' own words, or auto: the
    first where it is installed."""
    primary: str | None = None
    """The contrast that the study is about; null: k3, k2, label or k1, the first that is tested."""
    bootstrap: Annotated[int, Field(ge=20, le=100_000)] = 1000
    """Draws of originals behind intervals."""
    untrained: str | None = None
    """Name of a study of the same texts with `model.weights: random`, whose counts stand beside."""
    seed: Seed = 0
    """Seed of permutations, draws and parts."""


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells and what is frozen in them, and the corpora."""
    return {
        "study": plan.study.study,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "cells": [[str(cell), frozen(plan, str(cell))] for cell in plan.cells],
        "corpora": corpora(plan),
        "reference": reference(plan),
        "untrained": plan.study.analyses.tests.untrained,
        **untrained(plan),
    }


TESTS = Stage(
    "tests",
    reads={
        "plan": "analysis_plan.plan",
        "searched": places.of_every_cell("contrasts.table"),
        "maxima": places.of_every_cell("contrasts.maxima"),
        "features": Many(codes, counted=False),
        **asked(corpora),
        "nuisances": of_each("nuisances.table", corpora),
        "densities": places.of_every_cell("density.table"),
        "top_tokens": places.of_every_cell("top_tokens.top"),
        "reference": Many(beside),
        "measured": Many(measured),
    },
    writes={
        "facts": STUDY + "tests.json",
        "summary": STUDY + "tests.parquet",
        "discoveries": STUDY + "discoveries.parquet",
        "examples": STUDY + "evidence_examples.parquet",
        "table": Write(
            CELL + "tests.parquet",
            each={
                "corpus": lambda plan: [plan.main],
                "cell": lambda plan: plan.cells,
            },
        ),
    },
    config=Settings,
    ends=places.once,
    settings=settings,
    code=lambda plan, at: code(plan),
    needs=Needs(memory=4000, minutes=120, group="study"),
    weighs=lambda sizes, at: Weight(write=2_000_000 + 1_000_000 * len(sizes.plan.cells)),
)
