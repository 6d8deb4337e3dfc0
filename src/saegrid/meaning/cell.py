"""Judgement of what the features of a cell are about, from its codes."""

from collections.abc import Sequence

from saegrid.codes.sparse import Features
from saegrid.meaning import coherence, enrichment
from saegrid.meaning.concepts import Judged, Rule, judge
from saegrid.meaning.occurrences import Occurrences, fired
from saegrid.meaning.vocabulary import Vocabulary


def about(
    features: Features,
    of: Occurrences,
    words: Vocabulary,
    text: Sequence[str],
    rule: Rule,
    least: int,
    permutations: int,
    seed: int,
) -> Judged:
    """The judgement of each feature that fires on at least `least` occurrences. text: (token,)."""
    fires = fired(features, of).of_at_least(least)
    coherent = None
    if words.vectors is not None:
        ranked = enrichment.ranked(fires.feature, words.type[fires.occurrence], fires.value)
        near = coherence.coherence(ranked, words.vectors, permutations, seed)
        coherent = near.z, near.p
    dealt = enrichment.deals(words.n, permutations, seed)
    return judge(fires, of, words, text, dealt, rule, coherent)
