"""The page of a sweep: SAEs judged by ranges of their numbers, beside baselines and figures."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec")
"""Keys that `facts` must hold."""
RECONSTRUCTION = (
    Column("l0", "L0", "{:.1f}"),
    Column("fvu", "unexplained", "{:.4f}"),
    Column("pca_fvu", "… by PCA", "{:.4f}"),
    Column("random_fvu", "… by random directions", "{:.4f}"),
    Column("mse", "squared error", "{:.4g}"),
    Column("r2_source", "R² (source)", "{:.4f}"),
    Column("cosine", "cosine", "{:.4f}"),
    Column("norm_ratio", "norm ratio", "{:.3f}"),
    Column("ce_recovered", "cross-entropy recovered", "{:.4f}"),
    Column("kl", "KL", "{:.4f}"),
    Column("n_tokens", "tokens", "{:,}"),
)
FEATURES = (
    Column("density", "density", "{:.5f}"),
    Column("dead_rate", "dead", "{:.4f}"),
    Column("gini", "Gini", "{:.3f}"),
    Column("top_token_share", "top token", "{:.3f}"),
    Column("null_top_token_share", "… by chance", "{:.3f}"),
    Column("decoder_cosine_mean", "cosine, mean", "{:.2g}"),
    Column("decoder_cosine_p95", "cosine, p95", "{:.3f}"),
    Column("null_cosine_p95", "… by chance", "{:.3f}"),
    Column("decoder_cosine_max", "cosine, max", "{:.3f}"),
    Column("null_cosine_max", "… by chance", "{:.3f}"),
)
TABLES = (
    (
        "How well they reconstruct",
        "An SAE writes each activation as a sum of a few of its directions. L0 is how many, "
        "“unexplained” what is left over (0: nothing, 1: all of it). PCA and random directions at "
        "the same L0 are what to beat.",
        RECONSTRUCTION,
    ),
    (
        "What their features are like",
        "Features that never fire are dead. A feature is of use by itself where it fires for one "
        "reason, and where no other points the same way.",
        FEATURES,
    ),
)
"""Title, introduction and columns of the tables of numbers. Absent columns are left out."""
NUMBERS = (*RECONSTRUCTION, *FEATURES)
BESIDE = {
    "pca_fvu": "FVU of PCA whose rank is the L0, on the same tokens",
    "random_fvu": "FVU of a random dictionary of the same width at the same L0, on the same tokens",
    "n_tokens": "held-out tokens that were measured",
}
"""Definitions of what is no metric of the SAE's own."""
READINGS = {
    "by_number": (
        "ranges of small SAEs",
        "Ranges that were stated for SAEs of 2,560 features on 640 dimensions and 4,000 tokens, "
        "taken as they are",
    ),
    "by_shape": (
        "ranges for this size",
        "The same ranges, carried over to the width, the L0 and the number of tokens of each SAE: "
        "the fairest of the three",
    ),
    "targets": (
        "aims of large SAEs",
        "What the makers of SAEs of a million features aimed at (Scaling Monosemanticity)",
    ),
}
BASELINES = (
    Column("method", "baseline"),
    Column("k", "L0 or rank", "{:,}"),
    Column("width", "width", "{:,}"),
    Column("l0", "L0", "{:.1f}"),
    Column("fvu", "unexplained", "{:.4f}"),
    Column("mse", "squared error", "{:.4g}"),
    Column("r2_source", "R² (source)", "{:.4f}"),
    Column("cosine", "cosine", "{:.4f}"),
    Column("top_token_share", "top token", "{:.3f}"),
)
"""Columns of a table of baselines."""
RANK = {"green": 0, "amber": 1, "red": 100}
"""The key by which a cell of lights is sorted: their sum."""


def health_page(
    facts: Mapping[str, Any],
    table: pa.Table,
    lights: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    reasons: Mapping[str, Mapping[str, str]],
    definitions: Mapping[str, str],
    baselines: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Sequence[tuple[str, str]] = (),
) -> str:
    """The text of health.html. The same arguments give the same bytes.

    facts: study, model, spec, and where known `title`.
    table: see `health.health`. lights: by cell, the readings. reasons: by cell, of metrics without
    a value why there is none. definitions: of the metrics. baselines: rows by the name of where
    they are measured. figures: (path relative to the page, caption).
    """
    require(facts, REQUIRED, "The facts of a page of health")
    definition_of = {**definitions, **BESIDE}
    names = table.column_names
    settings = [name for name in names if name.startswith("set_")]
    tables = [
        (
            title,
            words,
            [
                column._replace(definition=definition_of.get(column.name, ""))
                for column in columns
                if column.name in names
            ],
        )
        for title, words, columns in TABLES
    ]
    beside = [Column(name, name.removeprefix("set_")) for name in settings]
    if len(set(table["corpus"].to_pylist())) > 1:
        beside.insert(0, Column("corpus", "corpus", definition="on which the SAE is judged"))
    rows = []
    for row in table.to_pylist():
        why = reasons.get(row["cell"], {})
        rows.append(row | {"lights": _lights(lights[row["cell"]], why), "reasons": why})
    return render_study(
        "health.html.jinja",
        facts,
        f"{facts['study']}: health of the SAEs",
        figures,
        [row["cell"] for row in rows],
        rows=rows,
        settings=beside,
        tables=[one for one in tables if one[2]],
        judged=[(name, *READINGS[name], lines) for name, lines in _limits(lights).items()],
        baselines=list(baselines.items()),
        baseline_columns=BASELINES,
        definitions=_named(definition_of, names),
    )


def _lights(
    lights: Mapping[str, Sequence[Mapping[str, Any]]], reasons: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The lights of each reading with the sentence that they show, the number of good ones, the
    names of those that lie outside, and a rank to sort by."""
    return {
        reading: {
            "rank": sum(RANK[light["colour"]] for light in lights[reading]),
            "good": sum(light["colour"] == "green" for light in lights[reading]),
            "outside": [
                f"{light['name']} {light['state']}"
                for light in lights[reading]
                if light["colour"] == "red"
            ],
            "lights": [
                {**light, "sentence": _sentence(light, reasons)} for light in lights[reading]
            ],
        }
        for reading in READINGS
    }


def _named(definitions: Mapping[str, str], present: Sequence[str]) -> list[tuple[str, str]]:
    """Heading and definition of the numbers: those of the tables in their order, with the name of
    their column in brackets, then others of metrics.json by name."""
    headings: dict[str, str] = {}
    before = ""
    for column in NUMBERS:
        follows = column.heading.startswith("…")
        heading = f"{before} {column.heading}" if follows else column.heading
        before = before if follows else column.heading
        headings[column.name] = heading
    listed = [name for name in headings if name in present and name in definitions]
    others = sorted(definitions.keys() - headings.keys())
    return [
        *((f"{headings[name]} ({name})", definitions[name]) for name in listed),
        *((name, definitions[name]) for name in others),
    ]


def _sentence(light: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """The text of a light that is shown when the pointer rests on it."""
    value = f"unknown: {reasons.get(light['metric'], 'not measured')}"
    if light["value"] is not None:
        value = f"{light['value']:.4g}, {light['state']}"
    advice = f" {light['advice']}" if light["advice"] else ""
    return f"{light['name']}: {value} ({light['words']}).{advice}"


def _plain(words: str) -> str:
    """The limits of a light in print: `good .05-.2` as `good 0.05–0.2`."""
    spelled = re.sub(r"(?<![\d.])\.(\d)", r"0.\1", words)
    spelled = re.sub(r"(?<=\d)-(?=\d)", "–", spelled).replace("10^7", "10⁷")
    return spelled.replace("<=", "≤").replace(">=", "≥").replace("~", "about ")


def _limits(
    lights: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
) -> dict[str, list[dict[str, Any]]]:
    """The lights of each reading: name, words of the limits, and advice, (number of SAEs, what to
    do)."""
    limits = {}
    for reading in READINGS:
        columns = zip(*(by_reading[reading] for by_reading in lights.values()), strict=True)
        lines = []
        for column in columns:
            advice = Counter(light["advice"] for light in column if light["advice"])
            counts = [(n, words) for words, n in advice.most_common()]
            words = _plain(column[0]["words"])
            lines.append({"name": column[0]["name"], "words": words, "advice": counts})
        limits[reading] = lines
    return limits
