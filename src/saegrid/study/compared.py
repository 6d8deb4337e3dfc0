"""Two cells held against each other: directions that point the same way, firings on the same
tokens.

    cosine(i, j)  = u_i . v_j / (|u_i| |v_j|)            of decoder rows
    jaccard(i, j) = n_both / (n_i + n_j - n_both)        of the tokens that both cells captured
    jaccard_chance(i, j) = e / (n_i + n_j - e),  e = n_i n_j / n     of features that fire apart

Each feature has its nearest in the other cell, and one partner where no feature is taken twice: the
matching with the largest sum of cosines (`scipy.optimize.linear_sum_assignment`). Beside both
stand the same numbers of the other's directions with their channels shuffled, which point nowhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saegrid.evidence.exchange import generator
from saegrid.saes.sae import blocks

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for
    from scipy import sparse

    from saegrid.study.cell import CellView

MOST = 4096
"""Features of a cell that are compared: the matching holds MOST x MOST numbers, 134 MB."""
TILE = 512
"""Rows of either side in one product; it is fixed, so that it decides nothing about a byte."""

Read = Callable[[np.ndarray], np.ndarray]


class Incomparable(ValueError):
    """An error of a comparison of cells whose decoders do not write the same channels."""


class Comparison(NamedTuple):
    """Two cells held against each other."""

    nearest: pd.DataFrame
    """One row a feature of the first cell, by rank: feature, other (the nearest by cosine; ties to
    the denser), cosine, jaccard, jaccard_chance."""
    matched: pd.DataFrame
    """One row a pair of the one-to-one matching, in the same columns, the largest cosine first."""
    summary: pd.DataFrame
    """Rows `nearest` and `matched`: n (pairs), median_cosine, share_above (share of cosines above
    the largest that a direction has with so many random ones, sqrt(2 ln n / d)), chance_cosine and
    chance_above (both with shuffled channels), median_jaccard, chance_jaccard (median of
    jaccard_chance)."""
    about: str
    """One sentence: what was compared, and what was left out."""

    def __repr__(self) -> str:
        return f"Comparison({self.about})\n{self.summary.round(3).to_string()}"


def compare(one: CellView, other: CellView, most: int = MOST, seed: int = 0) -> Comparison:
    """Hold two cells against each other; arguments and errors as of `Study.compare`."""
    import pandas as pd

    from saegrid.meaning.nearest import chance

    if not 1 <= most <= MOST:
        raise ValueError(f"most must be 1 to {MOST}, the features that fit a matching; got {most}.")
    ours, theirs = one.sae, other.sae
    widths = [w.b_dec.shape[0] for w in (ours, theirs)]
    if widths[0] != widths[1]:
        raise Incomparable(
            f"{one.name} writes {widths[0]} channels and {other.name} {widths[1]}: directions of "
            "different widths have no cosine. Compare cells of one model, at sites of one width."
        )
    ids = [view.features.index.to_numpy()[:most].astype(np.int64) for view in (one, other)]
    if not all(map(len, ids)):
        raise Incomparable(f"{one.name} or {other.name} has no active feature to compare.")
    cosine = cosines(ours.directions, ids[0], theirs.directions, ids[1])
    order = generator(seed, "compare").permutation(widths[0])
    shuffled = cosines(ours.directions, ids[0], lambda f: theirs.directions(f)[:, order], ids[1])
    firings = _firings(one, ids[0], other, ids[1])
    least = chance(len(ids[1]), widths[0])
    tables, rows = {}, {}
    for name, pair in {"nearest": nearest, "matched": matched}.items():
        table = _table(cosine, ids, pair(cosine), firings)
        null = shuffled[pair(shuffled)]
        rows[name] = {
            "n": len(table),
            "median_cosine": table["cosine"].median(),
            "share_above": (table["cosine"] > least).mean(),
            "chance_cosine": float(np.median(null)),
            "chance_above": float((null > least).mean()),
            "median_jaccard": table["jaccard"].median(),
            "chance_jaccard": table["jaccard_chance"].median(),
        }
        tables[name] = table
    tables["matched"] = tables["matched"].sort_values("cosine", ascending=False, kind="stable")
    return Comparison(
        tables["nearest"],
        tables["matched"].reset_index(drop=True),
        pd.DataFrame.from_dict(rows, orient="index"),
        _about(one, other, ids, firings is not None),
    )


def _about(one: CellView, other: CellView, ids: list[np.ndarray], same_tokens: bool) -> str:
    parts = [
        f"the {len(chosen):,} densest of {len(view.features):,} active features of "
        f"{view.study.name} {view.name}"
        for chosen, view in zip(ids, (one, other), strict=True)
    ]
    apart = "" if same_tokens else "; no Jaccard index: the cells were captured on other tokens"
    return f"{parts[0]} against {parts[1]}{apart}"


def cosines(one: Read, ids: np.ndarray, other: Read, others: np.ndarray) -> np.ndarray:
    """(feature, other) float32: cosines of directions, float64 products of fixed tiles on one
    thread, rounded once, so that neither threads nor memory decide about a matching.

    one, other: features to rows (n, d_model) of norm one; a zero row has cosine 0.
    """
    from threadpoolctl import threadpool_limits

    out = np.empty((len(ids), len(others)), np.float32)
    with threadpool_limits(1):
        for a, b in blocks(len(ids), TILE):
            rows = one(ids[a:b])
            for c, d in blocks(len(others), TILE):
                out[a:b, c:d] = rows @ other(others[c:d]).T
    return out


Pairs = tuple[np.ndarray, np.ndarray]


def nearest(cosine: np.ndarray) -> Pairs:
    """Each row and the column with its largest cosine, of a tie the first."""
    return np.arange(len(cosine)), cosine.argmax(axis=1)


def matched(cosine: np.ndarray) -> Pairs:
    """Rows and columns of the one-to-one matching with the largest sum of cosines; of the longer
    side some are left out."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(cosine, maximize=True)
    return rows, columns


class Firings(NamedTuple):
    """Firings of the features of two cells on the tokens that both captured."""

    one: sparse.csr_matrix
    """(feature, token) ones where a feature fires."""
    other: sparse.csr_matrix

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return int(self.one.shape[1])


def _firings(one: CellView, ids: np.ndarray, other: CellView, others: np.ndarray) -> Firings | None:
    """The firings; None where the cells were not captured on the same tokens."""
    names = ["row", "position", "token_id"]
    if one.study is not other.study and not (
        one.study._tokens.select(names).equals(other.study._tokens.select(names))
    ):
        return None
    common = np.intersect1d(one.captured, other.captured, assume_unique=True)
    both = []
    for view, chosen in ((one, ids), (other, others)):
        rows = np.searchsorted(view.captured, common)
        part = view.z("csc")[:, chosen].T.tocsr()[:, rows]
        part.data = np.ones(len(part.data), np.int32)
        both.append(part)
    return Firings(*both) if len(common) else None


def _table(
    cosine: np.ndarray, ids: list[np.ndarray], pairs: Pairs, firings: Firings | None
) -> pd.DataFrame:
    """One row a pair, in the columns of `Comparison.nearest`."""
    import pandas as pd

    from saegrid.meaning.nearest import jaccard, n_both

    row, column = pairs
    overlap = by_chance = np.full(len(row), np.nan)
    if firings is not None and firings.n_tokens:
        n = firings.n_tokens
        a = np.diff(firings.one.indptr)[row].astype(np.float64)
        b = np.diff(firings.other.indptr)[column].astype(np.float64)
        together = n_both(firings.one, firings.other, row, column).astype(np.float64)
        overlap, by_chance = jaccard(together, a, b, n), jaccard(a * b / n, a, b, n)
    return pd.DataFrame(
        {
            "feature": ids[0][row],
            "other": ids[1][column],
            "cosine": cosine[row, column],
            "jaccard": overlap,
            "jaccard_chance": by_chance,
        }
    )
