"""Encoders of drawn weights, and codes beside a dense float64 reference."""

import numpy as np

from saegrid.base.tensors import widen
from saegrid.codes import screen as screens
from saegrid.codes.sparse import Features
from saegrid.saes import sae as saes
from saegrid.saes.sae import Encoder

STORED = {"float32": np.float32, "float16": np.float16, "bfloat16": None}


def make_encoder(
    weights: np.ndarray, dtype: str = "float32", threshold: float = 1.0, k: int | None = None
) -> Encoder:
    """An encoder with scales away from one and biases away from zero."""
    d_sae, d_model = weights.shape
    narrowed = screens.narrow(weights) if dtype == "bfloat16" else weights.astype(STORED[dtype])
    rng = np.random.default_rng(d_sae)
    return Encoder(
        d_model,
        d_sae,
        rng.uniform(0.5, 2, d_sae),
        rng.normal(0, 0.1, d_sae),
        None if k else np.full(d_sae, threshold),
        k,
        dtype,
        lambda start, stop: narrowed[start:stop],
    )


def draw(seed: int, tokens: int, d_model: int, d_sae: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations with one outlier and weights of norm about one."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((tokens, d_model)).astype(np.float32)
    x[tokens // 2] *= 300
    return x, (rng.standard_normal((d_sae, d_model)) / np.sqrt(d_model)).astype(np.float32)


def dense(features: Features) -> np.ndarray:
    """z (captured token, d_sae)."""
    z = np.zeros((len(features.token), features.d_sae), dtype=np.float32)
    z[np.searchsorted(features.token, features.indices), features.owners()] = features.data
    return z


def same(one: Features, other: Features) -> bool:
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def agrees(features: Features, encoder: Encoder, x: np.ndarray) -> None:
    """Masks are equal outside a millionth of the threshold, values within a millionth."""
    pre = saes.pre_activations(encoder, widen(x))
    z, expected = dense(features), saes.gate(encoder, pre)
    differs = (z > 0) != (expected > 0)
    if encoder.k is None:
        differs &= np.abs(pre - encoder.threshold) >= 1e-6 * encoder.threshold
    assert not differs.any()
    both = (z > 0) & (expected > 0)
    assert both.any()
    np.testing.assert_allclose(z[both], expected[both], rtol=1e-6)
