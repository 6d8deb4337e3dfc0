"""HypotheSAEs' two tests of a hypothesis beside the tests of this project, on data sets in which
there is nothing to find.

- pairs: 400 pairs of texts of which one has the label, by chance; a feature fires on one of a pair,
  on both or on none. Its paired test codes a label by 1 - y in one place and by -y in another.
- rows: 400 headlines with three edits each; of labels and of firing, more than half of the variance
  is the headline's. Its test takes rows for independent.

A calibrated test has P(p < .05) = .05.

    python benchmarks/hypothesaes/run.py --python hypothesaes/bin/python
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.stats import rankdata

from saegrid.evidence import exchange, maxima
from saegrid.evidence.classical import mcnemar_mid_p

PAIRS, HEADLINES, EDITS, SHARE, RATE = 400, 400, 3, 0.56, 0.15


def pairs(rng: np.random.Generator, sets: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Annotations 1, -1 and 0 (firing on the first, the second, neither or both), and labels."""
    fires = rng.random((2, sets, features, PAIRS)) < RATE
    return fires[0].astype(np.int8) - fires[1], rng.integers(0, 2, (sets, PAIRS)).astype(float)


def rows(rng: np.random.Generator, sets: int, features: int) -> tuple[np.ndarray, np.ndarray]:
    """Firing (1 or 0) and labels, both with a share that a headline's edits have in common."""

    def shared(*shape: int) -> np.ndarray:
        common = np.repeat(rng.standard_normal((*shape, HEADLINES)), EDITS, axis=-1)
        own = rng.standard_normal(common.shape)
        return np.sqrt(SHARE) * common + np.sqrt(1 - SHARE) * own

    limit = np.quantile(rng.standard_normal(10**6), 1 - RATE)
    return (shared(sets, features) > limit).astype(np.int8), shared(sets)


def of_pairs(annotations: np.ndarray, labels: np.ndarray, permutations: int) -> np.ndarray:
    """(data set, feature, 2) p by flips of pairs, and McNemar's mid-p."""
    moved = exchange.signs(np.arange(PAIRS), permutations, exchange.generator(0, "pairs"))
    out = []
    for features, label in zip(annotations, labels, strict=True):
        difference = features * (2 * label - 1)
        by_flips = maxima.z_test(sparse.csr_matrix(difference, dtype=np.float32), moved * 1.0).p
        exact = mcnemar_mid_p((difference > 0).sum(axis=1), (difference < 0).sum(axis=1))
        out.append(np.stack([by_flips, exact], axis=1))
    return np.array(out)


def of_rows(annotations: np.ndarray, labels: np.ndarray, permutations: int) -> np.ndarray:
    """(data set, feature, 2) p by exchanges of whole headlines, and of single rows."""
    cluster = np.repeat(np.arange(HEADLINES), EDITS)
    schemes = [
        exchange.exchanged(one, permutations, exchange.generator(0, "rows"))
        for one in (cluster, np.arange(len(cluster)))
    ]
    out = []
    for features, label in zip(annotations, labels, strict=True):
        firing = sparse.csr_matrix(features, dtype=np.float32)
        score = rankdata(label).astype(np.float32)
        score -= score.mean()
        out.append(np.stack([maxima.z_test(firing, score[one]).p for one in schemes], axis=1))
    return np.array(out)


def theirs(python: str, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The p of HypotheSAEs by kind, and its version."""
    with tempfile.TemporaryDirectory() as folder:
        given, written = Path(folder, "data.npz"), Path(folder, "out.npz")
        np.savez(given, **data)
        side = Path(__file__).with_name("side.py")
        subprocess.run([python, side, given, written], check=True)
        return dict(np.load(written))


def line(name: str, p: np.ndarray) -> None:
    """Print shares of small p."""
    print(f"| {name} | {(p < 0.05).mean():.4f} | {(p < 0.001).mean():.4f} |")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="interpreter that has hypothesaes")
    parser.add_argument("--sets", type=int, default=100, help="draws of labels")
    parser.add_argument("--features", type=int, default=50, help="features of each draw")
    parser.add_argument("--permutations", type=int, default=1000)
    options = parser.parse_args()
    rng, size = np.random.default_rng(0), (options.sets, options.features)
    drawn = {"pairs": pairs(rng, *size), "rows": rows(rng, *size)}
    data = {f"{k}.{n}": v for k, d in drawn.items() for n, v in zip(NAMES, d, strict=True)}
    found = theirs(options.python, data)
    by_flips, exact = np.moveaxis(of_pairs(*drawn["pairs"], options.permutations), 2, 0)
    whole, single = np.moveaxis(of_rows(*drawn["rows"], options.permutations), 2, 0)
    print(f"HypotheSAEs {found['version']}, {size[0] * size[1]:,} features of each kind\n")
    print("| test | P(p < .05) | P(p < .001) |\n|---|---|---|")
    line("pairs: HypotheSAEs", found["pairs"])
    line("pairs: flips of pairs", by_flips)
    line("pairs: McNemar's mid-p", exact)
    line("rows: HypotheSAEs", found["rows"])
    line("rows: exchange of whole headlines", whole)
    line("rows: exchange of single rows", single)


NAMES = ("annotations", "labels")


if __name__ == "__main__":
    main()
