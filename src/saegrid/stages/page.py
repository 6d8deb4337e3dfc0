"""The feature browser of a cell, one offline file."""

from pathlib import Path
from typing import Any

from saegrid.features.statistics import STATISTICS
from saegrid.stages.stage import (
    CELL,
    At,
    Many,
    Needs,
    One,
    Panel,
    Plan,
    Source,
    Stage,
    Weight,
    shown,
)

DISPLAYED = (
    "published pages, no weights: numbers and histograms are theirs, features are numbered by "
    "their labels, and activations are known in the rows that they show alone"
)
"""The words of a page about a cell that is known by published pages."""


def panels(plan: Plan) -> list[Panel]:
    """The panels of features that stages show."""
    return [p for p in shown(plan, Panel) if plan.graph.stages[p.stage].is_of_cells]


def tables(plan: Plan, at: At) -> list[Source]:
    """The tables of the panels."""
    return [Source(panel.table, at) for panel in panels(plan)]


def reference(plan: Plan, at: At) -> Source | None:
    """The reference to a checkpoint; None of any other SAE."""
    weighed = not plan.saes.is_trained(at.cell) and not plan.saes.is_displayed(at.cell)
    return Source("import_sae.reference", at) if weighed else None


def logits(plan: Plan, at: At) -> Source | None:
    """The logit effects; None where there is no decoder."""
    return None if plan.saes.is_displayed(at.cell) else Source("logit_effects.effects", at)


def histograms(plan: Plan, at: At) -> Source | None:
    """The published histograms, where codes hold a part of the activations."""
    shown = plan.saes.is_displayed(at.cell)
    return Source("import_dashboards.histograms", at) if shown else None


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page."""
    corpus = plan.corpora[at.corpus].settings
    shown = [
        {**panel._asdict(), "file": Path(plan.graph.paths(source)[0]).name}
        for panel, source in zip(panels(plan), tables(plan, at), strict=True)
    ]
    return {
        "study": plan.study.study,
        "model": plan.study.model.path,
        "corpus": at.corpus,
        "cell": at.cell,
        "layout": corpus.layout,
        "mask": corpus.mask,
        **({"panels": shown} if shown else {}),
        **({"neuronpedia": plan.saes.neuronpedia(at.cell)} if reference(plan, at) else {}),
        **({"more": {"known": DISPLAYED}} if plan.saes.is_displayed(at.cell) else {}),
    }


PAGE = Stage(
    "page",
    reads={
        "features": "encode.features",
        "table": "density.table",
        "top": "top_tokens.top",
        "examples": "top_tokens.examples",
        "near": "top_tokens.near",
        "concepts": "concepts.table",
        "logits": One(logits),
        "histograms": One(histograms),
        "tokens": "tokens.tokens",
        "selection": "selection.selection",
        "corpus_items": "items.table",
        "panels": Many(tables),
        "reference": One(reference),
    },
    writes={"page": CELL + "features.html"},
    sections=("pages",),
    settings=settings,
    code=lambda plan, at: sorted({*(panel.of for panel in panels(plan)), *STATISTICS.values()}),
    needs=Needs(memory=4000, minutes=10, priority=7, group="pages"),
    weighs=lambda sizes, at: Weight(write=40_000 + 700 * sizes.shown(at)),
)
