"""The section of a page of probes on a published study of the same words: its numbers, those of
this study by the same formulas, and the corrected ones.

The file of its numbers (`numbers`, by name for channels x and features sae; `weights`, what has no
counterpart without its weights) is named in the config.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saegrid.pages.browser.probed import Section, Table, Tables
from saegrid.pages.browser.probed_lines import sites_with_cells
from saegrid.pages.browser.render import Column

PADDED = "padded"
SIDES = ("x", "sae")
Row = Mapping[str, Any]


class Line(NamedTuple):
    """A number of the published study and where its counterparts stand."""

    words: str
    form: str
    same: tuple[str, dict[str, Any], str] | None
    """Table, columns that choose a row, and column of the number by the same formula."""
    right: tuple[str, dict[str, Any], str] | None
    """Likewise of the corrected number."""
    how: str
    """Difference of the corrected number in words."""


SELECTIVITY, PROBES = "readout_probes.selectivity", "readout_probes.probes"
UNITS, HISTOGRAMS = "readout_units.summary", "readout_units.histograms"
CONTROL, TYPES = {"protocol": "published"}, {"protocol": "types"}
WELCH = {"test": "welch", "rule": "alpha"}
SVM = {"method": "svm"}
LINES = {
    "units": Line("units", "{:,.0f}", (UNITS, WELCH, "units"), None, ""),
    "task_train": Line(
        "accuracy on words that were learned from", "{:.3f}",
        (SELECTIVITY, CONTROL, "task_train"), (PROBES, SVM, "fitted"),
        "units scaled, penalty chosen inside the training folds",
    ),
    "task_test": Line(
        "accuracy on other words", "{:.3f}",
        (SELECTIVITY, CONTROL, "task_test"), (PROBES, SVM, "accuracy"),
        "the same; all words, each predicted once",
    ),
    "control_train": Line(
        "shuffled labels, words that were learned from", "{:.3f}",
        (SELECTIVITY, CONTROL, "control_train"), (SELECTIVITY, TYPES, "control_train"),
        "labels belong to word types; mean over splits and controls",
    ),
    "control_test": Line(
        "shuffled labels, other words", "{:.3f}",
        (SELECTIVITY, CONTROL, "control_test"), (SELECTIVITY, TYPES, "control_test"), "the same",
    ),
    "selectivity": Line(
        "selectivity, one control", "{:+.3f}", (SELECTIVITY, CONTROL, "first"), None,
        "one draw says little: see the mean",
    ),
    "selectivity_mean": Line(
        "selectivity, mean over controls", "{:+.3f}",
        (SELECTIVITY, CONTROL, "selectivity"), (SELECTIVITY, TYPES, "selectivity"),
        "labels belong to word types; memory is measured only where these come back",
    ),
    "significant": Line(
        "units with Welch's p below 1e-5", "{:,.0f}",
        (UNITS, WELCH, "significant"),
        (UNITS, {"test": "exchange", "rule": "max-T"}, "significant"),
        "labels exchanged, family-wise 5 %: holds for sparse units",
    ),
    "expected": Line("of these by chance", "{:.3g}", (UNITS, WELCH, "expected"), None, ""),
    "none": Line("chance of none at all", "{:.4f}", (UNITS, WELCH, "none"), None, ""),
    "two_or_more": Line("chance of two or more", "{:.2g}", (UNITS, WELCH, "two_or_more"), None, ""),
    "below_one_in_hundred": Line(
        "units with p below .01", "{:,.0f}",
        (HISTOGRAMS, {"test": "welch", "range": "small"}, "units"),
        (HISTOGRAMS, {"test": "exchange", "range": "small"}, "units"),
        "labels exchanged",
    ),
    "nonzero": Line(
        "logistic regression, units with weight", "{:,.0f}", None,
        (PROBES, {"method": "l1"}, "n_nonzero"),
        "published without a penalty, which has no solution where units are as many as words; L1",
    ),
    "explained": Line(
        "logistic regression, explained deviance", "{:.3f}", None,
        (PROBES, {"method": "l1"}, "explained"), "L1, on words that were not learned from",
    ),
}  # fmt: skip
COLUMNS = (
    Column("words", "number"),
    Column("published_x", "published, channels", "{}"),
    Column("published_sae", "published, SAE", "{}"),
    Column("same_x", "here, channels", "{}", "by the same formula"),
    Column("same_sae", "here, SAE", "{}", "by the same formula"),
    Column("right_x", "corrected, channels", "{}"),
    Column("right_sae", "corrected, SAE", "{}"),
    Column("how", "how"),
)


def section(facts: Mapping[str, Any], tables: Tables) -> Section | None:
    """The section; None where no published study is named, or no site has an SAE."""
    known, place = facts.get("published"), places(facts)
    if not known or place is None:
        return None
    site, cell = place
    same = PADDED if PADDED in facts["vectors"] else facts["vectors"][0]
    read = {name: at_site(rows, facts, site) for name, rows in tables.items()}
    first = facts["vectors"][0]
    rows = [row_of(name, line, known, read, cell, (same, first)) for name, line in LINES.items()]
    rows = [row for row in rows if row is not None]
    apart = "" if same == PADDED else " (this model can have no padded rows)"
    blocks: list[str | Table] = [
        f"The published study read {known['model']}. The words here are the same and the model is "
        f"{facts['model']}, so that numbers may differ; they mean the same. By the same formulas "
        f"the vector is {same}{apart}, for the corrected ones it is {first}. Channels are those of "
        f"{site}, features those of {cell}.",
        Table(COLUMNS, rows, "Numbers of the published study, and here."),
        "Without these very weights there is no counterpart to: "
        + "; ".join(known.get("weights", ()))
        + ".",
    ]
    return Section("published", "Published", "Beside the published study", answer(rows), blocks)


def places(facts: Mapping[str, Any]) -> tuple[str, str] | None:
    """The first site that has an SAE, and its first learned cell; None where there is none."""
    for site in sites_with_cells(facts):
        learned = [
            cell
            for cell in facts["cells"]
            if cell.startswith(f"{site}-") and facts["frozen"][cell] == "none"
        ]
        if learned:
            return site, learned[0]
    return None


def at_site(several: Sequence[Any], facts: Mapping[str, Any], site: str) -> list[Row]:
    """The rows of the table of a site."""
    return several[facts["sites"].index(site)].to_pylist()


def row_of(
    name: str,
    line: Line,
    known: Mapping[str, Any],
    read: Mapping[str, Sequence[Row]],
    cell: str,
    vectors: tuple[str, str],
) -> dict[str, Any] | None:
    """A row of the table; None where its tables are not there. vectors: of the same formula and of
    the corrected number."""
    asked = [one for one in (line.same, line.right) if one]
    if any(table not in read for table, _, _ in asked):
        return None
    published = known["numbers"].get(name, {})
    row: dict[str, Any] = {"words": line.words, "how": line.how}
    for side in SIDES:
        row[f"published_{side}"] = shown(line.form, published.get(side))
        for kind, one, vector in zip(
            ("same", "right"), (line.same, line.right), vectors, strict=True
        ):
            value = number(read[one[0]], one, side, cell, vector) if one else None
            row[f"{kind}_{side}"] = shown(line.form, value)
    return row


def number(
    rows: Sequence[Row], of: tuple[str, dict[str, Any], str], side: str, cell: str, vector: str
) -> float | None:
    """The number of a side: the sum over the rows that are chosen; None without any."""
    _, chosen, column = of
    own = {"representation": "x" if side == "x" else "codes", "convention": vector, **chosen}
    ours = [
        row
        for row in rows
        if all(row[key] == value for key, value in own.items())
        and (side == "x" or row["cell"] == cell)
    ]
    if column == "first":
        values = [row["task_test"] - row["control_test"] for row in ours]
    else:
        values = [row[column] for row in ours]
    return None if not values or None in values else float(sum(values))


def shown(form: str, value: float | None) -> str | None:
    """A number as it is written, with a typographic minus."""
    return None if value is None else form.format(value).replace("-", "−")


def answer(rows: Sequence[Row]) -> list[str]:
    """A sentence on the two numbers that the published study rests on."""
    by_words = {row["words"]: row for row in rows}
    test = by_words.get(LINES["task_test"].words)
    if test is None or None in (test["same_x"], test["same_sae"]):
        return []
    parts = [
        f"The published probe read {test['published_x']} off channels and {test['published_sae']} "
        f"off features; here the same recipe gives {test['same_x']} and {test['same_sae']}"
    ]
    if None not in (test["right_x"], test["right_sae"]):
        parts.append(f", and with scaled units and a chosen penalty {test['right_x']} and ")
        parts.append(f"{test['right_sae']}")
    return ["".join(parts) + " (accuracy on words that were not learned from)."]
