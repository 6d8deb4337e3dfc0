"""Features summed up by their tokens, and what reads as a word."""

import numpy as np
import pyarrow as pa
import pytest
from test_examples import BOS, headline, make_features, make_tokens, shown

from saegrid.codes import sparse
from saegrid.features.density import counted, density
from saegrid.features.shares import Spelled, token_shares
from saegrid.features.windows import own_word


def told(shares, spelled, feature):
    own = shares.feature == feature
    names = spelled.names.to_pylist()
    pairs = zip(shares.code[own].tolist(), shares.count[own].tolist(), strict=True)
    return [(names[code], count) for code, count in pairs]


def test_tokens_are_counted_over_all_firings(monkeypatch) -> None:
    """Blanks around a token do not count, capitals do; ties by spelling; special and unmasked
    firings are left out."""
    tokens = make_tokens([headline("a dog , The the dog .", word) for word in ("dog", ",", ".")])
    text = tokens["text"].to_pylist()
    spelled = Spelled.of(tokens["text"])
    assert [spelled.names[c].as_py() for c in spelled.code.tolist()] == [t.strip() for t in text]
    masked = tokens["in_edit"].to_numpy()
    every = dict.fromkeys(np.flatnonzero(~tokens["special"].to_numpy()).tolist(), 1.0)
    some = dict.fromkeys(np.flatnonzero(masked)[2:].tolist(), 2.0)
    features = make_features(tokens, {1: every, 4: some}, 6)
    shares = token_shares(features, spelled, masked, 5)
    assert told(shares, spelled, 1) == [("dog", 2), (",", 1), (".", 1)]
    assert told(shares, spelled, 4) == [(",", 1), (".", 1)]
    assert shares.feature.tolist() == sorted(shares.feature.tolist())
    assert told(token_shares(features, spelled, masked, 1), spelled, 1) == [("dog", 2)]
    assert told(token_shares(features, spelled, np.ones(len(text), bool), 9), spelled, 1) == [
        ("dog", 6), (",", 3), (".", 3), ("The", 3), ("a", 3), ("the", 3)
    ]  # fmt: skip
    monkeypatch.setattr(sparse, "ENTRIES", 1)
    again = token_shares(features, spelled, masked, 5)
    assert all(np.array_equal(a, b) for a, b in zip(shares, again, strict=True))


def test_counts_add_up_to_n_active() -> None:
    rng = np.random.default_rng(0)
    tokens = make_tokens([headline("b c d , e", word) for word in "bcde,"] * 8)
    inked = np.flatnonzero(~tokens["special"].to_numpy())
    active = {f: dict.fromkeys(rng.choice(inked, 60, False).tolist(), 1.0) for f in range(9)}
    features, kept = make_features(tokens, active, 9), np.arange(40) % 3 > 0
    table = density(features, tokens, kept)
    masked = counted(tokens, kept, features.token).masked
    shares = token_shares(features, Spelled.of(tokens["text"]), masked, 100)
    sums = np.bincount(shares.feature, shares.count, minlength=9)
    assert sums[table["feature"].to_numpy()].tolist() == table["n_active"].to_pylist()


def test_no_firing_no_rows() -> None:
    tokens = make_tokens([headline("a b", "b")])
    features = make_features(tokens, {0: {1: 1.0}}, 2)
    shares = token_shares(features, Spelled.of(tokens["text"]), np.zeros(3, bool), 5)
    assert [len(column) for column in shares] == [0, 0, 0]


@pytest.mark.parametrize(
    ("token", "word"),
    [
        (",", ","),
        (" ,", ","),
        (".\n", "."),
        (' "', '"'),
        ("...", "..."),
        (" —", "—"),
        ("$", "$"),
        ("'", "'"),
        (" 😀", "😀"),
        (" ", " "),
        ("\n", "\n"),
        ("\u2764\ufe0f", "\u2764\ufe0f"),
        # What has a letter or a digit, and what belongs to a letter, is part of the word around it.
        ("a", None),
        ("'s", None),
        ("$5", None),
        ("7", None),
        ("½", None),
        ("中", None),
        ("\u093f", None),
        ("\u0301", None),
        ("", None),
    ],
)
def test_a_token_without_a_letter_or_digit_is_its_own_word(token: str, word: str | None) -> None:
    assert own_word(token) == word


def test_punctuation_does_not_read_as_the_word_before_it() -> None:
    """The tokens after nouns are shown as what they are."""
    nouns = ["dogs", "cats", "cows", "pigs", "hens", "ducks", "mice", "rats"] * 3
    tokens = make_tokens([[*headline(f"the {noun}"), (",", 1), (" too", 0)] for noun in nouns])
    text = tokens["text"].to_pylist()
    after = {i: 1.0 + i for i, token in enumerate(text) if token == ","}
    on = {i - 1: value for i, value in after.items()}
    edited = np.isin(np.arange(len(text)), [*after, *on])
    tokens = tokens.set_column(8, "in_edit", pa.array(edited))
    top = shown(make_features(tokens, {0: after, 1: on}, 2), tokens)
    words = {f: [row["word"] for row in top.to_pylist() if row["feature"] == f] for f in (0, 1)}
    assert set(words[0]) == {","} and set(words[1]) == set(nouns)


def test_marks_within_a_word_stand_for_themselves() -> None:
    """`don ' t` in three tokens, a word with a comma that is no token of its own."""
    row = [("don", 1), ("'", 1), ("t", 1), (" say", 1), ("(", 1), ("s", 1), ("),", 1), (" x,y", 1)]
    tokens = make_tokens([[(BOS, 0), *row]])
    active = {0: {token: 9.0 - token for token in range(1, 9)}}
    assert shown(make_features(tokens, active, 1), tokens)["word"].to_pylist() == [
        "don't", "'", "don't", "say(s", "(", "say(s", "),", "x,y",
    ]  # fmt: skip
