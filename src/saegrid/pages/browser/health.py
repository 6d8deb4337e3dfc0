"""The page of a sweep: SAEs as a sortable table with health lights, baselines, figures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec")
"""Keys that `facts` must hold."""
NUMBERS = (
    Column("l0", "L0", "{:.1f}"),
    Column("fvu", "FVU", "{:.4f}"),
    Column("pca_fvu", "PCA", "{:.4f}"),
    Column("random_fvu", "random", "{:.4f}"),
    Column("mse", "MSE", "{:.4g}"),
    Column("r2_source", "R2, source", "{:.4f}"),
    Column("ce_recovered", "CE recovered", "{:.4f}"),
    Column("kl", "KL", "{:.4f}"),
    Column("density", "density", "{:.5f}"),
    Column("dead_rate", "dead", "{:.4f}"),
    Column("gini", "Gini", "{:.3f}"),
    Column("cosine", "cosine", "{:.4f}"),
    Column("norm_ratio", "norm ratio", "{:.3f}"),
    Column("top_token_share", "top token", "{:.3f}"),
    Column("null_top_token_share", "null", "{:.3f}"),
    Column("decoder_cosine_mean", "cos mean", "{:.2g}"),
    Column("decoder_cosine_p95", "cos p95", "{:.3f}"),
    Column("null_cosine_p95", "null", "{:.3f}"),
    Column("decoder_cosine_max", "cos max", "{:.3f}"),
    Column("null_cosine_max", "null", "{:.3f}"),
    Column("n_tokens", "tokens", "{:,}"),
)
"""Columns of the table, told by the definitions of the metrics. Absent ones are left out."""
BESIDE = {
    "pca_fvu": "FVU of PCA whose rank is the L0, on the same tokens",
    "random_fvu": "FVU of a random dictionary of the same width at the same L0, on the same tokens",
    "n_tokens": "held-out tokens that were measured",
}
"""Definitions of what is no metric of the SAE's own."""
READINGS = {
    "by_number": ("S2.9", "the ranges as they were stated, for the shape they were found at"),
    "by_shape": ("by shape", "the same ranges, carried over to this width, L0 and token count"),
    "targets": ("S3.6", "what Scaling Monosemanticity aimed at, of a million features"),
}
BASELINES = (
    Column("method", "baseline"),
    Column("k", "L0 or rank", "{:,}"),
    Column("width", "width", "{:,}"),
    Column("l0", "L0", "{:.1f}"),
    Column("fvu", "FVU", "{:.4f}"),
    Column("mse", "MSE", "{:.4g}"),
    Column("r2_source", "R2, source", "{:.4f}"),
    Column("cosine", "cosine", "{:.4f}"),
    Column("top_token_share", "top token", "{:.3f}"),
)
"""Columns of a table of baselines."""
RANK = {"green": 0, "amber": 1, "red": 100}
"""By what a cell of lights is sorted: their sum."""


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
    columns = [
        column._replace(definition=definition_of.get(column.name, ""))
        for column in NUMBERS
        if column.name in names
    ]
    if len(set(table["corpus"].to_pylist())) > 1:
        columns.insert(0, Column("corpus", "corpus", definition="on which the SAE is judged"))
    rows = []
    for row in table.to_pylist():
        why = reasons.get(row["cell"], {})
        rows.append(row | {"lights": _lights(lights[row["cell"]], why), "reasons": why})
    return render_study(
        "health.html.jinja",
        facts,
        f"{facts['study']}: health of the SAEs",
        figures,
        rows=rows,
        settings=[Column(name, name.removeprefix("set_")) for name in settings],
        columns=columns,
        readings=[(name, *words) for name, words in READINGS.items()],
        limits=_limits(lights),
        baselines=list(baselines.items()),
        baseline_columns=BASELINES,
        definitions=sorted(definitions.items()),
    )


def _lights(
    lights: Mapping[str, Sequence[Mapping[str, Any]]], reasons: Mapping[str, str]
) -> dict[str, dict[str, Any]]:
    """The lights of each reading with the text that they show, and a rank to sort by."""
    return {
        reading: {
            "rank": sum(RANK[light["colour"]] for light in lights[reading]),
            "lights": [(light["colour"], _sentence(light, reasons)) for light in lights[reading]],
        }
        for reading in READINGS
    }


def _sentence(light: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """The text of a light that is shown when the pointer rests on it."""
    value = f"unknown: {reasons.get(light['metric'], 'not measured')}"
    if light["value"] is not None:
        value = f"{light['value']:.4g}, {light['state']}"
    advice = f" {light['advice']}" if light["advice"] else ""
    return f"{light['name']}: {value} ({light['words']}).{advice}"


def _limits(lights: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> list[Any]:
    """Heading and (name, words, advice) of each reading; advice: (number of SAEs, what to do)."""
    limits = []
    for reading, (heading, _) in READINGS.items():
        columns = zip(*(by_reading[reading] for by_reading in lights.values()), strict=True)
        lines = []
        for column in columns:
            advice = Counter(light["advice"] for light in column if light["advice"])
            counts = [(n, words) for words, n in advice.most_common()]
            lines.append((column[0]["name"], column[0]["words"], counts))
        limits.append((heading, lines))
    return limits
