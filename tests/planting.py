"""Small planted activations and quick trainings on them."""

import numpy as np

from saegrid.base.words import Site
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array

D_MODEL, PLANTED = 32, 64
SITE = Site(1, "R")
SHORT = {"steps": 30, "batch": 256, "log_every": 10}
QUICK = {
    "batchtopk": SHORT | {"k": 4},
    "jumprelu": SHORT | {"l0": 4.0},
    "jumprelu_tanh": SHORT | {"lr": 4e-3},
    "relu_kl": SHORT | {"rho": 0.03},
    "relu_l1": SHORT | {"l1": 2.0, "lr": 4e-3},
    "scaling": SHORT | {"l1": 2.0, "lr": 4e-3},
    "tied": SHORT | {"epochs": 0, "patience": 0, "validate_every": 20},
    "topk": SHORT | {"k": 4},
    "topk_relu": SHORT | {"k": 4, "lr": 4e-3},
}
"""Settings of short trainings, by recipe."""


def planted(n=20_000, seed=0):
    """Tokens that are sums of four of 64 directions, and the directions."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(PLANTED, D_MODEL))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen = np.argsort(rng.random((n, PLANTED)), axis=1)[:, :4]
    weights = rng.uniform(1, 3, (n, 4))
    x = np.einsum("tk,tkd->td", weights, directions[chosen]) + 0.5
    return (x + 0.02 * rng.normal(size=x.shape)).astype(np.float32), directions


X, DIRECTIONS = planted()


def quick(recipe="topk", x=X, seed=0, order_seed=0, **settings):
    """A short training of a recipe."""
    told = QUICK[recipe] | settings
    stream = of_array(x, told.get("hold_out", 0.1), order_seed)
    return train(stream, recipe, told, expansion=4, seed=seed, order_seed=order_seed, site=SITE)


def same(a, b):
    """Whether the tensors of two trainings have the same bytes."""
    return {n: v.tobytes() for n, v in a.tensors.items()} == {
        n: v.tobytes() for n, v in b.tensors.items()
    }
