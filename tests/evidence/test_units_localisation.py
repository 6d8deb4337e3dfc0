"""Localisation: curves, units needed, participation and stability on planted data."""

import numpy as np
import pytest
from scipy import sparse

from saegrid.evidence.probes.problem import folds
from saegrid.evidence.units import curves, spread, stability

N, UNITS = 240, 60


def planted(spread_over=1, seed=0, noise=1.0):
    """Dense numbers of which some units together carry the label."""
    rng = np.random.default_rng(seed)
    y = rng.permutation((np.arange(N) < N // 2) * 1.0)
    matrix = rng.normal(0, noise, (N, UNITS))
    matrix[:, :spread_over] += 3 * (y[:, None] - 0.5) / np.sqrt(spread_over)
    type = np.arange(N)
    return matrix, curves.problem_of(y, type, folds(type, y, 5, 0, "readout"))


def test_a_label_in_one_unit_needs_one_and_one_over_many_needs_many():
    ks = [1, 2, 5, 10, 20]
    found = {}
    for over in (1, 20):
        matrix, problem = planted(over)
        weight = curves.drawn(problem.cluster, 100, 0)
        one = curves.curve(matrix, problem, ks, weight, shuffles=3)
        assert one.k == [*ks, None] and one.candidates == UNITS
        assert abs(one.chance - 0.5).max() < 0.15
        found[over] = spread.needed(one.k, one.values, one.values[-1])
    assert found[1].k == 1 and found[1].high == 1
    assert found[20].k >= 10 and found[20].low >= 5


def test_the_curve_of_a_planted_unit_has_the_known_value():
    from scipy.stats import norm

    matrix, problem = planted(1, seed=3)
    weight = curves.drawn(problem.cluster, 200, 0)
    one = curves.curve(matrix, problem, [1], weight)
    # Two normal classes three deviations apart: AUROC = Phi(3 / sqrt 2).
    low, high = np.percentile(one.values[0, 1:], [1, 99])
    assert low <= norm.cdf(3 / np.sqrt(2)) <= high


def test_units_are_chosen_inside_the_folds():
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(100) < 50) * 1.0)
    matrix = rng.normal(size=(100, 5000))
    type = np.arange(100)
    problem = curves.problem_of(y, type, folds(type, y, 5, 0, "readout"))
    weight = curves.drawn(type, 20, 0)
    one = curves.curve(matrix, problem, [10], weight)
    assert abs(one.values[0, 0] - 0.5) < 0.15
    # Outside of them the same data would look like a result.
    best = np.argsort(-np.abs(matrix.T @ (y - 0.5)))[:10]
    trap = curves.curve(matrix[:, best], problem, [10], weight)
    assert trap.values[0, 0] > 0.75


def test_equal_candidates_take_the_advantage_of_many_units_away():
    rng = np.random.default_rng(0)
    y = rng.permutation((np.arange(N) < N // 2) * 1.0)
    few = rng.normal(size=(N, 20)) + 0.5 * y[:, None]
    many = sparse.csc_matrix(np.hstack([few, few + rng.normal(0, 0.01, few.shape)] * 10) + 5)
    type = np.arange(N)
    problem = curves.problem_of(y, type, folds(type, y, 5, 0, "readout"))
    weight = curves.drawn(type, 20, 0)
    one = curves.equal_curve(many, problem, [1, 5], weight, 20, 3)
    assert one.candidates == 20 and one.values.shape == (3, 21)
    chosen = curves.subsets(many, 20, 3, 0)
    assert [len(c) for c in chosen] == [20] * 3 and not (chosen[0] == chosen[1]).all()
    dead = sparse.hstack([many, sparse.csc_matrix((N, 500))], format="csc")
    assert max(c.max() for c in curves.subsets(dead, 20, 3, 0)) < 400
    assert curves.subsets(few, 50, 3, 0)[0].tolist() == list(range(20))
    fitted = curves.equal_curve(lambda split: few, problem, [1], weight, 7, 3)
    assert fitted.candidates == 7


def test_draws_of_words_are_the_same_for_every_description():
    type = np.repeat(np.arange(30), 4)
    weight = curves.drawn(type, 50, 1).reshape(30, 4, 51)
    assert (weight == weight[:, :1]).all() and (weight[:, 0].sum(axis=0) == 30).all()
    assert (curves.drawn(type, 50, 1) == weight.reshape(120, 51)).all()


def test_needed_says_what_is_not_reached_and_what_is_not_defined():
    values = np.array([[0.6, 0.6, 0.6], [0.7, 0.8, 0.7], [0.8, 0.8, 0.8]])
    one = spread.needed([1, 5, None], values, values[-1])
    assert one.k == np.inf and one.low == 5 and one.high == np.inf and one.unknown == 0
    chance = spread.needed([1, 5, None], values, np.array([0.5, 0.5, 0.8]))
    assert np.isnan(chance.k) and chance.unknown == 0.5
    never = spread.needed([1, 5, None], values, np.full(3, 0.4))
    assert np.isnan(never.k) and np.isnan(never.low) and never.unknown == 1


def test_participation_counts_equal_weights():
    assert spread.participation(np.array([2.0, -2, 2, 2])) == pytest.approx(4)
    assert spread.participation(np.array([0.0, 3, 0])) == pytest.approx(1)
    assert spread.participation(np.array([3.0, 1])) == pytest.approx(16 / 10)
    assert np.isnan(spread.participation(np.zeros(3)))


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_matrix])
def test_weights_agree_with_scikit_learn(form):
    from sklearn.linear_model import LogisticRegression

    matrix, problem = planted(3)
    matrix = np.maximum(matrix, 0)
    w = spread.weights(form(matrix), problem.y, 1e-2)
    if form is np.asarray:
        scaled = (matrix - matrix.mean(0)) / matrix.std(0) / np.sqrt(UNITS)
    else:
        scaled = matrix / np.sqrt((matrix**2).sum() / N)
    model = LogisticRegression(C=1 / (1e-2 * N), tol=1e-10, max_iter=10_000).fit(scaled, problem.y)
    np.testing.assert_allclose(w, model.coef_.ravel() * scaled.std(0), atol=1e-3 * np.abs(w).max())
    wide = spread.participation(spread.weights(form(planted(20)[0]), planted(20)[1].y))
    assert wide > 3 * spread.participation(
        spread.weights(form(planted(1, noise=0.2)[0]), problem.y)
    )


@pytest.mark.parametrize("form", [np.asarray, sparse.csc_matrix])
def test_planted_units_are_stable_and_others_are_not(form):
    matrix, problem = planted(3, noise=0.7)
    matrix = form(np.maximum(matrix, 0))
    chosen = stability.halves(problem.y, problem.cluster, 30, 0)
    assert (chosen.sum(axis=0) == N // 2).all()
    assert (chosen[problem.y > 0].sum(axis=0) == N // 4).all()
    for one in (
        stability.by_rank(matrix, problem.y, chosen, 3),
        stability.by_l1(matrix, problem.y, chosen, 3),
    ):
        assert set(np.argsort(-one.share, kind="stable")[:3]) == {0, 1, 2}
        assert len(one.stable(0.75)) >= 2 and set(one.stable(0.75)) <= {0, 1, 2}
        assert one.bound(0.75) == pytest.approx(one.q**2 / (0.5 * UNITS))


def test_stable_units_of_nothing_stay_within_their_bound():
    rng, seen, allowed = np.random.default_rng(0), 0, 0.0
    for seed in range(20):
        y = rng.permutation((np.arange(N) < N // 2) * 1.0)
        matrix = rng.normal(size=(N, UNITS))
        one = stability.by_rank(matrix, y, stability.halves(y, np.arange(N), 30, seed), 5)
        seen, allowed = seen + len(one.stable(0.75)), allowed + one.bound(0.75)
    assert seen <= 1.5 * allowed and one.bound(0.75) == pytest.approx(25 / 30)


def test_halves_take_whole_word_types():
    type = np.repeat(np.arange(40), 3)
    y = np.repeat(np.arange(40) < 20, 3) * 1.0
    chosen = stability.halves(y, type, 10, 0).reshape(40, 3, 10)
    assert (chosen == chosen[:, :1]).all() and (chosen[:, 0].sum(axis=0) == 20).all()
