"""Tensors of a model folder, read by rows as float32 without torch."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from saegrid.base.tensors import header, open_tensors, widen
from saegrid.models.files import model_files


class Rows:
    """A tensor in a safetensors file, of which only the rows asked for are read, as float32."""

    def __init__(self, path: str | os.PathLike[str], name: str) -> None:
        arrays = open_tensors(Path(path)).arrays
        if name not in arrays:
            raise ValueError(f"{path} has no tensor {name!r}. Tensors: {', '.join(arrays)}.")
        self._values = arrays[name]
        self.shape: tuple[int, ...] = self._values.shape

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Rows as float32."""
        return widen(self._values[rows])


def tensor_files(folder: str | os.PathLike[str]) -> dict[str, Path]:
    """The tensors of a model folder by name, and the file that holds each.

    Raises CheckpointError as `model_files` does, and for a file that is damaged.
    """
    return {name: path for path in model_files(folder) for name in header(path).entries}


def tensor_rows(files: Mapping[str, Path], name: str) -> Rows:
    """The rows of a tensor; ValueError where no file holds it."""
    if name not in files:
        raise ValueError(f"The model holds no tensor {name!r}. Tensors: {', '.join(files)}.")
    return Rows(files[name], name)
