"""The page of a readout: what two classes of texts can be told by, a section a kind of evidence.

A section is a function `(facts, tables) -> Section | None` in a module of its own, with a line in
`pages.browser.SECTIONS`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from markupsafe import Markup

from saegrid.base.registry import pick
from saegrid.evidence.probes.convention import Convention
from saegrid.evidence.probes.conventions import CONVENTIONS
from saegrid.pages.browser import SECTIONS
from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec", "corpus", "vectors", "sites", "cells", "frozen")
"""Keys that `facts` must hold."""
Tables = Mapping[str, Sequence[pa.Table]]
"""The tables of the sites in their order, by output: `readout_probes.table`."""


class Table(NamedTuple):
    """A table of a section."""

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Any]]
    caption: str
    """Its content in words."""
    source: str = ""
    """File that its numbers are from."""
    is_folded: bool = False
    """True if it is opened by a click."""


def by_vector(
    facts: Mapping[str, Any],
    columns: Sequence[Column],
    rows: Sequence[Mapping[str, Any]],
    caption: str,
    source: str,
) -> list[Table]:
    """A table of the rows of the first convention, and one of those of the others, opened by a
    click. The rows say which in their entry `vector`."""
    first = facts["vectors"][0]
    ours = [row for row in rows if row["vector"] == first]
    others = [row for row in rows if row["vector"] != first]
    out = [Table(columns, ours, caption, source)] if ours else []
    if others:
        rest = "The same of the other vectors: " + ", ".join(facts["vectors"][1:])
        out.append(Table(columns, others, rest, source, is_folded=True))
    return out


class Charts(NamedTuple):
    """Charts of a section, side by side."""

    charts: Sequence[Markup]
    caption: str


class Section(NamedTuple):
    """A part of the page."""

    anchor: str
    name: str
    """Name in the list of sections, a word."""
    heading: str
    answer: Sequence[str]
    """Sentences on the results for the top of the page, in plain words."""
    blocks: Sequence[str | Table | Charts]
    """Paragraphs, tables and charts in their order."""


Build = Callable[[Mapping[str, Any], Tables], Section | None]
"""Function of the facts and the tables that makes a section; None where there is nothing to say."""


def probes_page(
    facts: Mapping[str, Any], about: Mapping[str, Any], texts: pa.Table, tables: Tables
) -> str:
    """The text of probes.html. The same arguments give the same bytes.

    facts: see `REQUIRED`, and where known `title`; about, texts: facts and table of the labelled
    texts (`evidence.probes.labelled.words`).
    """
    require(facts, REQUIRED, "The facts of a page of probes")
    builds: list[Build] = [pick(SECTIONS, name, "Section") for name in SECTIONS]
    sections = [part for build in builds if (part := build(facts, tables)) is not None]
    return render_study(
        "probes.html.jinja",
        facts,
        f"{facts['study']}: probes",
        named=[*facts["cells"], *facts["sites"]],
        classes=list(reversed(about["classes"])),
        asked=asked(facts, about, texts),
        answers=[sentence for section in sections for sentence in section.answer],
        left_out=about["left_out"],
        sections=sections,
        conventions=[(name, definition(name)) for name in facts["vectors"]],
        described=DESCRIPTIONS,
        kind=kind,
    )


def kind(block: str | Table | Charts) -> str:
    """The kind of a block: text, table or charts."""
    return {Table: "table", Charts: "charts"}.get(type(block), "text")


def definition(name: str) -> str:
    """A convention in words."""
    convention: Convention = pick(CONVENTIONS, name, "Convention")
    return convention.definition


def asked(facts: Mapping[str, Any], about: Mapping[str, Any], texts: pa.Table) -> str:
    """The question, and the texts that it is asked of, in a few sentences."""
    y = texts["y"].to_numpy()
    first, second = about["classes"]
    n_types = len(set(texts["type"].to_pylist()))
    types = "" if n_types == len(y) else f" ({n_types:,} word types)"
    return (
        f"{len(y):,} texts{types} of the corpus {facts['corpus']} are labelled by "
        f"{about['label']}: {int(y.sum()):,} {second}, {int((1 - y).sum()):,} "
        f"{first}. Each has one vector at a site of the model, and each SAE gives codes of "
        "that vector. Can the class be told from them on "
        "words that were not learned from, by how few units, and better than by nulls?"
    )


DESCRIPTIONS = (
    ("x", "the channels of the vector; at a site such as L0N these are the neurons of the MLP"),
    ("pca", "its principal components on the training texts"),
    ("codes", "the features of an SAE; where its decoder stayed at random, a null: frozen"),
    ("random", "codes in as many random directions, with as many active ones: a null"),
)
"""Descriptions of the texts, in words."""
