"""Word spaces: which words they have, and which of these are near."""

import numpy as np
import pytest

from saegrid.base.paths import PathError, expand
from saegrid.meaning.spaces import SPACES, glove, joined, wordnet
from saegrid.text.lexicons.membership import WordType

WORDS = ["bread", "butter", "cheese", "senator", "congress", "election", "rabbit", "they", "qxzv"]
TYPES = [WordType(word, (word,)) for word in WORDS]
try:
    expand(glove.VECTORS)
    LACKING = ""
except PathError as problem:
    LACKING = str(problem)
with_glove = pytest.mark.skipif(bool(LACKING), reason=LACKING)
AT = {word: row for row, word in enumerate(WORDS)}


def cosine(vectors, one, other):
    return float(vectors[AT[one]] @ vectors[AT[other]])


def test_every_space_has_vectors_of_length_one_or_none():
    assert set(SPACES) == {"joined", "glove", "wordnet"}
    for of in (wordnet,) if LACKING else (glove, joined, wordnet):
        vectors = of.vectors(TYPES)
        length = np.linalg.norm(vectors, axis=1)
        assert vectors.dtype == np.float32 and len(vectors) == len(WORDS)
        assert np.allclose(length[length > 0], 1, atol=1e-6)
        assert length[AT["they"]] == length[AT["qxzv"]] == 0, "grammar, and no word"
        assert of.vectors([]).shape[0] == 0


@with_glove
@pytest.mark.parametrize("of", [glove, joined])
def test_words_of_a_theme_are_near(of):
    """Food and politics, whose words are each nearer to one another than to the others."""
    vectors = of.vectors(TYPES)
    food, politics = ["bread", "butter", "cheese"], ["senator", "congress", "election"]
    near = [("bread", "butter"), ("bread", "cheese"), ("senator", "congress")]
    inside = [cosine(vectors, *pair) for pair in near]
    across = [cosine(vectors, one, other) for one in food for other in politics]
    assert min(inside) > max(across) + 0.1


@with_glove
def test_a_type_has_the_vector_of_its_lemma_or_of_a_word():
    """The lemma comes first; a word of it where the space lacks the lemma."""
    lemma = glove.vectors([WordType("rabbit", ("rabbits",))])
    assert np.array_equal(lemma[0], glove.vectors(TYPES)[AT["rabbit"]])
    word = glove.vectors([WordType("qxzv", ("rabbit",))])
    assert np.array_equal(word[0], lemma[0])


def test_of_few_words_the_main_directions_come_first():
    """`joined` keeps the first ones, however few words there are: cosines are those of all terms,
    and each direction holds no less than the next."""
    vectors, table = wordnet.vectors(TYPES), wordnet.terms(TYPES).toarray()
    every = wordnet.unit(table)
    assert vectors @ vectors.T == pytest.approx(every @ every.T, abs=1e-5)
    held = np.linalg.norm(wordnet.rotated(table), axis=0)
    assert len(held) == len(TYPES) and (np.diff(held) <= 1e-9).all()


@with_glove
def test_the_joined_cosine_is_a_mean_of_both():
    """The cosine of words that both have is 0.8 of one and 0.2 of the other, where no direction is
    left out."""
    company, above = glove.vectors(TYPES), wordnet.vectors(TYPES)
    both = joined.vectors(TYPES)
    expected = 0.8 * cosine(company, "bread", "rabbit") + 0.2 * cosine(above, "bread", "rabbit")
    assert cosine(both, "bread", "rabbit") == pytest.approx(expected, abs=1e-5)


def test_centred_rows_have_no_mean_no_main_direction_and_no_mean_of_their_group():
    """Three directions that all rows vary in, and two groups apart, leave what is a row's own."""
    rng = np.random.default_rng(0)
    own = np.zeros((40, 8))
    own[:, 5:] = rng.normal(size=(40, 3))
    group = np.repeat([0, 1], 20)
    for one in (0, 1):
        own[group == one] -= own[group == one].mean(axis=0)
    common = np.zeros((40, 8))
    common[:, :3] = np.linalg.qr(np.hstack([own[:, 5:], rng.normal(size=(40, 3))]))[0][:, 3:] * 90
    rows = own + common + 7.0
    assert np.allclose(glove.centred(rows, group), own, atol=1e-9)


def test_words_that_are_kept_are_common_or_words_of_wordnet():
    class Known:
        def lemmas(self, pos):
            return {"rare-word": ()}

    names = ["the", "x", "3rd", "naïve", *["-"] * (glove.COMMON - 4), "rare-word", "unheard"]
    kept = glove.wanted(names, Known())
    assert [names[rank] for rank in kept] == ["the", "rare-word"]
