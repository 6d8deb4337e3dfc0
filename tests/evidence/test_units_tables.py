"""The tables of units and of localisation at a site, on words with a planted feature."""

import numpy as np
import pytest
from scipy import sparse

from saegrid.evidence.probes.labelled import Described, Words
from saegrid.evidence.probes.problem import folds
from saegrid.evidence.units import compare, local_table, table

N, CHANNELS, FEATURES = 120, 12, 40
UNITS = {"permutations": 200, "alpha": 1e-5, "level": 0.05, "listed": 5, "draws": 100, "seed": 0}
LOCAL = {
    "ks": [1, 2, 5], "draws": 30, "seed": 0, "candidates": 10, "choices": 2, "shuffles": 1,
    "halves": 20, "selected": 3, "threshold": 0.75, "share": 0.9, "l2": [1e-3],
    "groups": {"L1R-a": "a", "L1R-b": "a", "L1R-c": "a", "L1R-frozen": "frozen"},
}  # fmt: skip


@pytest.fixture(scope="module")
def words():
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(N) < N // 2) * 1.0)
    type = np.arange(N)
    text = [f"{'she' if one else 'he'}{i}" for i, one in enumerate(y)]
    return Words(text, y, ("he", "she"), type, type * 0 + 1, folds(type, y, 4, 0, "readout"))


@pytest.fixture(scope="module")
def descriptions(words):
    """x with the label in two channels, three SAEs with a feature of it, and a frozen one without;
    feature 39 is dead, and feature 38 fires on two words."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, CHANNELS))
    x[:, :2] += 2 * words.y[:, None]
    out = [Described("x", "L1R", None, "mean", x, None)]
    out.append(Described("pca", "L1R", None, "mean", lambda split: x[:, ::-1], None))
    for number, cell in enumerate(LOCAL["groups"]):
        z = rng.exponential(1, (N, FEATURES)) * (rng.random((N, FEATURES)) < 0.2)
        if number < 3:
            z[:, 7] = rng.uniform(1, 2, N) * (words.y > 0) * (rng.random(N) < 0.9)
        z[:, 38:] = 0
        z[:2, 38] = 1
        lost = rng.normal(0, 0.3 if number < 3 else 0.9, x.shape)
        codes = sparse.csc_matrix(z)
        out.append(Described("codes", "L1R", cell, "mean", codes, (x + lost).astype(np.float32)))
    return x, out


@pytest.fixture(scope="module")
def units(words, descriptions):
    return table.of_site(words, descriptions[1], "L1R", UNITS)


@pytest.fixture(scope="module")
def local(words, descriptions):
    x, every = descriptions
    return local_table.of_site(words, every, {"mean": x}, LOCAL)


def test_every_description_has_its_tests(units):
    rows = units.summary.to_pylist()
    assert {row["representation"] for row in rows} == {"x", "pca", "codes"}
    of = {(r["cell"], r["representation"], r["test"], r["rule"]): r for r in rows}
    planted = of["L1R-a", "codes", "welch", "alpha"]
    assert planted["units"] == FEATURES and planted["constant"] == 1
    assert planted["n_1"] == planted["n_0"] == N // 2
    assert planted["expected"] == pytest.approx(FEATURES * 1e-5)
    assert planted["none"] == pytest.approx((1 - 1e-5) ** FEATURES)
    assert planted["significant"] == 1 and planted["out_of_reach"] >= 1
    assert of["L1R-a", "codes", "exchange", "max-T"]["significant"] == 1
    assert of["L1R-frozen", "codes", "exchange", "max-T"]["significant"] == 0
    assert of[None, "x", "exchange", "max-T"]["significant"] == 2
    assert of[None, "x", "welch", "alpha"]["out_of_reach"] is None
    assert (None, "x", "firing", "alpha") not in of


def test_the_list_begins_with_the_planted_feature_and_its_words(units, words):
    rows = [r for r in units.listed.to_pylist() if r["cell"] == "L1R-b"]
    first = rows[0]
    assert first["unit"] == 7 and first["place"] == 0 and len(rows) == 5
    assert first["words"] and all(word.startswith("she") for word in first["words"])
    assert first["effect"] > 2 and first["auroc"] > 0.9 and first["p_maxt"] < 0.05
    tensors = units.tensors
    assert first["p_welch"] == tensors["codes/L1R-b/mean/p_welch"][7]
    assert first["least_p"] <= first["p_welch"]
    assert first["mean_0"] == 0 and first["mean_1"] > 0.5
    assert tensors["codes/L1R-b/mean/constant"][39] and not tensors["codes/L1R-b/mean/constant"][38]
    dense = [r for r in units.listed.to_pylist() if r["representation"] == "x"]
    assert {dense[0]["unit"], dense[1]["unit"]} == {0, 1} and dense[0]["least_p"] is None


def test_histograms_and_power_are_whole(units):
    rows = units.histograms.to_pylist()
    whole = [r for r in rows if (r["cell"], r["test"], r["range"]) == ("L1R-a", "rank", "whole")]
    assert sum(r["units"] for r in whole) == FEATURES - 1 == whole[0]["of"]
    assert whole[0]["low"] == 0 and whole[-1]["high"] == 1
    small = [r for r in rows if r["range"] == "small"]
    assert max(r["high"] for r in small) == pytest.approx(0.01)
    power = units.power.to_pylist()
    assert {r["test"] for r in power} == {"welch", "rank", "firing"}
    assert all(r["power"] == 0 for r in power if r["test"] == "welch" and r["least_p"] >= 1e-5)


def test_curves_stand_for_all_and_for_equal_numbers_of_candidates(local):
    rows = local.curves.to_pylist()
    of = {(r["representation"], r["cell"], r["candidates"], r["k"]): r for r in rows}
    assert (
        of["codes", "L1R-a", "all", 1]["auroc"]
        > 0.9
        > 0.7
        > of["codes", "L1R-frozen", "all", 1]["auroc"]
    )
    assert of["codes", "L1R-a", "all", None]["n_candidates"] == FEATURES
    assert of["codes", "L1R-a", "equal", None]["n_candidates"] == 10
    assert of["x", None, "equal", 1]["n_candidates"] == 10
    assert of["x", None, "all", 2]["low"] <= of["x", None, "all", 2]["auroc"]
    assert of["x", None, "all", 1]["chance"] < 0.75


def test_spread_and_stability(local):
    rows = {(r["representation"], r["cell"]): r for r in local.spread.to_pylist()}
    assert rows["codes", "L1R-a"]["own_k"] == 1 and rows["x", None]["own_k"] in (1, 2)
    assert rows["x", None]["l0"] == CHANNELS and rows["codes", "L1R-a"]["l0"] < FEATURES / 3
    assert 1 < rows["x", None]["participation"] <= CHANNELS
    stable = {(r["representation"], r["cell"], r["method"]): r for r in local.stability.to_pylist()}
    assert stable["codes", "L1R-a", "rank"]["units"][0] == 7
    assert stable["codes", "L1R-a", "l1"]["units"][0] == 7
    assert 7 not in stable["codes", "L1R-frozen", "rank"]["units"]
    assert set(stable["x", None, "rank"]["units"]) >= {0, 1}


def test_the_metric_has_a_band_of_three_seeds_and_the_frozen_one_lies_below(local):
    metric = local.metric.to_pylist()
    assert {r["representation"] for r in metric} == {"codes"} and len(metric) == 8
    row = next(r for r in metric if (r["cell"], r["k"]) == ("L1R-a", 1))
    assert row["value"] == pytest.approx(
        (row["auroc"] - 0.5) / (row["full"] - 0.5) * (1 - row["fvu"])
    )
    assert row["low"] <= row["value"] <= row["high"] and row["group"] == "a"
    assert row["first"] == pytest.approx((row["auroc"] - 0.5) / (row["full"] - 0.5))
    bands = local.bands.to_pylist()
    assert [(r["k"], r["of"], r["group"], r["cell"]) for r in bands] == [
        (k, of, "a", "L1R-frozen") for k in (1, 5) for of in ("value", "first")
    ]
    assert {r["n"] for r in bands} == {3} and bands[0]["verdict"] == "below"


def test_a_band_needs_three_defined_values():
    row = {"site": "L1R", "convention": "mean", "k": 1, "group": "a", "value": 0.5}
    three = [
        {**row, "cell": cell, "value": v} for cell, v in zip("abc", (0.4, 0.5, 0.6), strict=True)
    ]
    (one,) = local_table.bands(three)
    assert one["n"] == 3 and one["of"] == "value" and "verdict" not in one
    assert local_table.bands(three[:2]) == []
    assert local_table.bands([*three[:2], {**row, "cell": "c", "value": None}]) == []


def test_the_same_bytes_whatever_the_order_of_units(words, descriptions):
    _, every = descriptions
    z = every[2].columns
    order = np.arange(FEATURES)[::-1]
    one, other = (compare.compare(m, words.y, words.type, 100, 0) for m in (z, z[:, order]))
    for name in ("p_welch", "p", "p_rank", "p_maxt", "auroc"):
        assert (getattr(one, name)[order] == getattr(other, name)).all(), name
