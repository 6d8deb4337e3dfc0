"""Designs of contrasts by hand, and a sentence for each that texts cannot answer."""

import numpy as np
import pytest

from clustered import PLAN, texts_of
from saegrid.evidence import contrast
from saegrid.evidence.contrast import CLASSES, PAIRS, SCORES, Unusable
from saegrid.evidence.exchange import BETWEEN, FLIPS, WITHIN
from saegrid.evidence.texts import CONTEXT_TOKEN, ORIGINAL

GRADES = [2.0, 0.2, 1.0, 1.6, 0.4, 0.4, 2.0, 2.2, 0.9, 0.0, 0.1, 1.4]
CLUSTER = np.array([0, 0, 0, 1, 1, 2, 3, 3, 4, 5, 5, 5])


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Designs of a handful of texts."""
    from saegrid.evidence import contrast

    monkeypatch.setattr(contrast.classes_of, "__defaults__", (2,))
    monkeypatch.setattr(contrast.scores_of, "__defaults__", (2,))
    monkeypatch.setattr(contrast, "LEAST", 2)


def texts(grade=GRADES, paired=True, **labels):
    grade = np.array(grade, float)
    return texts_of(CLUSTER[: len(grade)], {"grade": grade, **labels}, paired)


def design(name, texts, chosen=None, **plan):
    kind, column = contrast.read(name)
    plan = {**PLAN, **plan}
    plan["label"] = column or plan["label"]
    return kind.design(texts, np.ones(texts.n, bool) if chosen is None else chosen, plan)


def test_k1_has_the_pairs_that_are_there():
    whole = texts()
    view = whole.views[ORIGINAL]._replace(present=np.arange(12) != 5)
    found = design("k1", whole._replace(views={**whole.views, ORIGINAL: view}))
    assert found.item.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]
    assert found.left_out == {"without original": 1}
    assert (found.kind, found.scheme, found.view, found.other) == (PAIRS, FLIPS, "edited", ORIGINAL)
    assert (found.score == 1).all() and found.n_a == found.n_b == 11


def test_k2_moves_the_middle_too():
    found = design("k2", texts([*GRADES[:-1], np.nan]))
    assert found.item.tolist() == list(range(11)) and found.left_out == {"without grade": 1}
    assert found.score.tolist() == [1, -1, 0, 1, -1, -1, 1, 1, 0, -1, -1]
    assert (found.n_a, found.n_b) == (4, 5)
    assert (found.kind, found.scheme, found.view) == (CLASSES, BETWEEN, "edited")


def test_k3_has_originals_with_both_and_centres_inside_them():
    found = design("k3", texts())
    # Original 0: 2.0 | .2; 1: 1.6 | .4; 5: 1.4 | 0, .1. Originals 2, 3 and 4 have one side.
    assert found.item.tolist() == [0, 1, 3, 4, 9, 10, 11]
    assert found.score == pytest.approx([1, -1, 1, -1, -2 / 3, -2 / 3, 4 / 3])
    assert (found.kind, found.scheme) == (SCORES, WITHIN)
    assert found.left_out == {
        "between both thresholds": 2,
        "without a counterpart on the same original": 3,
    }


def test_k3_graded_is_the_grade_less_that_of_its_original():
    found = design("k3g", texts())
    assert found.item.tolist() == [0, 1, 2, 3, 4, 6, 7, 9, 10, 11]
    expected = [14 / 15, -13 / 15, -1 / 15, 0.6, -0.6, -0.1, 0.1, -0.5, -0.4, 0.9]
    assert found.score == pytest.approx(expected)
    assert found.left_out == {"the only labelled text of its original": 2}


def test_equal_grades_inside_originals_are_no_scores():
    # The mean of three times .1 is not .1.
    with pytest.raises(Unusable, match="has the same score, 0, in all 9 texts"):
        design("k3g", texts([0.1, 0.1, 0.1, 0.7, 0.7, 1.1, 0.3, 0.3, 0.8, 0.6, 0.6]))


def test_k4_has_ranks():
    found = design("k4", texts([3.0, 1, 1, 2]))
    assert found.score == pytest.approx([1.5 / 4, -1 / 4, -1 / 4, 0.5 / 4])
    assert (found.kind, found.scheme) == (SCORES, BETWEEN)


def test_k5_and_k6_are_pairs():
    found = design("k5", texts())
    assert (found.view, found.other) == ("edit_token", CONTEXT_TOKEN)
    found = design("k6", texts())
    assert found.control and (found.view, found.other) == ("edited", "edited")


def test_a_label_of_two_classes_has_the_last_first():
    kinds = ["fact", "bait", "fact", "bait", None]
    found = design("label:kind", texts(GRADES[:5], paired=False, kind=kinds))
    assert found.item.tolist() == [0, 1, 2, 3] and found.score.tolist() == [1, -1, 1, -1]
    assert found.view == "text" and found.left_out == {"of neither class": 1}


def test_classes_may_be_named():
    kinds = ["a", "b", "c", "b", "a"]
    named = texts(GRADES[:5], paired=False, kind=kinds)
    found = design("label:kind", named, classes=["a", "b"])
    assert found.item.tolist() == [0, 1, 3, 4] and found.score.tolist() == [1, -1, -1, 1]


def test_a_number_of_two_values_is_two_classes_and_of_more_a_score():
    found = design("label", texts([0.0, 1, 1, 0, 1], paired=False))
    assert found.score.tolist() == [-1, 1, 1, -1, 1] and found.kind == CLASSES
    found = design("label", texts([0.0, 1, 2, np.nan], paired=False))
    assert found.kind == SCORES and found.score == pytest.approx([-1 / 3, 0, 1 / 3])
    assert found.left_out == {"without grade": 1}


@pytest.mark.parametrize("name", ["k2", "k3", "k3g", "k4", "label"])
def test_items_without_a_row_are_no_texts(name):
    whole = texts()
    view = whole.views["edited"]._replace(present=np.arange(12) != 4)
    found = design(name, whole._replace(views={**whole.views, "edited": view}))
    assert 4 not in found.item


@pytest.mark.parametrize("name", ["k1", "k2", "k3g", "k4", "k5", "k6"])
def test_only_chosen_items_are_compared(name):
    chosen = np.arange(12) > 2
    assert design(name, texts(), chosen).item.min() >= 3


@pytest.mark.parametrize(
    ("name", "plan", "labels", "sentence"),
    [
        ("k2", {}, {}, "k2 has 1 texts with grade >= 1.4; at least 2 are needed. Set analyses.tes"),
        ("k2", {"low": 0.1, "high": 0.5}, {}, "k2 has 0 texts with grade <= 0.1"),
        ("k2", {"low": 1, "high": 1}, {}, "high: must be above low, 1, .* got 1"),
        ("k3", {"same_low": 2}, {}, "same_high: must be above same_low, 2, .* got 1.2"),
        ("k3", {"same_high": 1.9}, {}, "k3 has 1 texts with grade >= 1.9 beside one with"),
        ("k4", {"label": "other"}, {}, "no column 'other'; they have grade. Name the column"),
        (
            "k4",
            {"label": "kind"},
            {"kind": ["a"] * 5},
            "'kind' holds texts, where numbers are needed",
        ),
        (
            "k4",
            {"label": "none"},
            {"none": np.full(5, np.nan)},
            "'none' is missing in all of 5 text",
        ),
        ("k4", {"label": "one"}, {"one": np.full(5, 2.0)}, "same score, 2, in all 5 texts"),
        (
            "k4",
            {"label": "one"},
            {"one": np.array([1, *[np.nan] * 4])},
            "k4 has 1 texts with a sco",
        ),
        ("label:kind", {}, {"kind": ["a"] * 5}, "has 1: 'a'. A label with one class tells nothing"),
        ("label:kind", {}, {"kind": [None] * 5}, "has 0: none. A label with one class"),
        ("label:kind", {}, {"kind": list("abcab")}, "has 3: 'a', 'b', 'c'. Name two of them"),
        ("label:kind", {}, {"kind": list("abbbb")}, "label kind has 1 texts with kind 'a'"),
        (
            "label:kind",
            {"classes": ["a", "x"]},
            {"kind": list("aabba")},
            "no text has the kind 'x'",
        ),
    ],
)
def test_what_cannot_be_answered_is_one_sentence_with_a_mend(name, plan, labels, sentence):
    with pytest.raises(Unusable, match=sentence):
        design(name, texts([2.0, 0.2, 1.0, 0.3, 0.4], **labels), **plan)


@pytest.mark.parametrize("name", ["k1", "k5", "k6"])
def test_fewer_pairs_than_ten_are_refused(name, monkeypatch):
    monkeypatch.setattr(contrast, "LEAST", 10)
    with pytest.raises(Unusable, match=f"{name} has 9 pairs of texts; at least 10 are needed"):
        design(name, texts(), np.arange(12) < 9)


def test_no_texts_at_all_are_told_as_such():
    with pytest.raises(Unusable, match="there are no texts to compare"):
        design("k4", texts(), np.zeros(12, bool))


def test_an_unknown_contrast_is_named():
    with pytest.raises(ValueError, match="Contrast 'k9' is unknown"):
        contrast.read("k9")
