"""Discovery: every contrast on every feature of a cell, on the texts kept for the search."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.codes.sparse import Features
from saegrid.evidence import classical, exchange, maxima
from saegrid.evidence.contrast import CLASSES, PAIRS, Design
from saegrid.evidence.nuisances import residuals
from saegrid.evidence.texts import Texts, pool

PLAIN, MAGNITUDE, NUISANCES, WORD = "", "magnitude", "nuisances", "word"
VARIANTS = {
    PLAIN: "firing alone",
    MAGNITUDE: "ranks of the activations in the place of firing (of pairs their differences)",
    NUISANCES: "firing, with the nuisances projected out",
    WORD: "firing, of scores less their mean over the texts of one word, exchanged among these",
}
"""Forms of the test of a contrast."""
SCHEMA = pa.schema(
    [
        ("contrast", pa.string()),
        ("feature", pa.int32()),
        ("n_a", pa.int32()),
        ("n_b", pa.int32()),
        ("fire_a", pa.int32()),
        ("fire_b", pa.int32()),
        ("rate_a", pa.float64()),
        ("rate_b", pa.float64()),
        ("auroc", pa.float64()),
        ("effect", pa.float64()),
        ("statistic", pa.float64()),
        ("p", pa.float64()),
        ("p_firing", pa.float64()),
        ("p_rank", pa.float64()),
        ("statistic_magnitude", pa.float64()),
        ("statistic_nuisances", pa.float64()),
        ("statistic_word", pa.float64()),
    ]
)
"""Columns of the tests of a cell, one row a contrast and feature.

n_a, n_b: texts of both sides; of scores all of them, n_b null. fire_a, fire_b: those on which the
feature fires. rate_a, rate_b: their shares. auroc: of activations between the classes, of pairs
between both sides, of scores the chance that a text on which it fires has the higher score. effect:
rate_a - rate_b; of scores Spearman's rho. statistic, p: of firing alone. p_firing: Fisher's or
McNemar's mid-p. p_rank: Mann-Whitney's p, of pairs that of Wilcoxon's signed ranks. Others:
statistics of other forms of the test (magnitude: of ranks of the activations; nuisances: with these
projected out; word: among texts of one word), null where the contrast has none such.
"""


class Bases(NamedTuple):
    """Orthonormal bases (text, q) that are projected out of a contrast; None where it has none."""

    nuisances: np.ndarray | None = None


class Words(NamedTuple):
    """The texts of the same words, for the question whether a contrast is more than the word."""

    code: np.ndarray
    """(text,) number of the word."""
    moved: np.ndarray
    """(text, permutation + 1) exchange among the texts of a word."""


class Question(NamedTuple):
    """A contrast on given texts, with its permutations; the same in every cell."""

    name: str
    design: Design
    bases: Bases
    moved: np.ndarray
    """(text, permutation + 1): indices of texts, or signs of pairs."""
    words: Words | None = None
    """None of pairs and of unpaired texts."""

    def within_words(self) -> np.ndarray:
        """(text, permutation + 1) float32 the scores less their mean over the texts of the same
        word, exchanged among these.

        What follows the word alone is gone, however few texts a word has; the mean of the word's
        other texts, projected out, leaves much of it. Originals do not move as a whole here.
        """
        score = _balanced(self.design.score) if self.is_classes else self.design.score
        _, code = np.unique(self.words.code, return_inverse=True)
        rest = score - (np.bincount(code, score) / np.bincount(code))[code]
        return rest.astype(np.float32)[self.words.moved]

    def scores(self, basis: np.ndarray | None = None) -> np.ndarray:
        """(text, permutation + 1) float32 the exchanged scores; with a basis those of residuals,
        each column of norm one after projection, or 0 where nothing is left of it."""
        if self.design.kind == PAIRS:
            columns = self.moved.astype(np.float32)
        else:
            score = _balanced(self.design.score) if self.is_classes else self.design.score
            if basis is not None:
                rest = residuals(score, basis)
                score = rest * (rest @ rest > 1e-12 * (score @ score))
            columns = score.astype(np.float32)[self.moved]
        if basis is not None and basis.shape[1]:
            inner = basis.T @ columns
            total = np.einsum("ij,ij->j", columns, columns, dtype=np.float64)
            left = total - (inner**2).sum(axis=0)
            # Scores that the basis explains wholly leave nothing but rounding, which counts as 0.
            some = left > 1e-6 * total
            scale = np.zeros(len(left))
            scale[some] = 1 / np.sqrt(left[some])
            columns *= scale.astype(np.float32)
        return columns

    @property
    def is_classes(self) -> bool:
        """True if two classes are compared."""
        return self.design.kind == CLASSES

    def classes(self) -> tuple[np.ndarray, np.ndarray]:
        """(text, permutation + 1) float32 each: the texts of both classes under every
        permutation."""
        return tuple((self.design.score == sign).astype(np.float32)[self.moved] for sign in (1, -1))


def question(
    name: str, design: Design, bases: Bases, permutations: int, seed: int, part: str
) -> Question:
    """A contrast with its permutations, which depend on seed, part, scheme and clusters alone: the
    contrasts of the same texts share them, and so do all cells."""
    rng = exchange.generator(seed, f"{design.scheme} {part}")
    if design.scheme == exchange.FLIPS:
        moved = exchange.signs(design.cluster, permutations, rng)
    else:
        between = design.scheme == exchange.BETWEEN
        moved = exchange.exchanged(design.cluster, permutations, rng, between)
    return Question(name, design, bases, moved)


class Sides(NamedTuple):
    """Pooled activations of a contrast, (text, feature), of both sides of pairs."""

    a: sparse.csc_matrix
    b: sparse.csc_matrix | None

    def of(self, features: np.ndarray) -> "Sides":
        """Some features alone."""
        return Sides(self.a[:, features], None if self.b is None else self.b[:, features])

    def active(self) -> np.ndarray:
        """(feature,) texts on which each feature fires, on either side or both."""
        either = self.a if self.b is None else _ones(self.a) + _ones(self.b)
        return np.diff(either.indptr)

    def firing(self) -> sparse.csr_matrix:
        """(feature, text) float32: 1 where it fires; of pairs the difference of both sides."""
        one = _ones(self.a)
        return _by_feature(one if self.b is None else one - _ones(self.b))

    def magnitude(self) -> sparse.csr_matrix:
        """(feature, text) float32: ranks of the activations; of pairs their differences."""
        if self.b is not None:
            return _by_feature(self.a - self.b)
        return _by_feature(classical.ranks(self.a).scores)


def sides(
    features: Features, texts: Texts, design: Design, other: tuple[Features, Texts] | None = None
) -> Sides:
    """The pooled activations of a contrast. other: features and texts of the control."""
    a = _rows(pool(features, texts.views[design.view], texts.n), design.item)
    if not design.other:
        return Sides(a, None)
    if design.control:
        features, texts = other
    return Sides(a, _rows(pool(features, texts.views[design.other], texts.n), design.item))


class Found(NamedTuple):
    """The tests of a cell."""

    table: pa.Table
    """See `SCHEMA`; features with fewer active texts than the filter asks for are left out."""
    maxima: dict[str, np.ndarray]
    """(permutation + 1,) float32 by contrast and variant, `k4` or `k4/nuisances`."""
    tails: dict[str, np.ndarray]
    """Large statistics of the first permutations by the same names; see `maxima.Tested`, but with
    feature ids."""


def discover(
    questions: Iterable[Question],
    pooled: Mapping[str, Sides],
    least: int,
) -> Found:
    """The tests of a cell. pooled: activations by contrast. least: active texts of a feature, over
    all texts of the contrast, whatever their labels."""
    tables, largest, tails = [], {}, {}
    for question in questions:
        sides = pooled[question.name]
        features = np.flatnonzero(sides.active() >= least)
        chosen = sides.of(features)
        tested = _variants(question, chosen)
        for variant, one in tested.items():
            key = f"{question.name}/{variant}" if variant else question.name
            largest[key] = one.maxima
            tails[key] = one.tails.copy()
            tails[key][:, 1] = features[tails[key][:, 1].astype(np.int64)]
        tables.append(_table(question, features, chosen, tested))
    empty = SCHEMA.empty_table()
    return Found(pa.concat_tables([empty, *tables]), largest, tails)


def plain(question: Question, chosen: Sides) -> maxima.Tested:
    """The test of firing alone."""
    if question.is_classes:
        return maxima.deviance_test(chosen.firing(), *question.classes())
    return maxima.z_test(chosen.firing(), question.scores())


def _variants(question: Question, chosen: Sides) -> dict[str, maxima.Tested]:
    firing = chosen.firing()
    if question.is_classes:
        tested = {PLAIN: maxima.deviance_test(firing, *question.classes())}
        scores = question.scores()
    else:
        scores = question.scores()
        tested = {PLAIN: maxima.z_test(firing, scores)}
    tested[MAGNITUDE] = maxima.z_test(chosen.magnitude(), scores)
    del scores
    basis = question.bases.nuisances
    if basis is not None and basis.shape[1]:
        tested[NUISANCES] = maxima.z_test(firing, question.scores(basis), basis)
    if question.words is not None:
        tested[WORD] = maxima.z_test(firing, question.within_words())
    return tested


def columns_of(question: Question, chosen: Sides, variant: str = PLAIN) -> np.ndarray:
    """(feature, permutation + 1) float32 the statistics of a few features."""
    if variant == MAGNITUDE:
        return maxima.z_columns(chosen.magnitude(), question.scores())
    firing = chosen.firing()
    if variant == PLAIN and question.is_classes:
        return maxima.deviance_columns(firing, *question.classes())
    if variant == WORD:
        return maxima.z_columns(firing, question.within_words())
    basis = question.bases.nuisances if variant else None
    return maxima.z_columns(firing, question.scores(basis), basis)


def effects(question: Question, chosen: Sides) -> dict[str, np.ndarray]:
    """Counts, rates, AUROC, effect and p of named tests of some features, by column of `SCHEMA`."""
    design, n = question.design, chosen.a.shape[1]
    if design.kind == PAIRS:
        fire_a, fire_b = np.diff(chosen.a.indptr), np.diff(chosen.b.indptr)
        both = np.asarray((_ones(chosen.a).multiply(_ones(chosen.b))).sum(axis=0)).ravel()
        both = both.astype(np.int64)
        stacked = sparse.vstack([chosen.a, chosen.b]).tocsc()
        stacked.sort_indices()
        in_a = np.repeat([True, False], len(design.item))
        ranked = classical.mann_whitney(classical.ranks(stacked), in_a)
        p_firing = classical.mcnemar_mid_p(fire_a - both, fire_b - both)
        p_rank = classical.signed_rank((chosen.a - chosen.b).tocsc())
        n_b = len(design.item)
    elif design.kind == CLASSES:
        sorted_a = [design.score == sign for sign in (1, -1)]
        fire_a, fire_b = (
            np.asarray(_ones(chosen.a)[side].sum(axis=0)).ravel().astype(np.int64)
            for side in sorted_a
        )
        compared = design.score != 0
        ranked = classical.mann_whitney(
            classical.ranks(_rows(chosen.a, compared)), sorted_a[0][compared]
        )
        p_firing = classical.fisher_mid_p(fire_a, design.n_a, fire_b, design.n_b)
        p_rank = ranked.p
        n_b = design.n_b
    else:
        fire_a = np.diff(chosen.a.indptr)
        nothing = np.full(n, np.nan)
        return {
            "n_a": np.full(n, design.n_a),
            "n_b": nothing,
            "fire_a": fire_a,
            "fire_b": nothing,
            "rate_a": fire_a / design.n_a,
            "rate_b": nothing,
            "auroc": _auroc_of_firing(chosen.a, design.score),
            "effect": classical.spearman(classical.ranks(chosen.a), design.score),
            "p_firing": nothing,
            "p_rank": nothing,
        }
    rate_a, rate_b = fire_a / design.n_a, fire_b / n_b
    return {
        "n_a": np.full(n, design.n_a),
        "n_b": np.full(n, n_b),
        "fire_a": fire_a,
        "fire_b": fire_b,
        "rate_a": rate_a,
        "rate_b": rate_b,
        "auroc": ranked.auroc,
        "effect": rate_a - rate_b,
        "p_firing": p_firing,
        "p_rank": p_rank,
    }


def _table(
    question: Question,
    features: np.ndarray,
    chosen: Sides,
    tested: Mapping[str, maxima.Tested],
) -> pa.Table:
    columns: dict[str, Any] = {
        "contrast": pa.array([question.name] * len(features), pa.string()),
        "feature": features,
        **effects(question, chosen),
        "statistic": tested[PLAIN].statistic,
        "p": tested[PLAIN].p,
    }
    for variant in (MAGNITUDE, NUISANCES, WORD):
        missing = np.full(len(features), np.nan)
        columns[f"statistic_{variant}"] = (
            tested[variant].statistic if variant in tested else missing
        )
    return to_table(columns, SCHEMA)


def to_table(columns: Mapping[str, Sequence[Any]], schema: pa.Schema) -> pa.Table:
    """A table of a schema; NaN is null."""
    arrays = []
    for field in schema:
        values = columns[field.name]
        if pa.types.is_integer(field.type) and isinstance(values, np.ndarray):
            mask = np.isnan(values.astype(float))
            values = pa.array(np.where(mask, 0, values).astype(np.int64), mask=mask)
        elif isinstance(values, np.ndarray):
            values = pa.array(values, from_pandas=True)
        else:
            values = pa.array(values, field.type) if isinstance(values, list) else values
        arrays.append(values.cast(field.type))
    return pa.Table.from_arrays(arrays, schema=schema)


def _auroc_of_firing(matrix: sparse.csc_matrix, score: np.ndarray) -> np.ndarray:
    """(feature,) chance that a text on which it fires has the higher score, ties counted half; null
    where it fires on all or none."""
    n, fires = len(score), np.diff(matrix.indptr)
    total = _ones(matrix).T.astype(np.float64) @ classical.average_ranks(score)
    pairs = fires * (n - fires)
    return np.where(pairs > 0, (total - fires * (fires + 1) / 2) / np.maximum(pairs, 1), np.nan)


def _balanced(score: np.ndarray) -> np.ndarray:
    """Scores of two classes whose sum over texts is the difference of rates."""
    a, b = score == 1, score == -1
    return a / max(a.sum(), 1) - b / max(b.sum(), 1)


def _ones(matrix: sparse.csc_matrix) -> sparse.csc_matrix:
    ones = np.ones(len(matrix.data), np.float32)
    return type(matrix)((ones, matrix.indices, matrix.indptr), shape=matrix.shape)


def _rows(matrix: sparse.csc_matrix, chosen: np.ndarray) -> sparse.csc_matrix:
    rows = matrix[chosen]
    rows.sort_indices()
    return rows


def _by_feature(matrix: sparse.csc_matrix) -> sparse.csr_matrix:
    """(feature, text) float32, without zeros."""
    turned = sparse.csr_matrix(matrix.T, dtype=np.float32)
    turned.eliminate_zeros()
    turned.sort_indices()
    return turned
