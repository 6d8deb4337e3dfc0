"""Kin of the features of a cell of true width with the bare products.

Codes of 9,652 texts of three captured tokens each on 131,072 features are drawn at L0 50, with
lognormal densities and by Zipf's law; shown are some of the features that fire on ten tokens or
more. The kin of a cell are looked for in itself and in three others, as in a grid of two widths.
Bare are the products alone, in the same tiles and chunks: that of directions, float32, and the
sparse ones of tokens and of texts. Beside stands all of it: pooling, reading decoder rows of a
bfloat16 file, products, the nearest, the table. Ratios are of CPU seconds; the peak of memory is
that of a process of its own, without the bare products.

    python benchmarks/kin.py
    python benchmarks/kin.py --shown 2000 --silent
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from saegrid.base.tensors import widen
from saegrid.codes.sparse import Features
from saegrid.evidence.texts import TEXT, Texts, View
from saegrid.meaning import CELL, LAYER, WIDTH
from saegrid.meaning.kin import Other, Rules, in_order, kin, member
from saegrid.meaning.nearest import ENTRIES, TILE, Directions, spans_of
from saegrid.saes.sae import blocks

TEXTS, LENGTH, FEATURES, L0, LEAST, D_MODEL = 9652, 3, 131_072, 50, 10, 4096
N = TEXTS * LENGTH
DENSITIES = ("lognormal", "zipf")
PLACES = (CELL, WIDTH, LAYER, LAYER)


def codes(kind: str, seed: int, texts: Texts) -> Features:
    """The codes of a cell; half of the tokens of a text repeat its first one's features."""
    rng = np.random.default_rng(seed)
    if kind == "zipf":
        weight = 1 / np.arange(1, FEATURES + 1)
    else:
        weight = np.exp(rng.normal(0, 2.5, FEATURES))
    rng.shuffle(weight)
    share = np.cumsum(weight / weight.sum())
    count = 2 * L0 * N
    feature = np.searchsorted(share, rng.random(count)).clip(0, FEATURES - 1)
    place = np.unique(feature * N + rng.integers(0, N, count))
    place = np.sort(rng.choice(place, min(L0 * N, len(place)), replace=False))
    feature, token = place // N, place % N
    indptr = np.concatenate([[0], np.cumsum(np.bincount(feature, minlength=FEATURES))])
    values = np.ones(len(place), np.float32)
    return Features(values, token.astype(np.int32), indptr, np.arange(N))


def corpus() -> Texts:
    """Unpaired texts of three tokens."""
    token = np.arange(N)
    view = View((token // LENGTH).astype(np.int32), token, np.ones(TEXTS, bool))
    return Texts({}, np.arange(TEXTS, dtype=np.int32), {TEXT: view}, {})


def top_tokens(features: Features, shown: int) -> pa.Table:
    """Five examples each of the features that fire often enough, at most so many of them."""
    counts = np.diff(features.indptr)
    ids = np.flatnonzero(counts >= LEAST)
    rng = np.random.default_rng(0)
    ids = np.sort(rng.choice(ids, min(shown, len(ids)), replace=False))
    feature, rank = np.repeat(ids, 5), np.tile(np.arange(5), len(ids))
    token = features.indices[features.indptr[feature] + rank]
    columns = {"feature": feature.astype(np.int32), "example_rank": rank, "token_index": token}
    words = [f"word{number % 4665}" for number in token]
    return pa.table(columns | {"activation": np.ones(len(token), np.float32), "word": words})


def decoder(folder: Path, seed: int) -> Path:
    """A decoder in bfloat16 (feature, d_model), which lies in a file."""
    path = folder / f"{seed}.npy"
    rng = np.random.default_rng(seed)
    rows = np.lib.format.open_memmap(path, "w+", np.uint16, (FEATURES, D_MODEL))
    common = rng.standard_normal(D_MODEL, np.float32)
    for a, b in blocks(FEATURES, 4096):
        part = rng.standard_normal((b - a, D_MODEL), np.float32) + np.float32(0.3) * common
        rows[a:b] = part.view(np.uint32) >> 16
    rows.flush()
    return path


class Stored:
    """Decoder rows of norm one, as an SAE reads them: its norms are known."""

    def __init__(self, path: Path):
        self.array = np.load(path, mmap_mode="r")
        self.norms = np.empty(FEATURES)
        for a, b in blocks(FEATURES, TILE):
            part = widen(np.asarray(self.array[a:b])).astype(np.float64)
            self.norms[a:b] = np.sqrt(np.einsum("fd,fd->f", part, part))

    def rows(self, features: np.ndarray) -> np.ndarray:
        """(n, d_model) float64, as `saes.sae.Decoder.directions`."""
        return widen(self.array[features]).astype(np.float64) / self.norms[features, None]


def bare(own, its, directions, unit: np.ndarray) -> tuple[float, float]:
    """CPU seconds of the product of directions, and of those of firings."""
    began = time.process_time()
    for a, b in blocks(len(unit), TILE):
        for c, d in blocks(len(directions.rows), TILE):
            directions.rows[c:d] @ unit[a:b].T
    middle = time.process_time()
    for ours, theirs in ((own.tokens, its.tokens), (own.texts, its.texts)):
        columns = theirs.T.tocsr()
        for a, b in spans_of(ours, columns, theirs.shape[0], ENTRIES):
            ours[a:b] @ columns
    return middle - began, time.process_time() - middle


def cell(kind: str, shown: int, silent: bool, compare: bool, folder: Path) -> None:
    """Print seconds of the kin of a cell, and their ratio to the bare products or the peak."""
    texts, kept, rules = corpus(), np.ones(TEXTS, bool), Rules(silent=silent)
    cells, products, taken = [], np.zeros(2), 0.0
    for number, place in enumerate(PLACES):
        sae = Stored(decoder(folder, number))
        features = codes(kind, number, texts)
        top = top_tokens(features, shown)
        began = time.process_time()
        its = member(f"L{number}R-8x", features, top, texts, kept)
        if place == CELL:
            own, directions = its, Directions.of(sae.rows, its.shown)
        cells.append(kin(own, directions, Other(place, its, sae.rows, FEATURES), rules))
        taken += time.process_time() - began
        if compare:
            ids = np.arange(FEATURES) if silent else its.shown
            unit = np.concatenate(
                [sae.rows(ids[a:b]).astype(np.float32) for a, b in blocks(len(ids))]
            )
            products += bare(own, its, directions, unit)
        del sae
        (folder / f"{number}.npy").unlink()
    began = time.process_time()
    table = in_order(cells)
    taken += time.process_time() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    what = (
        f"bare {products[0]:.1f} s directions and {products[1]:.1f} s firings, "
        f"{taken / products.sum():.2f} times that"
        if compare
        else f"peak {peak:.2f} GB"
    )
    print(
        f"{kind}: kin of {len(own.shown):,} features in {len(PLACES)} cells, "
        f"{table.num_rows:,} rows in {taken:.1f} s; {what}",
        flush=True,
    )


def main() -> None:
    """Print both, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shown", type=int, default=8000, help="features shown at most")
    parser.add_argument("--silent", action="store_true", help="all features are kin by direction")
    parser.add_argument("--kind", choices=DENSITIES)
    parser.add_argument("--memory", action="store_true", help="the peak of memory, no products")
    options = parser.parse_args()
    if options.kind:
        with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
            how = (options.kind, options.shown, options.silent, not options.memory)
            cell(*how, Path(folder))
        return
    for kind in DENSITIES:
        for more in ([], ["--memory"]):
            rest = [*(["--silent"] if options.silent else []), *more]
            command = [sys.executable, __file__, "--kind", kind, "--shown", str(options.shown)]
            subprocess.run([*command, *rest], check=True)


if __name__ == "__main__":
    main()
