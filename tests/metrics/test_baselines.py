"""Baselines: planted structure comes back, and the numbers are those of the formulas."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_array

from saegrid.base import io
from saegrid.base.registry import pick
from saegrid.metrics.baselines import BASELINES
from saegrid.metrics.baselines.dictionary import dictionary
from saegrid.metrics.baselines.fit import Fit, Wanted, each_k, largest
from saegrid.metrics.baselines.ica import components, ica
from saegrid.metrics.baselines.neurons import neurons
from saegrid.metrics.baselines.nmf import nmf
from saegrid.metrics.baselines.pca import pca
from saegrid.metrics.baselines.table import baselines_of, wanted_of
from saegrid.metrics.sources import Captured
from subjects import RNG, TOKENS, X, written


def fit_of(x):
    return Fit(np.asarray(x, np.float32), np.arange(len(x)))


def fvu(x, x_hat):
    return np.square(x - x_hat).sum() / np.square(x - x.mean(axis=0)).sum()


def counts(codes):
    """(token,) active directions."""
    return np.diff(csr_array(codes).indptr)


def only(described):
    (one,) = described
    return one


# --- PCA -----------------------------------------------------------------------------------------


def planted(spectrum, n=4000, seed=0):
    """Tokens whose covariance has exactly these eigenvalues, in random directions."""
    rng, d = RNG(seed), len(spectrum)
    codes = rng.normal(size=(n, d))
    codes = np.linalg.qr(codes - codes.mean(axis=0))[0] * np.sqrt(n)
    directions = np.linalg.qr(rng.normal(size=(d, d)))[0]
    return codes * np.sqrt(spectrum) @ directions + rng.normal(size=d)


SPECTRUM = np.array([9.0, 4.0, 4.0, 1.0, 0.5, 0.25])


@pytest.mark.parametrize("k", [1, 2, 3, 5, 6])
def test_pca_leaves_out_the_rest_of_the_spectrum(k):
    x = planted(SPECTRUM)
    one = only(pca(fit_of(x), [Wanted(k, 99)]))
    x_hat, codes = one.describe(x)
    assert fvu(x, x_hat) == pytest.approx(SPECTRUM[k:].sum() / SPECTRUM.sum(), abs=1e-6)
    assert set(counts(codes)) == {k} and one.width == k


def test_a_rank_above_the_dimension_is_the_dimension():
    x = planted(SPECTRUM)
    one = only(pca(fit_of(x), [Wanted(100, 99)]))
    assert one.width == 6 and fvu(x, one.describe(x)[0]) < 1e-12


def test_moments_in_blocks(monkeypatch):
    x = RNG(0).normal(size=(500, 5)) * 3 + 1000
    monkeypatch.setattr("saegrid.metrics.baselines.fit.READ", 64)
    fit = fit_of(x)
    x = x.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(fit.mean, x.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(fit.covariance, np.cov(x.T, bias=True), rtol=1e-9, atol=1e-9)


def test_only_the_training_tokens_are_learned_from():
    x = np.concatenate([planted(SPECTRUM), 100 * RNG(1).normal(size=(50, 6))])
    rows = np.arange(4000)
    one = only(pca(Fit(x.astype(np.float32), rows), [Wanted(2, 99)]))
    np.testing.assert_allclose(
        one.describe(x)[0], only(pca(fit_of(x[:4000]), [Wanted(2, 99)])).describe(x)[0]
    )


# --- ICA -----------------------------------------------------------------------------------------


def test_ica_finds_planted_sources():
    """Up to sign, order and scale."""
    rng = RNG(0)
    sources = rng.laplace(size=(8000, 5)) ** 3
    mixing = rng.normal(size=(5, 5))
    unmixing, _, steps = components(fit_of(sources @ mixing.T + 3))
    found = np.abs(unmixing @ mixing)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert sorted(found.argmax(axis=1)) == list(range(5))
    assert found.max(axis=1).min() > 0.99
    assert steps < 200


def test_ica_with_as_many_as_are_active_at_a_time():
    """Sources of which one at a time is active: L0 1 suffices, where PCA needs all directions."""
    rng = RNG(1)
    sources = np.zeros((8000, 4))
    sources[np.arange(8000), rng.integers(4, size=8000)] = rng.laplace(size=8000) * 5
    x = sources @ rng.normal(size=(4, 4)).T
    fit = fit_of(x)
    sparse, rank = only(ica(fit, [Wanted(1, 9)])), only(pca(fit, [Wanted(1, 9)]))
    x_hat, codes = sparse.describe(x)
    assert set(counts(codes)) == {1}
    assert fvu(x, x_hat) < 0.01 < 0.2 < fvu(x, rank.describe(x)[0])


def test_all_components_leave_nothing():
    x = planted(SPECTRUM)
    assert fvu(x, only(ica(fit_of(x), [Wanted(6, 9)])).describe(x)[0]) < 1e-9


def test_ica_of_fewer_dimensions_than_channels():
    x = planted(SPECTRUM) @ RNG(0).normal(size=(6, 10))
    one = only(ica(fit_of(x), [Wanted(6, 9)]))
    assert one.width == 6 and fvu(x, one.describe(x)[0]) < 1e-6


# --- NMF -----------------------------------------------------------------------------------------


def test_nmf_finds_planted_parts():
    """Parts on channels of their own, any number of them active: up to order and scale."""
    rng = RNG(0)
    parts = np.kron(np.eye(4), rng.uniform(0.5, 2, size=(1, 5))) * rng.uniform(0.5, 2, (4, 20))
    weights = rng.exponential(size=(4000, 4)) * (rng.random((4000, 4)) < 0.5)
    x = weights @ parts - 7
    one = only(nmf(fit_of(x), [Wanted(4, 9)]))
    x_hat, codes = one.describe(x)
    assert fvu(x, x_hat) < 1e-3
    assert counts(codes).max() <= 4 and codes.min() >= 0
    _, found = one.describe.__defaults__[0](np.ones((1, 20)))
    cosines = (
        found @ parts.T / np.outer(np.linalg.norm(found, axis=1), np.linalg.norm(parts, axis=1))
    )
    assert sorted(cosines.argmax(axis=1)) == list(range(4))
    assert cosines.max(axis=1).min() > 0.99


def test_nmf_takes_tokens_below_all_that_it_was_fitted_on():
    x = RNG(0).random((500, 6))
    one = only(nmf(fit_of(x), [Wanted(3, 9)]))
    x_hat, _ = one.describe(x - 10)
    assert np.isfinite(x_hat).all()


def test_nmf_with_a_part_for_each_dimension_leaves_nothing():
    x = RNG(0).normal(size=(500, 6))
    one = only(nmf(fit_of(x), [Wanted(40, 9)]))
    assert one.width == 6
    x_hat, codes = one.describe(fit_of(x).sample)
    np.testing.assert_allclose(x_hat, fit_of(x).sample, rtol=1e-12, atol=1e-12)
    assert counts(codes).max() == 6


# --- neurons -------------------------------------------------------------------------------------


def test_neurons_keep_what_deviates_most():
    x = np.array([[1.0, 2.0, -3.0], [0.0, 0.0, 0.0], [-1.0, -2.0, 3.0]])
    fit = fit_of(x)
    assert fit.mean.tolist() == [0, 0, 0]
    x_hat, codes = only(neurons(fit, [Wanted(2, 9)])).describe(x)
    assert x_hat.tolist() == [[0, 2, -3], [0, 0, 0], [0, -2, 3]]
    assert codes.tolist() == [[0, 2, -3], [0, 0, 0], [0, -2, 3]]


def test_all_neurons_leave_nothing():
    one = only(neurons(fit_of(X), [Wanted(16, 9)]))
    assert one.describe(X.astype(np.float64))[0].tolist() == X.astype(np.float64).tolist()


def test_ties_go_to_the_smaller_direction():
    values = np.array([[1.0, 2.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert largest(values, 2).tolist() == [[True, True, False, False]] * 2
    assert largest(values, 9).all()


# --- random dictionaries -------------------------------------------------------------------------


def test_random_directions_in_one_dimension_are_all_there_is():
    x = RNG(0).normal(size=(500, 1))
    x_hat, codes = only(dictionary(fit_of(x), [Wanted(1, 64)])).describe(x)
    assert fvu(x, x_hat) < 1e-9
    assert counts(codes).max() == 1


def test_one_random_direction_takes_half_of_its_share():
    """Isotropic tokens, one direction with a ReLU: FVU = 1 - 1 / (2 d)."""
    d = 8
    x = RNG(0).normal(size=(40_000, d))
    one = only(dictionary(fit_of(x), [Wanted(1, 1)]))
    x_hat, codes = one.describe(x)
    assert fvu(x, x_hat) == pytest.approx(1 - 1 / (2 * d), abs=2e-3)
    assert counts(codes).mean() == pytest.approx(0.5, abs=0.02)


def test_l0_is_what_was_asked_for_and_more_is_better():
    x = RNG(0).normal(size=(3000, 16))
    found = list(dictionary(fit_of(x), [Wanted(k, 256) for k in (1, 4, 16, 64)]))
    errors = []
    for one in found:
        x_hat, codes = one.describe(x)
        assert set(counts(codes)) == {one.wanted.k}
        errors.append(fvu(x, x_hat))
    assert errors == sorted(errors, reverse=True) and 0 < errors[-1] < errors[0] < 1


def test_the_gain_is_the_best_number():
    x = RNG(0).normal(size=(2000, 16))
    fit = fit_of(x)
    x_hat, _ = only(dictionary(fit, [Wanted(8, 256)])).describe(x)
    r = x_hat - fit.mean
    assert np.einsum("td,td->", x - fit.mean - r, r) == pytest.approx(0, abs=1e-4 * (r**2).sum())


# --- the table -----------------------------------------------------------------------------------


def metrics_file(folder, name, l0, d_sae):
    path = folder / f"{name}.json"
    io.write_json(path, {"metrics": {"l0": {"value": l0}}, "d_sae": d_sae})
    return path


def test_what_the_cells_are_compared_with(tmp_path):
    files = [metrics_file(tmp_path, "a", 3.4, 64), metrics_file(tmp_path, "b", 0.2, 128)]
    found = wanted_of(files, [8])
    assert found == [Wanted(1, 128), Wanted(3, 64), Wanted(8, 64), Wanted(8, 128)]
    assert [one.k for one in each_k(found)] == [1, 3, 8]


def test_the_table_of_a_site(tmp_path):
    token = np.flatnonzero(~TOKENS["special"].to_numpy())
    source = Captured(written(tmp_path, X, token, parts=2), TOKENS)
    files = [metrics_file(tmp_path, "a", 3.0, 64), metrics_file(tmp_path, "b", 3.0, 128)]
    chosen = {"tokens": 10_000, "fit": 10_000, "ranks": [5], "seed": 0}
    settings = {
        "splits": [{"share": 0.3, "seed": 5}],
        "metrics": {**chosen, "baselines": list(BASELINES)},
    }
    table = baselines_of(source, settings, files)
    rows = table.to_pylist()
    methods = [(row["method"], row["k"], row["width"]) for row in rows]
    assert methods == [
        *(("pca", 3, 3), ("pca", 5, 5), ("ica", 3, 16), ("ica", 5, 16), ("nmf", 3, 3)),
        *(("nmf", 5, 5), ("neurons", 3, 16), ("neurons", 5, 16)),
        *(("random", 3, 64), ("random", 3, 128), ("random", 5, 64), ("random", 5, 128)),
    ]
    n = {row["n"] for row in rows}, {row["n_learned"] for row in rows}
    assert sum(map(sum, n)) == 600
    for row in rows:
        assert 0 < row["fvu"] < 1.1 and row["definition"] and row["r2"] == 1 - row["fvu"], row
        assert row["l0"] <= row["k"]
    assert table.equals(baselines_of(source, settings, files)), "the same bytes again"


def test_both_signs_of_a_direction_have_top_tokens(tmp_path):
    """One coordinate that is large on token 5 and small on token 6: two features of one token."""
    token = np.flatnonzero(~TOKENS["special"].to_numpy())
    ids = np.arange(800) % 20 + 10
    ids[token[::3]], ids[token[1::3]] = 5, 6
    x = np.zeros_like(X)
    x[::3, 2], x[1::3, 2] = 4 + RNG(0).random(200), -4 - RNG(0).random(200)
    tokens = TOKENS.set_column(2, "token_id", pa.array(ids))
    source = Captured(written(tmp_path, x, token), tokens)
    files = [metrics_file(tmp_path, "a", 1.0, 64)]
    chosen = {"tokens": 500, "fit": 500, "ranks": [], "seed": 0, "baselines": ["neurons"]}
    settings = {"splits": [{"share": 0.3, "seed": 5}], "metrics": chosen}
    (row,) = baselines_of(source, settings, files).to_pylist()
    assert row["top_token_share"] == 1
    few = {**settings, "metrics": {**chosen, "tokens": 15}}
    (row,) = baselines_of(source, few, files).to_pylist()
    assert row["top_token_share"] is None, "no feature has 20 active tokens"


@pytest.mark.parametrize("value", [0.0, 0.1], ids=["zeros", "constant"])
def test_tokens_that_do_not_vary_have_a_table(tmp_path, value):
    """There is no share of a variance that is zero, and nothing to find."""
    token = np.flatnonzero(~TOKENS["special"].to_numpy())
    same = np.full_like(X, value)
    chosen = {"tokens": 500, "fit": 500, "ranks": [], "seed": 0, "baselines": list(BASELINES)}
    settings = {"splits": [{"share": 0.3, "seed": 5}], "metrics": chosen}
    files = [metrics_file(tmp_path, "a", 3.0, 64)]
    source = Captured(written(tmp_path, same, token, parts=2), TOKENS)
    rows = baselines_of(source, settings, files).to_pylist()
    assert [row["method"] for row in rows] == ["pca", "neurons", "random"]
    for row in rows:
        assert row["fvu"] is None and row["mse"] < 1e-12, row


def test_every_name_is_a_function():
    for name in BASELINES:
        assert callable(pick(BASELINES, name, "Baseline"))
