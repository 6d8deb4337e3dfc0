"""Features against concepts: which concepts are enriched among the rows of a feature and have rows
and word types enough, and which one of them stands for it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saegrid.meaning import enrichment
from saegrid.meaning.families import Families
from saegrid.meaning.rows import Rows
from saegrid.meaning.vocabulary import Vocabulary


class Rule(NamedTuple):
    """The rule by which a feature is one of meaning."""

    alpha: float = 0.05
    """Level of enrichment, family-wise and as a false discovery rate, and of coherence."""
    share: float = 0.5
    """Share of the rows that must have a word of the concept."""
    types: int = 3
    """Different words among these, those of one family as one; of near words too."""
    wide_share: float = 0.65
    """Share of wide concepts, which many words belong to loosely; near words are asked too.
    Also that of the near words of a coherent feature."""
    wide: Sequence[str] = ()
    """Names of the wide concepts."""
    combined: float = 0.25
    """Share of the rows of each concept of a combination."""


class Tested(NamedTuple):
    """Features against concepts, (feature, concept) each."""

    p: np.ndarray
    """Family-wise p."""
    q: np.ndarray
    """False discovery rate."""
    on: np.ndarray
    """Rows of the concept."""
    types: np.ndarray
    """Families of words that are of it: fail and failure are one."""
    lost: np.ndarray
    """Rows of the concept that are no evidence: the words of their piece are not all of it."""
    allowed: np.ndarray
    """bool: enriched, and with rows of such families and types enough."""
    chosen: np.ndarray
    """(feature,) the concept that stands for it: of those allowed, else of all, the one with the
    smallest p; of equal ones that with more rows, then the first."""


def against_concepts(
    best: enrichment.Enriched,
    p: np.ndarray,
    q: np.ndarray,
    rows: Rows,
    words: Vocabulary,
    family: Families,
    themes: np.ndarray | None,
    rule: Rule,
) -> Tested:
    """The test of each concept on each feature, and the concept that stands for the feature.

    A concept is enriched family-wise, or at the false discovery rate where it has its share of the
    rows without their commonest family as well.

    p, q: (feature, concept), see `Tested`. themes: (feature,) bool, features of near words, which
    wide concepts ask for too; None without a space.
    """
    on = rows.on(words.member)
    types, lost = rows.families_on(words.member, family)
    wide = is_wide(words, rule)
    need = np.where(wide, rule.wide_share, rule.share)
    share = (on - lost) / np.maximum(rows.n_shown, 1)[:, None]
    kept = rows.without_commonest(family)
    left = np.asarray(kept.sum(axis=1)).reshape(-1, 1)
    stands = (left > 0) & (rows.on(words.member, kept) >= need * left - 1e-9)
    enriched = (p <= rule.alpha) | ((q <= rule.alpha) & stands)
    allowed = enriched & (share >= need - 1e-12) & (types >= rule.types)
    if themes is not None:
        allowed &= ~wide | themes[:, None]
    # lexsort over the concepts of each feature, as one key: allowed, p, rows.
    order = np.lexsort((-on, np.round(best.log10_p, 9), ~allowed), axis=1)
    return Tested(p, q, on, types, lost, allowed, order[:, 0])


def is_wide(words: Vocabulary, rule: Rule) -> np.ndarray:
    """(concept,) bool: those that many words belong to loosely."""
    names = set(rule.wide)
    return np.array([concept.name in names for concept in words.concepts], bool)
