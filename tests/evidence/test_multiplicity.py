"""Corrections: numbers of D10, and steps by hand."""

import numpy as np
import pytest
from scipy import stats

from saegrid.evidence.multiplicity import adjusted, hierarchy, null_share, simes

P = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205]
P += [0.212, 0.216, 0.222, 0.251, 0.269, 0.275, 0.34]


def test_benjamini_and_hochberg_by_known_numbers():
    found = adjusted(np.array(P))
    expected = [0.015, 0.06, 0.126, 0.126, 0.126, 0.15, 0.158571, 0.294643]
    assert found[:8] == pytest.approx(expected, abs=1e-6)
    assert (found <= 0.05).sum() == 1


def test_benjamini_and_yekutieli_by_known_numbers():
    assert adjusted(np.array(P), "by")[0] == pytest.approx(0.049773, abs=1e-6)


@pytest.mark.parametrize("method", ["bh", "by"])
def test_adjusted_p_are_scipys(method):
    for p in (np.array(P), np.random.default_rng(0).random(200) ** 3, np.array([1.0, 1.0, 0.2])):
        expected = stats.false_discovery_control(p, method=method)
        assert adjusted(p, method) == pytest.approx(expected, rel=1e-14)


def test_orders_do_not_matter():
    order = np.random.default_rng(0).permutation(len(P))
    assert np.array_equal(adjusted(np.array(P)[order]), adjusted(np.array(P))[order])


def test_nothing_tested_has_no_p():
    assert len(adjusted(np.array([]))) == 0
    assert simes(np.array([])) == 1 and null_share(np.array([])) == 1


def test_simes_by_hand():
    # 3 x .02, 3 / 2 x .03, 1 x .9
    assert simes(np.array([0.9, 0.02, 0.03])) == pytest.approx(0.045)
    assert simes(np.array([0.9, 0.95])) == pytest.approx(0.95)
    assert simes(np.array([1.0, 1, 1])) == 1


def test_the_share_of_true_nulls_by_hand():
    assert null_share(np.array([0.01, 0.02, 0.6, 0.7, 0.03, 0.04, 0.2, 0.9])) == 0.75
    assert null_share(np.array([0.7, 0.8])) == 1


def test_the_hierarchy_by_hand():
    # Of four families BH at .05 keeps .001 and .02 (.02 x 4 / 2 = .04); .04 x 4 / 3 = .0533 is out.
    found = hierarchy(np.array([0.001, 0.04, 0.02, 0.9]), 0.05)
    assert found.families.tolist() == [True, False, True, False]
    assert found.level == pytest.approx(0.05 * 2 / 4)
    assert hierarchy(np.array([0.5, 0.9]), 0.05).level == 0
    assert hierarchy(np.array([]), 0.05).level == 0
