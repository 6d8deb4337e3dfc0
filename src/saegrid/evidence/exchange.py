"""Exchanges under a null hypothesis, as matrices of one column a permutation.

Whole originals move together: edits of one headline share what they replaced and how funny it is,
so that to move them singly makes too many discoveries (.44 to .67 family-wise in place of .05).
Column 0 is always the data as they are. The same arguments give the same matrix in every cell.
"""

import zlib
from collections.abc import Iterator

import numpy as np

BETWEEN, WITHIN, FLIPS = "between", "within", "flips"
SCHEMES = {
    BETWEEN: "labels of whole originals move between originals with as many texts, shuffled inside",
    WITHIN: "labels move between the texts of one original",
    FLIPS: "both sides of all pairs of an original change places together",
}
"""Schemes of exchange, in words."""
HELD = 1 << 22
"""Random numbers that are drawn at a time; it decides about no byte."""


def generator(seed: int, name: str) -> np.random.Generator:
    """The generator of random numbers of a purpose."""
    return np.random.Generator(np.random.PCG64([seed, zlib.crc32(name.encode())]))


def exchanged(
    cluster: np.ndarray, permutations: int, rng: np.random.Generator, between: bool = True
) -> np.ndarray:
    """(text, permutation + 1) int32: the text whose label each text has; column 0 the identity.

    between: clusters of equal size exchange their labels first. Then labels are shuffled inside
    each cluster.
    """
    out = np.empty((len(cluster), permutations + 1), np.int32)
    out[:, 0] = np.arange(len(cluster))
    for members in _by_size(cluster):
        n, size = members.shape
        if size == 1 and not between:
            out[members[:, 0], 1:] = members
            continue
        first = n * between
        for begin, end in _ranges(permutations, first + n * size):
            count = end - begin
            # All that one permutation needs is drawn together, so that ranges do not matter.
            drawn = rng.random((count, first + n * size * (size > 1)))
            if between:
                order = np.argsort(drawn[:, :n], axis=1)
            else:
                order = np.broadcast_to(np.arange(n), (count, n))
            source = members[order]  # (permutation, cluster, text of the cluster)
            if size > 1:
                inside = drawn[:, first:].reshape(count, n, size)
                inside = np.argsort(inside, axis=2)
                source = np.take_along_axis(source, inside, axis=2)
            out[members.ravel(), begin + 1 : end + 1] = source.reshape(count, -1).T
    return out


def signs(cluster: np.ndarray, permutations: int, rng: np.random.Generator) -> np.ndarray:
    """(text, permutation + 1) int8: +1, or -1 where the pairs of a cluster change sides; column 0
    is all +1."""
    _, number = np.unique(cluster, return_inverse=True)
    n = int(number.max(initial=-1)) + 1
    drawn = (rng.integers(0, 2, (n, permutations + 1), dtype=np.int8) << 1) - 1
    drawn[:, 0] = 1
    return drawn[number]


def _by_size(cluster: np.ndarray) -> Iterator[np.ndarray]:
    """(cluster, text of it) the texts of the clusters of each size."""
    order = np.argsort(cluster, kind="stable")
    _, start, count = np.unique(cluster[order], return_index=True, return_counts=True)
    for size in np.unique(count):
        yield order[start[count == size][:, None] + np.arange(size)]


def _ranges(permutations: int, size: int) -> Iterator[tuple[int, int]]:
    step = max(1, HELD // max(size, 1))
    for begin in range(0, permutations, step):
        yield begin, min(begin + step, permutations)
