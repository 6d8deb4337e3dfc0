"""Tensors of a model folder, read by rows as float32 without torch."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.tensors import open_tensors, widen

WHOLE, INDEX = "model.safetensors", "model.safetensors.index.json"


class Rows:
    """A tensor in a safetensors file, of which only the rows asked for are read, as float32."""

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        found = open_tensors(Path(path)).arrays
        if name not in found:
            raise ValueError(f"{path} has no tensor {name!r}. Tensors: {', '.join(found)}.")
        self._values = found[name]
        self.shape: tuple[int, ...] = self._values.shape

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows as float32."""
        return widen(self._values[rows])


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
