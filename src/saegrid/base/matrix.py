"""A large stored matrix, read in blocks into memory that the reader gives.

Mapped pages count as resident memory and come one fault at a time; what is read here is held in its
buffer and nowhere else.
"""

import os
from functools import cached_property
from pathlib import Path

import numpy as np

from saegrid.base.errors import CheckpointError


class Matrix:
    """A matrix (row, column) in a file, or in memory."""

    def __init__(self, array: np.ndarray, path: Path | None = None, place: int | None = None):
        """array: its numbers, mapped or in memory; place: its first byte in the file, if in one."""
        self.array, self.path, self.place = array, path, place
        self.shape, self.dtype = array.shape, array.dtype

    @cached_property
    def _file(self) -> "_File":
        return _File(self.path)

    def rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """(row, column) of the rows start..stop - 1: the head of `out`, or an array of its own."""
        if self.place is None:
            return self._give(self.array[start:stop], out)
        if out is None:
            out = np.empty((stop - start, self.shape[1]), self.dtype)
        out = out[: stop - start]
        self._file.fill(out, self.place + start * self._stride)
        return out

    def columns(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """(column, row) of the columns start..stop - 1, transposed; `out` as in `rows`."""
        height = self.shape[0]
        if self.place is None:
            return self._give(self.array[:, start:stop].T, out)
        pieces = np.empty((height, stop - start), self.dtype)
        first = self.place + start * self.dtype.itemsize
        places = range(first, first + height * self._stride, self._stride)
        for place in places:  # all under way before the first is waited for
            self._file.expect(place, pieces[0].nbytes)
        for piece, place in zip(pieces, places, strict=True):
            self._file.fill(piece, place)
        return self._give(pieces.T, out)

    @property
    def _stride(self) -> int:
        """Bytes from one row to the next."""
        return self.shape[1] * self.dtype.itemsize

    def _give(self, found: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        if out is None:
            return found
        out = out[: len(found)]
        np.copyto(out, found)
        return out


class _File:
    """A file that is open for reading at any place, by several threads at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def expect(self, place: int, size: int) -> None:
        """Have the kernel begin to read; without effect where the system cannot be told."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.descriptor, place, size, os.POSIX_FADV_WILLNEED)

    def fill(self, out: np.ndarray, place: int) -> None:
        """Fill a contiguous array with the bytes from `place` on."""
        view = memoryview(out.reshape(-1).view(np.uint8))
        self.expect(place, len(view))
        done = 0
        while done < len(view):
            got = os.preadv(self.descriptor, [view[done:]], place + done)
            if got == 0:
                raise CheckpointError(
                    f"{self.path}: the file ends at byte {place + done}; it was cut while it was "
                    "read. Fetch it again."
                )
            done += got
