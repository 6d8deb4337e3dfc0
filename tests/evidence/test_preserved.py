"""Known answers: labels that an SAE keeps, and the gain of a set of probes with its own."""

import numpy as np
import pytest
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC

from saegrid.base.registry import pick
from saegrid.evidence.probes import preserved
from saegrid.evidence.probes.linear import LINEAR
from saegrid.evidence.probes.nested import Task, nested
from saegrid.evidence.probes.problem import folds
from saegrid.evidence.probes.quiver import Candidate, gain


def made(n=300, d=6, seed=0):
    """Texts of two a type, and a noisy label of channel 0."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    y = (x[:, 0] + 0.5 * rng.standard_normal(n) > 0) * 1.0
    type = np.arange(n) // 2
    return x, Task(y, type, folds(type, y, 5, 0, "readout"))


def probed(of, **columns):
    """An L2 probe of each."""
    method = {"l2": pick(LINEAR, "l2", "Method")}
    return {name: nested(of, one, method)[0] for name, one in columns.items()}


def test_a_reconstruction_without_the_planted_channel_loses_all_and_the_error_has_it():
    x, of = made()
    lost, kept = x.copy(), x.copy()
    lost[:, 0] = 0
    kept[:, 1] = 0
    drawn = preserved.draws(of, 200)
    probes = probed(of, x=x, lost=lost, kept=kept, error=x - lost)
    found = preserved.differences(of, probes, drawn)
    assert found["x"][0].value > 0.85
    assert found["x"][1] == (0, 0, 0)
    score, difference = found["lost"]
    assert score.low < 0.55
    assert difference.high < -0.25
    assert found["kept"][1].low <= 0.005 and found["kept"][1].high >= -0.005
    assert found["error"][0].value == pytest.approx(found["x"][0].value, abs=0.03)


def test_differences_are_paired_so_that_equal_probes_differ_by_nothing_in_any_draw():
    x, of = made()
    probes = probed(of, x=x, other=2 * x + 1)
    values = preserved.differences(of, probes, preserved.draws(of, 50))["other"][1]
    assert values == (0, 0, 0)


def test_delta_selectivity_is_zero_of_a_perfect_sae_and_what_is_lost_of_another():
    x, of = made()
    same = preserved.delta_selectivity(x, x, of.y, 20)
    assert (same.delta, same.low, same.high) == (0, 0, 0)
    nothing = np.zeros_like(x)
    lost = preserved.delta_selectivity(x, nothing, of.y, 20)
    assert lost.model == same.model > 0.3
    assert abs(lost.sae) < 0.1
    assert lost.low <= lost.delta <= lost.high < 0


def test_delta_selectivity_has_the_published_split_and_machine():
    x, of = made(100)
    train, test, y_train, y_test = train_test_split(x, of.y, test_size=0.2, random_state=42)
    fit = LinearSVC(max_iter=3000, tol=1e-4, random_state=0).fit(train, y_train)
    task = (fit.predict(test) == y_test).mean()
    rng = preserved.generator(0, "delta selectivity")
    a, b = rng.permutation(y_train), rng.permutation(y_test)
    fit = LinearSVC(max_iter=3000, tol=1e-4, random_state=0).fit(train, a)
    control = (fit.predict(test) == b).mean()
    assert preserved.delta_selectivity(x, x, of.y, 1).model == pytest.approx(task - control)


# --- the gain of a set ------------------------------------------------------------------------


def candidate(name, of_sae, of, noise, seed, validation=None):
    """A probe that knows the labels up to a noise."""
    rng = np.random.default_rng(seed)
    prediction = of.y + noise * rng.standard_normal(len(of.y))
    inside = np.full(5, 1 / (1 + noise)) if validation is None else validation
    return Candidate(name, of_sae, prediction, inside)


def test_codes_add_to_a_set_that_is_worse_and_nothing_to_one_that_is_better():
    _, of = made()
    drawn = preserved.draws(of, 200)
    poor, good = candidate("x", False, of, 2.0, 0), candidate("codes", True, of, 0.5, 1)
    added = gain(of, [poor, good], drawn)
    assert added.n_sae == 5
    assert 0 < added.gain.low < added.gain.value < added.gain.high
    assert added.gain.value == pytest.approx(added.with_sae.value - added.without.value)
    better, worse = candidate("x", False, of, 0.5, 0), candidate("codes", True, of, 2.0, 1)
    none = gain(of, [better, worse], drawn)
    assert (none.gain, none.n_sae) == ((0, 0, 0), 0)
    assert none.chosen_with == none.chosen_without == ["x"] * 5


def test_the_choice_is_by_validation_alone_fold_by_fold_and_a_tie_is_no_gain():
    _, of = made()
    first, second = np.array([0.9, 0.9, 0.1, 0.1, 0.5]), np.array([0.1, 0.1, 0.9, 0.9, 0.5])
    plain = candidate("x", False, of, 0.5, 0, first)
    codes = candidate("codes", True, of, 2.0, 1, second)
    found = gain(of, [codes, plain], preserved.draws(of, 50))
    assert found.chosen_with == ["x", "x", "codes", "codes", "x"]
    assert found.gain.value < 0


def test_random_codes_gain_nothing_within_the_interval():
    """Probes of noise: over data sets the mean gain is at most nothing."""
    gains = []
    for seed in range(5):
        x, of = made(120, seed=seed)
        noise = np.random.default_rng(100 + seed).standard_normal((120, 20))
        both = probed(of, x=x[:, :2] + x[:, 2:4], codes=noise)
        pair = [Candidate(n, n == "codes", p.prediction, p.validation) for n, p in both.items()]
        gains.append(gain(of, pair, preserved.draws(of, 20)).gain.value)
    assert np.mean(gains) < 0.01


def test_a_set_without_codes_or_of_codes_alone_has_no_gain():
    _, of = made()
    drawn = preserved.draws(of, 20)
    assert gain(of, [candidate("x", False, of, 1, 0)], drawn) is None
    assert gain(of, [candidate("codes", True, of, 1, 0)], drawn) is None
    absent = candidate("l", False, of, 1, 0, np.full(5, np.nan))
    assert gain(of, [absent, candidate("codes", True, of, 1, 0)], drawn) is None
