"""Safetensors files, mapped: nothing is read before it is used."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.matrix import Matrix

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": np.uint16,
    "I64": np.int64,
    "I32": np.int32,
}
"""Stored types that are read; bfloat16 is kept as its bits."""
NAMES = {np.dtype(np.float32): "float32", np.dtype(np.float16): "float16"} | {
    np.dtype(np.uint16): "bfloat16"
}
MAX_HEADER = 100 << 20


def widen(raw: np.ndarray) -> np.ndarray:
    """Stored numbers as float32, exactly; uint16 holds the bits of bfloat16.

    A float32 array comes back as it is, without a copy.
    """
    if raw.dtype != np.uint16:
        return raw.astype(np.float32, copy=False)
    bits = np.empty(raw.shape, np.uint32)
    np.left_shift(raw, 16, out=bits, dtype=np.uint32)
    return bits.view(np.float32)


class Tensors(NamedTuple):
    """The tensors of a safetensors file, mapped: nothing is read before it is used."""

    path: Path
    arrays: dict[str, np.ndarray]
    """Arrays by name, read-only; uint16 holds the bits of bfloat16."""
    places: Mapping[str, int] = {}
    """First byte of each in the file; empty where the arrays lie in memory."""

    def get(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """The array of that name and shape; CheckpointError where it is missing or differs."""
        if name not in self.arrays:
            known = ", ".join(sorted(self.arrays))
            raise CheckpointError(
                f"{self.path}: the tensor {name!r} is missing; the file holds {known}."
            )
        found = self.arrays[name]
        if found.shape != shape:
            raise CheckpointError(
                f"{self.path}: the tensor {name!r} must have shape {shape}; got {found.shape}."
            )
        if found.dtype not in NAMES:
            raise CheckpointError(
                f"{self.path}: the tensor {name!r} is stored as {found.dtype}; "
                f"weights must be {', '.join(NAMES.values())}."
            )
        return found

    def matrix(self, name: str, shape: tuple[int, int]) -> Matrix:
        """The large array of that name and shape, for reading in blocks; errors as of `get`."""
        return Matrix(self.get(name, shape), self.path, self.places.get(name))


def dtype_name(array: np.ndarray | Matrix) -> str:
    """What an array is stored as: float32, float16 or bfloat16."""
    return NAMES[array.dtype]


def open_tensors(path: str | Path) -> Tensors:
    """The tensors of a safetensors file, mapped into memory.

    Raises:
        CheckpointError: the file is missing, truncated, or holds types that are not read.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: the file is not there.")
    size = path.stat().st_size
    header, begin = _header(path, size)
    entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
    end = begin + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    if size != end:
        raise CheckpointError(
            f"{path}: the file is {'truncated' if size < end else 'too long'}: "
            f"its header promises {end} bytes, got {size}. Fetch it again."
        )
    data = np.asarray(np.memmap(path, np.uint8, "r"))[begin:]
    arrays = {name: _array(path, name, entry, data) for name, entry in entries.items()}
    return Tensors(path, arrays, {n: begin + e["data_offsets"][0] for n, e in entries.items()})


def _header(path: Path, size: int) -> tuple[dict[str, Any], int]:
    """The parsed header and the offset of the first byte of data."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER):
            raise CheckpointError(
                f"{path}: this is no safetensors file, or it is truncated ({size} bytes). "
                "Fetch it again."
            )
        try:
            return json.loads(file.read(length)), 8 + length
        except ValueError:
            raise CheckpointError(f"{path}: the safetensors header is no JSON.") from None


def _array(path: Path, name: str, entry: Mapping[str, Any], data: np.ndarray) -> np.ndarray:
    if entry["dtype"] not in DTYPES:
        raise CheckpointError(
            f"{path}: the tensor {name!r} is stored as {entry['dtype']}; "
            f"supported: {', '.join(DTYPES)}."
        )
    dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
    start, stop = entry["data_offsets"]
    if stop - start != prod(shape) * dtype.itemsize:
        raise CheckpointError(
            f"{path}: the tensor {name!r} of shape {shape} needs "
            f"{prod(shape) * dtype.itemsize} bytes; the header gives it {stop - start}."
        )
    return data[start:stop].view(dtype).reshape(shape)
