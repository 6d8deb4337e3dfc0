"""Words by what WordNet puts above them: words are near that share rare general terms.

The first sense of a word (noun, else verb) and all that stands above it are its terms; a term that
few word types have weighs more, log(N / n). Of this sparse table the main directions are kept.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from scipy import sparse

from saegrid.meaning.spaces.space import Space, unit
from saegrid.text.lexicons.membership import WordType
from saegrid.text.lexicons.wordnet import NOUN, VERB, WordNet, read_wordnet

DIMENSIONS = 128
"""Main directions that are kept."""


def vectors(types: Sequence[WordType]) -> np.ndarray:
    """(type, dimension) float32 vectors."""
    table = terms(types)
    if min(table.shape) > DIMENSIONS:
        from sklearn.decomposition import TruncatedSVD

        dense = TruncatedSVD(DIMENSIONS, random_state=0, n_iter=7).fit_transform(table)
    else:
        dense = rotated(table.toarray())
    return unit(dense)


SPACE = Space(vectors)


def rotated(rows: np.ndarray) -> np.ndarray:
    """(row, direction) float64 rows by their main directions, the largest first: no cosine
    changes."""
    left, size, _ = np.linalg.svd(rows, full_matrices=False)
    return left * size


def terms(types: Sequence[WordType]) -> sparse.csr_matrix:
    """(type, term) weights of the terms of each word type, of length one; terms that one type
    alone has are left out."""
    wordnet = read_wordnet()
    pairs = [
        (row, term) for row, one in enumerate(types) for term in sorted(set(_above(one, wordnet)))
    ]
    if not pairs:
        return sparse.csr_matrix((len(types), 0))
    row, synset = np.array(pairs).T
    _, column, count = np.unique(synset, return_inverse=True, return_counts=True)
    weight = np.log(len(types) / count)[column]
    kept = count[column] > 1
    shape = (len(types), len(count))
    table = sparse.csr_matrix((weight[kept], (row[kept], column[kept])), shape=shape)
    length = np.sqrt(np.asarray(table.multiply(table).sum(axis=1))).ravel()
    return sparse.diags(1 / np.where(length > 0, length, 1)) @ table


def _above(one: WordType, wordnet: WordNet) -> Iterator[int]:
    """The first sense of a word type's words, and all above it."""
    for word in one.words or (one.lemma,):
        senses = wordnet.senses(word, NOUN) or wordnet.senses(word, VERB)
        if senses:
            yield senses[0]
            yield from wordnet.ancestors(senses[0])
