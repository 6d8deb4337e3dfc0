"""A small world of labelled texts with a planted latent, and the probes of its sites."""

from functools import cache

import numpy as np
from scipy import sparse

from saegrid.evidence.probes import reported
from saegrid.evidence.probes.labelled import Described
from saegrid.evidence.probes.problem import folds
from saegrid.evidence.probes.representations.pca import components

SETTINGS = {
    "methods": ["l2", "l1", "unpenalised"], "ks": [1, 5], "draws": 40,
    "shuffles": 1, "controls": 4, "orders": 1, "seed": 0,
}  # fmt: skip
N, D = 60, 40
SITES = ("L0M", "L0N")


def described(site: str):
    """Descriptions of a site: of L0M x, its components, codes of a cell that has the latent and of
    one that has not, and random codes; of L0N x alone, which says nothing."""
    rng = np.random.default_rng(0)
    latent = rng.permutation(np.repeat([0.0, 1.0], N // 2))
    size = latent * (1 + rng.random(N))
    direction = rng.standard_normal(D)
    lost = rng.standard_normal((N, D))
    x = lost + 2 * np.outer(size, direction)
    if site == "L0N":
        yield latent, Described("x", site, None, "mean", rng.standard_normal((N, 10)))
        return
    noise = rng.random((N, 16)) * (rng.random((N, 16)) < 0.2)
    z = noise.copy()
    z[:, 7] = size
    x_hat = (2 * np.outer(size, direction)).astype(np.float32)
    other = (0.3 * lost).astype(np.float32)
    yield latent, Described("x", site, None, "mean", x)
    yield latent, Described("pca", site, None, "mean", lambda split: components(x, split.train))
    for cell, codes, back in (("L0M-8x", z, x_hat), ("L0M-frozen", noise, other)):
        columns = sparse.csc_matrix(codes)
        yield latent, Described("codes", site, cell, "mean", columns, back)
    random = sparse.csc_matrix(rng.random((N, 10)) * (rng.random((N, 10)) < 0.2))
    yield latent, Described("random", site, "L0M-8x", "mean", random)


@cache
def tables(site: str):
    """The tables of a site by name."""
    both = list(described(site))
    y, type = both[0][0], np.arange(N)
    of = reported.asked(y, type, folds(type, y, 3, 0, "readout"), SETTINGS)
    return reported.tables(of, [one for _, one in both])
