"""The share of a planted dictionary that each recipe finds.

Tokens are sparse, non-negative sums of 512 known unit features, more than there are dimensions,
plus noise. The lines give the mean max cosine (the mean over planted features of the largest cosine
with a decoder row), the same of as many random rows, health, and seconds.

    python benchmarks/planted.py
    python benchmarks/planted.py --recipes topk scaling --tokens 100000
"""

import argparse
import contextlib
import io
import time

import numpy as np

from saegrid.base.words import Site
from saegrid.saes.training import RECIPES
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array

SETTINGS = {
    "batchtopk": {"k": 8},
    "jumprelu": {"l0": 8.0},
    "jumprelu_tanh": {"lr": 6e-3, "sparsity": 1.0, "init": "data"},
    "relu_kl": {"rho": 8 / 2048},
    "relu_l1": {"l1": 1.0, "lr": 2e-3},
    "scaling": {"l1": 1.0, "lr": 2e-3, "batch": 512},
    # A mean over features: 16 is 1.0 of a sum over them, at 16 times as many as dimensions.
    "tied": {
        "epochs": 0,
        "input_scale": "mean",
        "l1": 16.0,
        "patience": 0,
        "lr": 4e-3,
        "decay": 0.3,
        "init": "data",
    },
    "topk": {"k": 8},
    "topk_relu": {"k": 8, "lr": 2e-3, "input_scale": "mean", "decay": 0.3},
}
"""Settings of each recipe, without the number of steps."""


def planted(
    n: int, d_model: int, n_features: int, active: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Activations x (token, d_model) float32, and their planted directions (feature, d_model) of
    norm one."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(n_features, d_model))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = rng.integers(0, n_features, (n, active))
    weights = rng.uniform(1, 3, (n, active))
    x = np.empty((n, d_model), np.float32)
    for start in range(0, n, 8192):
        part = slice(start, start + 8192)
        x[part] = np.einsum("tk,tkd->td", weights[part], directions[chosen[part]])
    return x + rng.normal(size=x.shape).astype(np.float32) * 0.02, directions


def mean_max_cosine(directions: np.ndarray, rows: np.ndarray) -> float:
    """The mean over the directions of the largest cosine with a row."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-12)
    return float((directions @ rows.T).max(axis=1).mean())


def main() -> None:
    """Print a line a recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipes", nargs="+", default=sorted(RECIPES))
    parser.add_argument("--tokens", type=int, default=200_000)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--d-model", type=int, default=64)
    parser.add_argument("--features", type=int, default=512)
    parser.add_argument("--active", type=int, default=8, help="planted features of a token")
    parser.add_argument("--expansion", type=int, default=16)
    arguments = parser.parse_args()
    x, directions = planted(
        arguments.tokens, arguments.d_model, arguments.features, arguments.active
    )
    stream = of_array(x, 0.1, 0)
    random = np.random.default_rng(1).normal(
        size=(arguments.d_model * arguments.expansion, arguments.d_model)
    )
    print(f"random rows: mean max cosine {mean_max_cosine(directions, random):.3f}")
    for recipe in arguments.recipes:
        settings, began = SETTINGS[recipe] | {"steps": arguments.steps}, time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            trained = train(
                stream, recipe, settings, expansion=arguments.expansion, site=Site(0, "R")
            )
        numbers = "  ".join(f"{n} {entry['value']:.3f}" for n, entry in trained.health.items())
        cosine = mean_max_cosine(directions, trained.tensors["W_dec"])
        print(
            f"{recipe:14s} mean max cosine {cosine:.3f}  {numbers}  "
            f"{time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
