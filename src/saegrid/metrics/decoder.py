"""The cosines of all pairs of decoder directions, beside those of a random dictionary."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from saegrid.metrics.lights import above_null
from saegrid.metrics.metric import Metric, Value, Values
from saegrid.saes.sae import Decoder as Rows
from saegrid.saes.sae import blocks

TILE = 1024
"""Number of features that are compared with as many others at a time."""
BINS = 1 << 20
"""Number of bins of cosines in -1..1, which give the 95th percentile."""
PAIRS = 2000
"""Number of random pairs in the source's summary (S2.7)."""
NULL = "a random dictionary of the same shape (unit Gaussian rows, seeded)"
DEFINITIONS = {
    "mean": "mean cosine of all pairs i < j of directions (float32, from the norm of their sum)",
    "p95": "95th percentile (sorted index int(.95 n) - 1) of the cosines of all pairs i < j, "
    f"float32 products, middle of one of {BINS:,} bins: within 1e-6 but for their rounding",
    "max": "largest cosine of all pairs i < j, float64",
    "mean_max": "mean over features of the largest cosine with another feature",
    "seed_mean": f"mean cosine of {PAIRS} random pairs i < j",
    "seed_p95": f"sorted index int(.95 n) - 1 of the cosines of {PAIRS} random pairs i < j",
    "seed_max": f"largest cosine of {PAIRS} random pairs i < j",
}


class Cosines(NamedTuple):
    """A summary of the cosines of all pairs of a dictionary."""

    mean: float
    p95: float
    max: float
    mean_max: float
    n: int
    """Number of pairs."""


def index_of_p95(n: int) -> int:
    """The index, from 0, of the 95th percentile among n sorted values (S2.7)."""
    return max(int(0.95 * n) - 1, 0)


def all_pairs(rows: np.ndarray) -> Cosines:
    """A summary of the cosines of all pairs of at least two unit rows (feature, d_model) float32.

    A tile of pairs is held at a time. The percentile is counted in bins, so that it takes no
    memory for the pairs.
    """
    m = len(rows)
    n = m * (m - 1) // 2
    counts, best = np.zeros(BINS, np.int64), np.full(m, -2.0, np.float32)
    partner = np.zeros(m, np.int64)
    spans = blocks(m, TILE)
    for number, (a, b) in enumerate(spans):
        for c, d in spans[number:]:
            tile = rows[a:b] @ rows[c:d].T
            inside = tile[np.triu_indices(b - a, 1)] if a == c else tile.ravel()
            counts += np.bincount(_bins(inside), minlength=BINS)
            if a == c:
                np.fill_diagonal(tile, -2)
            _keep_best(tile, best[a:b], partner[a:b], c)
            _keep_best(tile.T, best[c:d], partner[c:d], a)
    top = int(best.argmax())
    pair = rows[[top, partner[top]]].astype(np.float64)
    pair /= np.linalg.norm(pair, axis=1, keepdims=True)
    p95 = np.searchsorted(np.cumsum(counts), index_of_p95(n), side="right")
    return Cosines(
        mean=_mean(rows),
        p95=float((p95 + 0.5) * 2 / BINS - 1),
        max=float(pair[0] @ pair[1]),
        mean_max=float(best.astype(np.float64).mean()),
        n=n,
    )


def _bins(cosines: np.ndarray) -> np.ndarray:
    """(pair,) int64: bin of each cosine."""
    index = (cosines.astype(np.float64) + 1) * (BINS / 2)
    return np.clip(index.astype(np.int64), 0, BINS - 1)


def _keep_best(tile: np.ndarray, best: np.ndarray, partner: np.ndarray, first: int) -> None:
    """Update `best` and `partner` by the largest entry of each row of a tile, whose columns begin
    with `first`."""
    column = tile.argmax(axis=1)
    largest = tile[np.arange(len(tile)), column]
    better = largest > best
    best[better], partner[better] = largest[better], first + column[better]


def _mean(rows: np.ndarray) -> float:
    """The mean cosine of all pairs, from the norm of the rows' sum.

    The squared norm of the sum holds each pair twice, and the square of each row.
    """
    total, squares, m = np.zeros(rows.shape[1]), 0.0, len(rows)
    for start, stop in blocks(m):
        part = rows[start:stop].astype(np.float64)
        total += part.sum(axis=0)
        squares += float(np.einsum("fd,fd->", part, part))
    return float(total @ total - squares) / (m * (m - 1))


def random_pairs(rows: np.ndarray, seed: int) -> tuple[float, float, float, int]:
    """The mean, 95th percentile and maximum of the cosines of random pairs, and their number
    (S2.7)."""
    m, generator = len(rows), np.random.default_rng(seed)
    first = generator.integers(m, size=PAIRS)
    second = (first + 1 + generator.integers(m - 1, size=PAIRS)) % m
    one, other = (rows[chosen].astype(np.float64) for chosen in (first, second))
    cosines = np.sort(np.einsum("pd,pd->p", one, other))
    return float(cosines.mean()), float(cosines[index_of_p95(PAIRS)]), float(cosines[-1]), PAIRS


def random_rows(n: int, d_model: int, seed: int) -> np.ndarray:
    """Random rows (feature, d_model) float32: Gaussian, scaled to norm one."""
    rows = np.random.default_rng(seed).standard_normal((n, d_model), np.float32)
    for start, stop in blocks(n):
        rows[start:stop] /= np.linalg.norm(rows[start:stop], axis=1, keepdims=True)
    return rows


def unit_rows(decoder: Rows) -> np.ndarray:
    """The directions (feature, d_model) float32 of those features whose decoder row is not zero."""
    alive = np.flatnonzero(decoder.norms > 0)
    rows = np.empty((len(alive), decoder.d_model), np.float32)
    for start, stop in blocks(len(alive)):
        rows[start:stop] = decoder.directions(alive[start:stop])
    return rows


def cosines(rows: np.ndarray, prefix: str, what: str, seed: int) -> Values:
    """The values `{prefix}_cosine_...` of unit rows (feature, d_model) float32."""
    whole, pairs = all_pairs(rows), random_pairs(rows, seed)
    numbers = {name: (getattr(whole, name), whole.n) for name in ("mean", "p95", "max")}
    numbers["mean_max"] = whole.mean_max, len(rows)
    for name, value in zip(("mean", "p95", "max"), pairs[:3], strict=True):
        numbers[f"seed_{name}"] = value, pairs[3]
    return {
        f"{prefix}_cosine_{name}": Value(value, n, f"{DEFINITIONS[name]}, {what}")
        for name, (value, n) in numbers.items()
    }


class Decoder(Metric):
    """The cosines of decoder directions. It holds the directions once, as float32."""

    def values(self) -> Values:
        """The cosines, those of a random dictionary, and by how much the first exceed these."""
        decoder, seed = self.subject.sae.decoder, self.subject.seed
        rows = unit_rows(decoder)
        n = len(rows)
        if n < 2:
            words = f"{DEFINITIONS['mean']}, of the decoder"
            none = Value(None, n, words, "fewer than two decoder rows are not zero")
            return {"decoder_cosine_mean": none}
        values = cosines(rows, "decoder", "of the decoder", seed)
        del rows
        values |= cosines(random_rows(n, decoder.d_model, seed), "null", f"of {NULL}", seed)
        sd = "standard deviation of the cosine of two random directions, 1 / sqrt(d_model)"
        values["null_cosine_sd"] = Value(1 / sqrt(decoder.d_model), n, sd)
        for name in ("p95", "max"):
            value, null = (values[f"{p}_cosine_{name}"].value for p in ("decoder", "null"))
            words = f"(c - null) / (1 - null) of the {name} cosines: 0 is {NULL}, 1 are equal ones"
            values[f"decoder_cosine_{name}_above_null"] = Value(above_null(value, null), n, words)
        difference = values["decoder_cosine_mean_max"].value - values["null_cosine_mean_max"].value
        words = f"decoder_cosine_mean_max less that of {NULL}"
        values["decoder_cosine_mean_max_above_null"] = Value(difference, n, words)
        return values
