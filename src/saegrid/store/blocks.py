"""The capture of a shard: its rows run through the model, block by block, into a file a site."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch

from saegrid.base.io import canonical
from saegrid.base.words import Site
from saegrid.models.forward import CaptureError, capture
from saegrid.models.load import Loaded
from saegrid.models.memory import ROOM, WORKING
from saegrid.models.tiles import Rows
from saegrid.store.choice import Entries, entries_of
from saegrid.store.manifest import shard_path
from saegrid.store.norms import norm_of
from saegrid.store.rows import Gathered
from saegrid.store.settings import Settings, StoreError
from saegrid.store.shard import writing

FEWEST, MOST = 4096, 131_072
"""Bounds on the tokens of a block. A row's activations depend on that row alone, so that the size
of a block decides no byte."""


class Capturing:
    """A writer of shards: a model with the settings by which its activations are stored."""

    def __init__(
        self, folder: Path, model: Loaded, settings: Settings, identity: str, memory_mb: int
    ) -> None:
        """Set up the writer; memory_mb: megabytes that it may hold, which set the size of a
        block."""
        self.folder, self.model, self.settings = folder, model, settings
        self.identity, self.memory_mb = identity, memory_mb
        self.norm = norm_of(model, settings.norm)

    def width(self, site: str) -> int:
        """Number of channels of a site."""
        return self.model.width(Site.parse(site))

    def shard(self, number: int, gathered: Gathered, sites: Sequence[str]) -> dict[str, str]:
        """Write a shard, a file for each of these sites; return the sha256 of each file."""
        settings, folder, dtype = self.settings, self.folder, self.model.dtype
        entries = entries_of(gathered, settings.choice, settings.seed)
        header = {
            "store": self.identity,
            "settings": canonical(settings.deciding),
            "axes": "x (entry, channel), row token token_id (entry,)",
        }
        with ExitStack() as stack:
            writers = {
                site: stack.enter_context(
                    writing(
                        shard_path(folder, site, number),
                        entries,
                        self.width(site),
                        dtype,
                        {**header, "site": site},
                    )
                )
                for site in sites
            }
            for x in self._blocks(gathered, entries, sites):
                for site, writer in writers.items():
                    writer.add(x[site])
            return {site: writer.close() for site, writer in writers.items()}

    def _size(self, sites: Sequence[str]) -> int:
        """Number of tokens of a block that fits into memory."""
        # On a CPU the weights are held too; means are taken in float64.
        weights = sum(p.nbytes for p in self.model.model.parameters())
        held = weights if self.model.device.type == "cpu" else 0
        a_token = sum(map(self.width, sites)) * (self.model.dtype.itemsize + 8)
        room = self.memory_mb * 10**6 - ROOM - WORKING * held
        return int(np.clip(room // a_token, FEWEST, MOST))

    def _blocks(
        self, gathered: Gathered, entries: Entries, sites: Sequence[str]
    ) -> Iterator[dict[str, torch.Tensor]]:
        """Blocks of whole rows: the activations x (entry, channel) of each site."""
        starts, wanted = gathered.rows.starts, entries.wanted
        stops = np.append(entries.first[1:], len(wanted))
        parsed = [Site.parse(site) for site in sites]
        for first, last in _spans(starts, self._size(sites)):
            begin, end = starts[[first, last]]
            low, high = np.searchsorted(wanted, [begin, end])
            if low == high:
                continue
            rows = Rows(gathered.rows.ids[begin:end], starts[first : last + 1] - begin)
            try:
                x = capture(self.model, rows, wanted[low:high] - begin, parsed)
            except CaptureError as problem:
                texts = gathered.text[[first, last - 1]]
                raise StoreError(
                    f"In the rows of the texts {texts[0]} to {texts[1]}: {problem}"
                ) from problem
            opens = slice(*np.searchsorted(entries.first, [low, high]))
            spans = entries.first[opens] - low, stops[opens] - low
            yield {str(site): self._kept(x.pop(site), *spans) for site in parsed}

    def _kept(self, x: torch.Tensor, first: np.ndarray, stop: np.ndarray) -> torch.Tensor:
        """Entries (entry, channel) of captured tokens x: normed, and averaged if the choice is
        mean."""
        x = self.norm(x)
        if self.settings.choice != "mean":
            return x
        sums = np.add.reduceat(x.double().numpy(), first, axis=0)
        return torch.from_numpy(sums / (stop - first)[:, None]).to(x.dtype)


def _spans(starts: np.ndarray, size: int) -> Iterator[tuple[int, int]]:
    """Ranges (first, stop) of rows that together have at most `size` tokens, or are one row."""
    first, n_rows = 0, len(starts) - 1
    while first < n_rows:
        last = int(np.searchsorted(starts, starts[first] + size, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last
