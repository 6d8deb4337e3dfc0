"""Intervals: scipy's exact one, and bootstraps by hand."""

import warnings

import numpy as np
import pytest
from scipy import sparse, stats

from clustered import clusters
from saegrid.evidence.intervals import exact, percentiles, ratio, resampled


@pytest.mark.parametrize(("k", "n"), [(0, 102), (3, 45), (43, 90), (7, 7), (1, 1), (0, 1)])
def test_the_exact_interval_is_scipys(k, n):
    expected = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    low, high = exact(np.array([k]), np.array([n]))
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_seen_leaves_everything_open():
    assert [float(limit) for limit in exact(np.array(0), np.array(0))] == [0, 1]


def test_whole_clusters_are_drawn():
    cluster = clusters(np.random.default_rng(0), 40)
    weights = resampled(cluster, 300, np.random.default_rng(1))
    assert weights.shape == (len(cluster), 301) and (weights[:, 0] == 1).all()
    _, first = np.unique(cluster, return_index=True)
    assert (weights[first].sum(axis=0) == 40).all()
    for one in np.unique(cluster):
        assert (weights[cluster == one] == weights[cluster == one][0]).all()
    assert abs(weights[:, 1:].mean() - 1) < 0.05


def test_of_no_feature_there_are_no_percentiles():
    """Both limits are there, and empty, where nothing was discovered."""
    low, high = percentiles(np.zeros((0, 9)))
    assert low.shape == high.shape == (0,)


def test_percentiles_leave_the_data_out():
    values = np.column_stack([np.full(2, 99.0), np.tile(np.arange(1001.0), (2, 1))])
    values[1, 500:] = np.nan
    low, high = percentiles(values)
    assert low[0] == pytest.approx(25) and high[0] == pytest.approx(975) and high[1] < 499
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = percentiles(np.full((2, 9), np.nan))
    assert np.isnan(low).all() and np.isnan(high).all()


def test_ratios_by_hand():
    matrix = sparse.csr_matrix(np.array([[1, 1, 0], [0, 0, 0]], np.float32))
    above, below = np.array([[1.0], [0], [1]]), np.ones((3, 1))
    found = ratio(matrix, above, below)
    assert found[0, 0] == 0.5 and np.isnan(found[1, 0])


def test_the_cluster_bootstrap_covers_the_mean_of_clustered_data():
    hits, rng = 0, np.random.default_rng(4)
    for _ in range(200):
        cluster = np.repeat(np.arange(60), 3)
        values = (rng.standard_normal(60)[cluster] + rng.standard_normal(180))[None]
        weights = resampled(cluster, 300, rng)
        low, high = percentiles(values @ weights / weights.sum(axis=0))
        hits += low[0] <= 0 <= high[0]
    assert 0.88 <= hits / 200 <= 0.99
