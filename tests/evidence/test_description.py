"""Description lengths: known answers (D14 iv), then the code by hand."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from saegrid.evidence.probes import description, fits
from saegrid.evidence.probes.description import code, lengths


def planted(n=1024, d=32, seed=0):
    """Standard normal channels, and the sign of the first as the label."""
    x = np.random.default_rng(seed).standard_normal((n, d))
    return x, (x[:, 0] > 0) * 1.0


def test_the_uniform_code_of_1024_labels_is_1024_bits():
    """D14 iv."""
    x, y = planted()
    one = code(x, y, np.arange(1024))
    assert one.uniform == 1024
    assert one.ends.tolist() == [1, 2, 4, 8, 16, 33, 64, 128, 256, 512, 1024]
    assert one.bits[0] == 1
    assert one.entropy == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("d", [1, 32, 200])
def test_a_perfect_linear_label_compresses_more_than_five_times(d):
    """D14 iv."""
    x, y = planted(d=d)
    assert lengths(x, y, np.arange(1024), 2).mean("compression") > 5


def test_a_planted_latent_compresses_more_than_five_times_in_sparse_codes():
    rng = np.random.default_rng(0)
    z = rng.random((1024, 500)) * (rng.random((1024, 500)) < 0.1)
    z[:, 7] = (0.5 + rng.random(1024)) * (rng.random(1024) < 0.5)
    y = (z[:, 7] > 0) * 1.0
    both = [lengths(of, y, np.arange(1024), 1) for of in (sparse.csc_matrix(z), z)]
    assert both[0].mean("compression") > 5 < both[1].mean("compression")


@pytest.mark.parametrize("d", [2, 150])
def test_random_labels_are_no_shorter_than_uniform(d):
    """D14 iv: the mean over data sets, and shuffled labels of one."""
    values = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x, y = rng.standard_normal((256, d)), (rng.random(256) < 0.5) * 1.0
        values.append(code(x, y, np.arange(256)).length)
    assert np.mean(values) >= 256
    assert np.mean(values) < 256 * 1.15
    x, y = planted(256, d)
    found = lengths(x, y, np.arange(256), 3)
    assert found.mean("length", shuffled=True) >= 256 > found.mean("length")
    low, high = found.span("length")
    assert low <= found.mean("length") <= high


def test_labels_of_types_that_recur_inside_a_block_of_types_save_nothing():
    """One unit a type and random labels: whole types follow one another, so that a type that was
    learned never comes again."""
    rng = np.random.default_rng(0)
    type = rng.permutation(np.repeat(np.arange(64), 4))
    y = rng.permutation(np.repeat([0.0, 1.0], 32))[type]
    one = code(np.eye(64)[type], y, type)
    assert one.length > 0.95 * 256
    rows = description.types_in_order(type, np.random.default_rng(1))
    assert len(np.flatnonzero(np.diff(type[rows]))) == 63
    assert np.isin(one.ends, np.arange(4, 257, 4)).all()


def test_a_block_costs_what_the_probe_of_the_texts_before_makes_it_cost():
    x, y = planted(64, 3)
    rows = np.random.default_rng(0).permutation(64)
    before, block = rows[:40], rows[40:]
    each = description._block(x, y, before, block)
    unit = fits.scale(x[before])
    for place, penalty in list(enumerate(description.PENALTIES))[1:4]:
        fit = LogisticRegression(C=1 / (40 * penalty), tol=1e-10, max_iter=5000)
        p = fit.fit(unit.of(x[before]), y[before]).predict_proba(unit.of(x[block]))[:, 1]
        mixed = (1 - 1 / 42) * p + 0.5 / 42
        wanted = -np.log2(np.where(y[block] > 0, mixed, 1 - mixed)).sum()
        assert each[place] == pytest.approx(wanted, abs=1e-3)
    ones = np.flatnonzero(y > 0)[:6]
    costs = description._block(x, y, ones, np.arange(64))
    wanted = -np.log2(np.where(y > 0, 7 / 8, 1 / 8)).sum()
    assert costs == pytest.approx(np.full(len(costs), wanted))


def test_surplus_is_what_the_code_costs_beyond_its_last_block():
    one = description.Code(np.array([10, 50, 100]), np.array([10.0, 20, 5]), 100, 1.0)
    assert one.length == 35
    assert one.compression == pytest.approx(100 / 35)
    assert one.surplus == pytest.approx(35 - 100 * 5 / 50)


def test_the_code_is_the_same_each_time_and_another_in_another_order():
    x, y = planted(128, 4)
    one, again, other = (code(x, y, np.arange(128), order=k) for k in (0, 0, 1))
    assert one.bits.tobytes() == again.bits.tobytes()
    assert one.length != other.length
