"""The page that a study ends in: what was found, confirmed and not, what chance and words give."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from markupsafe import Markup

from saegrid.pages.browser import charts, nulls, outcomes
from saegrid.pages.browser.about import MOST as LONGEST
from saegrid.pages.browser.about import About, Asked, base, concepts, themes
from saegrid.pages.browser.answers import answers
from saegrid.pages.browser.classifiers import Probe, classifiers
from saegrid.pages.browser.defined import CELLS, HEADS, groups
from saegrid.pages.browser.discovered import MOST, data, results, script
from saegrid.pages.browser.filled import HEADINGS, filled
from saegrid.pages.browser.render import render_study, require
from saegrid.pages.browser.sentences import (
    NONE,
    Contrast,
    contrasts,
    count,
    decimal,
    general,
    is_paired,
    of_study,
    p_value,
    percent,
    primary,
)

REQUIRED = ("study", "model", "spec")
"""Keys that `facts` must hold."""
BESIDE = 2
"""Panels that stand beside the answer."""
FORMS = {
    "count": count,
    "share": percent,
    "p": p_value,
    "number": general,
    "auc": decimal,
    "mean": lambda value: f"{value:.2f}",
}


def findings_page(
    facts: Mapping[str, Any],
    tests: Mapping[str, Any],
    by_cell: pa.Table,
    discoveries: pa.Table,
    examples: pa.Table,
    probes: Mapping[str, Any] | None = None,
    probes_summary: pa.Table | None = None,
    most: int = MOST,
    about: About | None = None,
    filling: tuple[Mapping[str, Any], pa.Table, pa.Table] | None = None,
) -> str:
    """The text of findings.html. The same arguments give the same bytes.

    facts: study, model, spec, and where known `title` and `more` (name: value).
    tests, by_cell, discoveries, examples: tests.json, tests.parquet, discoveries.parquet,
    evidence_examples.parquet. probes, probes_summary: probes.json and probes_summary.parquet, None
    where the study has no classifiers. most: discovered features that the page carries. about: the
    tables of concepts and themes, None where they were not made. filling: filling.json,
    filling.parquet and filling_texts.parquet, None where the study has none.
    """
    require(facts, REQUIRED, "The facts of a page of findings")
    discoveries = results(discoveries)
    main = primary(tests)
    every = [*main, *(one for one in contrasts(tests) if one.name not in {x.name for x in main})]
    frozen = tests.get("frozen_cells") or ()
    of_probes = classifiers(probes, probes_summary, frozen)
    opening, *lines = answers(tests, probes, probes_summary)
    further = [name for name in tests.get("parts") or {} if name not in outcomes.USUAL_PARTS]
    panels = [nulls.of_contrast(one) for one in every]
    of_classifiers = [nulls.of_probe(probe, _untrained(every)) for probe in of_probes]
    beside = [*panels[: min(BESIDE, len(main))], *of_classifiers[:1]]
    rows = by_cell.to_pylist()
    return render_study(
        "findings.html.jinja",
        facts,
        f"{facts['study']}: findings",
        named=[*(tests.get("cells") or ()), *(tests.get("frozen_cells") or ())],
        verdict=opening.sentences[0],
        units="originals" if is_paired(tests) else "texts",
        unit="original" if is_paired(tests) else "text",
        lines=lines,
        tests=tests,
        beside=beside,
        panels=[panel for panel in [*panels, *of_classifiers] if panel not in beside],
        of_concepts=_concepts(about, every, tests),
        of_themes=_themes(about, every, tests),
        filling=filled(*filling, str(tests["corpus"])) if filling else None,
        measures=HEADINGS,
        base_of=lambda part: base(about, part) if about else NONE,
        corpus_of=quote(str(tests["corpus"])),
        most_things=LONGEST,
        legend=nulls.LEGEND.items(),
        shown=[_shown(tests, one, rows, one in main, frozen) for one in every],
        probes=[_probe(one) for one in of_probes],
        definitions_of_probes=_representations(probes),
        n_rows=discoveries.num_rows,
        n_shown=min(most, discoveries.num_rows),
        data=Markup(script(data(tests, discoveries, examples, every, further, most))),
        study_facts=outcomes.study_facts(tests),
        parts_of=_parts(tests),
        number_of=lambda path, form: of_study(tests, path, form),
        general=general,
        count=count,
        percent=percent,
        columns=_columns(groups(discoveries.column_names, further)),
    )


def _probe(probe: Probe) -> dict[str, Any]:
    """A classifier as the page shows it."""
    shown = {"chart": charts.scores(probe), "table": probe.table(), "cells": probe.by_cell()}
    return {"probe": probe, **shown}


def _columns(of_discoveries: Iterable[tuple[str, Mapping[str, Any]]]) -> list[tuple[str, str]]:
    """The columns of the tables of discoveries and of cells, each with its definition."""
    defined = [(name, one.definition) for _, of in of_discoveries for name, one in of.items()]
    return [
        *((f"discoveries.parquet: {name}", words) for name, words in [*HEADS.items(), *defined]),
        *((f"tests.parquet: {name}", one.definition) for name, one in CELLS.items()),
    ]


def _concepts(
    about: About | None, every: Sequence[Contrast], tests: Mapping[str, Any]
) -> list[Asked]:
    return concepts(about, every, tests["plan"]["alpha"]) if about else []


def _themes(
    about: About | None, every: Sequence[Contrast], tests: Mapping[str, Any]
) -> list[Asked]:
    return themes(about, every, tests["plan"]["alpha"]) if about else []


def _shown(
    tests: Mapping[str, Any],
    one: Contrast,
    rows: Sequence[Mapping[str, Any]],
    is_main: bool,
    frozen: Sequence[str],
) -> dict[str, Any]:
    """Sentences, tables and charts of a contrast."""
    own = [row for row in rows if row["contrast"] == one.name]
    return {
        "contrast": one,
        "is_main": is_main,
        "texts": outcomes.texts_of(tests, one),
        "explained": outcomes.explained(tests, one),
        "funnel": outcomes.funnel(tests, one),
        "facts": outcomes.facts(one),
        "volcano": charts.volcano(one, lambda cell, at: href(tests["corpus"], cell, at)),
        "histogram": charts.histogram(one),
        "layers": _layers(one, frozen),
        "cells": _cells(tests["corpus"], own),
    }


def href(corpus: str, cell: str, feature: int) -> str:
    """The page of a feature."""
    return f"{quote(corpus)}/cells/{quote(cell)}/features.html#{feature}"


POSITIONS = {"R": "Residual stream", "A": "Attention output", "M": "MLP output", "N": "Neurons"}


def _layers(one: Contrast, frozen: Sequence[str]) -> list[tuple[str, Markup]]:
    """A chart for each position: confirmed features of 100 that were tested, over layers."""
    known = [row for row in one["by_cell"] if row[0] not in set(frozen)]
    values: dict[str, dict[str, list[tuple[int, float, str]]]] = {}
    for _, layer, position, sae, n_tested, _, n_confirmed, _ in sorted(
        known, key=lambda row: (row[1], _size(row[3]))
    ):
        if n_tested:
            words = f"{n_confirmed:,} of {n_tested:,}"
            of_sae = values.setdefault(position, {}).setdefault(sae, [])
            of_sae.append((layer, 100 * n_confirmed / n_tested, words))
    every = [at for saes in values.values() for of in saes.values() for at in of]
    top = max((value for _, value, _ in every), default=0)
    if not top:
        return []
    numbers = sorted({layer for layer, *_ in every})
    return [
        (
            POSITIONS.get(position, position),
            charts.layers(
                f"{one['title']}, {POSITIONS.get(position, position)}: confirmed features of 100 "
                "tested over layers",
                [
                    charts.Curve(sae, values[position][sae])
                    for sae in sorted(values[position], key=_size)
                ],
                numbers,
                1.1 * top,
            ),
        )
        for position in [*POSITIONS, *(x for x in values if x not in POSITIONS)]
        if position in values
    ]


def _size(sae: str) -> tuple[float, str]:
    digits = sae.removesuffix("x")
    return (int(digits) if digits.isdigit() else float("inf"), sae)


def _cells(corpus: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table of cells: columns, and rows of (text, sort key, link)."""
    columns = [(name, one) for name, one in CELLS.items() if any(name in row for row in rows)]
    body = []
    for row in rows:
        is_frozen = row.get("frozen") not in (None, "none")
        name = f"{row['cell']} (frozen {row['frozen']})" if is_frozen else row["cell"]
        order = f"{row['layer']:05d}{row['position']}{row['sae']}"
        page = f"{quote(corpus)}/cells/{quote(row['cell'])}/features.html"
        entries = [(name, order, page)]
        for column, one in columns:
            value = row.get(column)
            if value is None or value != value:
                entries.append((NONE, "", ""))
            elif one.form == "feature":
                entries.append((f"#{value}", value, href(corpus, row["cell"], value)))
            elif one.form == "text":
                words = {True: "yes", False: "no"}.get(value, str(value))
                entries.append((words, words, ""))
            else:
                entries.append((FORMS[one.form](value), value, ""))
        body.append(entries)
    return {"columns": columns, "rows": body}


def _untrained(every: Sequence[Contrast]) -> str:
    """The way to the classifiers of the untrained model."""
    for one in every:
        if study := one.get("untrained.study"):
            return f"on the page of the study {study}"
        if words := one.get("untrained_words"):
            return f"not run: {words.removeprefix('not run: ')}"
    return "not run"


def _parts(tests: Mapping[str, Any]) -> list[tuple[str, str, Any, float]]:
    """(name, where its texts are from, number, share of the largest) of the parts."""
    parts: Mapping[str, Any] = tests.get("parts") or {}
    most = max((part.get("n") or 0 for part in parts.values()), default=0) or 1
    rows = []
    for name, part in parts.items():
        share = part.get("share")
        where = part.get("corpus") or ""
        if part.get("split"):
            where += f", split {part['split']}"
        elif share:
            ends = share if isinstance(share, list | tuple) else [share]
            noun = "originals" if is_paired(tests) else "texts"
            where += f", {noun} {' to '.join(percent(float(end)) for end in ends)} by seed"
            where += ", class by class" if "by" in part else f", each {noun[:-1]} by itself"
        number = of_study(tests, f"parts.{name}.n")
        rows.append(
            (outcomes.USUAL_PARTS.get(name, name), where, number, (part.get("n") or 0) / most)
        )
    return rows


def _representations(probes: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Representations that the classifiers read, with their definitions."""
    known = (probes or {}).get("representations") or (probes or {}).get("definitions") or {}
    return [(str(name), str(words)) for name, words in known.items()]
