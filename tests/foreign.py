"""Tensors of SAEs in the layouts of other libraries, and the formulas of these in numpy."""

import json

import numpy as np

D, F = 8, 32
X = np.random.default_rng(11).normal(size=(200, D)) * 2


def tensors(seed=3, d_out=D):
    """Tensors in the orientation of Gemma Scope, float32, with decoder rows of many norms."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(F, d_out)) * rng.uniform(0.2, 3, (F, 1))
    values = {
        "W_enc": rng.normal(size=(D, F)) / 2,
        "W_dec": rows,
        "b_enc": rng.normal(size=F) / 4,
        "b_dec": rng.normal(size=d_out),
        "threshold": rng.uniform(-0.3, 1.5, F),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


def relu(x):
    return np.maximum(x, 0)


def jump(pre, threshold):
    """ReLU, then the gate: strictly above the threshold."""
    return np.where(pre > threshold, relu(pre), 0)


def topk(pre, k):
    """ReLU, then the k largest of each token."""
    out = np.zeros_like(pre)
    best = np.argsort(-relu(pre), axis=1, kind="stable")[:, :k]
    np.put_along_axis(out, best, np.take_along_axis(relu(pre), best, 1), 1)
    return out


def write_json(path, facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def wide(values):
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def agree(sae, z, x_hat, x=X):
    """The codes and the reconstruction of an SAE are these, and the same entries are active."""
    from saegrid.saes.sae import as_written, decode, encode

    codes = encode(sae.encoder, x)
    np.testing.assert_array_equal(codes > 0, z > 0)
    np.testing.assert_allclose(codes, z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(as_written(sae, x, decode(sae, codes)), x_hat, rtol=1e-5, atol=1e-5)
    blocks = [sae.encoder.rows(start, start + 5) for start in range(0, sae.encoder.d_sae, 5)]
    whole = np.concatenate(blocks)
    np.testing.assert_array_equal(whole, sae.encoder.rows(0, sae.encoder.d_sae))
    out = np.empty((7, sae.encoder.d_model), sae.encoder.stored)
    np.testing.assert_array_equal(sae.encoder.rows(3, 9, out), whole[3:9])
    picked = sae.decoder.rows(np.array([4, 0]))
    np.testing.assert_allclose(np.linalg.norm(picked, axis=1), sae.decoder.norms[[4, 0]], rtol=1e-6)
