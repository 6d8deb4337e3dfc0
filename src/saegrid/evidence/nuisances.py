"""Nuisances, which tell texts apart without meaning: frequency and form of words, their place, and
how unexpected they are. Contrasts are tested again with all of it projected out."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from saegrid.evidence.classical import average_ranks
from saegrid.evidence.contrast import PAIRS, WITHIN, Design

ENDINGS = ("ing", "ed", "ly", "ion", "er", "s")
"""Endings that tell categories of words apart where no lexicon does; the longest match counts."""
GROUPS = {
    "frequency": "frequency of the word",
    "form": "sub-tokens, place in the text, length of the text, capital, beginning of the text",
    "category": "category of the word by its ending",
    "surprisal": "surprisal of the word under the model itself",
}
"""Kinds of nuisances, in words."""


class Numbers(NamedTuple):
    """Numbers of the texts on one side of a contrast, (item,) float64 each, NaN where unknown."""

    frequency: np.ndarray
    n_tokens: np.ndarray
    position: np.ndarray
    length: np.ndarray
    capital: np.ndarray
    surprisal: np.ndarray
    ending: np.ndarray
    """(item,) int: number of the ending, 0 without one."""


def word_of(text: str | None) -> str:
    """The word that stands for an edit of several: its last one."""
    words = re.findall(r"[^\W_][\w'’-]*", text or "")
    return words[-1] if words else ""


def replaced(original: str | None, edited: str | None) -> str:
    """The words of the original that the edit replaced: between the words that both begin and end
    with."""
    before, after = (original or "").split(), (edited or "").split()
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    stop = 0
    room = min(len(before), len(after)) - start
    while stop < room and before[-1 - stop] == after[-1 - stop]:
        stop += 1
    return " ".join(before[start : len(before) - stop])


def ending_of(word: str) -> int:
    """The number of a word's ending in `ENDINGS`, from 1 on; 0 where it has none, or nothing but
    it."""
    folded = word.casefold()
    for number, ending in enumerate(ENDINGS, 1):
        if folded.endswith(ending) and len(folded) > len(ending) + 1:
            return number
    return 0


def basis(
    design: Design, a: Numbers, b: Numbers | None, groups: Sequence[str]
) -> tuple[np.ndarray, list[str]]:
    """(text, q) float64 an orthonormal basis of the nuisances of a contrast, and their names.

    Of pairs the differences of both sides, which change sign with them; else the numbers of the
    text and a constant, less their means over the original where labels move inside it. Columns
    that add nothing are left out.
    """
    if design.kind == PAIRS:
        if b is None:
            return np.empty((len(design.item), 0)), []
        columns = _differences(design.item, a, b, groups)
    else:
        columns = _levels(design.item, a, groups)
    if design.scheme == WITHIN:
        columns = centred(columns, design.cluster)
    if not columns:
        return np.empty((len(design.item), 0)), []
    return orthonormal(columns), list(columns)


def centred(columns: Mapping[str, np.ndarray], cluster: np.ndarray) -> dict[str, np.ndarray]:
    """Columns less their means over each cluster, without those that are the same in all texts of
    every cluster. A score that is centred so is explained by these alone: what differs between
    clusters would only blur them."""
    _, number = np.unique(cluster, return_inverse=True)
    size = np.bincount(number)
    kept = {}
    for name, values in columns.items():
        inside = values - (np.bincount(number, values) / size)[number]
        if np.abs(inside).max(initial=0) > 1e-9 * np.abs(values).max(initial=0):
            kept[name] = inside
    return kept


def orthonormal(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """An orthonormal basis of some columns; those that others span are dropped."""
    if not columns:
        return np.empty((0, 0))
    matrix = np.column_stack(list(columns.values())).astype(float)
    scale = np.sqrt((matrix**2).mean(axis=0))
    matrix = matrix[:, scale > 0] / scale[scale > 0]
    left, sizes, _ = np.linalg.svd(matrix, full_matrices=False)
    return left[:, sizes > 1e-8 * sizes.max(initial=1)]


def residuals(score: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """A score less what the nuisances explain of it."""
    return score - basis @ (basis.T @ score)


def explained(score: np.ndarray, basis: np.ndarray) -> float:
    """R2: the share of the variance of a score that a basis with a constant in it explains."""
    centred = score - score.mean()
    total = float(centred @ centred)
    return 1 - float(np.square(residuals(centred, basis)).sum()) / total if total else 0.0


def word_codes(words: Sequence[str]) -> np.ndarray:
    """(text,) int64: a number for each word, casefolded; a text without a word has its own."""
    _, code = np.unique([word.casefold() for word in words], return_inverse=True)
    without = np.array([not word for word in words], bool)
    return np.where(without, len(words) + np.arange(len(words)), code)


def _levels(item: np.ndarray, a: Numbers, groups: Sequence[str]) -> dict[str, np.ndarray]:
    columns = {"constant": np.ones(len(item))}
    if "frequency" in groups:
        columns |= _curve("frequency", a.frequency[item])
        columns["frequency zero"] = (a.frequency[item] == 0).astype(float)
    if "form" in groups:
        n = a.n_tokens[item]
        if np.nanmax(n, initial=0) > 8:
            columns |= _curve("tokens", n)
        else:
            columns |= {f"tokens {k}": (n == k).astype(float) for k in (2, 3)}
            columns["tokens 4 or more"] = (n > 3).astype(float)
        columns |= _curve("length", a.length[item])
        columns |= _curve("position", a.position[item])
        columns["first"] = (a.position[item] == 0).astype(float)
        columns["capital"] = (a.capital[item] == 1).astype(float)
    if "category" in groups:
        for k, ending in enumerate(ENDINGS, 1):
            columns[f"-{ending}"] = (a.ending[item] == k).astype(float)
    if "surprisal" in groups:
        columns |= _curve("surprisal", a.surprisal[item])
    return columns


def _differences(
    item: np.ndarray, a: Numbers, b: Numbers, groups: Sequence[str]
) -> dict[str, np.ndarray]:
    columns = {}

    def difference(name: str, one: np.ndarray, other: np.ndarray) -> None:
        known = ~np.isnan(one[item]) & ~np.isnan(other[item])
        if known.any():
            columns[name] = np.where(known, one[item] - other[item], 0.0)

    if "frequency" in groups:
        difference("frequency", a.frequency, b.frequency)
        difference("frequency zero", (a.frequency == 0) * 1.0, (b.frequency == 0) * 1.0)
    if "form" in groups:
        difference("tokens", a.n_tokens, b.n_tokens)
        difference("capital", a.capital, b.capital)
    if "category" in groups:
        for k, ending in enumerate(ENDINGS, 1):
            difference(f"-{ending}", (a.ending == k) * 1.0, (b.ending == k) * 1.0)
    if "surprisal" in groups:
        difference("surprisal", a.surprisal, b.surprisal)
    return columns


def _curve(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Rank and squared rank of a number, with a column of those that have none; nothing where all
    have none."""
    unknown = np.isnan(values)
    if unknown.all():
        return {}
    rank = np.zeros(len(values))
    rank[~unknown] = average_ranks(values[~unknown]) / (~unknown).sum() - 0.5
    columns = {name: rank, f"{name} squared": np.where(unknown, 0, rank**2)}
    if unknown.any():
        columns[f"{name} unknown"] = unknown.astype(float)
    return columns
