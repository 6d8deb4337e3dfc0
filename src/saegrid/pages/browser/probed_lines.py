"""Names and lines of descriptions on a page of probes."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Row = Mapping[str, Any]
KEY = (
    "In colour: features, dotted those of a frozen SAE. Grey: channels solid, neurons dash-dotted, "
    "components dashed, random directions dotted."
)
"""Lines in words."""


class Line(NamedTuple):
    """A description as it is written and drawn."""

    words: str
    """Name at the end of a line."""
    units: str
    """Plural of its units."""
    style: str
    """Class of its line."""


LINES = {
    "x": Line("channels", "channels", "rest solid"),
    "neurons": Line("neurons", "neurons", "rest dot-dash"),
    "pca": Line("components", "components", "rest dash"),
    "codes": Line("features", "features", "line solid"),
    "frozen": Line("frozen SAE", "features of a frozen SAE", "line dotted"),
    "random": Line("random", "random directions", "rest dotted"),
}
"""Descriptions in the order of a legend. Learned features are the line in colour; dotted ones are
nulls."""


def key_of(facts: Mapping[str, Any], row: Row) -> str:
    """The line of a row: neurons are x of a site N, and codes of a frozen SAE are a null."""
    if row["representation"] == "x" and row["site"].endswith("N"):
        return "neurons"
    if row["representation"] == "codes" and facts["frozen"][row["cell"]] != "none":
        return "frozen"
    return row["representation"]


def name_of(facts: Mapping[str, Any], row: Row) -> str:
    """A description by name: that of its cell, or its site and units."""
    key = key_of(facts, row)
    if key in ("codes", "frozen"):
        return row["cell"] + (", frozen" if key == "frozen" else "")
    return f"{row['site']}, {LINES[key].units}"


def sites_with_cells(facts: Mapping[str, Any]) -> list[str]:
    """Sites that have an SAE, in their order."""
    return [
        site for site in facts["sites"] if any(c.startswith(f"{site}-") for c in facts["cells"])
    ]


def several(values: Sequence[Any], form: str = "{:,}") -> str:
    """Numbers as they stand in a sentence: one, two by and, more as a range."""
    shown = list(dict.fromkeys(form.format(v) for v in values))
    if len(shown) == 1:
        return shown[0]
    if len(shown) == 2:
        return f"{shown[0]} and {shown[1]}"
    ordered = sorted(values)
    return f"{form.format(ordered[0])} to {form.format(ordered[-1])}"
