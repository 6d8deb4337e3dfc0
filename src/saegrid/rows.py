"""Tensors of a model folder, read by rows as float32 without torch."""

import json
import mmap
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of safetensors that can be read, and how their bytes are seen."""
WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class Rows:
    """A tensor in a safetensors file, of which only the rows asked for are read, as float32."""

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        with Path(path).open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        size = int.from_bytes(self._bytes[:8], "little")
        header = json.loads(self._bytes[8 : 8 + size])
        if name not in header:
            raise ValueError(f"{path} has no tensor {name!r}. Tensors: {', '.join(header)}.")
        entry = header[name]
        if entry["dtype"] not in DTYPES:
            raise ValueError(
                f"{path}: {name} must be one of {', '.join(DTYPES)}; got {entry['dtype']}."
            )
        self.shape: tuple[int, ...] = tuple(entry["shape"])
        self._bfloat16 = entry["dtype"] == "BF16"
        start, stop = entry["data_offsets"]
        dtype = np.dtype(DTYPES[entry["dtype"]])
        there = max(0, len(self._bytes) - 8 - size - start) // dtype.itemsize
        count = (stop - start) // dtype.itemsize
        if there < count:
            raise ValueError(f"{path} is cut short: {name} has {there} of {count} values.")
        flat = np.frombuffer(self._bytes, dtype, count, 8 + size + start)
        self._values = flat.reshape(self.shape)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows as float32."""
        found = self._values[rows]
        if self._bfloat16:  # the upper half of a float32
            return (found.astype(np.uint32) << 16).view(np.float32)
        return found.astype(np.float32)


def tensor_files(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The tensors of a model folder by name, and the file that holds each.

    Reads model.safetensors, or what model.safetensors.index.json names. Raises ValueError where the
    folder has neither, or where a file that the index names is missing.
    """
    folder = Path(folder)
    if (folder / INDEX).is_file():
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        where = {name: folder / part for name, part in index["weight_map"].items()}
        missing = sorted({path.name for path in where.values() if not path.is_file()})
        if missing:
            raise ValueError(f"{folder}: {INDEX} names {missing[0]}, which is not there.")
        return where
    path = folder / WHOLE
    if not path.is_file():
        raise ValueError(f"{folder} must hold {WHOLE} or {INDEX}; it holds neither.")
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: path for name in header if name != "__metadata__"}


def tensor_rows(files: Mapping[str, Path], name: str) -> Rows:
    """The rows of a tensor; ValueError where no file holds it."""
    if name not in files:
        raise ValueError(f"The model holds no tensor {name!r}. Tensors: {', '.join(files)}.")
    return Rows(files[name], name)
