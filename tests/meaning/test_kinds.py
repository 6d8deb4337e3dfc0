"""Form: first letters, endings and pieces of the strongest words, by hand and by plain loops."""

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.meaning import kinds
from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.meaning.vocabulary import vocabulary
from saegrid.text.lexicons.wordnet import read_wordnet
from saegrid.text.wordlists import normal

C_WORDS = ["cheese", "cow", "clown", "Congress", "Cuba", "crayon", "Canada"]
ING_WORDS = ["sing", "running", "Bribing", "waking", "eating", "dozing", "gaming"]


def cycle(words, n):
    return list(itertools.islice(itertools.cycle(words), n))


def forms(*features):
    """The forms of features whose strongest occurrences have these words, a dictionary each."""
    said = [word for words in features for word in words]
    n = np.arange(len(said))
    of = Occurrences(n, n, said, n < 0, n < 0)
    row = np.repeat(np.arange(len(features)), [len(words) for words in features])
    shown = Fired(row, n, np.ones(len(n), np.float32), n)
    words, _ = vocabulary(of, [], 1, "none")
    by = kinds.spelled(of, words.type, words.names)
    found = kinds.forms(shown, row, len(features), of, by)
    return [{name: column[at] for name, column in found.items()} for at in range(len(features))]


def form(*words):
    return forms(list(words))[0]


def test_a_first_letter_is_a_form_of_nine_rows_in_ten():
    row = form(*cycle(C_WORDS, 18), "tax", "law")
    assert (row["letter"], row["n_letter"], row["n_shown"]) == ("c", 18, 20)
    assert (row["form"], row["form_kind"]) == ('starts with "c"', "letter")
    assert form(*cycle(C_WORDS, 17), "tax", "law", "oil")["form"] is None
    assert form(*cycle(C_WORDS, 9), "tax")["form"] == 'starts with "c"'
    assert form(*cycle(C_WORDS, 8), "tax", "law")["form"] is None


def test_an_ending_is_a_form():
    row = form(*cycle(ING_WORDS[1:], 20))
    assert (row["ending"], row["n_ending"]) == ("ing", 20)
    assert (row["form"], row["form_kind"]) == ('ends with "ing"', "ending")


def test_an_ending_needs_a_stem_of_two_letters():
    row = form(*["sing", "king", "ring", "bing", "ping", "ding", "ting"] * 2, *["wing"] * 6)
    assert (row["ending"], row["n_ending"]) == ("ng", 20)


def test_the_longest_pure_ending_is_named_though_a_shorter_one_is_commoner():
    row = form(*cycle(ING_WORDS[1:], 19), "belong")
    assert (row["ending"], row["n_ending"]) == ("ing", 19)


def test_inflections_bear_the_ending_of_their_lemmas():
    words = ["dancers", "singer", "teachers", "bakers", "farmer", "driver", "rulers"]
    row = form(*cycle(words, 20))
    assert (row["ending"], row["n_ending"], row["form"]) == ("er", 20, 'ends with "er"')


def test_different_words_of_one_family_are_a_form():
    dance = ["dance", "dancer", "dancing", "dances", "danced", "dancers", "danceable"]
    row = form(*cycle(dance, 20))
    assert (row["letter"], row["n_letter"], row["form"]) == ("danc", 20, 'starts with "danc"')
    assert row["form_kind"] == "letter"
    assert form(*cycle(["fail", "failure"], 16), *C_WORDS[:4])["form"] == 'starts with "fail"'
    assert form(*cycle(["fail", "failure"], 15), *C_WORDS[:5])["form"] is None
    assert form(*["fail"] * 20)["form"] is None, "one word"
    assert form(*cycle(C_WORDS[:5], 20))["form"] is None, "five words do not show a letter"


def test_the_purer_form_is_named():
    both = ["calling", "counting", "cycling", "cooking", "crying", "cutting"]
    assert form(*cycle(both, 20))["form"] == 'ends with "ing"'
    assert form(*cycle(both, 19), "cheese")["form"] == 'starts with "c"'


def test_words_without_letters_are_shown_and_count_nowhere():
    row = form("!!", "", "7up", "ham")
    assert (row["n_shown"], row["letter"], row["n_letter"]) == (4, "h", 1)
    nothing = form("!!", "...")
    assert [nothing[name] for name in ("letter", "ending", "word", "form")] == [None] * 4


WORDS = st.lists(
    st.sampled_from([*C_WORDS, *ING_WORDS, "hamster", "owls", "Tax", "??", "cows'"]),
    min_size=1,
    max_size=20,
)


@settings(deadline=None, max_examples=50)
@given(st.lists(WORDS, min_size=2, max_size=4))
def test_counts_are_those_of_a_plain_loop_and_of_each_feature_alone(features):
    together = forms(*features)
    for words, row in zip(features, together, strict=True):
        plain = [normal(word) for word in words]
        letters = Counter(w[0] for w in plain if w[:1].isalpha())
        assert row["n_letter"] == max(letters.values(), default=0)
        endings = Counter(w[-n:] for w in plain for n in kinds.LENGTHS if len(w) >= n + 2)
        need = max(kinds.NEED_FORM * len(words), kinds.LEAST)
        assert row["n_ending"] >= min(need, max(endings.values(), default=0))
        lemmas = Counter(read_wordnet().lemma(w) for w in plain if w)
        assert row["n_word"] == max(lemmas.values(), default=0)
        assert form(*words) == row


def test_published_findings_of_form(shared_data):
    """Three of the ten named features are named by their form, and no other one is."""
    path = shared_data / "published-dashboards" / "named_features_top20.json"
    named = json.loads(path.read_text(encoding="utf-8"))
    features = {f["feature"]: f["top20_edit_words"] for f in named if f["top20_edit_words"]}
    rows = forms(*features.values())
    found = {name: row["form"] for name, row in zip(features, rows, strict=True) if row["form"]}
    assert found == {
        "L23R-32x:6528": 'starts with "c"',
        "L15R-32x:13952": 'starts with "s"',
        "L15R-32x:6272": 'ends with "ing"',
    }


@pytest.mark.parametrize("n", [1, 4])
def test_of_few_rows_no_form_is_told(n):
    assert form(*C_WORDS[:n])["form"] is None
