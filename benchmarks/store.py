"""The cost of an activation store: filling it beside bare captures, reading it beside the disk.

    python benchmarks/store.py [--tokens 60000] [--repeats 3]

It fills a store of stories3M on the TinyStories sample at two sites, and captures the same rows in
memory; it reads a written store of 768 channels in shuffled batches, and its files from end to end.
Both take turns in one run; the lines give medians and the ratio. Targets: filling at most 1.15 of
the captures; reading at least 1 GB/s, which is as fast as most disks.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from saegrid.base.words import Site
from saegrid.models.forward import capture
from saegrid.models.load import load
from saegrid.store.choice import Entries
from saegrid.store.fill import fill
from saegrid.store.manifest import Manifest, Shard, shard_path
from saegrid.store.rows import Gatherer, Rower
from saegrid.store.settings import settings_of
from saegrid.store.shard import writing
from saegrid.store.stream import StoreStream
from saegrid.store.texts import Offset, names, texts
from saegrid.text import tokenizer

DATA = Path(os.environ.get("SAEGRID_DATA", Path(__file__).resolve().parents[2] / "shared/data"))
SITES = ["L2R", "L5R"]
SHARD, WIDTH, N_SHARDS, BATCH = 32_768, 768, 8, 4096


def medians(calls: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """The median seconds of each call, taken in turns; the first turn warms up."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                took[name].append(time.perf_counter() - start)
    return {name: float(np.median(seconds)) for name, seconds in took.items()}


def filling(tokens: int, repeats: int) -> dict[str, float]:
    """Time the filling of a store beside captures of the same rows, block for block."""
    model = {"path": str(DATA / "stories3M-hf")}
    encoder, loaded = tokenizer.load(DATA / "stories3M-hf"), load(model)
    path = DATA / "corpus-tinystories-sample/tinystories_sample.txt"
    source = {"kind": "text", "files": {"all": str(path)}, "separator": "<|endoftext|>"}
    settings = settings_of({"shard_tokens": SHARD, "max_tokens": tokens})
    rower = Rower(encoder, settings, loaded.sizes.context)
    gatherer = Gatherer(rower, rower.pieces(texts(source, names(source))), Offset())
    gathered = [gatherer.shard()]
    while not gathered[-1].last:
        gathered.append(gatherer.shard())

    def bare() -> None:
        for shard in gathered:
            capture(loaded, shard.rows, np.flatnonzero(shard.real), map(Site.parse, SITES))

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            fill(folder, model, encoder, source, settings, SITES, say=lambda line: None)

    def opening() -> None:
        load(model)

    took = medians({"bare": bare, "whole": whole, "opening": opening}, repeats)
    n = gathered[-1].end.token
    print(
        f"filling  {n:>9,} tokens  {n / took['whole']:>11,.0f} tokens/s  bare captures "
        f"{n / took['bare']:>11,.0f}  ratio of seconds without loading the model "
        f"{(took['whole'] - took['opening']) / took['bare']:.2f}"
    )
    return took


def reading(repeats: int) -> dict[str, float]:
    """Time a pass over a store of 768 channels beside reading its files."""
    with tempfile.TemporaryDirectory() as name:
        folder, paths = Path(name), []
        x, shards = torch.randn(SHARD, WIDTH), []
        for number in range(N_SHARDS):
            token = np.arange(SHARD) + number * SHARD
            entries = Entries(token, token, token, token // 200, token.astype(np.int32))
            paths.append(shard_path(folder, "L0R", number))
            with writing(paths[-1], entries, WIDTH, x.dtype, {}) as file:
                file.add(x)
            digest, ends = {"L0R": file.close()}, (Offset(token=int(token[i])) for i in (0, -1))
            shards.append(Shard(SHARD, *ends, {}, digest))
        settings = settings_of({})
        facts = "none", None, "float32", "", settings.deciding, settings.extent, True
        Manifest(*facts, {"L0R": WIDTH}, [], shards).write(folder)
        room = np.empty(paths[0].stat().st_size, np.uint8)

        def plain() -> None:
            for path in paths:
                with path.open("rb", buffering=0) as file:
                    file.readinto(room)

        def shuffled() -> None:
            stream = StoreStream(folder, "L0R", hold_out=0.01)
            for _ in islice(stream.batches(BATCH, 0), stream.n_train // BATCH):
                pass

        took = medians({"plain": plain, "shuffled": shuffled}, repeats)
        n = N_SHARDS * SHARD
        size = n * WIDTH * 4 / 1e9
        print(
            f"reading  {n:>9,} tokens  {n / took['shuffled']:>11,.0f} tokens/s  "
            f"{size / took['shuffled']:.2f} GB/s  plain {size / took['plain']:.2f} GB/s  "
            f"share {took['plain'] / took['shuffled']:.2f}"
        )
    return took


def main() -> None:
    """Print a line for filling and one for reading."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    filling(arguments.tokens, arguments.repeats)
    reading(arguments.repeats)


if __name__ == "__main__":
    main()
