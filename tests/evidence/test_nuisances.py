"""Nuisances: words by hand, and bases that span what they should."""

import numpy as np
import pytest

from clustered import asked, clusters, grades, texts_of
from saegrid.evidence.nuisances import (
    GROUPS,
    Numbers,
    basis,
    centred,
    ending_of,
    explained,
    orthonormal,
    replaced,
    residuals,
    word_codes,
    word_of,
)


@pytest.mark.parametrize(
    ("text", "word"),
    [("hair", "hair"), ("fried eggs", "eggs"), ("don't", "don't"), ("!", ""), (None, "")],
)
def test_the_word_of_an_edit_is_its_last(text, word):
    assert word_of(text) == word


@pytest.mark.parametrize(
    ("original", "edited", "words"),
    [
        ("a b c", "a x c", "b"),
        ("a b c d", "a x d", "b c"),
        ("a b", "x b", "a"),
        ("a b", "a x", "b"),
        ("a a b", "a a a b", ""),
        (None, "a", ""),
    ],
)
def test_what_an_edit_replaced(original, edited, words):
    assert replaced(original, edited) == words


def test_endings():
    words = ["Running", "ring", "red", "hated", "cats", "s", "fly", "nation", "hair"]
    assert [ending_of(word) for word in words] == [1, 0, 0, 2, 6, 0, 0, 4, 0]


def numbers(rng, n, **given):
    values = {
        "frequency": rng.integers(0, 7, n).astype(float),
        "n_tokens": rng.integers(1, 5, n).astype(float),
        "position": rng.integers(0, 9, n).astype(float),
        "length": rng.integers(9, 20, n).astype(float),
        "capital": rng.integers(0, 2, n).astype(float),
        "surprisal": rng.gamma(4, 1, n),
        "ending": rng.integers(0, 7, n),
    }
    return Numbers(**{**values, **given})


@pytest.fixture
def drawn():
    rng = np.random.default_rng(0)
    cluster = clusters(rng, 100)
    return rng, texts_of(cluster, {"grade": grades(rng, cluster)}), numbers(rng, len(cluster))


def test_bases_are_orthonormal_and_hold_the_constant(drawn):
    _, texts, own = drawn
    design = asked("k4", texts, 1).design
    found, names = basis(design, own, None, list(GROUPS))
    assert np.allclose(found.T @ found, np.eye(found.shape[1]), atol=1e-10)
    assert residuals(np.ones(texts.n), found) == pytest.approx(np.zeros(texts.n), abs=1e-10)
    assert residuals(own.capital, found) == pytest.approx(np.zeros(texts.n), abs=1e-10)
    assert "constant" in names and "surprisal squared" in names
    fewer, _ = basis(design, own, None, ["frequency"])
    assert fewer.shape[1] == 4


def test_inside_an_original_only_what_differs_there_counts(drawn):
    _, texts, own = drawn
    design = asked("k3g", texts, 1).design
    same = own._replace(length=texts.cluster.astype(float))
    found, names = basis(design, same, None, ["form"])
    assert "length" not in names and "position" in names
    for column in found.T:
        assert np.bincount(design.cluster, column) == pytest.approx(0, abs=1e-9)
    alone = own._replace(**dict.fromkeys(("n_tokens", "position", "length"), texts.cluster * 1.0))
    assert basis(design, alone._replace(capital=own.capital * 0), None, ["form"])[0].shape == (
        len(design.item),
        0,
    )


def test_pairs_have_differences_that_change_sign_with_the_sides(drawn):
    rng, texts, own = drawn
    other = numbers(rng, texts.n)
    design = asked("k1", texts, 1).design
    one, names = basis(design, own, other, list(GROUPS))
    back, _ = basis(design, other, own, list(GROUPS))
    assert "constant" not in names and "tokens" in names
    score = rng.standard_normal(texts.n)
    assert residuals(score, one) == pytest.approx(residuals(score, back), abs=1e-9)
    assert basis(design, own, None, list(GROUPS))[0].shape == (texts.n, 0)


def test_unknown_numbers_have_a_column_of_their_own(drawn):
    _, texts, own = drawn
    surprisal = np.where(np.arange(texts.n) % 9 == 0, np.nan, own.surprisal)
    capital = np.where(np.arange(texts.n) % 9 == 0, np.nan, own.capital)
    design = asked("k4", texts, 1).design
    partly = own._replace(surprisal=surprisal, capital=capital, n_tokens=capital + 1)
    found, names = basis(design, partly, None, list(GROUPS))
    assert "surprisal unknown" in names and np.isfinite(found).all()
    none = own._replace(surprisal=surprisal * np.nan)
    assert "surprisal" not in basis(design, none, None, list(GROUPS))[1]


def test_columns_that_add_nothing_are_dropped():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 50))
    found = orthonormal({"x": x, "y": y, "both": x + 2 * y, "zero": x * 0, "small": 1e-12 * x})
    assert found.shape == (50, 2)


def test_residuals_and_shares_by_hand():
    score = np.array([1.0, 2, 3, 6])
    found = orthonormal({"one": np.ones(4), "first": np.array([1.0, 1, 0, 0])})
    assert residuals(score, found) == pytest.approx([-0.5, 0.5, -1.5, 1.5])
    assert explained(score, found) == pytest.approx(1 - 5 / 14)
    assert explained(np.ones(4), found) == 0


def test_texts_of_a_word_have_its_number():
    code = word_codes(["Hair", "hair", "pie", "", "", "hair"])
    assert code[0] == code[1] == code[5] != code[2]
    assert len(set(code.tolist())) == 4, "texts without a word stand alone"


def test_centring_by_hand():
    found = centred(
        {"one": np.ones(5), "x": np.array([1.0, 3, 5, 5, 8]), "own": np.array([2.0, 2, 7, 7, 7])},
        np.array([4, 4, 1, 1, 1]),
    )
    assert list(found) == ["x"] and found["x"].tolist() == [-1, 1, -1, -1, 2]
