"""The plan of the tests: what is taken where nothing is named, mistakes, and changes of a plan."""

import numpy as np
import pytest

from clustered import clusters, grades, texts_of
from saegrid.base import io
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.planning import checked_plan, decisive, keep_former, plan_digest

TESTS = {
    **dict.fromkeys(["contrasts", "label", "control", "discovery", "confirmation", "test"]),
    **dict.fromkeys(["high", "low", "same_high", "same_low", "share", "primary"]),
    "classes": [],
    "beyond": [],
    "permutations": 100,
    "alpha": 0.05,
    "q": 0.05,
    "min_texts": 10,
    "nuisances": ["form"],
    "frequency": "corpus",
    "bootstrap": 50,
    "seed": 0,
}


def made(paired=True, n=300, **labels):
    rng = np.random.default_rng(0)
    cluster = clusters(rng, n)
    own = {"grade": grades(rng, cluster), "split": ["all"] * len(cluster), **labels}
    return texts_of(cluster, own, paired)


def plan(texts=None, grade="grade", **tests):
    settings = {"names": ["main"], "main": "main", "holdouts": [], "grade": grade}
    return checked_plan({**settings, "tests": {**TESTS, **tests}}, [texts or made()])


def test_contrasts_follow_from_the_texts():
    assert plan()["contrasts"] == ["k1", "k2", "k3", "k3g", "k4", "k5"]
    assert plan(grade=None)["contrasts"] == ["k1", "k5"]
    kind = ["a", "b"] * 1000
    plain = made(paired=False)
    plain = plain._replace(labels={**plain.labels, "kind": kind[: plain.n]})
    assert plan(plain, label="kind")["contrasts"] == ["label"]
    assert plan()["primary"] == "k3" and plan(grade=None)["primary"] == "k1"


def test_thresholds_are_quartiles_of_discovery():
    texts = made()
    found = plan(texts)
    from saegrid.evidence.parts import chosen

    grade = texts.labels["grade"][chosen(texts, found["parts"]["discovery"])]
    assert (found["low"], found["high"]) == tuple(np.quantile(grade, [0.25, 0.75]))
    assert found["same_high"] == found["high"]
    assert plan(high=2, low=0.2)["high"] == 2


@pytest.mark.parametrize(
    ("tests", "sentence"),
    [
        ({"contrasts": ["k7"]}, "tests.contrasts: Contrast 'k7' is unknown. Known: k1, k2"),
        ({"contrasts": ["k6"]}, "analyses.tests.control: k6 needs a corpus of random words"),
        ({"contrasts": ["label:kind"]}, "no column 'kind'; they have grade, split"),
        ({"contrasts": ["k2"], "high": 9}, "k2 has 0 texts with grade >= 9; at least 10 are"),
        ({"high": 0.2, "low": 0.4}, "analyses.tests.high: must be above low, 0.4"),
        ({"nuisances": ["from"]}, "tests.nuisances: 'from' is unknown. Did you mean 'form'"),
        ({"primary": "k6"}, "tests.primary: 'k6' is none of the contrasts that are tested"),
        ({"discovery": "dev"}, "tests.confirmation: must be named where the other part is"),
        ({"label": "mean"}, "the items have no column 'mean'"),
    ],
)
def test_a_mistake_is_a_sentence(tests, sentence):
    with pytest.raises(Unusable) as problem:
        plan(**tests)
    assert sentence in str(problem.value)


def test_all_mistakes_come_at_once():
    with pytest.raises(Unusable) as problem:
        plan(contrasts=["k6", "k9", "k1"])
    assert len(str(problem.value).splitlines()) == 2


def test_missing_and_few_are_sentences():
    texts = made()
    missing = texts._replace(labels={**texts.labels, "grade": np.full(texts.n, np.nan)})
    with pytest.raises(Unusable, match="'grade' is missing in all of"):
        plan(missing)
    one = texts._replace(labels={**texts.labels, "kind": ["a"] * texts.n})
    with pytest.raises(Unusable, match="must have two classes, or be a number; it has 1: 'a'"):
        plan(one, contrasts=["label:kind"])
    with pytest.raises(Unusable, match="edits with originals, which these texts have not"):
        plan(made(paired=False), contrasts=["k1"])
    with pytest.raises(Unusable, match="must name a column of the texts"):
        plan(made(paired=False), grade=None)


def test_what_texts_cannot_answer_is_left_out_where_nothing_is_named():
    texts = made()
    lonely = texts._replace(cluster=np.arange(texts.n, dtype=np.int32))
    found = plan(lonely)
    assert found["contrasts"] == ["k1", "k2", "k4", "k5"]
    assert set(found["unanswered"]) == {"k3", "k3g"}


def test_a_changed_plan_is_told_once_numbers_were_made(tmp_path):
    path = tmp_path / "analysis_plan.json"
    first, second = plan(), plan(alpha=0.1)
    assert keep_former(path, first) == []
    # Without numbers a plan may change as it likes.
    assert keep_former(path, second) == []
    (tmp_path / "tests.json").write_text("numbers of the second")
    third = plan(alpha=0.1, share=0.5)
    (change,) = keep_former(path, third)
    assert "discovery was the originals of main from 0% to 70% and is" in change
    kept = tmp_path / "plans" / plan_digest(second)[:12]
    assert kept.name in change
    assert (kept / "tests.json").read_text() == "numbers of the second"
    assert keep_former(path, third) == [change], "the same plan again is no change"
    lines = (tmp_path / "plans.jsonl").read_text().splitlines()
    assert lines == [io.canonical(decisive(one)) for one in (second, third)]
