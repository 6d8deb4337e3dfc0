"""The forward pass over the rows of a corpus, tile by tile, to activations x at some sites.

Only rows with a wanted token are run, only as deep as the deepest site, and only the wanted tokens
are held. A row's values depend on the row alone, see `models.tiles`.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import torch

from saegrid.base.words import Site
from saegrid.models import Sizes
from saegrid.models.hooks import forward_order, reading
from saegrid.models.load import Loaded
from saegrid.models.tiles import Plan, Rows, Tile, make_tile, plan_tiles

SAY_EVERY = 5.0
"""Seconds between two progress lines."""

Say = Callable[[str], None]


class CaptureError(ValueError):
    """An error of a capture that cannot be made; the message names the row or site."""


class _DeepEnough(Exception):
    """The signal of the deepest site's hook that ends a forward pass."""


def inputs_of(model: Loaded, tile: Tile) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The ids and seen (row, position) of a tile, on the model's device."""
    ids = torch.from_numpy(tile.ids).to(model.device)
    # Padding stands on the right: a causal model never looks at it.
    return ids, None if model.family.causal else torch.from_numpy(tile.seen).to(model.device)


def plan_of(model: Loaded, rows: Rows, wanted: np.ndarray) -> Plan:
    """The tiles of the rows with a wanted token, as a model runs them."""
    # The tokens of a tile share experts, whose products are as high as the tokens are many.
    alone = model.family.experts
    return plan_tiles(rows, wanted, model.sizes.context, model.device.type, alone)


class _Reader:
    """A reader of the kept tokens of one tile at a time."""

    def __init__(self, model: Loaded, sites: Iterable[Site], most: int) -> None:
        """Allocate buffers for a pass that ends at the deepest site.

        Args:
            model: the model.
            sites: sites that are read.
            most: number of kept tokens of the fullest tile.
        """
        self.sites = sorted(sites, key=forward_order)
        self.index = torch.empty(0)
        # Room that is used again: fresh memory costs ten times the copy.
        self.room = {
            site: torch.empty(most, model.width(site), dtype=model.dtype, device=model.device)
            for site in self.sites
        }
        self.x: dict[Site, torch.Tensor] = {}

    def hook(self, site: Site) -> Callable[[torch.Tensor], None]:
        last = site == self.sites[-1]

        def see(x: torch.Tensor) -> None:
            self.x[site] = self.room[site][: len(self.index)]
            torch.index_select(x.flatten(0, 1), 0, self.index, out=self.x[site])
            if last:
                raise _DeepEnough

        return see

    def run(self, model: Loaded, tile: Tile) -> dict[Site, torch.Tensor]:
        """The activations (kept, channel) of a tile's kept tokens, by site, on the CPU."""
        self.x = {}
        self.index = torch.from_numpy(tile.source).to(model.device)
        try:
            model.hidden(*inputs_of(model, tile))
        except _DeepEnough:
            return {site: x.cpu() for site, x in self.x.items()}
        raise CaptureError(f"{model.source}: the forward pass never reached {self.sites[-1]}.")


def _check_finite(
    captured: Mapping[Site, torch.Tensor], tile: Tile, rows: Rows, wanted: np.ndarray
) -> None:
    """Raise CaptureError at NaN or infinity; it names the site and row of the first.

    captured: activations by site, in the order of the pass. A number that is not finite makes all
    that are computed from it not finite, so that the deepest site decides.
    """
    deepest = captured[next(reversed(captured))]
    # A sum is finite only if all its terms are; one that overflows is looked at again.
    if torch.isfinite(deepest.sum()) or torch.isfinite(deepest).all():
        return
    site, x = next(item for item in captured.items() if not torch.isfinite(item[1]).all())
    bad = (~torch.isfinite(x)).any(1).nonzero()
    # Attention spreads a NaN over its row, so the position would say little.
    row = int(rows.row_of(wanted[tile.target[int(bad[0])]]))
    raise CaptureError(
        f"{site}: NaN or infinity in row {row}. Activations must be finite: take dtype "
        "bfloat16 or float32 instead of float16, and check the checkpoint."
    )


def check_rows(source: str, sizes: Sizes, rows: Rows, used: np.ndarray) -> None:
    """Raise CaptureError for a row that the model from `source` cannot take; used: row numbers."""
    n, context = np.diff(rows.starts)[used], sizes.context
    if (n > context).any():
        at = int(np.argmax(n))
        raise CaptureError(
            f"Row {used[at]} has {n[at]} tokens; {source} takes at most {context}. "
            "Set max_length of the corpus, or shorten the text."
        )
    if len(rows.ids) and not 0 <= rows.ids.min() <= rows.ids.max() < sizes.d_vocab:
        at = int(np.argmax((rows.ids < 0) | (rows.ids >= sizes.d_vocab)))
        raise CaptureError(
            f"Row {int(rows.row_of(at))} has token id {rows.ids[at]}; {source} knows 0 to "
            f"{sizes.d_vocab - 1}. Give the model's own tokenizer."
        )


class Progress:
    """A printer of lines with the rate and the time left, every few seconds."""

    def __init__(self, say: Say, total: int, done: int = 0) -> None:
        """Start the clock.

        Args:
            say: prints a line.
            total: number of tokens to run; in a pass layer by layer each counts once a layer.
            done: number of tokens that an earlier run has done.
        """
        self.say, self.total, self.done, self.first = say, total, done, done
        self.began = self.last = time.monotonic()

    def add(self, n: int) -> None:
        """Count n more tokens as done."""
        self.done += n
        now = time.monotonic()
        if now - self.last >= SAY_EVERY or self.done == self.total:
            self.last = now
            rate = (self.done - self.first) / max(now - self.began, 1e-9)
            left = (self.total - self.done) / rate
            self.say(
                f"capture: {self.done:,} of {self.total:,} tokens run, {rate:,.0f} tokens/s, "
                f"{left / 60:.1f} min left"
            )


def _silent(line: str) -> None:
    pass


def _bytes(x: torch.Tensor) -> np.ndarray:
    """A view of a tensor's memory as bytes, (row, byte) uint8."""
    return x.view(torch.uint8).numpy()


def allocate(model: Loaded, sites: Iterable[Site], n: int) -> dict[Site, torch.Tensor]:
    """Empty activations (n, channel) of n tokens at each site."""
    sites = list(sites)
    sizes = [n * model.width(site) * model.dtype.itemsize for site in sites]
    # One large array of numpy's lies in large pages: first touching them costs a tenth.
    whole = torch.from_numpy(np.empty(sum(sizes), np.uint8)).split(sizes)
    rooms = zip(sites, whole, strict=True)
    return {site: room.view(model.dtype).view(n, -1) for site, room in rooms}


def fill(
    model: Loaded,
    rows: Rows,
    wanted: np.ndarray,
    x: Mapping[Site, torch.Tensor],
    say: Say,
    done: int = 0,
    on_tile: Callable[[int], None] = lambda n: None,
) -> None:
    """Run the model and fill the activations of the wanted tokens.

    Args:
        model: the model.
        rows: the rows.
        wanted: (kept,) int64, token indices ascending.
        x: arrays (kept, channel) by site, in the order of `wanted`.
        say: prints a line of progress.
        done: number of tiles that an earlier run finished.
        on_tile: called with the number of tiles done after each.
    """
    if not x or not len(wanted):
        raise CaptureError("A capture needs at least one site and one token; got none.")
    check_rows(model.source, model.sizes, rows, np.unique(rows.row_of(wanted)))
    plan = plan_of(model, rows, wanted)
    counts = tokens_of(rows, plan)
    n_bytes = sum(t.nbytes for t in x.values())
    say(
        f"capture: {len(x)} sites, {len(wanted):,} tokens kept, {n_bytes / 1e6:,.1f} MB to write; "
        f"{sum(len(numbers) for _, numbers in plan):,} rows, {sum(counts):,} tokens to run"
    )
    progress = Progress(say, sum(counts), sum(counts[:done]))
    for number, tile in enumerate(run(model, rows, wanted, plan[done:], x, list(x)), done + 1):
        progress.add(tile.n_tokens)
        on_tile(number)


def tokens_of(rows: Rows, plan: Plan) -> list[int]:
    """The number of tokens of each tile, without padding."""
    lengths = np.diff(rows.starts)
    return [int(lengths[numbers].sum()) for _, numbers in plan]


def run(
    model: Loaded,
    rows: Rows,
    wanted: np.ndarray,
    plan: Plan,
    x: Mapping[Site, torch.Tensor],
    sites: Iterable[Site],
    before: Callable[[int], None] = lambda number: None,
) -> Iterator[Tile]:
    """Run tiles as deep as the deepest of `sites` and fill x; yield each tile when it is done.

    x may lack some of the sites. before: called with the number of each tile before it runs.
    """
    bytes_of = {site: _bytes(room) for site, room in x.items()}
    most = max((height * length for (height, length), _ in plan), default=0)
    with torch.inference_mode():
        reader = _Reader(model, sites, min(len(wanted), most))
    with reading(model, {site: reader.hook(site) for site in reader.sites}):
        for number, (shape, numbers) in enumerate(plan):
            tile = make_tile(rows, wanted, shape, numbers)
            with torch.inference_mode():
                before(number)
                captured = reader.run(model, tile)
            _check_finite(captured, tile, rows, wanted)
            for site in x:
                # As bytes: three times as fast as torch's scatter.
                bytes_of[site][tile.target] = _bytes(captured[site])
            yield tile


def capture(
    model: Loaded,
    rows: Rows,
    wanted: np.ndarray,
    sites: Iterable[Site],
    say: Say = _silent,
) -> dict[Site, torch.Tensor]:
    """The activations x (kept, channel) of the `wanted` tokens at each site, in memory.

    wanted: (kept,) int64, token indices ascending. x has the model's dtype and lies on the CPU.

    Raises:
        CaptureError: a row is too long, a token id is unknown, or there is NaN or infinity.
        ModelError: the model lacks a site.
    """
    x = allocate(model, sites, len(wanted))
    fill(model, rows, wanted, x, say)
    return x
