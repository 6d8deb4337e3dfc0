"""The kin of each feature as rows of a panel, a row a kin, with a link to it."""

from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import Cell

LIMITS = {"cell": 5, "width": 4, "layer": 3}
"""Rows of a feature at most, by place, and their order; those of each of the two layers beside."""
RELATIONS = {"decoder": "direction", "tokens": "tokens", "texts": "texts"}
"""Headings of the relations."""


def of_features(table: pa.Table) -> dict[int, list[dict[str, Any]]]:
    """The kin of each feature, of kin.parquet: those of a place by the sum of 1 / (1 + rank) over
    the relations by which they are kin."""
    if not table.num_rows:
        return {}
    feature, other, rank = (table[name].to_numpy() for name in ("feature", "other", "rank"))
    place, _ = _coded(table["place"], list(LIMITS))
    cell, cells = _coded(table["cell"], sorted(set(table["cell"].to_pylist()), key=Cell.parse))
    relation, names = _coded(table["relation"], list(RELATIONS))
    order = np.lexsort((other, cell, feature))
    new = np.diff(np.stack([feature, cell, other])[:, order], prepend=-1).any(axis=0)
    number = np.cumsum(new) - 1  # of the kin of each line
    first = order[new]  # a line of each kin
    score = np.bincount(number, 1 / (1.0 + rank[order]))
    lines = np.full((len(first), len(names)), -1)
    lines[number, relation[order]] = order
    group = feature[first].astype(np.int64) * len(LIMITS) + place[first]
    beside = np.where(place[first] == list(LIMITS).index("layer"), cell[first], 0)
    group = group * len(cells) + beside
    ranked = np.lexsort((other[first], cell[first], -score, group))
    group = group[ranked]
    limit = np.array(list(LIMITS.values()))[place[first]][ranked]
    shown = ranked[np.arange(len(ranked)) - np.searchsorted(group, group) < limit]
    value, both = table["value"].to_numpy(), table["n_both"].to_numpy()
    words = table["words"].take(pa.array(first[shown])).to_pylist()
    rows: dict[int, list[dict[str, Any]]] = {}
    for one, text in zip(shown.tolist(), words, strict=True):
        line = first[one]
        values = {
            heading: round(float(value[at]), 2) if at >= 0 else None
            for at, heading in zip(lines[one].tolist(), RELATIONS.values(), strict=True)
        }
        known = [at for at in lines[one, :2].tolist() if at >= 0]
        own = place[line] == 0
        name, id_ = cells[cell[line]], int(other[line])
        row = {
            "feature": f"#{id_}" if own else f"{name} #{id_}",
            "href": f"#{id_}" if own else f"../{name}/features.html#{id_}",
            "words": text or "–",
            **values,
            "both": int(both[known[0]]) if known else None,
        }
        rows.setdefault(int(feature[line]), []).append(row)
    return rows


def _coded(column: pa.ChunkedArray, names: list[str] | None = None) -> tuple[np.ndarray, list[str]]:
    """(row,) the number of each value in `names`, which are the values themselves if None."""
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    known = coded.dictionary.to_pylist()
    names = known if names is None else names
    place = np.array([names.index(name) for name in known], np.int64)
    return place[coded.indices.to_numpy()], names
