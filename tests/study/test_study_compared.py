"""Two cells held against each other: known answers, and agreement with scipy and by hand."""

import itertools
import re

import numpy as np
import pytest

import saegrid
from saegrid.meaning.nearest import chance
from saegrid.study import Incomparable
from saegrid.study.compared import MOST, cosines, matched, nearest
from searching import D, M, write_study


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return saegrid.open(write_study(tmp_path_factory.mktemp("results")))


def test_nearest_may_repeat_and_the_matching_may_not():
    """Row 0 and row 1 both like column 0 best; the largest sum gives it to row 1."""
    cosine = np.array([[0.9, 0.8, 0.0], [0.9, 0.1, 0.2]], np.float32)
    assert nearest(cosine)[1].tolist() == [0, 0]
    assert [part.tolist() for part in matched(cosine)] == [[0, 1], [1, 0]]


def test_the_matching_is_the_best_of_all(seed=3):
    cosine = np.random.default_rng(seed).normal(size=(5, 5)).astype(np.float32)
    rows, columns = matched(cosine)
    best = max(cosine[range(5), list(order)].sum() for order in itertools.permutations(range(5)))
    assert cosine[rows, columns].sum() == pytest.approx(best)


def test_cosines_by_hand_and_for_any_threads():
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(n, 8)) for n in (1100, 530))
    a, b = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (a, b))
    ids, others = np.arange(1100), np.arange(530)[::-1]
    cosine = cosines(lambda f: a[f], ids, lambda f: b[f], others)
    assert np.allclose(cosine, a @ b[::-1].T, atol=1e-7)
    assert cosine.dtype == np.float32
    again = cosines(lambda f: a[f], ids, lambda f: b[f], others)
    assert cosine.tobytes() == again.tobytes()


def test_a_cell_against_itself_is_itself(study):
    comparison = study.compare("L1R-a", "L1R-a")
    for table in (comparison.nearest, comparison.matched):
        assert (table["feature"] == table["other"]).all()
        assert np.allclose(table["cosine"], 1) and (table["jaccard"] == 1).all()
    summary = comparison.summary
    assert summary.loc["nearest", "n"] == len(study.cell("L1R-a").features)
    assert (summary["share_above"] == 1).all() and (summary["median_cosine"] > 0.99).all()
    assert (summary["chance_cosine"] < 0.6).all(), "shuffled channels point nowhere"
    assert (summary["chance_jaccard"] < summary["median_jaccard"]).all()


def test_numbers_of_two_cells_by_hand(study):
    one, other = study.cell("L1R-a"), study.cell("L2A-b")
    comparison = study.compare(one, "L2A-b")
    rows = comparison.nearest.set_index("feature")
    assert rows.index.tolist() == one.features.index.tolist()
    w, v = one.sae.directions(np.arange(M)), other.sae.directions(np.arange(M))
    z, y = one.z().astype(bool).toarray(), other.z().astype(bool).toarray()
    n = len(z)
    active = other.features.index.to_numpy()
    for feature in rows.index[:5]:
        row = rows.loc[feature]
        cosine = v[active] @ w[feature]
        assert row["cosine"] == pytest.approx(cosine.max(), abs=1e-6)
        assert row["other"] == active[cosine.argmax()]
        a, b = z[:, feature], y[:, int(row["other"])]
        assert row["jaccard"] == pytest.approx((a & b).sum() / (a | b).sum())
        expected = a.sum() * b.sum() / n
        assert row["jaccard_chance"] == pytest.approx(expected / (a.sum() + b.sum() - expected))
    pairs = comparison.matched
    assert pairs["other"].is_unique and pairs["feature"].is_unique
    assert len(pairs) == min(len(one.features), len(other.features))
    assert pairs["cosine"].is_monotonic_decreasing
    least = chance(len(active), D)
    above = (rows["cosine"] > least).mean()
    assert comparison.summary.loc["nearest", "share_above"] == pytest.approx(above)


def test_independent_dictionaries_are_no_nearer_than_shuffled_ones(study):
    """Two drawn SAEs share nothing: what is measured is what chance gives."""
    summary = study.compare("L1R-a", "L2A-b").summary
    apart = (summary["median_cosine"] - summary["chance_cosine"]).abs()
    assert (apart < 0.05).all() and (summary["share_above"] < 0.2).all()


def test_only_the_densest_are_held_against_each_other(study):
    comparison = study.compare("L1R-a", "L2A-b", most=4)
    assert len(comparison.nearest) == len(comparison.matched) == 4
    assert comparison.nearest["feature"].tolist() == study.cell("L1R-a").features.index[:4].tolist()
    assert repr(comparison).startswith("Comparison(the 4 densest of ")
    with pytest.raises(ValueError, match=f"^most must be 1 to {MOST}, "):
        study.compare("L1R-a", "L2A-b", most=MOST + 1)


def test_another_study_with_the_same_tokens_and_with_others(study, tmp_path):
    same = saegrid.open(write_study(tmp_path / "a"))
    assert np.allclose(study.compare("L1R-a", same.cell("L1R-a")).matched["jaccard"], 1)
    other = saegrid.open(write_study(tmp_path / "b", texts=["Trump eats a dog", "A cat sees"]))
    comparison = study.compare("L1R-a", other.cell("L1R-a"))
    assert comparison.nearest["jaccard"].isna().all()
    assert "no Jaccard index: the cells were captured on other tokens" in comparison.about


def test_cells_of_different_widths_are_refused(study, monkeypatch):
    other = saegrid.open(study.folder).cell("L2A-b")
    monkeypatch.setattr(type(other.sae), "b_dec", property(lambda s: np.zeros(
        D if s.name == "L1R-a" else 2 * D)))  # fmt: skip
    expected = (
        "L1R-a writes 64 channels and L2A-b 128: directions of different widths have no cosine. "
        "Compare cells of one model, at sites of one width."
    )
    with pytest.raises(Incomparable, match=f"^{re.escape(expected)}$"):
        study.compare("L1R-a", other)
