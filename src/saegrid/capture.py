"""Capture: tokens -> activations x (token, d_model) at any number of sites, in one forward pass.

The same bytes come out whatever else is captured with a token, and in whatever order. Finished
sites are kept in a store and hard-linked to the outputs, so that a later capture with a layer more
runs for the new sites only: Snakemake unlinks the outputs of a rule before it runs it.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from saegrid import io
from saegrid.models.check import check
from saegrid.models.forward import CaptureError, Say, allocate, capture, fill
from saegrid.models.load import Loaded, load
from saegrid.models.tiles import Rows, plan_tiles, rows_of
from saegrid.shards import part_of
from saegrid.words import EDITED, ORIGINAL, PLAIN, Site

__all__ = ["CaptureError", "capture", "capture_corpus", "captured_tokens", "rows_of"]

HELD = 2 << 30
"""Bytes of activations up to which they are held in memory; more go to files of the store."""
SAVE_EVERY = 60.0
"""Seconds between two marks from which a killed capture with such files goes on."""
PROGRESS = "progress.json"


def captured_tokens(tokens: pa.Table, spans: pa.Table, choice: Mapping[str, Any]) -> np.ndarray:
    """Token indices to capture, ascending (kept,) int64 (design, artefacts: `activations`).

    `choice`: edited (the tokens of the edits, edited side), original (the tokens they replaced,
    original side), context (how many of the other tokens of the edited or plain side, or `all`)
    and seed (of the sample of these). Special tokens are never captured. The filter has no say.

    Raises CaptureError where nothing is left.
    """
    side = tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    special, in_edit = (tokens[name].to_numpy() for name in ("special", "in_edit"))
    chosen = np.zeros(len(side), dtype=bool)
    if choice["edited"]:
        chosen |= in_edit
    if choice["original"]:
        chosen[_replaced(tokens, spans)] = True
    context = np.flatnonzero(((side == EDITED) | (side == PLAIN)) & ~in_edit & ~special)
    n = len(context) if choice["context"] == "all" else min(choice["context"], len(context))
    if n < len(context):
        generator = np.random.default_rng(choice["seed"])
        context = generator.choice(context, n, replace=False)
    chosen[context] = True
    wanted = np.flatnonzero(chosen & ~special)
    if not len(wanted):
        raise CaptureError(
            f"tokens: no token of {tokens.num_rows} is chosen by {dict(choice)}. Set context to a "
            "number above 0 or to all."
        )
    return wanted


def _replaced(tokens: pa.Table, spans: pa.Table) -> np.ndarray:
    """Token indices of what the edits replaced, on the original side."""
    rows = rows_of(tokens)
    there = spans.filter(pc.equal(spans["side"].cast(pa.string()), ORIGINAL))
    row, start, stop = (there[name].to_numpy() for name in ("row", "edit_start", "edit_stop"))
    length = stop - start
    first = np.repeat(rows.starts[row] + start, length)
    step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return np.unique(first + step)


# --- the store -------------------------------------------------------------------------------


def _print(line: str) -> None:
    print(line, flush=True)


def _stored(store: Path, site: Site) -> Path:
    return store / f"{site}.safetensors"


def _is_finished(path: Path, wanted: np.ndarray, spec: str) -> bool:
    """Whether a file of the store holds these tokens, written for this spec."""
    if not path.is_file() or io.recorded_spec(path) != spec:
        return False
    return np.array_equal(io.read_tensors(path, ["token"])["token"], wanted)


def _link(source: Path, path: Path) -> None:
    """Make `path` a second name of `source`; a copy where the file system knows no hard links."""
    with io.atomic(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
    # Both names share one time of change: newer than the tokens, as an output must be.
    os.utime(path)


def _check_space(store: Path, n_bytes: int) -> None:
    store.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store).free
    if free < n_bytes:
        raise CaptureError(
            f"{store}: the activations need {n_bytes / 1e9:,.2f} GB, but only {free / 1e9:,.2f} GB "
            "are free. Make room, capture fewer context tokens, or take dtype bfloat16."
        )


class _Files:
    """Room for activations in files of the store, with a mark of how far a capture came."""

    def __init__(self, store: Path, identity: Mapping[str, Any]) -> None:
        self.store, self.identity = store, dict(identity)
        self.maps: dict[Site, np.memmap] = {}
        self.saved = time.monotonic()

    def path(self, site: Site) -> Path:
        return self.store / f"{site}.part"

    def open(self, model: Loaded, sites: Iterable[Site], n: int) -> dict[Site, torch.Tensor]:
        """Activations (n, channel) by site, backed by files; kept ones where `done` says so."""
        x, mode = {}, "r+" if self.done() else "w+"
        for site in sites:
            width, size = model.width(site), model.dtype.itemsize
            self.maps[site] = np.memmap(self.path(site), np.uint8, mode, shape=(n * width * size,))
            x[site] = torch.from_numpy(self.maps[site]).view(model.dtype).view(n, width)
        return x

    def done(self) -> int:
        """Tiles that an earlier run of the same capture has put into the files."""
        mark = self.store / PROGRESS
        found = io.read_json(mark) if mark.is_file() else {}
        done = found.pop("done", 0)
        whole = all(self.path(Site.parse(site)).is_file() for site in self.identity["sites"])
        return done if whole and found == self.identity else 0

    def save(self, done: int) -> None:
        """Now and then: put what is there to disk and mark it."""
        if time.monotonic() - self.saved >= SAVE_EVERY:
            for mapped in self.maps.values():
                mapped.flush()
            io.write_json(self.store / PROGRESS, {**self.identity, "done": done})
            self.saved = time.monotonic()

    def remove(self) -> None:
        """Remove files and mark."""
        self.maps.clear()
        for path in [*self.store.glob("*.part"), self.store / PROGRESS]:
            path.unlink(missing_ok=True)


def _write(store: Path, x: dict[Site, torch.Tensor], wanted: np.ndarray, spec: str) -> None:
    """One file a site: x (kept, channel) in the model's dtype and token (kept,) int64."""
    token = torch.from_numpy(wanted.astype(np.int64))
    for site in list(x):
        header = {"site": str(site), "axes": "x (token, channel), token (token,)"}
        io.write_tensors(_stored(store, site), {"x": x.pop(site), "token": token}, spec, header)


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

    Up to `HELD` bytes are held in memory. Beyond, they go to files of the store while the pass
    runs, and the next call goes on where a killed one stopped.
    """
    sites = sorted(sites)
    n_bytes = sum(len(wanted) * model.width(site) * model.dtype.itemsize for site in sites)
    large = n_bytes > HELD
    _check_space(store, n_bytes * (2 if large else 1))
    if not large:
        x = allocate(model, sites, len(wanted))
        fill(model, rows, wanted, x, say)
        return _write(store, x, wanted, spec)
    plan = plan_tiles(rows, wanted, model.sizes.context, model.device.type)
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
    _write(store, x, wanted, spec)
    files.remove()


def capture_corpus(
    model: Mapping[str, Any],
    tokens: pa.Table,
    spans: pa.Table,
    choice: Mapping[str, Any],
    outputs: Iterable[str | os.PathLike[str]],
    store: str | os.PathLike[str],
    spec: str = "",
    say: Say = _print,
    shard: tuple[int, int] | None = None,
) -> None:
    """Capture a corpus at the sites that the outputs name: `{site}.safetensors` each.

    Args:
        model: settings, see `models.load`. It is not loaded where the store has every site.
        tokens, spans: the corpus' tables.
        choice: which tokens, see `captured_tokens`.
        outputs: one file a site; each holds x (kept, d_model) in the model's dtype and token
            (kept,) int64, the token indices ascending.
        store: folder where finished sites stay; a file of it counts if it was written for the
            same `spec` and tokens.
        spec: what decides the values, without the list of sites. Stands in the headers.
        shard: number and count, see `shards`; the tokens are chosen over the whole corpus.

    Raises:
        CaptureError, ModelError: before any long work, but for NaN or infinity in the activations.
    """
    paths = {Site.parse(Path(path).stem): Path(path) for path in outputs}
    store, rows = Path(store), rows_of(tokens)
    wanted = captured_tokens(tokens, spans, choice)
    if shard is not None:
        wanted = wanted[part_of(rows.row_of(wanted), *shard)]
    missing = [site for site in paths if not _is_finished(_stored(store, site), wanted, spec)]
    say(f"capture: {len(paths) - len(missing)} of {len(paths)} sites are in the store")
    if missing:
        loaded = load(model)
        check(loaded)
        capture_sites(loaded, rows, wanted, missing, store, spec, say)
    for site, path in paths.items():
        _link(_stored(store, site), path)
