"""The front page of a study: the grid of cells with links, their numbers, the corpus, figures."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa

from saegrid.pages.browser.panels import columns as headings
from saegrid.pages.browser.panels import linked
from saegrid.pages.browser.render import Column, formed, render_study, require
from saegrid.pages.browser.sentences import Line
from saegrid.text.lexicons.names import in_words

REQUIRED = ("study", "model", "corpus", "spec")
"""Keys that `study_facts` must hold."""

ABOVE = "n_above_"
SIGNS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "eq": "=", "ne": "≠"}

NUMBERS = {
    "cell": ("cell", "", "layer, position and SAE; opens its page"),
    "d_sae": ("features", "{:,}", "features of the SAE"),
    "n_tokens": ("tokens", "{:,}", "tokens that densities count"),
    "n_masked": (
        "tokens in edits",
        "{:,}",
        "tokens in the edit; of plain text all that densities count",
    ),
    "n_active": ("features that fire", "{:,}", "features that fire on at least one masked token"),
    ABOVE: (
        "features on ≥ {:g}\u00a0%",
        "{:,}",
        "features with a density of at least {:g}\u00a0%: they fire on as large a share of the "
        "tokens",
    ),
    "l0": ("L0", "{:.1f}", "mean number of active features per captured token"),
    "median_density": (
        "median density",
        "{:.3%}",
        "share of all tokens on which a feature is active: the median over the active features",
    ),
    "max_density": (
        "max density",
        "{:.3%}",
        "share of all tokens on which the most frequent feature is active",
    ),
    "median_share": ("median share", "{:.2%}", "of the masked tokens, over the active features"),
    "max_share": ("max share", "{:.2%}", "of the masked tokens, that of the densest feature"),
    "n_judged": (
        "features judged",
        "{:,}",
        "features that fire often enough to judge what they are about: at least 5 times, or as "
        "often as `concepts: {least: ...}` of the config says",
    ),
    "n_meaning": (
        "features of a concept",
        "{:,}",
        "features of a concept, told from chance and from form",
    ),
    "n_coherent": (
        "features of near words",
        "{:,}",
        "features of words near one another, without a concept",
    ),
    "n_form": (
        "features of form",
        "{:,}",
        "features of one word or piece, a spelling, a place in the text",
    ),
    "n_concepts": (
        "distinct concepts",
        "{:,}",
        "number of different concepts that its features of a concept are of",
    ),
    "concepts": (
        "concepts, each opens its best feature",
        "",
        "these concepts; the link opens the feature that shows it best",
    ),
}
"""Columns of the table of cells: heading, format, definition. Absent columns are left out.

`n_above_` stands for all columns that start so and go on with a density, as in n_above_1e-3.
"""
OF_EDITS = {"n_masked": "tokens in the edit"}
"""Definitions where all texts have edits."""
OF_PLAIN = {
    "n_active": "features that fire on at least one counted token",
    "median_share": "of the counted tokens, over the active features",
    "max_share": "of the counted tokens, that of the densest feature",
}
"""Definitions where no text has edits: there all counted tokens are masked."""


def index(
    study_facts: Mapping[str, Any],
    cells: pa.Table,
    corpora: Sequence[Mapping[str, Any]] = (),
    figures: Sequence[tuple[str, str]] = (),
    columns: Sequence[Sequence[str]] = (),
    panels: Sequence[Mapping[str, Any]] = (),
    compared: pa.Table | None = None,
    findings: Sequence[Line] = (),
    pages: Sequence[Sequence[str]] = (),
) -> str:
    """The text of index.html. The same arguments give the same bytes.

    study_facts: study, model, corpus (whose pages the grid links), spec, and where known `title`,
      `more` (name: value), `licence` of the results and `licences` of texts (corpus: licence).
    cells: cell, layer, position, sae and any of `NUMBERS`; a column `corpus` where the study has
      pages of several corpora.
    corpora: facts of a corpus: name; where known role, total, filters [{comparator, kept, where
      known column}], has_edits, n_masked, n_replaced, tokens_per_text {min, median, mean, max},
      edit_lengths {tokens: edits}.
    figures: (path relative to the page, caption).
    columns: name, heading, format and definition of numbers of cells beside `NUMBERS`.
    panels: name, heading, words and rows, see `panels`.
    compared: corpus, role and the columns of `cells`, one row a cell and corpus, where a study has
      holdout or reference corpora; the rows of a cell stand together.
    findings: what the tests of the study found, see `answers.answers`; the page opens with it.
    pages: (name, path relative to the page) of pages of analyses.
    ValueError where facts or columns are missing, or a figure's path leaves the study's folder.
    """
    require(study_facts, REQUIRED, "The facts of a study's page")
    needed = ("cell", "layer", "position", "sae")
    require(dict.fromkeys(cells.column_names), needed, "The table of cells")
    for path, _ in figures:
        if ":" in path or path.startswith("/") or ".." in PurePosixPath(path).parts:
            raise ValueError(f"A figure must lie in the study's folder; got {path!r}.")
    absent = {"corpus": study_facts["corpus"], "n_meaning": 0, "n_coherent": 0}
    rows = [{**absent, **row} for row in cells.to_pylist()]
    for row in rows:
        row["href"] = f"{row['corpus']}/cells/{row['cell']}/features.html"
        row["concepts"] = _linked(row)
    edits = {facts["name"]: facts.get("has_edits", True) for facts in corpora}
    of_main = {edits.get(study_facts["corpus"], True)}
    further = [Column(*column) for column in columns]
    return render_study(
        "index.html.jinja",
        study_facts,
        study_facts["study"],
        figures,
        named=[row["cell"] for row in rows],
        findings=list(findings),
        pages=list(pages),
        grids=[(name, *_grid(of_corpus)) for name, of_corpus in _by(rows, "corpus").items()],
        columns=[*_columns(cells.column_names, of_main), *further],
        compared=_compared(compared, study_facts["corpus"]),
        compared_columns=_compared_columns(compared, {*edits.values()}, further),
        mixed=len({*edits.values()}) > 1,
        panels=[
            {**panel, "rows": linked(panel["rows"]), "columns": headings(panel["rows"])}
            for panel in panels
        ],
        counted=next((name for name in cells.column_names if name.startswith(ABOVE)), None),
        rows=rows,
        corpora=[_corpus(corpus) for corpus in corpora],
        licence=_licence(study_facts),
    )


def _licence(facts: Mapping[str, Any]) -> str:
    """The licences of the results and of the texts in one line; "" where none is known."""
    own, of_texts = facts.get("licence"), facts.get("licences") or {}
    parts = [f"results {' '.join(own.split())}"] if own else []
    parts += [f"texts of {name} {' '.join(text.split())}" for name, text in of_texts.items()]
    return f"Licences: {'; '.join(parts)}." if parts else ""


def _linked(row: Mapping[str, Any]) -> list[tuple[str, int | None]]:
    """The concepts of a cell in words, each with the feature that shows it best; None where
    unknown."""
    names = [in_words(name) for name in row.get("concepts") or []]
    return list(zip(names, row.get("best_features") or [None] * len(names), strict=True))


def _columns(present: Sequence[str], edits: set[bool]) -> list[Column]:
    """The columns of a table of cells; edits: for each corpus, whether its texts have edits."""
    columns = []
    others = OF_EDITS if edits == {True} else OF_PLAIN if edits == {False} else {}
    for name, (heading, form, general) in NUMBERS.items():
        definition = others.get(name, general)
        if name == "n_masked" and edits == {False}:
            continue
        if name == ABOVE:
            cuts = [
                (one, 100 * float(one.removeprefix(ABOVE)))
                for one in present
                if one.startswith(ABOVE)
            ]
            columns += [
                Column(one, heading.format(x), form, definition.format(x)) for one, x in cuts
            ]
        elif name in present:
            columns.append(Column(name, heading, form, definition))
    return columns


def _compared(table: pa.Table | None, main: str) -> list[dict[str, Any]]:
    """The rows of a table over corpora: `opens` is true of the first one of a cell, and `href` is
    the page of the cell on the main corpus, which others have not."""
    rows = table.to_pylist() if table else []
    before = None
    for row in rows:
        row["opens"], before = row["cell"] != before, row["cell"]
        page = f"{row['corpus']}/cells/{row['cell']}/features.html"
        row["href"] = page if row["corpus"] == main else None
        row["concepts"] = _linked(row)
    return rows


def _compared_columns(
    table: pa.Table | None, edits: set[bool], further: Sequence[Column]
) -> list[Column]:
    """The columns that differ between corpora."""
    alike = ("cell", "d_sae")
    own = _columns(table.column_names, edits) if table else []
    return [*(column for column in own if column.name not in alike), *further]


def _by(rows: list[dict[str, Any]], name: str) -> dict[Any, list[dict[str, Any]]]:
    """Rows by the value of a column, in order of first appearance."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row[name], []).append(row)
    return groups


def _expansion(sae: str) -> tuple[float, str]:
    """The order of SAEs: 8x before 32x, names after them."""
    digits = sae.removesuffix("x")
    return (int(digits) if digits.isdigit() else float("inf"), sae)


def _grid(rows: list[dict[str, Any]]) -> tuple[list[tuple[str, str]], list[tuple[int, list[Any]]]]:
    """The columns (position, SAE) and, per layer, the cell of each column or None."""
    columns = sorted(
        {(row["position"], row["sae"]) for row in rows},
        key=lambda column: (_expansion(column[1]), column[0]),
    )
    layers = {
        layer: {(row["position"], row["sae"]): row for row in of_layer}
        for layer, of_layer in sorted(_by(rows, "layer").items())
    }
    return columns, [
        (layer, [of_layer.get(c) for c in columns]) for layer, of_layer in layers.items()
    ]


def _corpus(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of a corpus as (name, text) lines, and its edit lengths as bars."""
    require(facts, ("name",), "The facts of a corpus")
    lines = [("role", facts.get("role")), ("items", _count(facts.get("total")))]
    lines.append(("rows set aside", _count(facts.get("n_set_aside"))))
    for n, one in enumerate(facts.get("filters", ())):
        share = one["kept"] / facts["total"] if facts.get("total") else float("nan")
        kept = f"{one['kept']:,} of {facts['total']:,} ({formed(share, '{:.2%}')})"
        of = f"{one['column']} " if one.get("column") else ""
        word = "would be kept" if n else "kept"  # the strict or non-strict other comes second
        lines.append((f"{word} with {of}{_comparator(one['comparator'])}", kept))
    lines += [
        ("tokens in edits", _count(facts.get("n_masked"))),
        ("tokens that edits replaced", _count(facts.get("n_replaced"))),
    ]
    spread = facts.get("tokens_per_text")
    if spread:
        text = ", ".join(f"{name} {value:.4g}" for name, value in spread.items())
        lines.append(("tokens per text", text))
    lengths = {int(k): int(n) for k, n in facts.get("edit_lengths", {}).items()}
    most = max(lengths.values(), default=1)
    bars = [(k, n, 100 * n / most) for k, n in sorted(lengths.items())]
    return {"name": facts["name"], "lines": [x for x in lines if x[1] is not None], "bars": bars}


def _comparator(text: str) -> str:
    """A comparator in signs: `ge 2` as `≥ 2`."""
    name, _, value = text.partition(" ")
    return f"{SIGNS.get(name, name)} {value}"


def _count(n: int | None) -> str | None:
    return None if n is None else f"{n:,}"
