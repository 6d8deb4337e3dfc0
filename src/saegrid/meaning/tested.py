"""Features against concepts: which concepts are enriched among the rows of a feature and have rows
and word types enough, and which one of them stands for it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saegrid.meaning import enrichment
from saegrid.meaning.rows import Rows
from saegrid.meaning.vocabulary import Vocabulary


class Rule(NamedTuple):
    """The rule by which a feature is one of meaning."""

    alpha: float = 0.05
    """Family-wise level of enrichment and of coherence."""
    share: float = 0.5
    """Share of the rows that must have a word of the concept."""
    types: int = 3
    """Distinct word types among these, those of one family as one; of coherent words too."""
    wide_share: float = 0.65
    """Share of wide concepts, which many words belong to loosely."""
    wide: Sequence[str] = ()
    """Names of the wide concepts."""
    combined: float = 0.25
    """Share of the rows of each concept of a combination."""


class Tested(NamedTuple):
    """Features against concepts, (feature, concept) each."""

    p: np.ndarray
    """Family-wise p."""
    on: np.ndarray
    """Rows of the concept."""
    types: np.ndarray
    """Distinct word types among these, those of one family as one: fail and failure."""
    allowed: np.ndarray
    """bool: enriched, and with rows and types enough."""
    chosen: np.ndarray
    """(feature,) the concept that stands for it: of those allowed, else of all, the one with the
    smallest p; of equal ones that with more rows, then the first."""


def against_concepts(
    best: enrichment.Enriched,
    p: np.ndarray,
    rows: Rows,
    words: Vocabulary,
    family: np.ndarray,
    rule: Rule,
) -> Tested:
    """The test of each concept on each feature, and the concept that stands for the feature.

    p: (feature, concept) family-wise. family: (type,) of each word type.
    """
    on, types = rows.on(words.member), rows.families_on(words.member, family)
    wide = np.array([concept.name in set(rule.wide) for concept in words.concepts], bool)
    need = np.where(wide, rule.wide_share, rule.share)
    share = on / np.maximum(rows.n_shown, 1)[:, None]
    allowed = (p <= rule.alpha) & (share >= need - 1e-12) & (types >= rule.types)
    # lexsort over the concepts of each feature, as one key: allowed, p, rows.
    order = np.lexsort((-on, np.round(best.log10_p, 9), ~allowed), axis=1)
    return Tested(p, on, types, allowed, order[:, 0])


def of_words(rows: Rows, words: Vocabulary, rule: Rule) -> np.ndarray:
    """(feature,) bool: at least `rule.share` of the rows have a word with a letter or digit. A word
    space knows no marks, so that coherence alone says nothing of a feature of full stops."""
    spelled = np.array([any(map(str.isalnum, name)) for name in words.names], np.int64)
    return rows.counts @ spelled >= rule.share * rows.n_shown - 1e-9
