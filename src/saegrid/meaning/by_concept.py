"""The tables of a cell by concept: pairs of concepts that share a feature, and the feature that
shows each concept best."""

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import exact
from saegrid.meaning import enrichment
from saegrid.meaning.occurrences import SHOWN
from saegrid.meaning.rows import Rows
from saegrid.meaning.tested import Rule, Tested
from saegrid.meaning.vocabulary import Vocabulary

COMBINED = pa.schema(
    [
        ("feature", pa.int32()),
        ("concept_a", pa.string()),
        ("n_a", pa.int32()),
        ("p_maxt_a", pa.float64()),
        ("concept_b", pa.string()),
        ("n_b", pa.int32()),
        ("p_maxt_b", pa.float64()),
        ("n_both", pa.int32()),
        ("n_neither", pa.int32()),
        ("n_shown", pa.int32()),
    ]
)
"""Columns of combinations.parquet: two concepts that are enriched in one feature and cover
different rows of it."""
BEST = pa.schema(
    [
        ("concept", pa.string()),
        ("lexicon", pa.string()),
        ("title", pa.string()),
        ("n_types", pa.int32()),
        ("base", pa.float64()),
        ("feature", pa.int32()),
        ("log10_p", pa.float64()),
        ("p_maxt", pa.float64()),
        ("n_concept", pa.int32()),
        ("n_concept_types", pa.int32()),
        ("n_shown", pa.int32()),
        ("share", pa.float64()),
        ("share_low", pa.float64()),
        ("share_high", pa.float64()),
        ("kind", pa.string()),
        ("n_meaning", pa.int32()),
    ]
)
"""Columns of concept_best.parquet, one row a concept: the feature of the cell that shows it best,
and n_meaning, the features of meaning that are of it."""


def combinations(
    feature: np.ndarray, tested: Tested, rows: Rows, words: Vocabulary, rule: Rule
) -> pa.Table:
    """Pairs of concepts of a feature that both are enriched and cover different rows."""
    n_shown = rows.n_shown
    share = tested.on / np.maximum(n_shown, 1)[:, None]
    able = (tested.p <= rule.alpha) & (share >= rule.combined) & (tested.types >= 2)
    lines = []
    for row in np.flatnonzero(able.sum(axis=1) > 1):
        concepts = np.flatnonzero(able[row])
        part = slice(*rows.counts.indptr[row : row + 2])
        member = words.member[rows.counts.indices[part]][:, concepts]
        counts = rows.counts.data[part]
        both = (member * counts[:, None]).T.astype(np.int64) @ member.astype(np.int64)
        for a, one in enumerate(concepts):
            for b in range(a + 1, len(concepts)):
                n_a, n_b, n = int(both[a, a]), int(both[b, b]), int(both[a, b])
                if 2 * n > min(n_a, n_b):
                    continue  # two names of the same words
                (first, n_first), (second, n_second) = sorted(
                    ((int(one), n_a), (int(concepts[b]), n_b)), key=lambda c: (-c[1], c[0])
                )
                lines.append(
                    {
                        "feature": int(feature[row]),
                        "concept_a": words.concepts[first].name,
                        "n_a": n_first,
                        "p_maxt_a": float(tested.p[row, first]),
                        "concept_b": words.concepts[second].name,
                        "n_b": n_second,
                        "p_maxt_b": float(tested.p[row, second]),
                        "n_both": n,
                        "n_neither": int(n_shown[row]) - n_a - n_b + n,
                        "n_shown": int(n_shown[row]),
                    }
                )
    return pa.Table.from_pylist(lines, COMBINED)


def best_features(
    feature: np.ndarray,
    best: enrichment.Enriched,
    tested: Tested,
    rows: Rows,
    kind: np.ndarray,
    words: Vocabulary,
) -> pa.Table:
    """The feature that shows each concept best: of meaning and of this concept, then where it is
    allowed, then by the lower end of the share's interval, then by p."""
    if not len(feature) or not words.concepts[0].name:
        return BEST.empty_table()
    # All shares that there can be: the exact interval of each once.
    n = np.arange(SHOWN + 1)
    ends = exact(np.minimum(n[:, None], n[None, :]), np.broadcast_to(n, (SHOWN + 1, SHOWN + 1)))
    n_shown, is_meaning = rows.n_shown, kind == "meaning"
    lines = []
    for number, concept in enumerate(words.concepts):
        low, high = (end[tested.on[:, number], n_shown] for end in ends)
        own = is_meaning & (tested.chosen == number)
        row = _first(own, tested.allowed[:, number], low, -best.log10_p[:, number])
        n_on, n_types = int(tested.on[row, number]), int(words.member[:, number].sum())
        lines.append(
            {
                "concept": concept.name,
                "lexicon": concept.lexicon,
                "title": concept.title,
                "n_types": n_types,
                "base": n_types / max(words.n, 1),
                "feature": int(feature[row]),
                "log10_p": float(best.log10_p[row, number]),
                "p_maxt": float(tested.p[row, number]),
                "n_concept": n_on,
                "n_concept_types": int(tested.types[row, number]),
                "n_shown": int(n_shown[row]),
                "share": n_on / max(int(n_shown[row]), 1),
                "share_low": float(low[row]),
                "share_high": float(high[row]),
                "kind": str(kind[row]),
                "n_meaning": int(own.sum()),
            }
        )
    return pa.Table.from_pylist(lines, BEST)


def _first(*better: np.ndarray) -> int:
    """The row with the largest first value; of equal ones with the largest second, and so on; then
    the first row. better: (row,) each."""
    rows = np.arange(len(better[0]))
    for values in better:
        rows = rows[values[rows] == values[rows].max()]
    return int(rows[0])
