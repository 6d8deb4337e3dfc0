"""Small planted activations and quick trainings on them."""

import numpy as np

from recipes import QUICK
from saegrid.base.words import Site
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array

D_MODEL, PLANTED = 32, 64
SITE = Site(1, "R")


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
