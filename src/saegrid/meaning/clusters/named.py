"""Names of clusters, by the namers of features.

A cluster is named as a feature is: a namer sees the texts in which its own features are strongest,
each with a mark on the word. Of a cluster of texts these are its most specific features on its own
texts; of a cluster of features, its members on all texts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.meaning.names.cell import namer_of
from saegrid.meaning.names.contexts import spelled
from saegrid.meaning.names.namer import Answer, Context, Subject

SHOWN = 20
"""Contexts of a cluster."""
WINDOW = 16
"""Tokens before and after the mark."""


class Words(NamedTuple):
    """The tokens of a corpus."""

    row: np.ndarray
    item: np.ndarray
    text: Sequence[str]
    usable: np.ndarray
    """(token,) bool: no special token."""

    @classmethod
    def of(cls, tokens: pa.Table) -> "Words":
        """Columns of tokens.parquet."""
        special = tokens["special"].to_numpy(zero_copy_only=False).astype(bool)
        text = tokens["text"].cast(pa.string()).to_pylist()
        return cls(tokens["row"].to_numpy(), tokens["item"].to_numpy(), text, ~special)


def subject(
    number: int,
    ids: Sequence[int],
    features: Features,
    words: Words,
    unit_of: np.ndarray,
    concepts: Mapping[int, Mapping[str, Any]],
) -> Subject:
    """A cluster that is to be named.

    ids: its features, the most specific first. unit_of: (token,) the text of each token on which
    they count, -1 of others. concepts: rows of concepts.parquet by feature. Of a feature the
    strongest texts come first, and features take turns.
    """
    rows: list[tuple[int, int, int, float]] = []
    for place, feature in enumerate(ids):
        token, value = features.of(feature)
        largest = float(value.max(initial=0.0)) or 1.0
        inside = np.flatnonzero(unit_of[token] >= 0)
        order = inside[np.lexsort((token[inside], -value[inside]))]
        first = np.sort(np.unique(unit_of[token[order]], return_index=True)[1])[:SHOWN]
        rows += [
            (rank, place, int(token[at]), float(value[at]) / largest)
            for rank, at in enumerate(order[first].tolist())
        ]
    chosen = sorted(rows)[:SHOWN]
    marked = [(_context(words, token), strength) for _, _, token, strength in chosen]
    marked = [one for one in marked if one[0].marked.strip()]
    ordered = sorted(marked, key=lambda one: -one[1])
    contexts, strength = [one for one, _ in ordered], [value for _, value in ordered]
    return Subject(number, contexts, strength, shared(ids, concepts))


def shared(
    ids: Sequence[int], concepts: Mapping[int, Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The row of the concept that more than half of the features have; None where there is none."""
    named = [concepts[f] for f in ids if f in concepts and concepts[f]["kind"] == "meaning"]
    counts: dict[str, int] = {}
    for row in named:
        counts[row["concept"]] = counts.get(row["concept"], 0) + 1
    best = max(counts, key=lambda name: counts[name], default=None)
    if best is None or 2 * counts[best] <= len(ids):
        return None
    return next(row for row in named if row["concept"] == best)


def names(subjects: Sequence[Subject], settings: Mapping[str, Any], answers: str) -> list[Answer]:
    """The name of each cluster. settings: namer, and what it needs; answers: the folder of the
    answers of models."""
    able = [one for one in subjects if one.contexts]
    asked = iter(namer_of(settings, answers, {}).name(able) if able else [])
    none = Answer(None, "no text has a marked word")
    return [next(asked) if one.contexts else none for one in subjects]


def _context(words: Words, token: int) -> Context:
    """The text around a token, of the same row and item, up to a special token."""
    start = stop = token
    while start > 0 and token - start < WINDOW and _same(words, start - 1, token):
        start -= 1
    while stop + 1 < len(words.row) and stop - token < WINDOW and _same(words, stop + 1, token):
        stop += 1
    before = "".join(words.text[i] for i in range(start, token))
    after = "".join(words.text[i] for i in range(token + 1, stop + 1))
    return spelled(before, words.text[token], after)


def _same(words: Words, one: int, other: int) -> bool:
    same = words.row[one] == words.row[other] and words.item[one] == words.item[other]
    return bool(same and words.usable[one])
