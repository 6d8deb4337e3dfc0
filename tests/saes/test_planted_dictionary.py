"""A planted dictionary of 512 features in 64 dimensions is found."""

import numpy as np
import pytest

from saegrid.base.words import Site
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_array


def found(directions, rows):
    """Mean over the directions of the largest cosine with a row."""
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return (directions @ rows.T).max(axis=1).mean()


@pytest.mark.slow
def test_topk_finds_512_planted_features():
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(512, 64))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    chosen, weights = rng.integers(0, 512, (60_000, 4)), rng.uniform(1, 3, (60_000, 4))
    x = np.einsum("tk,tkd->td", weights, directions[chosen])
    x = (x + 0.02 * rng.normal(size=x.shape)).astype(np.float32)
    told = {"k": 4, "batch": 256}
    trained = train(of_array(x, 0.1, 0), "topk", told, expansion=16, site=Site(0, "R"))
    assert found(directions, rng.normal(size=(1024, 64))) < 0.5
    assert found(directions, trained.tensors["W_dec"]) >= 0.95
    assert trained.health["fvu"]["value"] < 0.2
