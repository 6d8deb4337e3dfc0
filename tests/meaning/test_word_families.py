"""Families of words by hand: first parts, compounds of short words, and majorities."""

import numpy as np
import pytest
from scipy import sparse

from saegrid.meaning.families import families
from saegrid.meaning.kinds import BEGINNING
from saegrid.meaning.rows import Rows

NAMES = ["car", "carnival", "carol", "cheese", "cheesecake", "cow", "fire", "firearm", "fireplace"]
PLACE = {name: number for number, name in enumerate(NAMES)}
BEGINS = np.unique([name[:BEGINNING] for name in NAMES], return_inverse=True)[1].reshape(-1)


def rows(*features):
    """Features that fire on these words, as often as they stand there."""
    counts = np.zeros((len(features), len(NAMES)), np.int64)
    for at, words in enumerate(features):
        for word in words:
            counts[at, PLACE[word]] += 1
    return Rows(None, np.repeat(np.arange(len(features)), [len(f) for f in features]),
                len(features), sparse.csr_matrix(counts))  # fmt: skip


def of(*words):
    return np.isin(NAMES, words)[:, None]


def test_words_of_one_first_part_are_one_family():
    """Car makes one family of carnival and carol, which are two without it."""
    several = rows(["car", "carnival", "carol"], ["carnival", "carol"], ["cheese", "cheesecake"])
    family = families(several.counts, BEGINS, NAMES)
    parts = np.split(family, several.counts.indptr[1:-1])
    assert [len(set(part.tolist())) for part in parts] == [1, 2, 1]


def test_a_family_is_of_a_concept_where_half_of_its_words_are():
    """Fire, firearm and fireplace are no phenomena, cheese and cheesecake are food."""
    several = rows(["fire", "firearm", "fireplace", "cow"], ["cheese", "cheesecake", "cow"])
    family = families(several.counts, BEGINS, NAMES)
    phenomena, food = of("fire"), of("cheese", "cheesecake")
    assert several.families_on(phenomena, family).ravel().tolist() == [0, 0]
    assert several.families_on(food, family).ravel().tolist() == [0, 1]
    assert several.families_on(of("fire", "firearm"), family).ravel().tolist() == [1, 0]
    assert several.families_on(of("cheese"), family).ravel().tolist() == [0, 1]  # half is enough


def test_counts_of_words_stay_bytes(monkeypatch):
    """They are as many as words of all features times concepts."""
    several = rows(["fire", "firearm", "fireplace", "cow"])
    family = families(several.counts, BEGINS, NAMES)
    sums, add = [], np.add
    monkeypatch.setattr("saegrid.meaning.rows.by_half", lambda a, b: sums.append(a) or 2 * a >= b)
    several.families_on(of("fire"), family)
    assert add is np.add and sums[0].dtype == np.uint8


@pytest.mark.parametrize("words,left", [
    (["fire", "firearm", "cow", "cow", "fireplace"], {"cow": 2}),
    (["fire", "cheese"], {"fire": 1}),  # of equal families the first goes
    (["cow", "cow"], {}),
])  # fmt: skip
def test_rows_without_the_commonest_family(words, left):
    one = rows(words)
    kept = one.without_commonest(families(one.counts, BEGINS, NAMES)).toarray()[0]
    assert {NAMES[at]: int(kept[at]) for at in np.flatnonzero(kept)} == left
    assert one.counts.sum() == len(words), "the rows themselves stay"
