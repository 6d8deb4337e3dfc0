"""The store of a capture: finished sites stay there and are hard-linked to the outputs.

A later capture with a layer more runs for the new sites only, although Snakemake unlinks the
outputs of a rule before it runs it.
"""

import os
import shutil
from pathlib import Path

import numpy as np
import torch

from saegrid.base import io
from saegrid.base.errors import size
from saegrid.base.recorded import recorded_spec
from saegrid.base.words import Site
from saegrid.models.forward import CaptureError
from saegrid.models.load import Loaded


def stored(store: Path, site: Site) -> Path:
    """The path of a site's file in the store."""
    return store / f"{site}.safetensors"


def is_finished(path: Path, wanted: np.ndarray, spec: str) -> bool:
    """Return True if a file of the store holds these tokens, written for this spec."""
    if not path.is_file() or recorded_spec(path) != spec:
        return False
    return np.array_equal(io.read_tensors(path, ["token"])["token"], wanted)


def link(source: Path, path: Path) -> None:
    """Link `path` to `source`; copy it if the file system has no hard links."""
    with io.atomic(path) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
    # Both names share one time of change: newer than the tokens, as an output must be.
    os.utime(path)


def check_space(store: Path, n_bytes: int) -> None:
    """Raise CaptureError if the disk has less than `n_bytes` free."""
    store.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(store).free
    if free < n_bytes:
        raise CaptureError(
            f"{store}: the activations need {size(n_bytes)}, but only {size(free)} are free. "
            "Make room, capture fewer context tokens, or take dtype bfloat16."
        )


def room_in_file(
    model: Loaded, site: Site, n: int, path: Path, mode: str = "w+"
) -> tuple[np.memmap, torch.Tensor]:
    """A mapped file for the activations (n, channel) of a site, as its map and as a tensor."""
    width = model.width(site)
    mapped = np.memmap(path, np.uint8, mode, shape=(n * width * model.dtype.itemsize,))
    return mapped, torch.from_numpy(mapped).view(model.dtype).view(n, width)


def write(store: Path, x: dict[Site, torch.Tensor], wanted: np.ndarray, spec: str) -> None:
    """Write one file a site: x (kept, channel) in the model's dtype and token (kept,) int64."""
    token = torch.from_numpy(wanted.astype(np.int64))
    for site in list(x):
        header = {"site": str(site), "axes": "x (token, channel), token (token,)"}
        io.write_tensors(stored(store, site), {"x": x.pop(site), "token": token}, spec, header)
