"""The capture by a model that does not fit in memory, block by block.

All tiles go through one block before the next one, which is read while the first one multiplies.
Between blocks the residual stream lies in a file of the store, so that corpora of any size can be
run. The file of the deepest block stays: a killed capture goes on from it, and so does a later one
of deeper sites.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from saegrid.base.words import Site
from saegrid.capture.finished import check_space, room_in_file, write
from saegrid.capture.residual import Residual, Stream, Writer
from saegrid.capture.sizes import HELD
from saegrid.models.check import check_layer
from saegrid.models.forward import (
    Progress,
    Say,
    allocate,
    check_rows,
    inputs_of,
    plan_of,
    run,
    tokens_of,
)
from saegrid.models.hooks import reading
from saegrid.models.layers import Layers, architecture, open_layers
from saegrid.models.load import Loaded
from saegrid.models.tiles import Plan, Rows, Tile, make_tile

CHECKED = 2
"""Number of rows of the first tile on which a block is checked."""


def _print(line: str) -> None:
    print(line, flush=True)


def vocabulary_of(rows: Rows, wanted: np.ndarray) -> np.ndarray:
    """The token ids of rows with a wanted token and that of padding, (id,) int64 ascending."""
    in_use = np.zeros(len(rows.starts) - 1, dtype=bool)
    in_use[rows.row_of(wanted)] = True
    return np.union1d(rows.ids[np.repeat(in_use, np.diff(rows.starts))], [0])


@contextmanager
def _rooms(
    model: Loaded, sites: list[Site], n: int, store: Path
) -> Iterator[dict[Site, torch.Tensor]]:
    """A context with arrays for the activations (n, channel) by site, in memory or, if these are
    too large, in files."""
    n_bytes = sum(n * model.width(site) * model.dtype.itemsize for site in sites)
    if n_bytes <= HELD:
        yield allocate(model, sites, n)
        return
    paths = {site: store / f".{site}.room" for site in sites}
    try:
        yield {s: room_in_file(model, s, n, path)[1] for s, path in paths.items()}
    finally:
        for path in paths.values():
            path.unlink(missing_ok=True)


def _check(layers: Layers, layer: int, tile: Tile, hidden: torch.Tensor | None) -> None:
    """Check the loaded block on a few rows of a tile, whose residual stream is `hidden`."""
    ids, seen = inputs_of(layers.shell, tile)
    layers.give(layer, None if hidden is None else hidden[:CHECKED])
    with torch.inference_mode():
        check_layer(layers.shell, layer, ids[:CHECKED], None if seen is None else seen[:CHECKED])


class _Corpus(NamedTuple):
    """The rows that go through every block, with their wanted tokens and tiles."""

    rows: Rows
    wanted: np.ndarray
    plan: Plan


def _run_block(
    layers: Layers,
    layer: int,
    corpus: _Corpus,
    entering: Stream | None,
    leaving: Writer,
    x: Mapping[Site, torch.Tensor],
    progress: Progress,
) -> None:
    """Run all tiles through the loaded block; fill x, and write the residual stream behind it."""
    shell, whole = layers.shell, Site(layer, "R")
    rows, wanted, plan = corpus

    def hidden(number: int) -> torch.Tensor | None:
        return None if entering is None else entering.tile(number).to(shell.device)

    _check(layers, layer, make_tile(rows, wanted, *plan[0]), hidden(0))

    def before(number: int) -> None:
        layers.give(layer, hidden(number))

    # This hook comes first: the one of the reader ends the pass.
    with reading(shell, {whole: leaving.add}):
        for tile in run(shell, rows, wanted, plan, x, [*x, whole], before):
            progress.add(tile.n_tokens)
    layers.give(layer, None)


def capture_layers(
    model: Mapping[str, Any],
    rows: Rows,
    wanted: np.ndarray,
    sites: Iterable[Site],
    store: Path,
    spec: str = "",
    say: Say = _print,
) -> None:
    """Capture `sites` into files of `store`, `{site}.safetensors`, one block at a time.

    A block's sites are written when it is done. The next call goes on behind the deepest block
    whose residual stream is kept, if all its sites lie deeper.

    Raises:
        CaptureError, ModelError: the message names the row, site or tensor.
    """
    sites = sorted(sites)
    checkpoint = architecture(model)
    check_rows(checkpoint.source, checkpoint.sizes, rows, np.unique(rows.row_of(wanted)))
    layers = open_layers(model, checkpoint, vocabulary_of(rows, wanted))
    shell = layers.shell
    corpus = _Corpus(rows, wanted, plan_of(shell, rows, wanted))
    digest = hashlib.sha256()
    for numbers in (rows.starts, rows.ids, wanted):
        digest.update(numbers.astype(np.int64).tobytes())
    identity = {"spec": spec, "tokens": digest.hexdigest(), "device": shell.device.type}
    residual = Residual(store, identity, corpus.plan, shell.sizes.d_model, shell.dtype)
    first = residual.deepest(min(site.layer for site in sites) - 1) + 1
    last = max(site.layer for site in sites)
    for site in sites:
        shell.check_site(site)
    _check_room(layers, residual, len(wanted), sites, range(first, last + 1), say)
    n_tokens = sum(tokens_of(rows, corpus.plan))
    progress = Progress(say, n_tokens * (last + 1 - first))
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(layers.read, first)
        for layer in range(first, last + 1):
            tensors = coming.result()
            if layer < last:
                coming = pool.submit(layers.read, layer + 1)
            here = [site for site in sites if site.layer == layer]
            with (
                layers.placed(layer, tensors),
                _rooms(shell, here, len(wanted), store) as x,
                residual.writing(layer) as leaving,
            ):
                entering = residual.stream(layer - 1) if layer else None
                _run_block(layers, layer, corpus, entering, leaving, x, progress)
                # Before the stream is kept: behind it nothing may be missing.
                write(store, x, wanted, spec)
            tensors = {}
    residual.keep_deepest(shell.sizes.n_layers)


def _check_room(
    layers: Layers, residual: Residual, n: int, sites: list[Site], span: range, say: Say
) -> None:
    """Print the sizes to be read, held and written; raise CaptureError if the disk is too small."""
    shell = layers.shell
    width = {site: n * shell.width(site) * shell.dtype.itemsize for site in sites}
    block = max(layers.n_bytes(layer) for layer in span)
    held = max(sum(b for site, b in width.items() if site.layer == layer) for layer in span)
    say(
        f"capture: block by block, {span.start} to {span.stop - 1}: "
        f"{sum(map(layers.n_bytes, span)) / 1e9:,.2f} GB to read, two blocks of "
        f"{block / 1e9:,.2f} GB and {min(held, HELD) / 1e9:,.2f} GB of activations held, "
        f"{sum(width.values()) / 1e9:,.2f} GB to write and {2 * residual.n_bytes / 1e9:,.2f} GB "
        f"of residual stream beside it; {len(sites)} sites, {n:,} tokens kept"
    )
    check_space(residual.store, sum(width.values()) + held + 2 * residual.n_bytes)
