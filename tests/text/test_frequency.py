"""Log frequencies of words: counted by hand, and as wordfreq has them."""

import sys
from importlib import metadata
from math import log
from types import ModuleType

import numpy as np
import pytest

from saegrid.base.errors import ConfigError
from saegrid.text import frequency as module
from saegrid.text.frequency import COUNTS, counts, frequency, last_word, source_name

TEXTS = ["The cat sees the dog.", "A dog's life", "The cat sees the dog.", "CAT!"]


@pytest.fixture
def without(monkeypatch):
    """Wordfreq is not installed."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)


@pytest.fixture
def with_it(monkeypatch):
    """A wordfreq that knows three words."""
    known = {"cat": 4.9, "dog": 5.1, "fish": 4.8}
    stand_in = ModuleType("wordfreq")
    asked = []

    def zipf_frequency(word, language):
        asked.append((word, language))
        return known.get(word, 0.0)

    stand_in.zipf_frequency, stand_in.asked = zipf_frequency, asked
    monkeypatch.setitem(sys.modules, "wordfreq", stand_in)
    monkeypatch.setattr(module, "find_spec", lambda name: stand_in)
    monkeypatch.setattr(module, "version", lambda name: "3.1.1")
    return stand_in


def test_words_are_counted_by_hand(without):
    """Each text once: the first stands there twice."""
    words = ["cat", "Dog", "the", "life", "fish", "--"]
    values, name = frequency(words, TEXTS)
    expected = [log(3), log(3), log(3), log(2), 0.0, 0.0]
    assert values == pytest.approx(expected) and values.dtype == np.float64
    assert name == COUNTS == "counts of the corpus' own words, a weaker control"


def test_words_are_compared_without_case_marks_and_genitive():
    assert counts(["The dog's DOG, (dog)", "straße STRASSE"]) == {"the": 1, "dog": 3, "strasse": 2}


@pytest.mark.parametrize(
    ("words", "last"),
    [("cat", "cat"), ("big Cats", "cats"), ("ice cream !", "cream"), ("’em", "em"), ("!", "")],
)
def test_an_edit_of_several_words_has_the_frequency_of_its_last_one(words, last, without):
    assert last_word(words) == last
    one, whole = (frequency([w], ["cats cats cream em"])[0] for w in (last, words))
    assert np.array_equal(one, whole)


def test_wordfreq_is_taken_where_it_is_installed_and_asked_once_a_word(with_it):
    values, name = frequency(["Cat", "hot dog", "cat", "xyzzy", "-"], iter(()))
    assert values.tolist() == [4.9, 5.1, 4.9, 0.0, 0.0] and name == "wordfreq 3.1.1"
    assert with_it.asked == [("cat", "en"), ("dog", "en"), ("xyzzy", "en")]
    assert frequency(["cat"], [], "wordfreq")[1] == source_name("wordfreq") == name
    frequency(["Katze"], [], language="de")
    assert with_it.asked[-1] == ("katze", "de")


def test_the_corpus_is_counted_where_it_is_asked_for(with_it):
    values, name = frequency(["cat"], TEXTS, "corpus")
    assert values == pytest.approx([log(3)]) and name == source_name("corpus") == COUNTS
    assert with_it.asked == []


def test_wordfreq_that_is_missing_is_told_in_a_sentence(without):
    message = r"^frequency: wordfreq is asked for and is not installed: install it .*corpus.*\.$"
    for ask in (lambda: frequency(["a"], [], "wordfreq"), lambda: source_name("wordfreq")):
        with pytest.raises(ConfigError, match=message):
            ask()
    assert source_name("auto") == COUNTS
    with pytest.raises(ValueError, match=r"one of auto, wordfreq, corpus; got 'zipf'"):
        frequency(["a"], [], "zipf")


def test_numbers_of_wordfreq_itself():
    """Published ones of its README, where it is installed."""
    pytest.importorskip("wordfreq")
    values, name = frequency(["the", "frequency", "a zipf", "qzxwvj"], [])
    assert values.tolist() == [7.73, 4.36, 1.49, 0.0]
    assert name == f"wordfreq {metadata.version('wordfreq')}"


def test_no_words_have_no_frequencies(without):
    assert frequency([], TEXTS)[0].shape == (0,)
