"""Classifiers of a cell of true width beside their fits alone.

Codes are drawn: densities lognormal, 50 active features a token on average, one to three tokens a
text, labels random. The job chooses features in each fold and fits; the fits alone begin with the
columns of the chosen features. Exit status 1 where the job takes more than 5 times as long.

    python benchmarks/classifiers.py
"""

import argparse
import sys
import time

import numpy as np
from scipy import sparse

from saegrid.evidence.probes.classify import SPARSE, classify, series
from saegrid.evidence.probes.problem import Problem, folds
from saegrid.evidence.probes.scores import by_folds
from saegrid.evidence.probes.table import draws
from saegrid.evidence.probes.target import CLASSES

KS = (1, 2, 5, 10, 20, 50, 100)
MOST = 5.0


def drawn(texts: int, d_sae: int, l0: float, seed: int = 0) -> sparse.csc_matrix:
    """(text, feature) codes, pooled."""
    rng = np.random.default_rng(seed)
    density = rng.lognormal(0, 2, d_sae)
    for _ in range(20):  # features that fire on every text take no more
        density = np.minimum(density * l0 / density.sum(), 0.5)
    counts = rng.binomial(texts, density)
    rows = [np.sort(rng.choice(texts, count, replace=False)) for count in counts]
    indptr = np.concatenate([[0], np.cumsum(counts)])
    values = rng.exponential(1, indptr[-1])
    return sparse.csc_matrix((values, np.concatenate(rows), indptr), shape=(texts, d_sae))


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=9652)
    parser.add_argument("--features", type=int, default=131_072)
    parser.add_argument("--l0", type=float, default=50)
    arguments = parser.parse_args()
    z = drawn(arguments.texts, arguments.features, arguments.l0)
    rng = np.random.default_rng(1)
    n = arguments.texts
    cluster = np.arange(n) // 3
    y = (rng.random(n) < 0.5) * 1.0
    zeros = np.zeros(n, int)
    fold = folds(cluster, y, 5, 0, "drawn")
    problem = Problem(
        "drawn", CLASSES, y, np.arange(n), zeros, zeros, ["text"], cluster, zeros, ["discovery"],
        fold, "between", "", {},
    )  # fmt: skip
    nothing = np.empty((n, 0))
    started = time.process_time()
    results = classify(problem, z, KS, (1e-3,), nothing, methods=(SPARSE,))
    whole = time.process_time() - started
    chosen = next(one for one in results if one.method.k == max(KS)).chosen
    blocks = []
    for split, features in zip(problem.splits(), chosen, strict=True):
        columns = z[:, features].toarray()[split.train]
        blocks.append((columns / columns.std(axis=0), y[split.train]))
    started = time.process_time()
    for columns, labels in blocks:
        list(series(columns, labels, CLASSES, KS))
    bare = time.process_time() - started
    ratio = whole / bare
    print(
        f"{n:,} texts, {z.shape[1]:,} features, {z.nnz:,} entries: {whole:.2f} CPU s, fits alone "
        f"{bare:.2f} ({len(blocks)} splits, k {KS}): {ratio:.2f} times"
    )
    started = time.process_time()
    shuffled, drawn_again = problem.shuffled(1, 0), draws(problem, 200, 0)
    offset = np.tile(rng.standard_normal(n), (6, 1))
    for result in classify(problem, z, KS, (1e-3,), shuffled, offset):
        for guess in (result.prediction, result.gain):
            if guess is not None:
                by_folds(guess, y, fold, drawn_again.weights[0], CLASSES)
    every = time.process_time() - started
    print(
        f"with gains over a baseline, one shuffle, all features, difference of means and intervals "
        f"of 200 draws {every:.2f} CPU s: {every / bare:.1f} times the fits of the first line"
    )
    sys.exit(ratio > MOST)


if __name__ == "__main__":
    main()
