"""Activations in several files as one array: an SAE learns from the shards of a corpus."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saegrid.base.tensors import open_tensors


class Joined:
    """Matrices of one width, one below the other, of which rows are read without a copy of all."""

    def __init__(self, parts: Sequence[np.ndarray]) -> None:
        self.parts = list(parts)
        self.stops = np.cumsum([len(part) for part in self.parts])
        self.shape = (int(self.stops[-1]), self.parts[0].shape[1])
        self.dtype = self.parts[0].dtype

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """(row, column): the rows of these numbers."""
        result = np.empty((len(rows), self.shape[1]), self.dtype)
        owner = np.searchsorted(self.stops, rows, side="right")
        for number in np.unique(owner):
            own = owner == number
            part = self.parts[number]
            result[own] = part[rows[own] - (self.stops[number] - len(part))]
        return result


def open_rows(paths: Sequence[str | Path]) -> np.ndarray | Joined:
    """x (token, d_model) of activations files in the order given, mapped into memory.

    Raises ValueError where the files differ in width or type.
    """
    parts = [open_tensors(path).arrays["x"] for path in paths]
    first = parts[0]
    for path, x in zip(paths, parts, strict=True):
        if (x.shape[1:], x.dtype) != (first.shape[1:], first.dtype):
            raise ValueError(
                f"{path}: x must be (token, {first.shape[1]}) {first.dtype} as in {paths[0]}; got "
                f"{x.shape} {x.dtype}. Delete the file and capture again."
            )
    return first if len(parts) == 1 else Joined(parts)
