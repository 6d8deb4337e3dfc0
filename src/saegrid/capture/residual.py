"""The residual stream between two blocks, in a file of the store from which a capture can go on."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saegrid.base import io
from saegrid.models.tiles import Plan


class Stream:
    """A reader of the tiles of a file, each by one read."""

    def __init__(self, path: Path, begin: int, residual: "Residual") -> None:
        self.path, self.begin, self.residual = path, begin, residual

    def tile(self, number: int) -> torch.Tensor:
        """The residual stream of a tile (row, position, d_model)."""
        start, stop = self.residual.offsets[number : number + 2].tolist()
        size = self.residual.row_bytes
        offset = self.begin + start * size
        numbers = np.fromfile(self.path, np.uint8, (stop - start) * size, offset=offset)
        shape = (*self.residual.plan[number][0], self.residual.d_model)
        return torch.from_numpy(numbers).view(self.residual.dtype).view(shape)


class Writer:
    """A writer of tiles, one behind the other."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def add(self, hidden: torch.Tensor) -> None:
        """Write the next tile (row, position, d_model)."""
        self.file.write(hidden.contiguous().cpu().view(torch.uint8).numpy())


class Residual:
    """The files `residual-L{layer}.safetensors` of a store, each with `residual` (position,
    d_model).

    The positions are those of all tiles with their padding, one tile after the other.
    """

    def __init__(
        self,
        store: Path,
        identity: Mapping[str, str],
        plan: Plan,
        d_model: int,
        dtype: torch.dtype,
    ) -> None:
        """Set up the sizes of a file.

        Args:
            store: folder of the files.
            identity: facts of the capture; only files with the same ones are used.
            plan: tiles of the capture.
            d_model: width of the stream.
            dtype: number type of the stream.
        """
        self.store, self.identity, self.plan = store, dict(identity), plan
        self.d_model, self.dtype = d_model, dtype
        sizes = [height * length for (height, length), _ in plan]
        self.offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self.row_bytes = d_model * dtype.itemsize
        self.n_bytes = int(self.offsets[-1]) * self.row_bytes
        """Bytes of a file without its head."""

    def _path(self, layer: int) -> Path:
        return self.store / f"residual-L{layer}.safetensors"

    def _head(self) -> bytes:
        dtype = str(self.dtype).removeprefix("torch.")
        shape = (int(self.offsets[-1]), self.d_model)
        return io.tensors_head({"residual": (dtype, shape)}, self.identity)

    def _kept(self) -> list[int]:
        """The layers whose files are whole and belong to this capture."""
        kept = []
        for path in self.store.glob("residual-L*.safetensors"):
            with path.open("rb") as file:
                same = file.read(len(self._head())) == self._head()
            if same and path.stat().st_size == len(self._head()) + self.n_bytes:
                kept.append(int(path.stem.removeprefix("residual-L")))
        return sorted(kept)

    def deepest(self, limit: int) -> int:
        """The deepest layer up to `limit` whose stream is kept; -1 if there is none."""
        return max((layer for layer in self._kept() if layer <= limit), default=-1)

    def stream(self, layer: int) -> Stream:
        """The residual stream behind a block."""
        return Stream(self._path(layer), len(self._head()), self)

    @contextmanager
    def writing(self, layer: int) -> Iterator[Writer]:
        """A context with the writer of the stream behind a block, which replaces those of the
        blocks before."""
        with io.atomic(self._path(layer)) as temporary, temporary.open("wb") as file:
            file.write(self._head())
            yield Writer(file)
        self._remove([kept for kept in self._kept() if kept >= layer])

    def keep_deepest(self, n_layers: int) -> None:
        """Remove all files but that of the deepest block, and that one too if no block follows
        it."""
        self._remove([layer for layer in self._kept()[-1:] if layer < n_layers - 1])

    def _remove(self, spared: list[int]) -> None:
        paths = {self._path(layer) for layer in spared}
        for path in self.store.glob("residual-L*.safetensors"):
            if path not in paths:
                path.unlink()
