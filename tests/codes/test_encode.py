"""Encoding: equal to a float64 reference, and the same bytes however it is computed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders import STORED, agrees, dense, draw, make_encoder, same
from saegrid.base.tensors import widen
from saegrid.codes import screen as screens
from saegrid.codes.encode import encode
from saegrid.codes.exact import dots
from saegrid.codes.sparse import from_pairs, read_features, select, write_features
from saegrid.saes import sae as saes


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize("dtype", list(STORED))
@pytest.mark.parametrize(("d_model", "d_sae"), [(64, 500), (4096, 130)])
def test_agrees_with_the_float64_reference(
    d_model: int, d_sae: int, dtype: str, k: int | None
) -> None:
    x, weights = draw(1, 90, d_model, d_sae)
    encoder = make_encoder(weights, dtype, threshold=2.0, k=k)
    token = np.arange(90) * 3 + 5
    features = encode(x, token, encoder)
    agrees(features, encoder, x)
    assert set(features.indices) <= set(token)


@pytest.mark.parametrize("k", [None, 9])
@pytest.mark.parametrize(("d_model", "d_sae"), [(64, 500), (4096, 130)])
@pytest.mark.parametrize("held", ["float32", "float16", "bfloat16"])
def test_no_option_changes_a_byte(d_model: int, d_sae: int, held: str, k: int | None) -> None:
    x, weights = draw(2, 90, d_model, d_sae)
    x = screens.narrow(x) if held == "bfloat16" else x.astype(STORED[held])
    encoder = make_encoder(weights, "bfloat16", threshold=2.0, k=k)
    token = np.arange(90)
    first = encode(x, token, encoder)
    for options in (
        {"screen": "bfloat16"},
        {"screen": "bfloat16", "threads": 3, "feature_block": 64},
        {"threads": 2, "feature_block": 64, "token_tile": 7},
        {"feature_block": 128},
        {"feature_block": 33, "token_tile": 50},
        {"screen": "float32", "feature_block": 10_000},
    ):
        assert same(first, encode(x, token, encoder, **options)), options


@pytest.mark.parametrize("screen", ["float32", "bfloat16"])
def test_values_at_the_threshold(screen: str) -> None:
    """Many entries within one part in ten thousand of the threshold, some equal to it."""
    x, weights = draw(3, 80, 64, 200)
    x[:8] = np.eye(8, 64, dtype=np.float32)
    encoder = make_encoder(weights, "bfloat16", threshold=1.0)
    pre = saes.pre_activations(encoder, x)
    rng = np.random.default_rng(0)
    near = pre[rng.integers(0, 80, 200), np.arange(200)]
    near = np.where(near > 0, near * (1 + rng.uniform(-1e-4, 1e-4, 200)), 1.0)
    exact = pre[0] > 0  # one product, exact in float64: z == threshold is decided by `>` alone
    near[exact] = pre[0][exact].astype(np.float32)
    encoder = replace(encoder, threshold=near)
    features = encode(x, np.arange(80), encoder, screen=screen)
    agrees(features, encoder, x)
    assert exact.sum() > 50
    assert not dense(features)[0][exact].any()
    below = replace(encoder, threshold=np.nextafter(near.astype(np.float32), np.float32(0)))
    assert dense(encode(x, np.arange(80), below, screen=screen))[0][exact].all()


def test_a_bare_bfloat16_product_would_not_do() -> None:
    """The screen is wrong in places, so that the tests above test something."""
    x, weights = draw(4, 100, 4096, 200)
    encoder = make_encoder(weights, "bfloat16", threshold=1.5)
    screen = screens.Bfloat16Screen(screens.arrange(x, 200))
    y = screen.values(screen.product(encoder.rows(0, 200), slice(0, 100)))
    bare = encoder.scale[:, None] * y + encoder.bias[:, None] > encoder.threshold[:, None]
    order = screens.arrange(x, 200).order
    exact = dense(encode(x, np.arange(100), encoder))[order].T > 0
    assert 0.001 < (bare != exact).sum() / exact.sum() < 0.1


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_screens_keep_their_bounds(data: st.DataObject) -> None:
    """Every product is within the error bound, for any magnitudes of rows and weights."""
    seed, d_model = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(1, 300))
    rng = np.random.default_rng(seed)
    wild = rng.choice([1e-3, 1.0, 1e3], (40, d_model)) * rng.choice([1e-6, 1.0, 1e6], (40, 1))
    x = (rng.standard_normal((40, d_model)) * wild).astype(np.float32)
    weights = screens.narrow(rng.standard_normal((30, d_model)) * rng.choice([1e-4, 1.0], (30, 1)))
    activations = screens.arrange(x, 64)
    exact = widen(weights).astype(np.float64) @ activations.x.T.astype(np.float64)
    lengths = np.linalg.norm(widen(weights).astype(np.float64), axis=1)
    for kind in screens.SCREENS.values():
        screen = kind(activations)
        norms = screen.norms(weights)
        assert (norms >= lengths).all() and (norms <= 1.02 * lengths + d_model * 2.0**-59).all()
        y = screen.values(screen.product(screen.hold(weights), slice(0, 40))).astype(np.float64)
        bound = np.outer(norms, screen.error) + screen.rounding * np.abs(y) + d_model * 2.0**-125
        assert (np.abs(y - exact) <= bound).all()


@pytest.mark.parametrize("kind", list(screens.SCREENS))
def test_above_overlooks_nothing(kind: str) -> None:
    """The coarse test keeps whatever is above a cut, below zero and at zero too."""
    x, weights = draw(5, 60, 64, 80)
    screen = screens.SCREENS[kind](screens.arrange(x, 60))
    y = screen.product(screen.hold(screens.narrow(weights)), slice(0, 60))
    values = screen.values(y)
    for cut in (np.linspace(-2, 2, 80), np.full(80, 0.0), np.full(80, -np.inf), np.full(80, 0.7)):
        found = np.zeros(values.size, dtype=bool)
        found[screen.above(y, cut)] = True
        assert found[(values > cut[:, None]).ravel()].all()
        low = cut - 2.0**-6 * np.abs(cut) - 1e-6
        assert not found[(values < low[:, None]).ravel()].any()


def test_activations_stored_as_bfloat16_are_screened_as_they_are():
    x = np.random.default_rng(0).standard_normal((300, 96)).astype(np.float32)
    stored = screens.narrow(x)
    short = screens.Bfloat16Screen(screens.arrange(stored, 64))
    long = screens.Bfloat16Screen(screens.arrange(widen(stored), 64))
    assert short.x.equal(long.x)
    np.testing.assert_allclose(short.error, long.error, rtol=1e-12)


@pytest.mark.parametrize("d_model", [1, 2, 7, 64, 129, 384, 4096, 9001])
def test_an_exact_product_does_not_depend_on_its_neighbours(d_model: int) -> None:
    rng = np.random.default_rng(d_model)
    x = rng.standard_normal((20, d_model)).astype(np.float32)
    rows = screens.narrow(rng.standard_normal((30, d_model)))
    feature, row = rng.integers(0, 30, 600), rng.integers(0, 20, 600)
    together = dots(rows, x, feature, row)
    alone = [dots(rows, x, feature[i : i + 1], row[i : i + 1])[0] for i in range(600)]
    backwards = dots(rows, x, feature[::-1], row[::-1])[::-1]
    assert together.tobytes() == np.array(alone).tobytes() == backwards.tobytes()
    # Terms of bfloat16 numbers are the same whether float32 or float64 holds them.
    coarse = widen(screens.narrow(x))
    short, long = (dots(rows, coarse, feature, row, short) for short in (True, False))
    assert short.tobytes() == long.tobytes()


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_permuting_features_permutes_columns(seed: int) -> None:
    x, weights = draw(seed, 20, 16, 40)
    encoder = make_encoder(weights, threshold=0.8)
    order = np.random.default_rng(seed).permutation(40)
    moved = replace(
        encoder,
        scale=encoder.scale[order],
        bias=encoder.bias[order],
        read=lambda start, stop: weights[order][start:stop],
    )
    one, other = encode(x, np.arange(20), encoder), encode(x, np.arange(20), moved)
    assert dense(one)[:, order].tobytes() == dense(other).tobytes()


@pytest.mark.parametrize("k", [None, 5])
def test_halves_of_the_tokens_make_the_whole(k: int | None) -> None:
    x, weights = draw(6, 60, 32, 90)
    encoder, token = make_encoder(weights, threshold=0.8, k=k), np.arange(60) * 2
    halves = [encode(x[part], token[part], encoder) for part in (slice(0, 25), slice(25, 60))]
    joined = np.concatenate([dense(half) for half in halves])
    assert joined.tobytes() == dense(encode(x, token, encoder)).tobytes()


def test_top_k_ties_go_to_the_smaller_id() -> None:
    weights = np.zeros((6, 2), dtype=np.float32)
    weights[:, 0] = [1, 2, 1, 1, -1, 1]
    encoder = replace(make_encoder(weights, k=3), scale=np.ones(6), bias=np.zeros(6))
    x = np.array([[1.0, 0], [0, 1], [-1, 0]], dtype=np.float32)
    for block in (1, 2, 6):
        features = encode(x, np.array([4, 5, 6]), encoder, feature_block=block)
        np.testing.assert_array_equal(
            dense(features), [[1, 2, 1, 0, 0, 0], [0] * 6, [0, 0, 0, 0, 1, 0]]
        )


def test_a_feature_of_scale_zero_has_only_its_bias() -> None:
    x, weights = draw(7, 10, 8, 4)
    encoder = replace(
        make_encoder(weights, threshold=0.5),
        scale=np.zeros(4),
        bias=np.array([0.0, 0.5, 0.6, -1]),
    )
    z = dense(encode(x, np.arange(10), encoder))
    np.testing.assert_array_equal(z, np.tile(np.float32([0, 0, 0.6, 0]), (10, 1)))


def test_no_tokens_give_no_entries() -> None:
    encoder = make_encoder(np.ones((3, 4), np.float32))
    features = encode(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), encoder)
    assert features.indptr.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stops(value: float) -> None:
    x, weights = draw(8, 10, 8, 4)
    x[6, 2] = value
    with pytest.raises(ValueError) as error:
        encode(x, np.arange(10) + 100, make_encoder(weights), name="L3R")
    assert str(error.value) == (
        "L3R: x must be finite; row 6 (token 106) holds NaN or infinity. "
        "Capture in float32 or bfloat16, or exclude the text."
    )
    weights[3, 1] = value
    with pytest.raises(ValueError) as error:
        encode(x[:6], np.arange(6), make_encoder(weights, "bfloat16"))
    assert str(error.value).startswith("SAE: encoder rows must be finite; feature 3 holds NaN")


def test_what_does_not_fit_stops() -> None:
    x, weights = draw(9, 10, 8, 4)
    encoder, token = make_encoder(weights), np.arange(10)
    for arguments, message in (
        (
            (x[:, :7], token, encoder),
            "activations: x must be (token, 8) for this SAE; got (10, 7). "
            "Check that the SAE belongs to the model and the site.",
        ),
        (
            (x.astype(np.float64), token, encoder),
            "activations: x must be float32, float16 or bfloat16 (as uint16 bits); got float64. "
            "Capture again with one of these.",
        ),
        (
            (x, token[::-1], encoder),
            "activations: token must hold 10 ascending token indices, one a row of x; got shape "
            "(10,). The file is damaged; delete it and capture again.",
        ),
        (
            (x, token, replace(encoder, scale=np.array([1, -1.0, 1, 1]))),
            "SAE: scale must be finite and not negative; feature 1 has -1.0. "
            "The checkpoint is damaged.",
        ),
    ):
        with pytest.raises(ValueError) as error:
            encode(*arguments)
        assert str(error.value) == message
    with pytest.raises(ValueError, match=r"screen must be auto, float32 or bfloat16; got 'fast'\."):
        encode(x, token, encoder, screen="fast")
    with pytest.raises(ValueError, match=r"screen: bfloat16 needs an encoder stored as bfloat16"):
        encode(x, token, encoder, screen="bfloat16")


def test_a_screen_that_breaks_its_bound_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weights = draw(10, 30, 64, 40)
    honest = screens.Float32Screen.product
    monkeypatch.setattr(
        screens.Float32Screen, "product", lambda self, rows, tile: 1.01 * honest(self, rows, tile)
    )
    with pytest.raises(RuntimeError, match="Float32Screen is off by more than its error bound"):
        encode(x, np.arange(30), make_encoder(weights))


def test_features_survive_their_file(tmp_path: Path) -> None:
    x, weights = draw(11, 30, 64, 40)
    features = encode(x, np.arange(30), make_encoder(weights))
    path = tmp_path / "features.safetensors"
    write_features(path, features, "spec")
    first = path.read_bytes()
    assert same(features, read_features(path))
    write_features(path, features, "spec")
    assert path.read_bytes() == first


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    from saegrid.base import io

    features = from_pairs(np.array([1]), np.array([3]), np.array([2.0]), np.array([3, 4]), 5)
    path = tmp_path / "features.safetensors"
    io.write_tensors(path, features._asdict(), "", {"d_sae": "6", "n_tokens": "2"})
    with pytest.raises(ValueError) as error:
        read_features(path)
    assert str(error.value) == (
        f"{path}: the header says 2 tokens x 6 features, the tensors hold 2 x 5; "
        "delete the file and let the cell be encoded again."
    )


def test_sparse_triplets_and_selection() -> None:
    features = from_pairs(
        np.array([2, 0, 2]), np.array([7, 5, 5]), np.array([1.0, 2, 3]), np.array([5, 6, 7]), 4
    )
    assert features.indptr.tolist() == [0, 1, 1, 3, 3]
    assert features.indices.tolist() == [5, 5, 7]
    assert features.data.tolist() == [2, 3, 1]
    assert features.owners().tolist() == [0, 2, 2]
    assert [part.tolist() for part in features.of(2)] == [[5, 7], [3, 1]]
    assert select(features, features.indices == 5).indptr.tolist() == [0, 1, 1, 2, 2]
