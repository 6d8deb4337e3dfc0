"""Word lists of topics, and what counts as the same word."""

import itertools
from collections import Counter
from pathlib import Path

import pytest

from saegrid.text.wordlists import TopicsError, normal, read_lists

ENGLISH = Path(__file__).parents[2] / "resources" / "topics" / "english.yaml"
TOY = ENGLISH.parents[1] / "toy" / "topics.yaml"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("Ham", "ham"),
        (" ham ", "ham"),
        ("ham's", "ham"),
        ("ham’s", "ham"),
        ("cows'", "cows"),
        ('"Ham!"', "ham"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("hip-hop", "hip-hop"),
        ("...", ""),
        ("", ""),
        ("'s", "s"),
    ],
)
def test_normal(word, expected):
    assert normal(word) == expected
    assert normal(expected) == expected


def test_the_english_lists():
    lists = read_lists(ENGLISH)
    assert list(lists) == [
        "food",
        "animals",
        "clothing",
        "body",
        "sex",
        "fantasy",
        "music_and_dance",
        "religion",
        "jobs",
        "kids",
    ]
    assert all(120 <= len(words) <= 250 for words in lists.values())
    assert all(words == sorted(words) for words in lists.values())
    assert max(Counter(itertools.chain(*lists.values())).values()) == 2


def test_the_toy_lists_can_be_read():
    assert len(read_lists(TOY)) == 8


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("[]", "topics must be a mapping of topics to word lists."),
        ("topics: {}", "topics must be a mapping of topics to word lists."),
        ("topics: {a: ham}", "topics.a must be a list of words; got 'ham'."),
        (
            "topics: {a: [no]}",
            "topics.a: a word must be one lower-case word; got False. "
            "Quote words that YAML reads as truth values, like 'no'.",
        ),
        (
            "topics: {a: [Ham]}",
            "topics.a: a word must be one lower-case word; got 'Ham'. "
            "Quote words that YAML reads as truth values, like 'no'.",
        ),
        ("topics: {a: [ham, ham]}", "topics.a: 'ham' stands there twice."),
    ],
)
def test_lists_that_cannot_be_used(tmp_path, body, message):
    path = tmp_path / "lists.yaml"
    path.write_text(body)
    with pytest.raises(TopicsError) as error:
        read_lists(path)
    assert str(error.value) == f"{path}: {message}"
