"""Concepts of a cell of true size with the bare product of a permutation test of such a cell.

Each of 9,652 texts has an edit, one of 4,000 nouns by Zipf's law; codes of one token each on
131,072 features are drawn at L0 50 with lognormal densities, and the features that fire on five
texts or more are judged under 200 dealt lexicons: ranks, enrichment, chance, families, forms, and
the tables. No word space is asked. Ratios are of CPU seconds in turns, the median of some rounds.

    python benchmarks/concepts.py
    python benchmarks/concepts.py --concepts 26
"""

import argparse

import maxima
import numpy as np

from saegrid.meaning import enrichment
from saegrid.meaning.concepts import judge
from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.meaning.tested import Rule
from saegrid.meaning.vocabulary import Concept, Vocabulary
from saegrid.text.lexicons.wordnet import NOUN, read_wordnet

TEXTS, L0, LEAST, TYPES, MEMBERS = maxima.TEXTS, 50, 5, 4000, 0.05
"""MEMBERS: share of the nouns that are of each concept."""


def fired(rng: np.random.Generator) -> Fired:
    """Activations of the features that fire on enough texts."""
    weight = np.exp(rng.normal(0, 2.5, maxima.FEATURES))
    share = np.cumsum(weight / weight.sum())
    count = 2 * L0 * TEXTS
    feature = np.searchsorted(share, rng.random(count)).clip(0, maxima.FEATURES - 1)
    place = np.unique(feature * TEXTS + rng.integers(0, TEXTS, count))
    place = np.sort(rng.choice(place, L0 * TEXTS, replace=False))
    feature, text = place // TEXTS, place % TEXTS
    kept = np.bincount(feature, minlength=maxima.FEATURES)[feature] >= LEAST
    feature, text = feature[kept], text[kept]
    value = rng.random(len(feature)).astype(np.float32)
    order = np.lexsort((-value, feature))
    return Fired(feature[order], text[order], value[order], text[order])


def words(rng: np.random.Generator, concepts: int) -> tuple[Occurrences, Vocabulary, list[str]]:
    """The edits of the texts, their word types and concepts, and the text of each token."""
    nouns = sorted(noun for noun in read_wordnet().lemmas(NOUN) if noun.isalpha())
    names = [nouns[at] for at in np.sort(rng.choice(len(nouns), TYPES, replace=False))]
    weight = 1 / np.arange(1, TYPES + 1)
    type_ = rng.permutation(TYPES)[rng.choice(TYPES, TEXTS, p=weight / weight.sum())]
    said, never = [names[at] for at in type_], np.zeros(TEXTS, bool)
    member = rng.random((TYPES, concepts)) < MEMBERS
    category = np.where(member.any(axis=1), member.argmax(axis=1), -1)
    known = [Concept(f"concept {at}", f"concept {at}", "lists") for at in range(concepts)]
    of = Occurrences(np.arange(TEXTS), np.arange(TEXTS), said, never, never)
    return of, Vocabulary(type_.astype(np.int32), names, known, member, category, None), said


def main() -> None:
    """Print the seconds of the judgement and of the bare product, and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--concepts", type=int, default=79)
    parser.add_argument("--permutations", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    fires, (of, vocabulary, text) = fired(rng), words(rng, options.concepts)
    dealt = enrichment.deals(TYPES, options.permutations, 0)
    matrix = maxima.codes("lognormal", 0)
    scores = maxima.inputs(maxima.exchanged(1000))[0]
    taken = np.array(
        [
            [
                maxima.seconds(maxima.bare, matrix, scores),
                maxima.seconds(judge, fires, of, vocabulary, text, dealt, Rule()),
            ]
            for _ in range(options.rounds)
        ]
    )
    ratio = np.median(taken[:, 1] / taken[:, 0])
    print(
        f"{len(np.unique(fires.feature)):,} features, {options.concepts} concepts: bare product "
        f"{np.median(taken[:, 0]):.2f} s, concepts {np.median(taken[:, 1]):.2f} s, "
        f"{ratio:.2f} times that"
    )


if __name__ == "__main__":
    main()
