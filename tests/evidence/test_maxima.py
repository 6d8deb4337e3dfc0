"""max-T: an example by hand, then explicit regressions, scipy and the laws of its p."""

import numpy as np
import pytest
from scipy import sparse, stats

from clustered import clusters, codes, grades, inside
from saegrid.evidence import exchange, maxima
from saegrid.evidence.maxima import (
    adjusted,
    deviance_columns,
    deviance_test,
    single,
    threshold,
    z_columns,
    z_test,
)
from saegrid.evidence.nuisances import orthonormal, residuals

# Three features on four texts, whose scores are exchanged in four ways; column 0 is the data.
FIRING = sparse.csr_matrix(np.array([[1, 1, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]], np.float32))
SCORES = np.array(
    [[2, 2, -1, -3, 2], [1, -1, 2, 1, -3], [-1, 1, 1, 2, 1], [-2, -2, -2, 0, 0]], np.float32
)


def test_the_largest_statistics_by_hand():
    # Sums of the first: 3 1 1 -2 -1, mean .4, deviation sqrt((16 - 5 * .16) / 5) = 1.74356;
    # of the second: 0 0 3 3 -2, mean .8, deviation sqrt((22 - 5 * .64) / 5) = 1.93907;
    # the third fires on all texts, and is never moved.
    z = np.array(
        [
            [2.6, 0.6, 0.6, -2.4, -1.4],
            [-0.8, -0.8, 2.2, 2.2, -2.8],
            [0, 0, 0, 0, 0],
        ]
    ) / np.array([[1.743560], [1.939072], [1]])
    assert z_columns(FIRING, SCORES) == pytest.approx(z, abs=1e-5)
    found = z_test(FIRING, SCORES)
    assert found.statistic == pytest.approx(z[:, 0], abs=1e-5)
    assert found.maxima == pytest.approx([1.49120, 0.41257, 1.13456, 1.37649, 1.44399], abs=1e-4)
    # Reached by the data alone; by all five, with a tie; by all five.
    assert adjusted(found.statistic, found.maxima).tolist() == [0.2, 1, 1]
    assert found.p[0] == pytest.approx(2 * stats.norm.sf(2.6 / 1.743560))
    assert found.p[1:].tolist() == [1, 1]


def test_thresholds_by_hand():
    largest = np.array([5, 4, 3, 2, 1], np.float32)
    assert adjusted(np.array([4.5, 4, -3, 0]), largest).tolist() == [0.2, 0.4, 0.6, 1]
    assert 3 < threshold(largest, 0.4) < 3.001 and 5 < threshold(largest, 0.1) < 5.001
    assert threshold(largest, 1) == 0


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_are_those_of_the_adjusted_p(seed):
    rng = np.random.default_rng(seed)
    largest = np.round(rng.gamma(9, 0.4, 200), 1 + seed).astype(np.float32)
    near = np.concatenate([largest * (1 + 1e-6 * k) for k in (-20, -11, -9, -1, 0, 1, 9, 11, 20)])
    near = near.astype(np.float32)
    for alpha in [*np.arange(201) / 200, 0.07, 0.29, 0.0499999, 0.999]:
        limit = threshold(largest, alpha)
        assert np.array_equal(near >= np.float32(limit), adjusted(near, largest) <= alpha), alpha
        if limit:
            below = np.nextafter(np.float32(limit), np.float32(0))
            assert adjusted(np.array([limit]), largest)[0] <= alpha
            assert adjusted(np.array([below]), largest)[0] > alpha


def test_equal_sums_in_another_order_are_ties():
    rng = np.random.default_rng(0)
    score = rng.standard_normal(12).astype(np.float32)
    moved = np.column_stack([np.arange(12), *(rng.permutation(12) for _ in range(500))])
    # All texts but one: the sum is that of all less one of twelve scores, in any order.
    firing = sparse.csr_matrix((np.arange(12) != 3).astype(np.float32)[None])
    statistic = z_columns(firing, score[moved])
    same = moved[3] == 3
    assert len(set(statistic[0, same])) > 1
    found = z_test(firing, score[moved])
    as_large = np.abs(score[moved][3] - score.mean()) >= np.abs(score[3] - score.mean()) - 1e-5
    assert found.p[0] == pytest.approx(as_large.mean(), abs=0.01)
    assert adjusted(found.statistic, found.maxima)[0] >= same.mean()


def drawn(seed=0, n=150, features=40, permutations=60):
    rng = np.random.default_rng(seed)
    cluster = clusters(rng, n)
    firing = sparse.csr_matrix(codes(rng, cluster, features, least=0.05).T)
    firing.data[:] = 1
    moved = exchange.exchanged(cluster, permutations, rng)
    return rng, cluster, firing, moved


def test_a_basis_gives_the_regression_of_frisch_waugh_and_lovell():
    rng, cluster, firing, moved = drawn()
    n, score = len(cluster), inside(rng, cluster, 0.3)
    nuisances = np.column_stack([np.ones(n), rng.standard_normal(n), inside(rng, cluster, 0.5)])
    basis = orthonormal(dict(enumerate(nuisances.T)))
    left = residuals(score, basis)
    columns = left.astype(np.float32)[moved]
    inner = basis.T @ columns
    columns /= np.sqrt((columns.astype(float) ** 2).sum(axis=0) - (inner**2).sum(axis=0))

    def partial(x, y):
        """Partial correlation by two explicit regressions."""
        x, y = (v - nuisances @ np.linalg.lstsq(nuisances, v, rcond=None)[0] for v in (x, y))
        return x @ y / np.sqrt((x @ x) * (y @ y))

    dense = firing.toarray().astype(float)
    raw = np.array([[partial(x, y) for y in left[moved].T] for x in dense])
    expected = (raw - raw.mean(axis=1, keepdims=True)) / raw.std(axis=1, keepdims=True)
    assert z_columns(firing, columns, basis) == pytest.approx(expected, abs=2e-5)
    # Column 0 is the t statistic of the whole regression, but for a monotone function.
    x = dense[3]
    design = np.column_stack([nuisances, x])
    slope, rest = np.linalg.lstsq(design, score, rcond=None)[:2]
    error = rest[0] / (n - 4) * np.linalg.inv(design.T @ design)[-1, -1]
    t = slope[-1] / np.sqrt(error)
    assert t / np.sqrt(t**2 + n - 4) == pytest.approx(partial(x, score), abs=1e-12)


def test_what_nuisances_explain_wholly_has_nothing_left():
    rng, cluster, firing, moved = drawn()
    own = firing[5].toarray().ravel().astype(float)
    basis = orthonormal({"one": np.ones(len(own)), "own": own})
    columns = residuals(inside(rng, cluster, 0.3), basis).astype(np.float32)[moved]
    found = z_test(firing, columns, basis)
    assert found.statistic[5] == 0 and found.p[5] == 1
    assert (np.delete(found.p, 5) < 1).all()


def signed_root(a, b, n_a, n_b):
    """The signed root of G by scipy."""
    table = np.array([[a, n_a - a], [b, n_b - b]])
    if not table.sum(axis=0).all():
        return 0.0
    g = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic
    return np.sign(a / n_a - b / n_b) * np.sqrt(max(g, 0))


def test_deviance_is_scipys():
    """Over its root mean square over all columns where that is above one, as clusters make it."""
    rng, cluster, firing, moved = drawn()
    grade = grades(rng, cluster)
    in_a = (grade >= 1.4).astype(np.float32)[moved]
    in_b = (grade <= 0.4).astype(np.float32)[moved]
    found = deviance_columns(firing, in_a, in_b)
    dense, sizes = firing.toarray(), (in_a[:, 0].sum(), in_b[:, 0].sum())
    wide = []
    for feature in range(0, 40, 7):
        counts = zip(dense[feature] @ in_a, dense[feature] @ in_b, strict=True)
        roots = np.array([signed_root(a, b, *sizes) for a, b in counts])
        scale = max(1.0, float(np.sqrt(np.mean(roots**2))))
        wide.append(scale > 1)
        assert found[feature] == pytest.approx(roots / scale, abs=1e-5)
    assert any(wide) and not all(wide)


def test_equal_rates_have_no_deviance():
    firing = sparse.csr_matrix(np.array([[1, 0, 1, 0, 0], [0, 0, 0, 0, 1]], np.float32))
    in_a, in_b = (
        np.array([[v] for v in one], np.float32) for one in ([1, 1, 0, 0, 0], [0, 0, 1, 1, 0])
    )
    assert np.abs(deviance_columns(firing, in_a, in_b)).max() < 1e-6


def test_counts_of_wide_features_are_exact(monkeypatch):
    rng, cluster, firing, moved = drawn()
    grade = grades(rng, cluster)
    pair = ((grade >= 1).astype(np.float32)[moved], (grade < 1).astype(np.float32)[moved])
    expected = deviance_columns(firing, *pair)
    firings = np.diff(firing.indptr)
    kinds = set()
    for few, digit in ((1, 2), (8, 16), (20, 1 << 11), (1 << 10, 1 << 11)):
        monkeypatch.setattr(maxima, "FEW", few)
        monkeypatch.setattr(maxima, "DIGIT", digit)
        kinds |= {*np.digitize(firings, [few, digit]).tolist()}
        assert np.array_equal(deviance_columns(firing, *pair), expected)
    assert kinds == {0, 1, 2}


def three_ways(firing, moved, cluster):
    rng = np.random.default_rng(1)
    grade = grades(rng, cluster)
    basis = orthonormal({"one": np.ones(len(grade)), "z": rng.standard_normal(len(grade))})
    scores = (grade - grade.mean()).astype(np.float32)[moved]
    pair = [(grade >= 1.4).astype(np.float32)[moved], (grade <= 0.4).astype(np.float32)[moved]]
    return z_test(firing, scores), z_test(firing, scores, basis), deviance_test(firing, *pair)


@pytest.mark.parametrize("held", [1, 1000, 1 << 22])
def test_how_much_is_held_decides_about_no_byte(monkeypatch, held):
    _, cluster, firing, moved = drawn(permutations=130)
    expected = three_ways(firing, moved, cluster)
    monkeypatch.setattr(maxima, "HELD", held)
    for one, other in zip(three_ways(firing, moved, cluster), expected, strict=True):
        for a, b in zip(one[:3], other[:3], strict=True):
            assert a.tobytes() == b.tobytes()
        assert sorted(map(tuple, one.tails)) == sorted(map(tuple, other.tails))


def test_the_order_of_features_decides_about_no_byte():
    rng, cluster, firing, moved = drawn(permutations=130)
    order = rng.permutation(firing.shape[0])
    expected = three_ways(firing, moved, cluster)
    for one, other in zip(three_ways(firing[order], moved, cluster), expected, strict=True):
        assert one.statistic.tobytes() == other.statistic[order].tobytes()
        assert one.p.tobytes() == other.p[order].tobytes()
        assert one.maxima.tobytes() == other.maxima.tobytes()


def test_the_order_of_texts_changes_nothing_but_rounding():
    rng, cluster, firing, moved = drawn()
    order = rng.permutation(len(cluster))
    place = np.argsort(order)
    score = inside(rng, cluster, 0.3).astype(np.float32)
    one = z_test(firing, score[moved])
    other = z_test(firing[:, order], score[order][place[moved[order]]])
    assert other.statistic == pytest.approx(one.statistic, abs=1e-4)
    assert other.maxima == pytest.approx(one.maxima, abs=1e-4)


def test_the_same_columns_in_another_cell_have_the_same_draws():
    rng, cluster, firing, moved = drawn()
    score = inside(rng, cluster, 0.3).astype(np.float32)[moved]
    other = sparse.vstack([firing[[8]], firing[[3]] * 0, firing[[4]]]).tocsr()
    assert np.array_equal(z_columns(other, score)[[0, 2]], z_columns(firing, score)[[8, 4]])


def test_large_statistics_of_the_first_shuffles_are_kept():
    rng, cluster, firing, moved = drawn(features=300)
    score = inside(rng, cluster, 0.3).astype(np.float32)[moved]
    columns, found = z_columns(firing, score), z_test(firing, score)
    expected = {
        (column, feature, float(columns[feature, column]))
        for column in range(1, maxima.SHUFFLES + 1)
        for feature in np.flatnonzero(np.abs(columns[:, column]) >= maxima.TAIL)
    }
    assert expected and {(int(c), int(f), v) for c, f, v in found.tails} == expected


def test_nothing_to_test_has_one_column():
    found = z_test(FIRING[:0], SCORES)
    assert found.maxima.tolist() == [0] and len(found.statistic) == 0
    assert z_columns(FIRING[:0], SCORES).shape == (0, 5)


def test_p_of_single_features():
    found = single(np.array([10.0, 0.1, -3, 5, 2]), np.array([1, 900, 40, 2, 1]), 1001)
    assert found == pytest.approx([2 * stats.norm.sf(10), *(np.array([900, 40, 2, 1]) / 1001)])
