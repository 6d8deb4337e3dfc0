"""The capture by a whole model in one pass over the tiles, at all sites at once."""

import hashlib
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.capture.finished import check_space, room_in_file, write
from saegrid.capture.sizes import HELD
from saegrid.models.forward import Say, allocate, fill, plan_of
from saegrid.models.load import Loaded
from saegrid.models.tiles import Rows

SAVE_EVERY = 60.0
"""Seconds between two marks in the files from which a killed capture goes on."""
PROGRESS = "progress.json"


def _print(line: str) -> None:
    print(line, flush=True)


class _Files:
    """Files of the store for activations under way, with a mark of the tiles that are done."""

    def __init__(self, store: Path, identity: Mapping[str, Any]) -> None:
        self.store, self.identity = store, dict(identity)
        self.maps: dict[Site, np.memmap] = {}
        self.saved = time.monotonic()

    def path(self, site: Site) -> Path:
        return self.store / f"{site}.part"

    def open(self, model: Loaded, sites: Iterable[Site], n: int) -> dict[Site, torch.Tensor]:
        """The activations (n, channel) by site, backed by files; those of a killed capture are
        kept."""
        x, mode = {}, "r+" if self.done() else "w+"
        for site in sites:
            self.maps[site], x[site] = room_in_file(model, site, n, self.path(site), mode)
        return x

    def done(self) -> int:
        """The number of tiles that an earlier run of the same capture has put into the files."""
        mark = self.store / PROGRESS
        facts = io.read_json(mark) if mark.is_file() else {}
        done = facts.pop("done", 0)
        whole = all(self.path(Site.parse(site)).is_file() for site in self.identity["sites"])
        return done if whole and facts == self.identity else 0

    def save(self, done: int) -> None:
        """Every `SAVE_EVERY` seconds, write the files to disk and mark the tiles that are done."""
        if time.monotonic() - self.saved >= SAVE_EVERY:
            for mapped in self.maps.values():
                mapped.flush()
            io.write_json(self.store / PROGRESS, {**self.identity, "done": done})
            self.saved = time.monotonic()

    def remove(self) -> None:
        """Remove the files and the mark."""
        self.maps.clear()
        for path in [*self.store.glob("*.part"), self.store / PROGRESS]:
            path.unlink(missing_ok=True)


def capture_sites(
    model: Loaded,
    rows: Rows,
    wanted: np.ndarray,
    sites: Iterable[Site],
    store: Path,
    spec: str = "",
    say: Say = _print,
) -> None:
    """Capture `sites` into files of `store`, `{site}.safetensors`.

    Up to `HELD` bytes are held in memory. Larger activations go to files of the store while the
    pass runs, and the next call goes on where a killed one stopped.
    """
    sites = sorted(sites)
    n_bytes = sum(len(wanted) * model.width(site) * model.dtype.itemsize for site in sites)
    large = n_bytes > HELD
    check_space(store, n_bytes * (2 if large else 1))
    if not large:
        x = allocate(model, sites, len(wanted))
        fill(model, rows, wanted, x, say)
        return write(store, x, wanted, spec)
    plan = plan_of(model, rows, wanted)
    identity = {
        "spec": spec,
        "sites": [str(site) for site in sites],
        "tokens": hashlib.sha256(rows.ids.tobytes() + wanted.tobytes()).hexdigest(),
        "dtype": str(model.dtype),
        "tiles": len(plan),
    }
    files = _Files(store, identity)
    done = files.done()
    x = files.open(model, sites, len(wanted))
    fill(model, rows, wanted, x, say, done, files.save)
    write(store, x, wanted, spec)
    files.remove()
