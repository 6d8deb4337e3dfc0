"""Families of words by hand: first parts, compounds of short words, and majorities."""

import numpy as np
import pytest
from scipy import sparse

from saegrid.meaning import families as module
from saegrid.meaning.families import Parts, first_parts
from saegrid.meaning.kinds import BEGINNING
from saegrid.meaning.occurrences import Fired, Occurrences
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


def families(counts, beginning, names, said=(), part=()):
    """Families where the words that are said have these first parts, of the first feature each."""
    known = sorted(set(part))
    code = np.array([known.index(one) for one in part], np.int64)
    type_ = np.array([list(names).index(word) for word in said], np.int64)
    row = np.zeros(len(said), np.int64)
    return module.families(counts, beginning, names, row, type_, Parts(known, code))


def of(*words):
    return np.isin(NAMES, words)[:, None]


def on(rows, member, family):
    """Families of each feature that are of a concept, and the rows that are none for their
    piece."""
    return tuple(part.ravel().tolist() for part in rows.families_on(member, family))


def test_words_of_one_first_part_are_one_family():
    """Car makes one family of carnival and carol, which are two without it."""
    several = rows(["car", "carnival", "carol"], ["carnival", "carol"], ["cheese", "cheesecake"])
    family = families(several.counts, BEGINS, NAMES)
    parts = np.split(family.number, several.counts.indptr[1:-1])
    assert [len(set(part.tolist())) for part in parts] == [1, 2, 1]


def test_a_family_is_of_a_concept_where_half_of_its_words_are():
    """Fire, firearm and fireplace are no phenomena, cheese and cheesecake are food."""
    several = rows(["fire", "firearm", "fireplace", "cow"], ["cheese", "cheesecake", "cow"])
    family = families(several.counts, BEGINS, NAMES)
    phenomena, food = of("fire"), of("cheese", "cheesecake")
    assert on(several, phenomena, family) == ([0, 0], [0, 0])
    assert on(several, food, family) == ([0, 1], [0, 0])
    assert on(several, of("fire", "firearm"), family) == ([1, 0], [0, 0])
    assert on(several, of("cheese"), family) == ([0, 1], [0, 0])  # half is enough


def test_words_of_one_short_piece_are_one_family():
    """Mascot, mascara and masseuse are one word where the feature has seen `mas`, else three."""
    names = ["mascara", "mascot", "masseuse", "nurse"]
    begins, counts = np.array([0, 1, 2, 3]), sparse.csr_matrix(np.array([[1, 2, 1, 1]] * 2))
    said = ["mascot", "masseuse", "mascara", "mascot"]
    family = families(counts, begins, names, said, ["mas", "mas", "mas", "m"])
    first, second = np.split(family.number, 2)
    assert len(set(first[:3].tolist())) == 1 and first[3] not in first[:3]
    assert len(set(second.tolist())) == 4, "another feature has seen the whole words"
    assert family.of_piece.tolist() == [True] * 3 + [False] * 5
    several = Rows(None, None, 2, counts)
    person = np.array([False, True, True, True])[:, None]
    # Mascara is no person: mascot's and masseuse's three rows are none either.
    assert on(several, person, family) == ([1, 3], [3, 0])
    assert on(several, person | True, family) == ([2, 4], [0, 0])


def test_a_piece_that_is_a_word_needs_half_of_its_family():
    """Eyebrows are of the body, an eyesore is not, and `eye` is a word."""
    names = ["eye", "eyebrow", "eyesore"]
    counts = sparse.csr_matrix(np.array([[0, 3, 1]]))
    family = families(counts, np.arange(3), names, ["eyebrow", "eyesore"], ["eye", "eye"])
    assert len(set(family.number.tolist())) == 1 and not family.of_piece.any()
    body = np.array([True, True, False])[:, None]
    assert on(Rows(None, None, 1, counts), body, family) == ([1], [0])


def test_a_word_of_three_letters_takes_its_compounds_before_a_piece_does():
    names = ["car", "carnival", "cart"]
    counts = sparse.csr_matrix(np.array([[1, 1, 1]]))
    family = families(counts, np.array([0, 1, 2]), names, ["carnival"], ["ca"])
    assert len(set(family.number.tolist())) == 1 and not family.of_piece.any()


def test_first_parts_end_with_the_strongest_piece():
    """A whole word has none, nor has one of more than three letters; an edit's last word counts."""
    text = ["The", " m", "as", "cot", " ham", " ham", "ster", " white", " mo", "use", " mas"]
    words = ["mascot", "ham", "hamster", "mouse", "mas"]
    of_ = Occurrences(np.array([-1, 0, 0, 0, 1, 2, 2, 3, 3, 3, 4]), np.arange(5), words, *[[]] * 2)
    token = np.array([2, 1, 3, 4, 5, 6, 7, 8, 10])
    shown = Fired(np.zeros(9), of_.token[token], np.ones(9), token)
    parts = first_parts(shown, of_, text)
    assert [([*parts.names, ""])[code] for code in parts.code] == [
        "mas", "m", "", "", "ham", "", "", "mo", ""
    ]  # fmt: skip


def test_counts_of_words_stay_bytes(monkeypatch):
    """They are as many as words of all features times concepts."""
    several = rows(["fire", "firearm", "fireplace", "cow"])
    family = families(several.counts, BEGINS, NAMES)
    sums, add = [], np.add
    monkeypatch.setattr("saegrid.meaning.rows.is_of", lambda a, b, c: sums.append(a) or 2 * a >= b)
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
