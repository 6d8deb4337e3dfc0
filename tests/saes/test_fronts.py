"""Normalisations of a token before the encoder: known answers, and encoding with them."""

from dataclasses import replace

import numpy as np
import pytest

from encoders import STORED, dense, draw, make_encoder, same
from saegrid.base.tensors import widen
from saegrid.codes import screen as screens
from saegrid.codes.encode import encode
from saegrid.saes.fronts import CONSTANT_NORM, LAYER_NORM, RMS_NORM
from saegrid.saes.sae import as_read, gate


def test_layer_norm_of_a_token():
    """(1, 2, 3, 6): mean 3, squares 4 + 1 + 0 + 9 over n - 1 = 3: deviation sqrt(14 / 3)."""
    x = np.array([[1.0, 2, 3, 6], [10, 20, 30, 60]])
    normal = LAYER_NORM.apply(x)
    deviation = np.sqrt(14 / 3)
    np.testing.assert_allclose(normal[0], np.array([-2, -1, 0, 3]) / (deviation + 1e-5), rtol=1e-7)
    assert normal.dtype == np.float32
    # What comes out is multiplied with the deviation alone, so that 1e-5 is not made good.
    undone = LAYER_NORM.undo(x, normal.astype(np.float64))
    np.testing.assert_allclose(undone[0] - 3, np.array([-2, -1, 0, 3]) * (1 - 4.629e-6), rtol=1e-6)


def test_a_constant_token_has_no_deviation():
    assert LAYER_NORM.apply(np.full((1, 4), 7.0)).tolist() == [[0.0] * 4]
    assert LAYER_NORM.undo(np.full((1, 4), 7.0), np.ones((1, 4))).tolist() == [[7.0] * 4]


def test_constant_norm_of_a_token():
    """(3, 4, 0, 0) has norm 5 and gets norm 2, and back."""
    x = np.array([[3.0, 4, 0, 0]])
    np.testing.assert_allclose(CONSTANT_NORM.apply(x), [[1.2, 1.6, 0, 0]], rtol=1e-7)
    np.testing.assert_allclose(
        CONSTANT_NORM.undo(x, np.array([[1.2, 1.6, 0, 1]])), [[3, 4, 0, 2.5]]
    )


def test_root_mean_square_of_a_token():
    """(1, 7) has the mean square 25; 1e-6 is added to it, which small tokens show."""
    x = np.array([[1.0, 7], [0, 0.001]])
    expected = [[0.2, 1.4], [0, 0.001 / np.sqrt(1.5e-6)]]
    np.testing.assert_allclose(RMS_NORM.apply(x), expected, rtol=1e-7)
    np.testing.assert_allclose(RMS_NORM.undo(x, RMS_NORM.apply(x)), x, rtol=1e-6)


@pytest.mark.parametrize("front", [LAYER_NORM, CONSTANT_NORM, RMS_NORM])
def test_a_token_alone_decides_on_its_bits(front):
    x = np.random.default_rng(0).normal(size=(700, 24))
    whole = front.apply(x)
    for part in (slice(0, 1), slice(255, 258), slice(513, 700)):
        assert front.apply(x[part]).tobytes() == whole[part].tobytes()
        np.testing.assert_array_equal(front.undo(x[part], x[part]), front.undo(x, x)[part])


def drawn(front, held="float32", k=None):
    """Activations, an encoder with a front, and z of the formula in float64."""
    x, weights = draw(11, 90, 64, 300)
    x = screens.narrow(x + 3) if held == "bfloat16" else (x + 3).astype(STORED[held])
    encoder = replace(make_encoder(weights * 8, "bfloat16", 2.0, k), front=front)
    wide = widen(x).astype(np.float64)
    if front is LAYER_NORM:
        wide = wide - wide.mean(axis=1, keepdims=True)
        wide = wide / (wide.std(axis=1, ddof=1, keepdims=True) + 1e-5)
    else:
        wide = wide / np.linalg.norm(wide, axis=1, keepdims=True) * 8
    pre = wide @ widen(encoder.rows(0, 300)).astype(np.float64).T
    return x, encoder, gate(encoder, pre * encoder.scale + encoder.bias)


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize("held", list(STORED))
@pytest.mark.parametrize("front", [LAYER_NORM, CONSTANT_NORM])
def test_codes_are_those_of_normalised_activations(front, held, k):
    x, encoder, expected = drawn(front, held, k)
    z = dense(encode(x, np.arange(90), encoder))
    np.testing.assert_array_equal(z > 0, expected > 0)
    np.testing.assert_allclose(z, expected, rtol=1e-5, atol=1e-6)
    plain = dense(encode(x, np.arange(90), replace(encoder, front=None)))
    assert not np.allclose(plain, expected, rtol=0.01)


@pytest.mark.parametrize("front", [LAYER_NORM, CONSTANT_NORM])
def test_no_option_changes_a_byte(front):
    x, encoder, _ = drawn(front)
    first = encode(x, np.arange(90), encoder)
    for options in (
        {"screen": "bfloat16"},
        {"screen": "float32", "threads": 2, "feature_block": 64, "token_tile": 7},
    ):
        assert same(first, encode(x, np.arange(90), encoder, **options)), options
    some = dense(encode(x[13:57], np.arange(13, 57), encoder))
    np.testing.assert_array_equal(some, dense(first)[13:57])


def test_what_is_not_finite_is_named():
    x, encoder, _ = drawn(LAYER_NORM)
    x[6, 2] = np.nan
    with pytest.raises(ValueError, match=r"x must be finite; row 6 \(token 6\)"):
        encode(x, np.arange(90), encoder)


def test_the_encoder_is_fed_what_the_front_gives():
    x, encoder, _ = drawn(CONSTANT_NORM)
    norms = np.linalg.norm(as_read(encoder, x), axis=1)
    np.testing.assert_allclose(norms, 8, rtol=1e-6)
