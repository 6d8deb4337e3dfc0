"""Themes: features that see the same texts are joined, and a theme fires where half of them do."""

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from saegrid.meaning import themes
from saegrid.meaning.themes import Chosen, Fires, Themes, chosen, joined


def sets(*texts, n=100):
    out = np.zeros((n, len(texts)), np.float32)
    for column, one in enumerate(texts):
        out[list(one), column] = 1
    return sparse.csc_matrix(out)


def test_features_of_the_same_texts_are_one_theme():
    food, body = range(20), range(50, 70)
    of = sets(food, body, range(2, 20), range(50, 66), range(90, 95))
    assert joined(of).tolist() == [0, 1, 0, 1, 2]


def test_the_cut_is_the_mean_cosine():
    # Of sets of ten with k in common the cosine is k / 10.
    assert joined(sets(range(10), range(6, 16))).tolist() == [0, 0]
    assert joined(sets(range(10), range(7, 17))).tolist() == [0, 1]
    # Average linkage: the third is alike the first by 1, the second by .4: .7 on the mean.
    assert joined(sets(range(10), range(6, 16), range(10))).tolist() == [0, 0, 0]


def test_one_feature_and_one_that_never_fires():
    assert joined(sets(range(3))).tolist() == [0]
    assert joined(sets(range(3), [])).tolist() == [0, 1]


def table(rows):
    names = ["contrast", "cell", "feature", "sign", "statistic", "frozen", "confirmed"]
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def test_confirmed_features_of_learned_saes_are_chosen_strongest_first():
    rows = chosen(
        table(
            [
                ("k4", "L1R-8x", 3, 1, 4.0, "none", True),
                ("k4", "L1R-8x", 4, -1, -6.0, "none", True),
                ("k4", "L2R-8x", 9, 1, 4.0, "none", True),
                ("k2", "L2R-8x", 9, 1, 3.0, "none", True),
                ("k4", "L1R-8x", 5, 1, 9.0, "none", False),
                ("k4", "L1R-8x", 6, 1, 9.0, "decoder", True),
                ("k4", "L1R-8x", 7, 1, 9.0, "none", None),
            ]
        ),
        most=2,
    )
    assert list(zip(rows.contrast, rows.cell, rows.feature.tolist(), strict=True)) == [
        ("k2", "L2R-8x", 9),
        ("k4", "L1R-8x", 4),
        ("k4", "L1R-8x", 3),
    ]


def world():
    """Four features of k4, two of them alike, one of the other direction; and one of k2."""
    rows = Chosen(
        ["k2", "k4", "k4", "k4", "k4"],
        ["L1R-8x", "L1R-8x", "L2R-8x", "L2R-8x", "L2R-8x"],
        np.arange(5),
        np.array([1, 1, 1, 1, -1]),
        np.array([5.0, 7, 6, 5, -4]),
    )
    on = sets(range(10), range(10), range(1, 11), range(40, 50), range(10))
    return rows, Fires({("main", "edited"): on})


def test_themes_are_of_one_contrast_and_direction():
    rows, on = world()
    of = themes.themes(rows, on, "main", np.ones(100, bool), lambda name, sign: "edited")
    assert of.theme.tolist() == [0, 1, 1, 2, 3]
    assert of.contrast == ["k2", "k4", "k4", "k4"] and of.sign.tolist() == [1, 1, 1, -1]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_theme_fires_where_at_least_half_of_its_features_do(n):
    rng = np.random.default_rng(n)
    dense = (rng.random((60, n + 2)) < 0.4).astype(np.float32)
    theme = np.array([0] * n + [1, 1])
    rows = Chosen(["k4"] * (n + 2), ["a"] * (n + 2), theme, theme, theme)
    has = Themes(rows, theme, ["k4", "k4"], np.ones(2)).has(sparse.csc_matrix(dense)).toarray()
    for at, columns in ((0, dense[:, :n]), (1, dense[:, n:])):
        assert (
            has[:, at] == (2 * columns.sum(axis=1) >= columns.shape[1]) * (columns.sum(axis=1) > 0)
        ).all()


def test_where_nothing_was_confirmed_there_is_no_theme():
    """Views of few texts, of which nothing is confirmed, have no column, and a row a text."""
    none = Chosen([], [], *(np.zeros(0, kind) for kind in (np.int64, np.int64, np.float64)))
    texts = SimpleNamespace(views={"edited": None}, n=7)
    on = themes.fires(none, {"main": SimpleNamespace(texts=texts)}, None, ["edited"])
    assert on.on["main", "edited"].shape == (7, 0)
    of = themes.themes(none, on, "main", np.ones(7, bool), lambda name, sign: "edited")
    assert of.n == 0 and of.has(on.on["main", "edited"]).shape == (7, 0)


def test_the_view_of_pairs_follows_the_direction():
    view = themes.view_of({"k1": ("edited", "original"), "k4": ("edited", "")})
    assert [view("k1", 1), view("k1", -1), view("k4", -1)] == ["edited", "original", "edited"]
