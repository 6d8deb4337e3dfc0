"""The screen on a torch device: the bytes of the processor's screens, whatever the device is."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from covering import pairs
from encoders import STORED, agrees, draw, make_encoder, same
from saegrid.base.tensors import widen
from saegrid.codes import screen as screens
from saegrid.codes.device import DeviceScreen, arrange, free_mb, kind, pairwise
from saegrid.codes.encode import DEVICE, encode, place
from saegrid.codes.exact import dots

CUDA = pytest.param(
    "cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
)
DEVICES = ["cpu", CUDA]


CASES = pairs([None, 9], list(STORED), ["float32", "float16", "bfloat16"], [(64, 500), (4096, 130)])


def test_every_two_choices_meet():
    for i, j in combinations(range(4), 2):
        met = {(case[i], case[j]) for case in CASES}
        assert len(met) == len({case[i] for case in CASES}) * len({case[j] for case in CASES})
    assert len(CASES) < 12


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("k", "stored", "held", "sizes"), CASES)
def test_the_same_bytes_as_on_the_processor(device, k, stored, held, sizes):
    d_model, d_sae = sizes
    x, weights = draw(2, 90, d_model, d_sae)
    x = screens.narrow(x) if held == "bfloat16" else x.astype(STORED[held])
    encoder = make_encoder(weights, stored, threshold=2.0, k=k)
    token = np.arange(90) * 2
    expected = encode(x, token, encoder)
    agrees(expected, encoder, x)
    for options in (
        {},
        {"screen": "float32", "feature_block": 33, "token_tile": 7},
        {"threads": 3, "feature_block": 64, "token_tile": 50},
    ):
        assert same(expected, encode(x, token, encoder, device=device, **options)), options


@pytest.mark.parametrize("device", DEVICES)
def test_tiny_and_large_numbers(device):
    """Rows and weights over twelve orders of magnitude, a row and a feature of zeros among them."""
    rng = np.random.default_rng(5)
    x, weights = draw(5, 60, 96, 200)
    x *= rng.choice([1e-30, 1e-6, 1, 1e6], (60, 1)).astype(np.float32)
    weights *= rng.choice([1e-9, 1e-3, 1], (200, 1)).astype(np.float32)
    x[7], weights[11] = 0, 0
    for threshold, k in [(1e-38, None), (0.0, None), (1.0, None), (1.0, 5)]:
        encoder = make_encoder(weights, "bfloat16", threshold=threshold, k=k)
        expected = encode(x, np.arange(60), encoder)
        assert len(expected.data)
        found = encode(x, np.arange(60), encoder, device=device, feature_block=70, token_tile=9)
        assert same(expected, found)


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_to_encode(device):
    encoder = make_encoder(np.ones((3, 4), np.float32))
    features = encode(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), encoder, device=device)
    assert features.indptr.tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("device", DEVICES)
def test_what_is_not_finite_stops(device):
    x, weights = draw(8, 10, 8, 4)
    x[6, 2], x[8, 1] = np.nan, np.inf
    with pytest.raises(ValueError, match=r"L3R: x must be finite; row 6 \(token 106\)"):
        encode(x, np.arange(10) + 100, make_encoder(weights), name="L3R", device=device)
    weights[3, 1] = np.inf
    with pytest.raises(ValueError, match="SAE: encoder rows must be finite; feature 3 holds NaN"):
        encode(x[:6], np.arange(6), make_encoder(weights, "bfloat16"), device=device)


@pytest.mark.parametrize("device", DEVICES)
@given(seed=st.integers(0, 2**32 - 1), d_model=st.integers(1, 300))
@settings(max_examples=20, deadline=None)
def test_products_keep_their_bounds(device, seed, d_model):
    rng = np.random.default_rng(seed)
    wild = rng.choice([1e-3, 1.0, 1e3], (40, d_model)) * rng.choice([1e-6, 1.0, 1e6], (40, 1))
    x = (rng.standard_normal((40, d_model)) * wild).astype(np.float32)
    weights = screens.narrow(rng.standard_normal((30, d_model)) * rng.choice([1e-4, 1.0], (30, 1)))
    for form in ("bfloat16", "float32"):
        screen = DeviceScreen(arrange(x, 64, device), form)
        buffer = screen.buffer(30, weights.dtype)
        buffer.host[:] = weights
        sent = screen.send(buffer, 30)
        exact = widen(weights).astype(np.float64) @ x[screen.activations.order].T.astype(np.float64)
        norms = screen.norms(sent)
        assert (norms >= np.linalg.norm(widen(weights).astype(np.float64), axis=1)).all()
        y = screen.product(screen.hold(sent), slice(0, 40))
        values = screen.values(y).astype(np.float64)
        bound = np.outer(norms, screen.error) + screen.rounding * np.abs(values)
        assert (np.abs(values - exact) <= bound + d_model * 2.0**-125).all()
        flat, picked = screen.pick(y, np.full(30, 0.1))
        assert set(np.flatnonzero(values > 0.1)) <= set(flat)
        assert picked.tolist() == values.ravel()[flat].tolist()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("d_model", [1, 7, 8, 15, 64, 129, 200, 384, 1000, 4096, 9001])
@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_exact_products_have_the_processors_bits(device, d_model, stored):
    rng = np.random.default_rng(d_model)
    x = rng.standard_normal((20, d_model)).astype(np.float32)
    if stored == "bfloat16":
        x = screens.narrow(x)
    screen = DeviceScreen(arrange(x, 20, device), "bfloat16")
    rows = screens.narrow(rng.standard_normal((30, d_model)))
    feature, row = rng.integers(0, 30, 600), rng.integers(0, 20, 600)
    expected = dots(rows, widen(x[screen.activations.order]), feature, row)
    there = torch.from_numpy(rows.view(np.int16)).view(torch.bfloat16).to(device)
    assert screen.dots(there, feature, row).tobytes() == expected.tobytes()


@pytest.mark.parametrize("device", DEVICES)
def test_sums_are_numpys_sums(device):
    """The lengths are all up to a few leaves of its tree, and model widths."""
    rng = np.random.default_rng(0)
    for n in [*range(0, 300), 768, 2304, 4096, 5120]:
        terms = rng.standard_normal((5, n)) * 10.0 ** rng.integers(-8, 8, (5, n))
        found = pairwise(torch.from_numpy(terms).to(device)).cpu().numpy()
        np.testing.assert_array_equal(found, np.add.reduce(terms, axis=1), strict=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_a_card_is_used_within_its_memory():
    x, weights = draw(3, 2000, 4096, 3000)
    encoder = make_encoder(weights, "bfloat16", threshold=2.0)
    torch.cuda.reset_peak_memory_stats()
    lines = []
    found = encode(x, np.arange(2000), encoder, device="cuda", tell=lines.append)
    assert same(found, encode(x, np.arange(2000), encoder))
    assert torch.cuda.max_memory_allocated() < free_mb("cuda") * 1e6
    assert "on cuda" in lines[0]


def test_where_a_job_multiplies():
    assert place(0) is None
    assert place(1) == ("cuda" if torch.cuda.is_available() else None)


@pytest.mark.parametrize(
    ("named", "device"), [("", "cuda"), ("auto", "cuda"), ("mps", "cuda"), ("cuda:1", "cuda:1")]
)
def test_a_job_multiplies_on_the_gpu_of_the_model(monkeypatch, named, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv(DEVICE, named)
    assert place(1) == device
    assert place(0) is None
    half, other = (make_encoder(np.ones((3, 4)), dtype) for dtype in ("bfloat16", "float16"))
    assert [kind("auto", half), kind("float32", half)] == ["bfloat16", "float32"]
    assert kind("auto", other) == "float32"
