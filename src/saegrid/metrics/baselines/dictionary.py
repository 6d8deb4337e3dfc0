"""A random dictionary with as many directions as the SAE."""

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array, vstack

from saegrid.metrics.baselines.fit import Described, Fit, Wanted
from saegrid.metrics.decoder import random_rows
from saegrid.saes.sae import blocks

TILE = 512
"""Number of tokens that are multiplied with the dictionary at a time."""
DEFINITION = (
    "x_hat = mean + g sum of z_i d_i, d_i the Gaussian unit rows of a seeded dictionary of the "
    "SAE's size, z_i = d_i . (x - mean) where it is positive and among the k largest of a token, "
    "else 0; g = {:.4g} leaves the least error on a sample of the training tokens"
)


def dictionary(fit: Fit, wanted: list[Wanted]) -> Iterator[Described]:
    """Descriptions of L0 k by d_sae random directions."""
    for one in wanted:
        rows = random_rows(one.d_sae, fit.d_model, fit.seed)
        x, r = fit.sample - fit.mean, np.empty(fit.sample.shape)
        for start, stop in blocks(len(x), TILE):
            r[start:stop] = largest_products(x[start:stop], rows, one.k) @ rows
        power = float(np.einsum("td,td->", r, r))
        g = float(np.einsum("td,td->", x, r)) / power if power else 0.0

        def describe(
            x: np.ndarray, rows: np.ndarray = rows, k: int = one.k, g: float = g
        ) -> tuple[np.ndarray, csr_array]:
            parts = [largest_products(x[a:b] - fit.mean, rows, k) for a, b in blocks(len(x), TILE)]
            x_hat = np.concatenate([fit.mean + g * (z @ rows) for z in parts])
            return x_hat, vstack(parts)

        yield Described(one, len(rows), describe, DEFINITION.format(g))


def largest_products(x: np.ndarray, rows: np.ndarray, k: int) -> csr_array:
    """Codes z (token, direction) float64: the k largest positive products of each token."""
    z = x.astype(np.float32) @ rows.T
    k = min(k, z.shape[1])
    column = np.sort(np.argpartition(-z, k - 1, axis=1)[:, :k], axis=1)
    value = np.maximum(np.take_along_axis(z, column, axis=1), 0).astype(np.float64)
    indptr = np.arange(len(x) + 1) * k
    codes = csr_array((value.ravel(), column.ravel(), indptr), shape=z.shape)
    codes.eliminate_zeros()
    return codes
