"""Themes: confirmed features that see the same texts are one finding.

Features of one contrast and direction are joined by average linkage while the mean cosine of the
sets of texts on which they fire is at least `ALIKE`. A theme fires on a text where at least half of
its features do, and is then put to its contrast as a feature is (`effects`).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.codes.sparse import Features
from saegrid.evidence import DISCOVERY, parts
from saegrid.evidence.contrast import PAIRS, main_view
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.questions import Corpus
from saegrid.evidence.texts import VIEWS, pool
from saegrid.meaning.rows import LISTED

ALIKE = 0.4
"""Mean cosine of the sets of texts of the features of one theme."""
MOST = 500
"""Confirmed features of a contrast that are joined, the largest statistics first."""
FEATURES = pa.schema(
    [
        ("contrast", pa.string()),
        ("theme", pa.int32()),
        ("sign", pa.int8()),
        ("cell", pa.string()),
        ("layer", pa.int32()),
        ("position", pa.string()),
        ("sae", pa.string()),
        ("feature", pa.int32()),
        ("statistic", pa.float64()),
        ("kind", pa.string()),
        ("label", pa.string()),
    ]
)
"""Columns of theme_features.parquet, one row a feature; themes are numbered over all contrasts."""
THEMES = pa.schema(
    [
        ("theme", pa.int32()),
        ("contrast", pa.string()),
        ("sign", pa.int8()),
        ("label", pa.string()),
        ("words", pa.string()),
        ("n_features", pa.int32()),
        ("n_cells", pa.int32()),
        ("first_layer", pa.int32()),
        ("last_layer", pa.int32()),
        ("lead_cell", pa.string()),
        ("lead_feature", pa.int32()),
        ("n_texts", pa.int32()),
    ]
)
"""Columns of themes.parquet, one row a theme: the commonest label of its features of meaning, else
null; the commonest words of the texts of discovery on which it fires, and their number; the feature
with the largest statistic, which leads it."""


def joined(fires: sparse.csc_matrix, alike: float = ALIKE) -> np.ndarray:
    """(feature,) number of the theme of each feature, from 0 in the order of their first features.

    fires: (text, feature) of ones.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    n = fires.shape[1]
    if n < 2:
        return np.zeros(n, np.int64)
    both = np.asarray((fires.T @ fires).todense(), np.float64)
    size = np.sqrt(np.diag(both))
    scale = np.outer(size, size)
    cosine = np.divide(both, scale, out=np.zeros_like(both), where=scale > 0)
    distance = np.maximum(1 - cosine, 0)
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "average")
    # A hair more than the cut, so that sets that are just alike enough are joined.
    number = fcluster(tree, 1 - alike + 1e-9, "distance")
    _, first, code = np.unique(number, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[code]


class Chosen(NamedTuple):
    """Confirmed features, one row a contrast, cell and feature."""

    contrast: list[str]
    cell: list[str]
    feature: np.ndarray
    sign: np.ndarray
    statistic: np.ndarray

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.feature)


def chosen(discoveries: pa.Table, most: int = MOST) -> Chosen:
    """The confirmed features of SAEs of which nothing was frozen, those with the largest statistics
    first within each contrast."""
    names = ["contrast", "cell", "feature", "sign", "statistic"]
    rows = [
        row
        for row in discoveries.select([*names, "frozen", "confirmed"]).to_pylist()
        if row["confirmed"] and row["frozen"] == "none"
    ]
    rows.sort(key=lambda r: (r["contrast"], -abs(r["statistic"]), r["cell"], r["feature"]))
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row["contrast"]] += 1
        if seen[row["contrast"]] <= most:
            kept.append(row)
    return Chosen(
        [row["contrast"] for row in kept],
        [row["cell"] for row in kept],
        np.array([row["feature"] for row in kept], np.int64),
        np.array([row["sign"] for row in kept], np.int64),
        np.array([row["statistic"] for row in kept], np.float64),
    )


class Fires(NamedTuple):
    """Firing of chosen features by corpus and view: (item, row) csc of ones."""

    on: Mapping[tuple[str, str], sparse.csc_matrix]


def fires(
    rows: Chosen,
    corpora: Mapping[str, Corpus],
    features: Callable[[str, str], Features],
    views: Iterable[str],
) -> Fires:
    """The firing of chosen features. features: function of cell and corpus that reads the codes;
    views: those that are needed, of which a corpus may lack some."""
    on = {}
    for name, corpus in corpora.items():
        own = [view for view in views if view in corpus.texts.views]
        columns: dict[str, list[sparse.csc_matrix]] = {view: [] for view in own}
        order = []
        for cell in dict.fromkeys(rows.cell):
            at = np.array([i for i, one in enumerate(rows.cell) if one == cell])
            known, place = np.unique(rows.feature[at], return_inverse=True)
            codes = features(cell, name).select(known)
            for view in own:
                pooled = pool(codes, corpus.texts.views[view], corpus.texts.n)
                pooled.data[:] = 1
                columns[view].append(pooled[:, place])
            order.append(at)
        back = np.argsort(np.concatenate(order)) if order else np.zeros(0, np.int64)
        for view in own:
            blocks = columns[view] or [sparse.csc_matrix((corpus.texts.n, 0))]
            on[name, view] = sparse.csc_matrix(sparse.hstack(blocks, "csc")[:, back])
    return Fires(on)


class Themes(NamedTuple):
    """The themes of all contrasts."""

    rows: Chosen
    theme: np.ndarray
    """(row,) the theme of each."""
    contrast: list[str]
    """(theme,)"""
    sign: np.ndarray
    """(theme,)"""

    @property
    def n(self) -> int:
        """Number of themes."""
        return len(self.contrast)

    def has(self, fires: sparse.csc_matrix) -> sparse.csc_matrix:
        """(item, theme) of ones: items on which at least half of the features of a theme fire."""
        size = np.bincount(self.theme, minlength=self.n)
        shape = (self.rows.n, self.n)
        ones = np.ones(self.rows.n, np.float32)
        into = sparse.csr_matrix((ones, (np.arange(self.rows.n), self.theme)), shape=shape)
        counts = sparse.coo_matrix(fires @ into)
        kept = 2 * counts.data >= size[counts.col]
        ones = np.ones(int(kept.sum()), np.float32)
        at = (counts.row[kept], counts.col[kept])
        has = sparse.csc_matrix((ones, at), shape=counts.shape)
        has.sort_indices()
        return has


def themes(
    rows: Chosen, on: Fires, corpus: str, used: np.ndarray, view_of: Callable[[str, int], str]
) -> Themes:
    """The themes of chosen features. corpus, used: the texts of discovery, (item,) bool; view_of:
    the view of a contrast and direction on which its features fire."""
    theme = np.zeros(rows.n, np.int64)
    contrast: list[str] = []
    signs: list[int] = []
    for name in dict.fromkeys(rows.contrast):
        for sign in (1, -1):
            own = np.array([n == name for n in rows.contrast], bool) & (rows.sign == sign)
            at = np.flatnonzero(own)
            if not len(at):
                continue
            matrix = on.on[corpus, view_of(name, sign)][used][:, at]
            number = joined(sparse.csc_matrix(matrix))
            theme[at] = number + len(contrast)
            n = int(number.max()) + 1
            contrast += [name] * n
            signs += [sign] * n
    return Themes(rows, theme, contrast, np.array(signs, np.int64))


def view_of(kinds: Mapping[str, tuple[str, str]]) -> Callable[[str, int], str]:
    """Function of contrast and direction: the view on which its features fire. kinds: views of side
    a and b by contrast, b empty where texts have one view."""
    return lambda name, sign: kinds[name][1] if sign < 0 and kinds[name][1] else kinds[name][0]


def views_of(questions: Sequence[Question]) -> dict[str, tuple[str, str]]:
    """The views of both sides by contrast."""
    return {q.name: (q.design.view, q.design.other) for q in questions if q.design.view in VIEWS}


def sides(question: Question, corpus: str, control: str | None, on: Fires, of: Themes) -> Sides:
    """The firing of all themes on the texts of a contrast."""
    design = question.design
    a = _rows(of.has(on.on[corpus, design.view]), design.item)
    if design.kind != PAIRS:
        return Sides(a, None)
    other = control if design.control else corpus
    return Sides(a, _rows(of.has(on.on[other, design.other]), design.item))


def _rows(matrix: sparse.csc_matrix, item: np.ndarray) -> sparse.csc_matrix:
    rows = sparse.csc_matrix(matrix[item])
    rows.sort_indices()
    return rows


def tables(
    of: Themes,
    on: Fires,
    plan: Mapping[str, Any],
    corpora: Mapping[str, Corpus],
    labels: Mapping[tuple[str, int], tuple[str | None, str | None]],
    views: Callable[[str, int], str],
) -> tuple[pa.Table, pa.Table]:
    """themes.parquet and theme_features.parquet. labels: kind and label by cell and feature."""
    from saegrid.base.words import Cell

    part = plan["parts"][DISCOVERY]
    corpus = corpora[part["corpus"]]
    used = parts.chosen(corpus.texts, part) & corpus.texts.views[main_view(corpus.texts)].present
    rows = []
    for at in range(of.rows.n):
        cell = Cell.parse(of.rows.cell[at])
        kind, label = labels.get((str(cell), int(of.rows.feature[at])), (None, None))
        rows.append(
            {
                "contrast": of.rows.contrast[at],
                "theme": int(of.theme[at]),
                "sign": int(of.rows.sign[at]),
                **cell.columns(),
                "feature": int(of.rows.feature[at]),
                "statistic": float(of.rows.statistic[at]),
                "kind": kind,
                "label": label,
            }
        )
    lines = []
    for theme in range(of.n):
        own = [row for row in rows if row["theme"] == theme]
        view = views(of.contrast[theme], int(of.sign[theme]))
        has = of.has(on.on[part["corpus"], view])
        items = has.indices[has.indptr[theme] : has.indptr[theme + 1]]
        items = items[used[items]]
        named = Counter(row["label"] for row in own if row["kind"] == "meaning")
        best = min(named.items(), key=lambda e: (-e[1], e[0]))[0] if named else None
        layers = [row["layer"] for row in own]
        lines.append(
            {
                "theme": theme,
                "contrast": of.contrast[theme],
                "sign": int(of.sign[theme]),
                "label": best,
                "words": _words(corpus, view, items, used),
                "n_features": len(own),
                "n_cells": len({row["cell"] for row in own}),
                "first_layer": min(layers),
                "last_layer": max(layers),
                "lead_cell": own[0]["cell"],
                "lead_feature": own[0]["feature"],
                "n_texts": len(items),
            }
        )
    return pa.Table.from_pylist(lines, THEMES), pa.Table.from_pylist(rows, FEATURES)


def _words(corpus: Corpus, view: str, items: np.ndarray, used: np.ndarray) -> str:
    """The words that its texts have more often than all texts have, with their numbers: those with
    the largest (k - e) / sqrt(e), where k texts have the word and e would by chance."""
    words = corpus.words.get(ORIGINAL if view == ORIGINAL else EDITED)
    if words is None or not len(items):
        return ""
    every = Counter(words[i].casefold() for i in np.flatnonzero(used))
    own = Counter(words[i].casefold() for i in items)
    part = len(items) / max(int(used.sum()), 1)
    excess = {
        word: (k - part * every[word]) / np.sqrt(part * every[word]) for word, k in own.items()
    }
    best = sorted(own, key=lambda word: (-excess[word], word))[:LISTED]
    return ", ".join(f"{word} {own[word]}" if own[word] > 1 else word for word in best if word)
