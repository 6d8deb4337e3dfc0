"""Checkpoints of one file for tests of the cache, in modules that import at once: the processes of
a test are many."""

import numpy as np

from loopback import COMMIT
from saegrid.saes.cache import name_of
from saegrid.saes.cache.download import describe

REPO = "some/saes"
SIZE = 100_000
"""Bytes of a checkpoint made of zeros and ones."""


def noise(seed, size=SIZE):
    return np.random.default_rng(seed).bytes(size)


def wanted(name):
    """Name in the cache and files of the checkpoint that is one file in a folder."""
    return (
        name_of(REPO, name, COMMIT, ["w"]),
        lambda: {"w": describe(REPO, f"{name}/w", COMMIT)},
    )
