"""The tensors of a checkpoint, read one by one at the speed of the disk: no map, no second copy."""

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from saegrid.base.tensors import header
from saegrid.models import Family
from saegrid.models.files import model_files
from saegrid.models.load import ModelError

STORED = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
"""Types of weights in safetensors files."""


class _Entry(NamedTuple):
    """The place of a tensor in its file."""

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def n_bytes(self) -> int:
        return prod(self.shape) * self.dtype.itemsize


def _entries(path: Path) -> dict[str, _Entry]:
    """The weights in a safetensors file, by name; CheckpointError where the file is damaged."""
    return {
        name: _Entry(path, entry.start, entry.shape, STORED[entry.dtype])
        for name, entry in header(path).entries.items()
        if entry.dtype in STORED
    }


class Weights:
    """The tensors of a model's folder, by the names of the model without its head."""

    def __init__(self, folder: Path, family: Family) -> None:
        """family: says how names are spelled where the checkpoint holds a head too."""
        self.folder, self.family = folder, family
        self.entries: dict[str, _Entry] = {}
        for path in model_files(folder):
            self.entries |= _entries(path)

    def _spelling(self, name: str) -> str | None:
        """The name under which the checkpoint keeps a tensor; None where it lacks it."""
        spellings = self.family.spellings(self.family.prefix + name)
        return next((spelling for spelling in spellings if spelling in self.entries), None)

    def _find(self, name: str, shape: tuple[int, ...] | None = None) -> _Entry:
        whole, spelling = self.family.prefix + name, self._spelling(name)
        if spelling is None:
            raise ModelError(
                f"model.path: {self.folder}: the checkpoint lacks the tensor {whole}. Check that "
                "all of its files are there, and model.family."
            )
        entry = self.entries[spelling]
        if shape is not None and entry.shape != shape:
            raise ModelError(
                f"model.path: {entry.path}: {whole} must have shape {shape}, as "
                f"config.json says; got {entry.shape}. Give the folder of one whole checkpoint."
            )
        return entry

    def read(
        self, shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype, pinned: bool = False
    ) -> dict[str, torch.Tensor]:
        """Tensors of these names and shapes, as `dtype`; in the order in which they lie on disk.

        pinned: into memory from which a GPU copies by itself.
        """
        parts = {name: self._parts(name, tuple(shape)) for name, shape in shapes.items()}
        entries = [(name, n, e) for name, some in parts.items() for n, e in enumerate(some)]
        read: dict[str, dict[int, torch.Tensor]] = {name: {} for name in shapes}
        for name, number, entry in sorted(entries, key=lambda item: item[2][:2]):
            room = torch.empty(entry.n_bytes, dtype=torch.uint8, pin_memory=pinned)
            with entry.path.open("rb", buffering=0) as file:
                file.seek(entry.offset)
                _fill(file, memoryview(room.numpy()), entry)
            read[name][number] = room.view(entry.dtype).view(entry.shape).to(dtype)
        return {name: _joined(some, tuple(shapes[name])) for name, some in read.items()}

    def _parts(self, name: str, shape: tuple[int, ...]) -> list[_Entry]:
        """The tensors of which one consists: itself, or those of all experts in a row."""
        for end, parts in self.family.fused:
            stem = name.removesuffix(end)
            if stem != name and self._spelling(name) is None:
                experts, height, width = shape
                each = (height // len(parts), width)
                return [
                    self._find(stem + part.format(number), each)
                    for number in range(experts)
                    for part in parts
                ]
        return [self._find(name, shape)]

    def rows(self, name: str, numbers: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Some rows of a matrix (n, channel), as `dtype`; ascending `numbers`."""
        entry = self._find(name)
        width = entry.n_bytes // entry.shape[0]
        mapped = np.memmap(entry.path, np.uint8, "r", entry.offset, (entry.shape[0], width))
        picked = torch.from_numpy(mapped[numbers])
        return picked.view(entry.dtype).to(dtype)

    def n_bytes(self, shapes: Mapping[str, tuple[int, ...]]) -> int:
        """Bytes of these tensors on disk."""
        return sum(e.n_bytes for name, shape in shapes.items() for e in self._parts(name, shape))


def _joined(parts: Mapping[int, torch.Tensor], shape: tuple[int, ...]) -> torch.Tensor:
    """The tensor of some shape that consists of parts, by their numbers."""
    if len(parts) == 1:
        return parts[0].view(shape)
    return torch.cat([parts[number] for number in sorted(parts)]).view(shape)


def _fill(file: Any, room: memoryview, entry: _Entry) -> None:
    """Read until the room is full; one read gives 2 GB at most."""
    done = 0
    while done < len(room):
        got = file.readinto(room[done:])
        if not got:
            raise ModelError(f"{entry.path}: the file ended while it was read. Fetch it again.")
        done += got
