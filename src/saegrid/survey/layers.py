"""Layers before any SAE: sizes of their activations, and the dimensions that stand out.

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
"""Tokens of a sum."""
PASSES = 10
"""Single tokens of a site that are kept, from all over the corpus: each of another pass of the
model, unless a text is longer than a tenth of it."""
ROBUST = 1.4826
"""Median absolute deviation to standard deviation, of a normal distribution."""
MEAN_ROBUST = float(np.sqrt(np.pi / 2))
"""Mean absolute deviation to standard deviation, likewise."""


class Dimensions(NamedTuple):
    """What is summed up over the tokens of a site, by dimension."""

    n: int
    mean: np.ndarray
    """(dimension,)."""
    scatter: np.ndarray
    """(dimension,): sum of the squared differences from the mean."""
    units: np.ndarray
    """(dimension,): sum of the tokens, each divided by its norm."""
    norms: float
    """Sum of the norms."""
    largest: float
    """Largest number."""

    @classmethod
    def of(cls, x: np.ndarray) -> Self:
        """Of a block x (token, dimension) of at least one token."""
        x = x.astype(np.float64)
        mean, norm = x.mean(axis=0), np.linalg.norm(x, axis=1)
        units = x / np.where(norm > 0, norm, 1)[:, None]
        scatter = ((x - mean) ** 2).sum(axis=0)
        return cls(len(x), mean, scatter, units.sum(axis=0), float(norm.sum()), float(x.max()))

    def merge(self, other: Self) -> Self:
        """Of both together (Chan, Golub and LeVeque 1979)."""
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
        """(dimension,): standard deviation, of n."""
        return np.sqrt(self.scatter / self.n)

    @property
    def anisotropy(self) -> float:
        """Mean cosine of two different tokens; NaN for one token."""
        if self.n < 2:
            return float("nan")
        square = float(self.units @ self.units) / self.n
        return (square - 1) / (self.n - 1)


def dimensions(parts: Iterable[np.ndarray]) -> Dimensions:
    """Of all parts (token, dimension), as stored; ValueError where there is no token."""
    found: Dimensions | None = None
    for part in parts:
        for start, stop in blocks(len(part), BLOCK):
            here = Dimensions.of(widen(part[start:stop]))
            found = here if found is None else found.merge(here)
    if found is None:
        raise ValueError("A survey needs tokens; got none. Capture some (tokens: context).")
    return found


def robust(values: np.ndarray) -> np.ndarray:
    """(dimension,): robust deviations from the median; 0 where all are equal."""
    apart = values - np.median(values)
    far = np.abs(apart)
    spread = ROBUST * np.median(far) or MEAN_ROBUST * far.mean()
    return apart / spread if spread > 0 else np.zeros(len(values))


class Part(NamedTuple):
    """A site of a corpus: where its activations lie."""

    corpus: str
    site: str
    files: list[str]
    """Activations of its shards, or the facts file of a store (`L0R.json`)."""
    normed: str = "none"
    """What was done to the activations: none, layer or final."""


def open_parts(part: Part) -> Iterator[tuple[int, Callable[[], np.ndarray]]]:
    """How many tokens each file or shard has, and what gives its x (token, dimension) as stored;
    in file order."""
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
    """`PASSES` of n tokens, evenly spread; all where there are fewer."""
    return sorted({(2 * at + 1) * n // (2 * PASSES) for at in range(PASSES)}) if n else []


def layer_row(tokens: str, found: Dimensions) -> dict[str, Any]:
    """Sum, max and average of the numbers of some tokens, and what belongs to them.

    The sum is that of all numbers; the average is a number's, so that sum / average is tokens times
    dimensions.
    """
    total = float(found.mean.sum() * found.n)
    return {
        "tokens": tokens,
        "n": found.n,
        "sum": total,
        "max": found.largest,
        "average": total / (found.n * len(found.mean)),
        "norm": found.norms / found.n,
        "anisotropy": found.anisotropy,
    }


def dimension_table(found: Dimensions, cut: float) -> pa.Table:
    """dimension, mean, sd, how far each is from the median, and whether one stands out."""
    far_mean, far_sd = robust(found.mean), robust(found.sd)
    return pa.table(
        {
            "dimension": np.arange(len(found.mean), dtype=np.int32),
            "mean": found.mean,
            "sd": found.sd,
            "mean_robust": far_mean,
            "sd_robust": far_sd,
            "outlier": (np.abs(far_mean) > cut) | (np.abs(far_sd) > cut),
        }
    )


def compare(a: pa.Table, b: pa.Table) -> dict[str, Any]:
    """Two corpora at one site by their dimension tables.

    Cosine of the means, correlation of the deviations, largest distance of two means in units of
    the pooled deviation with its dimension, and the outliers of each and of both.
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
    """The tables of a survey."""

    layers: pa.Table
    """corpus, site, layer, position, normed and `layer_row`: of one token and of all."""
    dimensions: pa.Table
    """corpus, site and `dimension_table`."""
    pairs: pa.Table
    """site, corpus_a, corpus_b and `compare`: of what is normed alike."""
    passes: pa.Table
    """corpus, site, token (its number in file order) and values (dimension,) of single tokens."""


def survey(parts: Iterable[Mapping[str, Any]], cut: float) -> Survey:
    """All sites of all corpora.

    parts: corpus, site and files, see `Part`. `one` is the last token of each part.
    """
    layers: list[dict[str, Any]] = []
    tables: dict[tuple[str, str], pa.Table] = {}
    normed: dict[tuple[str, str], str] = {}
    single: list[dict[str, Any]] = []
    for part in (Part(**told) for told in parts):
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
"""Columns of a comparison of nothing."""
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
    """The same parts; `noted` gets the tokens of the numbers `wanted`, each (1, dimension)."""
    start = 0
    for x in parts:
        for token in wanted:
            if start <= token < start + len(x):
                noted[token] = widen(np.array(x[token - start : token - start + 1]))
        start += len(x)
        yield x


def write(found: Survey, paths: Mapping[str, str], spec: str) -> None:
    """Write the tables to the files of their names."""
    for name, table in found._asdict().items():
        io.write_table(paths[name], table, spec)
