"""Panels: tables that stages show, one for each feature on its page, or one on the index.

The function of a panel gives rows, each a mapping of column heading to text or number; under `href`
a row may have a link for its first column: `#1216`, or a path relative to the page.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.io import read_table

Row = Mapping[str, Any]
LEAVES = re.compile(r"\s*([a-z][a-z0-9+.-]*:|//|/|\\)", re.IGNORECASE)
"""A link that is no part of the page and no path within the study's folder."""


def read_panels(panels: Sequence[Mapping[str, str]], paths: Iterable[str]) -> list[dict[str, Any]]:
    """The panels with the rows that their functions give: name, heading, words, rows.

    panels: name, heading, words and `of`, a function `package.module:name`. paths: their tables.
    """
    return [
        {
            **{key: panel[key] for key in ("name", "heading", "words")},
            "rows": resolve_name(panel["of"])(read_table(Path(path))),
        }
        for panel, path in zip(panels, paths, strict=True)
    ]


def linked(rows: Any) -> Any:
    """Rows, or rows by feature, without links that leave the study's folder."""
    if isinstance(rows, Mapping):
        return {feature: linked(several) for feature, several in rows.items()}
    return [
        {key: value for key, value in row.items() if key != "href" or not LEAVES.match(str(value))}
        for row in rows
    ]


def of_features(panels: Sequence[Mapping[str, Any]], features: np.ndarray) -> pa.StringArray:
    """(feature,) the rows of all panels of each feature as JSON; null where it has none."""
    rows = [linked(panel["rows"]) for panel in panels]
    texts = [[of.get(int(feature), ()) for of in rows] for feature in features]
    return pa.array([_json(rows) if any(rows) else None for rows in texts], pa.string())


def _json(rows: Any) -> str:
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def columns(rows: Sequence[Row]) -> list[str]:
    """Headings of the columns of some rows, in the order in which they come."""
    return list(dict.fromkeys(key for row in rows for key in row if key != "href"))
