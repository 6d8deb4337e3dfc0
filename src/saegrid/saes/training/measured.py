"""The health of an SAE on activations: named numbers in float64."""

from typing import Any

import numpy as np

from saegrid.saes.sae import SAE, blocks, decode, encode

DEFINITIONS = {
    "fvu": "sum |x - x_hat|^2 / sum |x - mean(x)|^2 over the tokens",
    "l0": "mean number of features with z > 0 of a token",
    "dead_rate": "share of the features with z = 0 at every one of the tokens",
}


def health(sae: SAE, x: np.ndarray) -> dict[str, Any]:
    """The fvu, l0 and dead_rate of an SAE on raw activations x (token, d_model).

    Each has its value, n (tokens) and definition. The share of dead features falls with n, so that
    it compares at equal n only.
    """
    x = np.asarray(x, np.float64)
    left, active, alive = 0.0, 0, np.zeros(sae.encoder.d_sae, bool)
    for start, stop in blocks(len(x), 512):
        z = encode(sae.encoder, x[start:stop])
        left += float(np.square(x[start:stop] - decode(sae, z)).sum())
        active += int(np.count_nonzero(z))
        alive |= (z > 0).any(axis=0)
    total = float(np.square(x - x.mean(axis=0)).sum())
    values = {
        "fvu": left / total if total > 0 else 0.0,
        "l0": active / len(x),
        "dead_rate": float(1 - alive.mean()),
    }
    return {
        name: {"value": value, "n": len(x), "definition": DEFINITIONS[name]}
        for name, value in values.items()
    }
