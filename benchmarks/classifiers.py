"""Classifiers of a cell of true width beside their fits alone, and beside sae-probes' protocol.

Codes are drawn: densities lognormal, 50 active features a token on average, one to three tokens a
text; labels follow ten of the features, with noise. The job chooses features in each fold and fits;
the fits alone begin with the columns of the chosen features. Exit status 1 where the job takes more
than 1.5 times as long and a second, or more than 3 GB.

    python benchmarks/classifiers.py --texts 5000
    python benchmarks/classifiers.py --texts 5000 --sae-probes peers/sae_probes/bin/python
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from saegrid.evidence.probes.classify import SPARSE, Result, classify, series
from saegrid.evidence.probes.problem import Problem, folds
from saegrid.evidence.probes.scores import auc, by_folds
from saegrid.evidence.probes.table import draws
from saegrid.evidence.probes.target import CLASSES

KS = (1, 2, 5, 10, 20, 50, 100)
MOST, SPARE, MEMORY = 1.5, 1.0, 3e9
SIDE = Path(__file__).parent / "beside" / "sae_probes_side.py"


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


def labelled(z: sparse.csc_matrix, seed: int = 1) -> np.ndarray:
    """(text,) labels by ten of the hundred densest features, with noise."""
    rng = np.random.default_rng(seed)
    densest = np.argsort(-np.diff(z.indptr), kind="stable")[:100]
    score = z[:, rng.choice(densest, 10, replace=False)] @ rng.standard_normal(10)
    noisy = score + score.std() * rng.standard_normal(len(score))
    return (noisy > np.median(noisy)) * 1.0


def problem_of(y: np.ndarray) -> Problem:
    """A problem whose texts stand in threes."""
    n = len(y)
    cluster, zeros = np.arange(n) // 3, np.zeros(n, int)
    fold = folds(cluster, y, 5, 0, "drawn")
    return Problem(
        "drawn", CLASSES, y, np.arange(n), zeros, zeros, ["text"], cluster, zeros, ["discovery"],
        fold, "between", "", {},
    )  # fmt: skip


def fits_alone(z: sparse.csc_matrix, problem: Problem, chosen: Sequence[np.ndarray]) -> float:
    """CPU seconds of the fits on the columns of the features that were chosen."""
    blocks = []
    for split, features in zip(problem.splits(), chosen, strict=True):
        columns = z[:, features].toarray()[split.train]
        blocks.append((columns / columns.std(axis=0), problem.y[split.train]))
    started = time.process_time()
    for columns, labels in blocks:
        list(series(columns, labels, CLASSES, KS))
    return time.process_time() - started


def beside(
    python: str, z: sparse.csc_matrix, problem: Problem, results: Sequence[Result], whole: float
) -> None:
    """Print sae-probes' protocol on the texts of fold 0, after fitting the others."""
    train = problem.fold != 0
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "codes.npz", Path(folder) / "out.json"
        parts = {"data": z.data, "indices": z.indices, "indptr": z.indptr, "shape": z.shape}
        np.savez(source, y=problem.y, train=train, **parts)
        ks = ",".join(map(str, KS))
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(
            [python, "-W", "ignore", SIDE, source, ks, target], check=True, env=environment
        )
        theirs = json.loads(target.read_text())
    ones = np.ones((int((~train).sum()), 1))
    ours = {r.method.k: auc(r.prediction[~train], problem.y[~train], ones)[0] for r in results}
    scores = {(one["penalty"], one["k"]): one["auc"] for one in theirs["results"]}
    print(f"{'AUROC of fold 0, k':20}" + "".join(f"{k:7}" for k in KS))
    print(f"{'ours':20}" + "".join(f"{ours[k]:7.3f}" for k in KS))
    for one in theirs["seconds"]:
        name = one["penalty"]
        print(f"{f'sae-probes {name}':20}" + "".join(f"{scores[name, k]:7.3f}" for k in KS))
    for one in theirs["seconds"]:
        print(
            f"sae-probes {one['penalty']}, one split: {one['seconds']:.1f} CPU s, "
            f"{one['seconds'] / whole:.0f} times ours of six splits"
        )
    print(f"memory of sae-probes {theirs['memory'] / 1e9:.1f} GB")


def with_all(z: sparse.csc_matrix, problem: Problem) -> float:
    """CPU seconds with gains over a baseline, shuffled labels, all features and intervals."""
    n = len(problem.y)
    started = time.process_time()
    shuffled, drawn_again = problem.shuffled(1, 0), draws(problem, 200, 0)
    offset = np.tile(np.random.default_rng(2).standard_normal(n), (6, 1))
    for result in classify(problem, z, KS, (1e-3,), shuffled, offset):
        for guess in (result.prediction, result.gain):
            if guess is not None:
                by_folds(guess, problem.y, problem.fold, drawn_again.weights[0], CLASSES)
    return time.process_time() - started


def main() -> None:
    """Time both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=9652)
    parser.add_argument("--features", type=int, default=131_072)
    parser.add_argument("--l0", type=float, default=50)
    parser.add_argument("--sae-probes", metavar="PYTHON", help="of an environment that has it")
    arguments = parser.parse_args()
    z = drawn(arguments.texts, arguments.features, arguments.l0)
    problem = problem_of(labelled(z))
    n, nothing = len(problem.y), np.empty((len(problem.y), 0))
    started = time.process_time()
    results = classify(problem, z, KS, (1e-3,), nothing, methods=(SPARSE,))
    whole = time.process_time() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    most = next(one for one in results if one.method.k == max(KS))
    bare = fits_alone(z, problem, most.chosen)
    limit = MOST * bare + SPARE
    print(
        f"{n:,} texts, {z.shape[1]:,} features, {z.nnz:,} entries: {whole:.2f} CPU s, fits alone "
        f"{bare:.2f} ({len(most.chosen)} splits, k {KS}): {whole / bare:.2f} times; at most "
        f"{limit:.2f} ({MOST:g} times and {SPARE:g} s); memory {memory / 1e9:.2f} GB"
    )
    every = with_all(z, problem)
    print(
        f"with gains over a baseline, one shuffle, all features, difference of means and intervals "
        f"of 200 draws {every:.2f} CPU s: {every / bare:.1f} times the fits of the first line"
    )
    if arguments.sae_probes:
        beside(arguments.sae_probes, z, problem, results, whole)
    sys.exit(whole > limit or memory > MEMORY)


if __name__ == "__main__":
    main()
