"""SAEs in memory, and tokens to measure them on."""

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.saes.norms import row_norms
from saegrid.saes.sae import SAE, Decoder, Encoder

RNG = np.random.default_rng


def sae_of(W_enc, b_enc, W_dec, b_dec, k=None, threshold=0.0, unit=False):
    """An SAE in memory; rows (feature, d_model)."""
    W_enc, W_dec = np.asarray(W_enc, np.float32), np.asarray(W_dec, np.float32)
    m, d = W_enc.shape
    gate = None if k else np.full(m, threshold)
    encoder = Encoder(
        *(d, m, np.ones(m), np.asarray(b_enc, np.float64), gate, k, "float32"),
        lambda start, stop: W_enc[start:stop],
    )
    decoder = Decoder(d, m, lambda f: W_dec[f], lambda: row_norms(W_dec))
    return SAE(encoder, decoder, np.asarray(b_dec, np.float64), unit=unit)


def random_sae(d=16, m=64, k=5, seed=0):
    rng = RNG(seed)
    W = rng.normal(size=(m, d)) / np.sqrt(d)
    return sae_of(W, rng.normal(size=m) / 8, W, rng.normal(size=d), k)


def identity_sae(d):
    """x = relu(x) - relu(-x)."""
    both = np.concatenate([np.eye(d), -np.eye(d)])
    return sae_of(both, np.zeros(2 * d), both, np.zeros(d))


def zero_sae(d):
    return sae_of(np.eye(d), np.full(d, -1e30), np.eye(d), np.zeros(d))


X = RNG(7).normal(size=(600, 16)).astype(np.float32) * 3 + 1
"""Tokens (token, d_model)."""


def written(tmp_path, x, token, parts=1):
    paths = []
    for number, chosen in enumerate(np.array_split(np.arange(len(x)), parts)):
        path = tmp_path / f"shard-{number}.safetensors"
        io.write_tensors(path, {"x": x[chosen], "token": token[chosen]})
        paths.append(path)
    return paths


ROW = np.repeat(np.arange(200), 4)
TOKENS = pa.table(
    {
        "row": ROW.astype(np.int32),
        "group": ROW.astype(np.int32),
        "token_id": RNG(0).integers(3, 60, 800).astype(np.int32),
        "special": np.tile([True, False, False, False], 200),
    }
)
