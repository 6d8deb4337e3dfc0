"""Features to be turned up, a control for each, and the values at which they are clamped."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED
from saegrid.codes.sparse import Features
from saegrid.evidence.texts import Texts, pool

OF_LABELS = ("k2", "k3", "k3g", "k4", "label")
"""Contrasts about a label, such as how funny an edit is."""
FEATURE, CONTROL = "feature", "control"
STRONGEST = 20
"""Texts of discovery whose edits are the words of a feature, those in which it is strongest."""


class Chosen(NamedTuple):
    """A confirmed feature."""

    contrast: str
    cell: str
    feature: int
    sign: int
    """1 where it fires more on texts with a high label, else -1."""


class Arm(NamedTuple):
    """A feature that is clamped."""

    of: Chosen
    """The confirmed feature that it is, or is the control of."""
    role: str
    feature: int
    dose: float
    """Clamp in maxima of the confirmed feature; 0: both are ablated."""
    value: float
    words: np.ndarray
    """(token,) int64 ids of the first tokens of its words."""


class Sizes(NamedTuple):
    """Counts and maxima of features on tokens that are not special."""

    n_active: np.ndarray
    """(feature,) int64."""
    maximum: np.ndarray
    """(feature,) float32, 0 where it never fires."""


def is_of_label(contrast: str) -> bool:
    """True of a contrast about a label."""
    return contrast.partition(":")[0] in OF_LABELS


def confirmed(discoveries: pa.Table, cells: Collection[str], n: int) -> list[Chosen]:
    """The first confirmed features of contrasts about a label, one row a cell and feature.

    By p_confirm, then contrast, cell and feature. Cells of which something was frozen, and those
    without weights (not in `cells`), are left out.
    """
    names = ["contrast", "cell", "feature", "sign", "frozen", "confirmed", "p_confirm"]
    rows = [
        row
        for row in discoveries.select(names).to_pylist()
        if row["confirmed"] and row["frozen"] == "none" and row["cell"] in cells
    ]
    rows = [row for row in rows if is_of_label(row["contrast"])]
    rows.sort(key=lambda r: (r["p_confirm"], r["contrast"], r["cell"], r["feature"]))
    first: dict[tuple[str, int], Chosen] = {}
    for row in rows:
        one = Chosen(row["contrast"], row["cell"], row["feature"], row["sign"])
        first.setdefault((one.cell, one.feature), one)
    return list(first.values())[:n]


def barred(discoveries: pa.Table, cell: str) -> set[int]:
    """Features of a cell that a contrast about a label discovered: none is a control.

    Contrasts of edits with originals do not count: they discover most features that fire as often
    as the confirmed ones do, and what they leave is no match.
    """
    rows = discoveries.select(["contrast", "cell", "feature"]).to_pylist()
    return {r["feature"] for r in rows if r["cell"] == cell and is_of_label(r["contrast"])}


def sizes_of(features: Features, special: np.ndarray) -> Sizes:
    """The sizes of the features of a cell. special: (token,) bool."""
    n, maximum = np.zeros(features.d_sae, np.int64), np.zeros(features.d_sae, np.float32)
    kept = ~special[features.indices]
    owner = features.owners()[kept]
    np.add.at(n, owner, 1)
    np.maximum.at(maximum, owner, features.data[kept])
    return Sizes(n, maximum)


def control_of(sizes: Sizes, feature: int, barred: Collection[int]) -> int | None:
    """The feature that is most like another one: the smallest sum of the differences of the logs of
    density and of maximum, the smaller number first; None where no other feature fires.

    barred: features that may not be taken.
    """
    alive = np.flatnonzero(sizes.n_active)
    alive = alive[~np.isin(alive, [*barred, feature])]
    if not len(alive) or not sizes.n_active[feature]:
        return None
    logs = [
        np.log(np.asarray(one, np.float64)) for one in (sizes.n_active[alive], sizes.maximum[alive])
    ]
    own = np.log(np.float64(sizes.n_active[feature])), np.log(np.float64(sizes.maximum[feature]))
    return int(alive[np.argmin(sum(abs(log - at) for log, at in zip(logs, own, strict=True)))])


def words_of(
    features: Features, ids: Sequence[int], texts: Texts, used: np.ndarray, edit: np.ndarray
) -> list[np.ndarray]:
    """The words of features: first tokens (ids) of the edits on which each is strongest.

    used: (item,) bool, the texts of discovery; edit: (item,) first tokens, -1 where there is none.
    """
    pooled = pool(features.select(np.asarray(ids)), texts.views[EDITED], texts.n)
    out = []
    for column in range(len(ids)):
        part = slice(pooled.indptr[column], pooled.indptr[column + 1])
        item, z = pooled.indices[part], pooled.data[part]
        kept = used[item] & (edit[item] >= 0)
        item, z = item[kept], z[kept]
        strongest = item[np.lexsort((item, -z))[:STRONGEST]]
        out.append(np.unique(edit[strongest]))
    return out


def arms(
    chosen: Sequence[Chosen],
    cells: Mapping[str, Features],
    discoveries: pa.Table,
    settings: Mapping[str, Any],
    searched: tuple[Texts, np.ndarray, np.ndarray, np.ndarray],
) -> tuple[list[Arm], list[Chosen]]:
    """The arms of chosen features and their controls, in the order of the features, and those
    features that have no control.

    A control is taken once. searched: texts, (item,) bool of discovery, first tokens of the edits
    (item,), and (token,) bool of special tokens. settings: doses.
    """
    texts, used, edit, special = searched
    sizes = {cell: sizes_of(features, special) for cell, features in cells.items()}
    taken = {cell: barred(discoveries, cell) for cell in cells}
    out, without = [], []
    for one in chosen:
        control = control_of(sizes[one.cell], one.feature, taken[one.cell])
        if control is None:
            without.append(one)
            continue
        taken[one.cell].add(control)
        pair = {FEATURE: one.feature, CONTROL: control}
        words = words_of(cells[one.cell], list(pair.values()), texts, used, edit)
        top = float(sizes[one.cell].maximum[one.feature])
        doses = [*([0.0] if one.sign < 0 else []), *settings["doses"]]
        out += [
            Arm(one, role, feature, dose, dose * top, own)
            for (role, feature), own in zip(pair.items(), words, strict=True)
            for dose in doses
        ]
    return out, without
