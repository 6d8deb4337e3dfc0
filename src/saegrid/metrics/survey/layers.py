"""The survey of layers before any SAE: sizes of activations, and dimensions that stand out.

All sums are float64 and taken in one pass over a site's activations, in file order.

    anisotropy    mean cosine of two different tokens: (n |mean unit vector|^2 - 1) / (n - 1)
    outlier       a dimension whose mean or deviation lies more than `cut` robust deviations from
                  the median of all dimensions: |v - median| > cut * 1.4826 * median |v - median|
                  (1.4826 makes it the standard deviation of a normal distribution). Where more
                  than half of the dimensions agree, that median is 0, and 1.2533 times the mean of
                  |v - median| stands for it: of a normal distribution the deviation, too
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.capture.activations import read
from saegrid.saes.sae import blocks
from saegrid.store.reader import Reader

BLOCK = 8192
"""Number of tokens of a sum."""
PASSES = 10
"""Number of single tokens of a site that are kept, evenly spread over the corpus. Each comes from
another pass of the model, unless a text is longer than a tenth of the corpus."""
ROBUST = 1.4826
"""Ratio of the standard deviation to the median absolute deviation of a normal distribution."""
MEAN_ROBUST = float(np.sqrt(np.pi / 2))
"""Ratio of the standard deviation to the mean absolute deviation of a normal distribution."""


class Dimensions(NamedTuple):
    """Sums over the tokens of a site, by dimension."""

    n: int
    mean: np.ndarray
    """(dimension,): mean of the tokens."""
    scatter: np.ndarray
    """(dimension,): sum of the squared differences from the mean."""
    units: np.ndarray
    """(dimension,): sum of the tokens, each divided by its norm."""
    norms: float
    """Sum of the norms of the tokens."""
    largest: float
    """Largest number of any token."""

    @classmethod
    def of(cls, x: np.ndarray) -> Self:
        """The sums of a block x (token, dimension) of at least one token."""
        x = x.astype(np.float64)
        mean, norm = x.mean(axis=0), np.linalg.norm(x, axis=1)
        units = x / np.where(norm > 0, norm, 1)[:, None]
        scatter = ((x - mean) ** 2).sum(axis=0)
        return cls(len(x), mean, scatter, units.sum(axis=0), float(norm.sum()), float(x.max()))

    def merge(self, other: Self) -> Self:
        """The sums of both sets of tokens together (Chan, Golub and LeVeque 1979)."""
        n, apart = self.n + other.n, other.mean - self.mean
        return type(self)(
            n,
            self.mean + apart * (other.n / n),
            self.scatter + other.scatter + apart**2 * (self.n * other.n / n),
            self.units + other.units,
            self.norms + other.norms,
            max(self.largest, other.largest),
        )

    @property
    def sd(self) -> np.ndarray:
        """(dimension,): standard deviation, with n in the denominator."""
        return np.sqrt(self.scatter / self.n)

    @property
    def anisotropy(self) -> float:
        """The mean cosine of two different tokens; NaN for one token."""
        if self.n < 2:
            return float("nan")
        square = float(self.units @ self.units) / self.n
        return (square - 1) / (self.n - 1)


def dimensions(parts: Iterable[np.ndarray]) -> Dimensions:
    """The sums of all parts (token, dimension), as stored; ValueError if there is no token."""
    total: Dimensions | None = None
    for part in parts:
        for start, stop in blocks(len(part), BLOCK):
            here = Dimensions.of(widen(part[start:stop]))
            total = here if total is None else total.merge(here)
    if total is None:
        raise ValueError("A survey needs tokens; got none. Capture some (tokens: context).")
    return total


def robust(values: np.ndarray) -> np.ndarray:
    """(dimension,): robust deviations from the median; 0 if all values are equal."""
    apart = values - np.median(values)
    far = np.abs(apart)
    spread = ROBUST * np.median(far) or MEAN_ROBUST * far.mean()
    return apart / spread if spread > 0 else np.zeros(len(values))


class Part(NamedTuple):
    """A site of a corpus, with the files of its activations."""

    corpus: str
    site: str
    files: list[str]
    """Activations files of the shards, or the facts file of a store (`L0R.json`)."""
    normed: str = "none"
    """Norm that was applied to the activations: none, layer or final."""


def open_parts(part: Part) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
    """The number of tokens of each file or shard, in order, with a function that returns its x
    (token, dimension) as stored."""
    for file in part.files:
        path = Path(file)
        if path.suffix != ".json":
            x = read(path)[0]
            yield len(x), partial(np.asarray, x)
            continue
        reader = Reader(path.parent, path.stem)
        for number in reader.numbers():
            n = reader.entries(number)
            yield n, partial(reader.read, number, n)


def spread(n: int) -> list[int]:
    """The numbers of `PASSES` of n tokens, evenly spread; of all tokens if there are fewer."""
    return sorted({(2 * at + 1) * n // (2 * PASSES) for at in range(PASSES)}) if n else []


def layer_row(tokens: str, sums: Dimensions) -> dict[str, Any]:
    """The row of `Survey.layers` of some tokens: sum, max and average, mean norm and anisotropy.

    Sum and average are taken over all numbers, so that sum / average is tokens times dimensions.
    """
    total = float(sums.mean.sum() * sums.n)
    return {
        "tokens": tokens,
        "n": sums.n,
        "sum": total,
        "max": sums.largest,
        "average": total / (sums.n * len(sums.mean)),
        "norm": sums.norms / sums.n,
        "anisotropy": sums.anisotropy,
    }


def dimension_table(sums: Dimensions, cut: float) -> pa.Table:
    """The table of dimensions: dimension, mean, sd, the robust deviation of each, and outlier."""
    far_mean, far_sd = robust(sums.mean), robust(sums.sd)
    return pa.table(
        {
            "dimension": np.arange(len(sums.mean), dtype=np.int32),
            "mean": sums.mean,
            "sd": sums.sd,
            "mean_robust": far_mean,
            "sd_robust": far_sd,
            "outlier": (np.abs(far_mean) > cut) | (np.abs(far_sd) > cut),
        }
    )


def compare(a: pa.Table, b: pa.Table) -> dict[str, Any]:
    """The comparison of two corpora at one site, by their dimension tables.

    It has the cosine of the means, the correlation of the deviations, the largest distance of two
    means in units of the pooled deviation with its dimension, and the outliers of each and of both.
    """
    mean_a, mean_b, sd_a, sd_b = (t[name].to_numpy() for name in ("mean", "sd") for t in (a, b))
    out_a, out_b = (t["outlier"].to_numpy(zero_copy_only=False) for t in (a, b))
    pooled = np.sqrt((sd_a**2 + sd_b**2) / 2)
    apart = np.abs(mean_a - mean_b) / np.where(pooled > 0, pooled, 1)
    norms = np.linalg.norm(mean_a) * np.linalg.norm(mean_b)
    flat = min(sd_a.std(), sd_b.std()) == 0
    return {
        "mean_cosine": float(mean_a @ mean_b / norms) if norms else float("nan"),
        "sd_correlation": float("nan") if flat else float(np.corrcoef(sd_a, sd_b)[0, 1]),
        "largest_distance": float(apart.max()),
        "at_dimension": int(apart.argmax()),
        "outliers_a": int(out_a.sum()),
        "outliers_b": int(out_b.sum()),
        "outliers_both": int((out_a & out_b).sum()),
    }


class Survey(NamedTuple):
    """The four tables of a survey."""

    layers: pa.Table
    """Columns corpus, site, layer, position, normed and `layer_row`, for one token and for all."""
    dimensions: pa.Table
    """Columns corpus, site and `dimension_table`."""
    pairs: pa.Table
    """Columns site, corpus_a, corpus_b and `compare`, for parts with the same norm."""
    passes: pa.Table
    """Columns corpus, site, token (its number in file order) and values (dimension,) of single
    tokens."""


def survey(parts: Iterable[Mapping[str, Any]], cut: float) -> Survey:
    """The survey of all sites of all corpora.

    parts: corpus, site, files and normed, see `Part`. The row `one` is of the last token of a part.
    """
    layers: list[dict[str, Any]] = []
    tables: dict[tuple[str, str], pa.Table] = {}
    normed: dict[tuple[str, str], str] = {}
    single: list[dict[str, Any]] = []
    for part in (Part(**fields) for fields in parts):
        site = Site.parse(part.site)
        opened = list(open_parts(part))
        n = sum(size for size, _ in opened)
        chosen = spread(n)
        tokens: dict[int, np.ndarray] = {}
        every = dimensions(_noting({*chosen, n - 1}, tokens, (take() for _, take in opened)))
        which = {"corpus": part.corpus, "site": part.site}
        where = which | {"layer": site.layer, "position": site.position, "normed": part.normed}
        normed[part.corpus, part.site] = part.normed
        one = Dimensions.of(tokens[n - 1])
        layers += [{**where, **layer_row(name, x)} for name, x in (("one", one), ("all", every))]
        tables[part.corpus, part.site] = dimension_table(every, cut)
        single += [{**which, "token": token, "values": tokens[token][0]} for token in chosen]
        print(f"{part.corpus} {part.site}: {every.n:,} tokens", flush=True)
    pairs = [
        {"site": site, "corpus_a": a, "corpus_b": b, **compare(tables[a, site], tables[b, site])}
        for (a, site), (b, other) in combinations(tables, 2)
        if site == other and normed[a, site] == normed[b, site]
    ]
    named = [
        table.add_column(
            0, "site", pa.array([site] * table.num_rows).dictionary_encode()
        ).add_column(0, "corpus", pa.array([corpus] * table.num_rows).dictionary_encode())
        for (corpus, site), table in tables.items()
    ]
    return Survey(
        pa.Table.from_pylist(layers),
        pa.concat_tables(named).unify_dictionaries(),
        pa.Table.from_pylist(pairs, None if pairs else PAIRS),
        pa.Table.from_pylist(single, SINGLE),
    )


PAIRS = pa.schema([("site", pa.string()), ("corpus_a", pa.string()), ("corpus_b", pa.string())])
"""Columns of `Survey.pairs` without a pair."""
SINGLE = pa.schema(
    [
        ("corpus", pa.string()),
        ("site", pa.string()),
        ("token", pa.int64()),
        ("values", pa.list_(pa.float32())),
    ]
)
"""Columns of `Survey.passes`."""


def _noting(
    wanted: Collection[int], noted: dict[int, np.ndarray], parts: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield the parts and store the tokens whose indices are in `wanted` in `noted`, each (1,
    dimension)."""
    start = 0
    for x in parts:
        for token in wanted:
            if start <= token < start + len(x):
                noted[token] = widen(np.array(x[token - start : token - start + 1]))
        start += len(x)
        yield x


def write(tables: Survey, paths: Mapping[str, str], spec: str) -> None:
    """Write the tables to the files of their names."""
    for name, table in tables._asdict().items():
        io.write_table(paths[name], table, spec)
