"""Whitening: a covariance that becomes the identity, and an SAE that learns to do without it."""

import numpy as np
import pytest

from saegrid.saes.training.whiten import Affine, Moments, fold_affine, moments_of, whitening


@pytest.fixture
def x():
    rng = np.random.default_rng(0)
    return rng.normal(size=(4000, 12)) @ rng.normal(size=(12, 12)) + 50 * rng.normal(size=12)


def test_moments_of_parts_are_those_of_the_whole(x):
    whole = Moments.of(x)
    np.testing.assert_allclose(whole.covariance, np.cov(x.T, bias=True), rtol=1e-10)
    for cuts in ([7], [1, 2, 3, 1999], list(range(100, 4000, 100))):
        found = moments_of(np.split(x, cuts), 12)
        assert found.n == 4000
        np.testing.assert_allclose(found.mean, whole.mean, rtol=1e-13)
        np.testing.assert_allclose(found.scatter, whole.scatter, rtol=1e-10, atol=1e-8)
    assert moments_of([], 12).n == 0


@pytest.mark.parametrize("kind", ["zca", "pca"])
def test_the_covariance_becomes_the_identity(x, kind):
    affine = whitening(Moments.of(x), kind, ridge=0.0)
    white = Moments.of((x - affine.mean) @ affine.A.T)
    np.testing.assert_allclose(white.covariance, np.eye(12), atol=1e-9)
    np.testing.assert_allclose(white.mean, 0, atol=1e-9)
    single = affine(x.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, (x - affine.mean) @ affine.A.T, atol=2e-3)
    if kind == "zca":
        np.testing.assert_allclose(affine.A, affine.A.T, atol=1e-10)


def test_a_known_whitening():
    """Variances 4 and 9 along the axes: ZCA divides by 2 and 3; the ridge adds to both."""
    found = Moments(10, np.array([1.0, 2.0]), np.diag([40.0, 90.0]))
    zca = whitening(found, "zca", ridge=0.0)
    np.testing.assert_allclose(zca.A, np.diag([1 / 2, 1 / 3]))
    np.testing.assert_allclose(zca(np.array([[3.0, 5.0]])), [[1, 1]])
    pca = whitening(found, "pca", ridge=0.0)
    np.testing.assert_allclose(pca.A, [[0, 1 / 3], [1 / 2, 0]])
    ridge = whitening(found, "zca", ridge=2 / 6.5)  # 2 on each
    np.testing.assert_allclose(ridge.A, np.diag([6**-0.5, 11**-0.5]))


def test_a_space_that_is_not_filled_is_told():
    few = Moments.of(np.eye(3)[:2])
    with pytest.raises(ValueError, match="2 tokens of 3 channels do not fill their space"):
        whitening(few, "zca", ridge=0.0)
    assert np.isfinite(whitening(few, "zca", ridge=0.1).A).all()
    with pytest.raises(ValueError, match="expected zca or pca"):
        whitening(few, "cholesky")


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("apply_b_dec_to_input", [True, False])
def test_a_folded_sae_gives_the_same_codes_and_leads_back(x, apply_b_dec_to_input, unit):
    """Codes grow by the norms that decoder rows have among raw activations, if these are folded."""
    rng = np.random.default_rng(1)
    affine = whitening(Moments.of(x), "pca")
    sae = {
        "W_enc": rng.normal(size=(12, 40)),
        "b_enc": rng.normal(size=40),
        "W_dec": rng.normal(size=(40, 12)),
        "b_dec": rng.normal(size=12),
        "threshold": rng.random(40),
    }

    def run(tensors, x):
        moved = x - tensors["b_dec"] if apply_b_dec_to_input else x
        pre = moved @ tensors["W_enc"] + tensors["b_enc"]
        z = pre * (pre > tensors["threshold"])
        return z, z @ tensors["W_dec"] + tensors["b_dec"]

    z, found = run(sae, (x - affine.mean) @ affine.A.T)
    folded = fold_affine(sae, affine, apply_b_dec_to_input, unit)
    z_folded, found_folded = run(folded, x)
    norms = np.linalg.norm(np.linalg.inv(affine.A) @ sae["W_dec"].T, axis=0) if unit else 1.0
    np.testing.assert_allclose(z_folded, z * norms, rtol=1e-6, atol=1e-6 * z_folded.max())
    back = found @ np.linalg.inv(affine.A).T + affine.mean
    np.testing.assert_allclose(found_folded, back, rtol=1e-6, atol=1e-6 * np.abs(back).max())
    np.testing.assert_allclose(folded["threshold"], sae["threshold"] * norms)
    if unit:
        np.testing.assert_allclose(np.linalg.norm(folded["W_dec"], axis=1), 1)
    single = {name: value.astype(np.float32) for name, value in sae.items()}
    found = fold_affine(single, affine, apply_b_dec_to_input, unit)
    assert {v.dtype for v in found.values()} == {np.dtype(np.float32)}
    same = fold_affine(sae, Affine(np.eye(12), np.zeros(12)), apply_b_dec_to_input)
    assert all(np.allclose(same[name], sae[name]) for name in sae)


def test_a_row_of_zeros_stays_one():
    sae = {"W_enc": np.eye(2), "b_enc": np.ones(2), "W_dec": np.diag([3.0, 0.0])}
    folded = fold_affine(sae | {"b_dec": np.zeros(2)}, Affine(np.eye(2), np.zeros(2)), True, True)
    np.testing.assert_array_equal(folded["W_dec"], np.diag([1.0, 0.0]))
    np.testing.assert_array_equal(folded["b_enc"], [3.0, 1.0])
