"""A large stored matrix, read in blocks into the reader's buffer.

Mapped pages would count as resident memory and come one fault at a time; blocks read here are held
in their buffer alone.
"""

import os
from functools import cached_property
from pathlib import Path

import numpy as np

from saegrid.base.errors import CheckpointError


class Matrix:
    """A matrix (row, column) in a file, or in memory."""

    def __init__(self, array: np.ndarray, path: Path | None = None, offset: int | None = None):
        """Set up the matrix.

        Args:
            array: its numbers, mapped or in memory.
            path: its file, if it lies in one.
            offset: offset of its first byte in the file.
        """
        self.array, self.path, self.offset = array, path, offset
        self.shape, self.dtype = array.shape, array.dtype

    @cached_property
    def _file(self) -> "_File":
        return _File(self.path)

    def rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """The rows start..stop - 1 (row, column), in the head of `out` or in a new array."""
        if self.offset is None:
            return self._give(self.array[start:stop], out)
        if out is None:
            out = np.empty((stop - start, self.shape[1]), self.dtype)
        out = out[: stop - start]
        self._file.fill(out, self.offset + start * self._stride)
        return out

    def columns(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """The columns start..stop - 1, transposed (column, row), in `out` or a new array as in
        `rows`."""
        height = self.shape[0]
        if self.offset is None:
            return self._give(self.array[:, start:stop].T, out)
        pieces = np.empty((height, stop - start), self.dtype)
        first = self.offset + start * self.dtype.itemsize
        offsets = range(first, first + height * self._stride, self._stride)
        for offset in offsets:  # all under way before the first is waited for
            self._file.expect(offset, pieces[0].nbytes)
        for piece, offset in zip(pieces, offsets, strict=True):
            self._file.fill(piece, offset)
        return self._give(pieces.T, out)

    @property
    def _stride(self) -> int:
        """The number of bytes from one row to the next."""
        return self.shape[1] * self.dtype.itemsize

    def _give(self, values: np.ndarray, out: np.ndarray | None) -> np.ndarray:
        if out is None:
            return values
        out = out[: len(values)]
        np.copyto(out, values)
        return out


class _File:
    """A file that is open for reading at any offset, by several threads at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = os.open(path, os.O_RDONLY)

    def __del__(self) -> None:
        if hasattr(self, "descriptor"):
            os.close(self.descriptor)

    def expect(self, offset: int, size: int) -> None:
        """Ask the kernel to begin to read; this has no effect on a system without such a call."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(self.descriptor, offset, size, os.POSIX_FADV_WILLNEED)

    def fill(self, out: np.ndarray, offset: int) -> None:
        """Fill a contiguous array with the bytes from an offset on."""
        view = memoryview(out.reshape(-1).view(np.uint8))
        self.expect(offset, len(view))
        done = 0
        while done < len(view):
            got = os.preadv(self.descriptor, [view[done:]], offset + done)
            if got == 0:
                raise CheckpointError(
                    f"{self.path}: the file ends at byte {offset + done}; it was cut while it was "
                    "read. Fetch it again."
                )
            done += got
