"""The tests of a cell of true size beside the bare product of the filtered binary matrix.

Codes of 9,652 texts on 131,072 features are drawn at L0 50 with densities by Zipf's law and
lognormal ones; features that fire on ten texts or more are tested under 1,000 permutations of whole
originals. A z test and a deviance test are all of it: product, standardisation, the largest
statistics, tails and p. Ratios are of CPU seconds in turns, the median of some rounds; the peak of
memory is that of a process of its own. Several cells are tested one after another, with max-T over
all of them, each from its codes to its statistics, and stand beside as many bare products.

    python benchmarks/maxima.py
    python benchmarks/maxima.py --cells 150
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from scipy import sparse

from saegrid.evidence import exchange, maxima

TEXTS, FEATURES, ENTRIES, LEAST = 9652, 131_072, 60, 10
"""ENTRIES are those of a text after pooling over the tokens of its edit, 50 each."""
SIZES = (1, 2, 3, 3, 3, 3, 4)
"""Sizes of clusters in turns: 2.9 texts an original, as in Humicroedit."""
HIGH, LOW = 630, 3723
DENSITIES = ("lognormal", "zipf")


def codes(kind: str, seed: int) -> sparse.csr_matrix:
    """(feature, text) float32 ones of the features that fire on enough texts."""
    rng = np.random.default_rng(seed)
    if kind == "zipf":
        weight = 1 / np.arange(1, FEATURES + 1)
    else:
        weight = np.exp(rng.normal(0, 2.5, FEATURES))
    share = np.cumsum(weight / weight.sum())
    count = 2 * ENTRIES * TEXTS
    feature = np.searchsorted(share, rng.random(count)).clip(0, FEATURES - 1)
    place = np.unique(feature * TEXTS + rng.integers(0, TEXTS, count))
    place = np.sort(rng.choice(place, min(ENTRIES * TEXTS, len(place)), replace=False))
    feature, text = place // TEXTS, place % TEXTS
    indptr = np.concatenate([[0], np.cumsum(np.bincount(feature, minlength=FEATURES))])
    ones = np.ones(len(place), np.float32)
    matrix = sparse.csr_matrix((ones, text, indptr), shape=(FEATURES, TEXTS))
    return matrix[np.diff(matrix.indptr) >= LEAST]


def exchanged(permutations: int) -> np.ndarray:
    """(text, permutation + 1) exchanges of whole originals."""
    sizes = np.resize(SIZES, TEXTS)
    cluster = np.repeat(np.arange(TEXTS), sizes)[:TEXTS]
    return exchange.exchanged(cluster, permutations, exchange.generator(0, "benchmark"))


def seconds(function, *arguments) -> float:
    """CPU seconds of a call."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def bare(matrix: sparse.csr_matrix, scores: np.ndarray) -> np.ndarray:
    """The product, whose columns are all held."""
    return matrix @ scores


def ratios(kind: str, permutations: int, rounds: int) -> None:
    """Print seconds of each test and their ratio to the bare product, in turns."""
    matrix, moved = codes(kind, 0), exchanged(permutations)
    scores, in_a, in_b = inputs(moved)
    basis = np.linalg.qr(np.random.default_rng(1).standard_normal((TEXTS, 20)))[0]
    taken = np.array(
        [
            [
                seconds(bare, matrix, scores),
                seconds(maxima.z_test, matrix, scores),
                seconds(maxima.deviance_test, matrix, in_a, in_b),
                seconds(maxima.z_test, matrix, scores, basis),
            ]
            for _ in range(rounds)
        ]
    )
    ratio = np.median(taken / taken[:, :1], axis=0)
    print(
        f"{kind}: {matrix.shape[0]:,} features, {matrix.nnz:,} entries; bare "
        f"{np.median(taken[:, 0]):.2f} s, z {ratio[1]:.2f}, deviance {ratio[2]:.2f}, z with 20 "
        f"nuisances {ratio[3]:.2f} times that",
        flush=True,
    )


def inputs(moved: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores of ranks, and the texts of two classes, under every permutation."""
    rank = ((np.arange(TEXTS) - (TEXTS - 1) / 2) / TEXTS).astype(np.float32)
    label = np.zeros(TEXTS)
    label[:HIGH], label[HIGH : HIGH + LOW] = 1, -1
    return rank[moved], *((label == sign).astype(np.float32)[moved] for sign in (1, -1))


def grid(cells: int, permutations: int, test: str) -> None:
    """Print the seconds of a test of many cells with max-T over all, beside bare products of each,
    and the peak of memory, which the products are left out of."""
    scores, in_a, in_b = inputs(exchanged(permutations))
    largest = np.zeros(permutations + 1, np.float32)
    taken = products = 0.0
    for cell in range(cells):
        matrix = codes(DENSITIES[cell % 2], cell)
        before = time.process_time()
        if test == "z":
            result = maxima.z_test(matrix, scores)
        else:
            result = maxima.deviance_test(matrix, in_a, in_b)
        largest = np.maximum(largest, result.maxima)
        taken += time.process_time() - before
        few = matrix[: len(result.p) // 8]  # a product of all rows would be the peak
        products += seconds(bare, few, scores) * matrix.nnz / max(few.nnz, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{test}: {cells} cells in {taken:.0f} s, {taken / products:.2f} times their bare "
        f"products, peak {peak:.2f} GB; threshold {maxima.threshold(largest, 0.05):.2f}",
        flush=True,
    )


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--permutations", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", type=int, default=10, help="cells of the grid (150 in a study)")
    parser.add_argument("--only", choices=["z", "deviance"], help="the grid of one test alone")
    options = parser.parse_args()
    if options.only:
        grid(options.cells, options.permutations, options.only)
        return
    for kind in DENSITIES:
        ratios(kind, options.permutations, options.rounds)
    for test in ("z", "deviance"):
        rest = ["--cells", str(options.cells), "--permutations", str(options.permutations)]
        subprocess.run([sys.executable, __file__, "--only", test, *rest], check=True)


if __name__ == "__main__":
    main()
