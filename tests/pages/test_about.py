"""Concepts and themes on the page of findings: every figure is that of its table."""

import pytest

from saegrid.pages.browser.about import FIRST, FOLDED, About, base, concepts, points, themes
from saegrid.pages.browser.sentences import Contrast
from telling import made, page_of

K4 = Contrast({"name": "k4", "a": "high", "b": "low", "effect": "Spearman's rho"})
K2 = Contrast({"name": "k2", "a": "funny", "b": "not", "effect": "difference of rates"})
SIZE = {"n_a": 90, "n_b": 90, "fire_a": 9, "fire_b": 3}


def put(contrast, thing, part, statistic, p, effect=0.1):
    return {
        **{"contrast": contrast, "thing": thing, "part": part, **SIZE, "effect": effect},
        **{"low": effect - 0.05, "high": effect + 0.05, "statistic": statistic, "p_maxt": p},
    }


def figure(thing, part, without=None, n_high=4, n=10):
    return {
        **{"thing": thing, "part": part, "without": without, "n_texts": n, "n_high": n_high},
        **{"share_high": n_high / n, "share_low_end": 0.1, "share_high_end": 0.7, "base": 0.2},
        **{"inside": 0.3, "inside_low": 0.1, "inside_high": 0.5},
    }


THINGS = [
    {"thing": 0, "concept": "food", "title": "food", "lexicon": "lists", "n_types": 40},
    {"thing": 1, "concept": "law", "title": "law", "lexicon": "lists", "n_types": 9},
    {"thing": 2, "concept": "sex", "title": "<b>sex</b>", "lexicon": "lists", "n_types": 7},
]
TESTS = [
    *(put("k4", thing, "discovery", z, p) for thing, z, p in ((0, 4, 0.01), (1, -6, 0.001))),
    put("k4", 2, "discovery", 1, 0.9),
    put("k4", 0, "confirmation", 3, 0.02),
    put("k4", 1, "confirmation", 1, 0.4),
    put("k4", 0, "test", 3, 0.03, effect=0.2),
]
FIGURES = [figure(0, "test"), figure(0, "test", "pie", 1, 5), figure(0, "discovery", None, 9, 9)]
THEME = {
    **{"theme": 3, "contrast": "k2", "label": None, "words": "pie 3, soup", "n_features": 2},
    **{"n_cells": 1, "first_layer": 4, "last_layer": 7, "n_texts": 20},
}
FEATURES = [{"theme": 3, "cell": "L4R-8x", "feature": 11}, {"theme": 9, "cell": "x", "feature": 1}]
ABOUT = About(THINGS, TESTS, FIGURES, [THEME], FEATURES, [put("k2", 3, "discovery", -5, 0.01)], [])


def test_concepts_of_discovery_with_the_part_that_was_looked_at_least():
    (asked,) = concepts(ABOUT, [K2, K4], 0.05)
    assert (asked.contrast, asked.part, asked.has_high) == (K4, "test", True)
    law, food = asked.rows
    assert (law.name, law.side, law.confirmed, law.high) == ("law", "low", False, "–")
    assert (food.name, food.side, food.confirmed) == ("food", "high", True)
    assert (food.effect, food.interval, food.p) == ("+0.200", "+0.150 to +0.250", "0.03")
    assert food.high == "40 % (4 of 10)" and food.high_interval == "10 % to 70 %"
    assert food.without == "without “pie”: 20 % (1 of 5)" and food.inside == "+0.300"
    assert str(asked.opening) == (
        "Of 3 concepts of words, 2 tell both sides apart in the search and 1 do so again in texts "
        "that were kept aside."
    )
    assert base(ABOUT, "test") == "20 %" and base(ABOUT, "nowhere") == "–"


def test_themes_are_counted_with_their_features():
    (asked,) = themes(ABOUT, [K2, K4], 0.05)
    (row,) = asked.rows
    assert (row.words, row.side, row.confirmed) == ("pie 3, soup", "not", False)
    assert row.size == "2 features in 1 cell, layers 4 to 7; 20 texts"
    assert row.features == [("L4R-8x #11", "L4R-8x/features.html#11")]
    assert (row.further, row.n_further) == ([], 0)
    assert row.effect == "+10.0 %", "of rates"
    assert str(asked.opening).startswith("2 confirmed features are 1 theme:")


@pytest.mark.parametrize(("n", "unfold"), [(3, 0), (8, 5), (FIRST + FOLDED + 7, FOLDED)])
def test_a_theme_says_how_many_features_it_has_beside_those_shown(n, unfold):
    many = [{"theme": 3, "cell": "L4R-8x", "feature": i} for i in range(n)]
    (asked,) = themes(ABOUT._replace(theme_features=many), [K2], 0.05)
    (row,) = asked.rows
    assert [text for text, _ in row.features] == ["L4R-8x #0", "L4R-8x #1", "L4R-8x #2"]
    assert [link for _, link in row.further] == [
        f"L4R-8x/features.html#{i}" for i in range(3, 3 + unfold)
    ]
    assert row.n_further == n - 3
    theme, test = ({**one, "contrast": "k1"} for one in (THEME, *ABOUT.theme_tests))
    about = ABOUT._replace(theme_features=many, themes=[theme], theme_tests=[test])
    text = page_of(made(), about=about)
    assert (f"<summary>and {n - 3} more</summary>" in text) == (n > 3)
    assert text.count("/L4R-8x/features.html#") == 3 + unfold
    rest = "the other 7 stand in <code>theme_features.parquet</code>"
    assert (rest in text) == (n - 3 > FOLDED)


@pytest.mark.parametrize(("value", "text"), [(0.1234, "+12.3 %"), (-0.02, "−2.0 %"), (0, "0.0 %")])
def test_differences_of_rates_have_a_sign(value, text):
    assert points(value) == text
