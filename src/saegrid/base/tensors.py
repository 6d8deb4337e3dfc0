"""Safetensors files: the one reader of their headers, and their tensors, mapped.

Nothing is read before it is used. A file that the safetensors library refuses is refused here.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from pathlib import Path
from stat import S_ISREG
from typing import Any, NamedTuple

import numpy as np
import safetensors

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
MAX_HEADER = 100_000_000
BITS = {
    **dict.fromkeys(("C64", "F64", "I64", "U64"), 64),
    **dict.fromkeys(("F32", "I32", "U32"), 32),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 16),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0"), 8),
    **dict.fromkeys(("F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}
"""Bits of a number of each type that a safetensors file may hold."""
BLOCK = 1 << 22
"""Numbers that are looked at at a time."""
MEND = "Fetch it again."


def widen(raw: np.ndarray) -> np.ndarray:
    """Stored numbers as float32, exactly; uint16 holds the bits of bfloat16.

    A float32 array comes back as it is, without a copy.
    """
    if raw.dtype != np.uint16:
        return raw.astype(np.float32, copy=False)
    bits = np.empty(raw.shape, np.uint32)
    np.left_shift(raw, 16, out=bits, dtype=np.uint32)
    return bits.view(np.float32)


class Entry(NamedTuple):
    """A tensor in a safetensors file."""

    dtype: str
    """The name of the format as the file spells it: F32, BF16 and so on."""
    shape: tuple[int, ...]
    start: int
    """Its first byte in the file."""
    stop: int
    """The byte behind its last one."""


class Header(NamedTuple):
    """The header of a safetensors file, checked against the size of the file."""

    path: Path
    entries: dict[str, Entry]
    """Tensors by name, in the order in which they lie in the file."""
    metadata: dict[str, str]


def header(path: str | Path) -> Header:
    """The header of a safetensors file; no tensor is read.

    Raises:
        CheckpointError: the file is missing, or is one that the safetensors library refuses; names
            the file, and the tensor where it is one tensor's fault.
    """
    path = Path(path)
    raw, begin, size = _raw_header(path)
    parsed = _parsed(path, raw)
    metadata = parsed.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise CheckpointError(f"{path}: __metadata__ must map names to texts. {MEND}")
    entries = {name: _entry(path, name, entry, begin) for name, entry in parsed.items()}
    ordered = dict(sorted(entries.items(), key=lambda item: item[1][2:]))
    end = begin
    for name, entry in ordered.items():
        if entry.start != end:
            raise CheckpointError(
                f"{path}: the tensor {name!r} must begin where the one before it ends, at byte "
                f"{end}; its data_offsets put it at byte {entry.start}. {MEND}"
            )
        end = entry.stop
    if size != end:
        raise CheckpointError(
            f"{path}: the file is {'truncated' if size < end else 'too long'}: "
            f"its header promises {end} bytes, got {size}. {MEND}"
        )
    try:
        # The library is asked too: what it refuses is not read, whatever is forgotten above.
        with safetensors.safe_open(str(path), framework="numpy"):
            return Header(path, ordered, metadata)
    except safetensors.SafetensorError as problem:
        raise CheckpointError(f"{path}: {problem}. {MEND}") from None


def _raw_header(path: Path) -> tuple[bytes, int, int]:
    """The bytes of the header, the place of the first byte of data, and the size of the file."""
    try:
        stat = path.stat()
    except OSError:
        raise CheckpointError(f"{path}: the file is not there.") from None
    if not S_ISREG(stat.st_mode):
        raise CheckpointError(f"{path}: a safetensors file was expected; this is no file.")
    try:
        file = path.open("rb")
    except OSError as problem:
        raise CheckpointError(f"{path}: the file cannot be read: {problem.strerror}.") from None
    with file:
        length = int.from_bytes(file.read(8), "little")
        if stat.st_size < 8 or length > min(stat.st_size - 8, MAX_HEADER):
            raise CheckpointError(
                f"{path}: this is no safetensors file, or it is truncated ({stat.st_size} bytes). "
                f"{MEND}"
            )
        return file.read(length), 8 + length, stat.st_size


def _parsed(path: Path, raw: bytes) -> dict[str, Any]:
    """The JSON object of a header; CheckpointError where a name stands twice in an object."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise CheckpointError(f"{path}: {twice!r} stands twice in the header. {MEND}")
        return entries

    try:
        parsed = json.loads(raw.decode(), object_pairs_hook=once, parse_int=_whole)
    except CheckpointError:
        raise
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise CheckpointError(
            f"{path}: this is no safetensors file: its header is no JSON object. {MEND}"
        )
    return parsed


def _whole(digits: str) -> int | float:
    """A number of a header; -0 is none that may stand there."""
    return float(digits) if digits.startswith("-") or len(digits) > 20 else int(digits)


def _entry(path: Path, name: str, entry: Any, begin: int) -> Entry:
    """One tensor of a header; CheckpointError names it and what is wrong with it."""
    where = f"{path}: the tensor {name!r}"
    if not isinstance(entry, dict):
        raise CheckpointError(
            f"{where} must be described by an object; got {_short(entry)}. {MEND}"
        )
    for key in ("dtype", "shape", "data_offsets"):
        if key not in entry:
            raise CheckpointError(f"{where} has no {key} in the header. {MEND}")
    dtype, shape, offsets = (entry[key] for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in BITS:
        known = ", ".join(BITS)
        raise CheckpointError(f"{where} has the type {_short(dtype)}; known: {known}. {MEND}")
    if not _counts(shape):
        raise CheckpointError(
            f"{where} must have a shape of whole numbers from 0 on; got {_short(shape)}. {MEND}"
        )
    if not _counts(offsets) or len(offsets) != 2:
        raise CheckpointError(
            f"{where} must have two data_offsets, from 0 on; got {_short(offsets)}. {MEND}"
        )
    start, stop = offsets
    bits = prod(shape) * BITS[dtype]
    if bits % 8 or stop - start != bits // 8:
        raise CheckpointError(
            f"{where} of shape {tuple(shape)} and type {dtype} needs {bits / 8:g} bytes; its "
            f"data_offsets give it {stop - start}. {MEND}"
        )
    return Entry(dtype, tuple(shape), begin + start, begin + stop)


def _counts(value: Any) -> bool:
    """Return True if a value is a list of integers, none of them negative."""
    return isinstance(value, list) and all(type(n) is int and n >= 0 for n in value)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


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
        array = self.arrays[name]
        if array.shape != shape:
            raise CheckpointError(
                f"{self.path}: the tensor {name!r} must have shape {shape}; got {array.shape}."
            )
        if array.dtype not in NAMES:
            raise CheckpointError(
                f"{self.path}: the tensor {name!r} is stored as {array.dtype}; "
                f"weights must be {', '.join(NAMES.values())}."
            )
        return array

    def matrix(self, name: str, shape: tuple[int, int]) -> Matrix:
        """The large array of that name and shape, for reading in blocks; errors as of `get`."""
        return Matrix(self.get(name, shape), self.path, self.places.get(name))


def dtype_name(array: np.ndarray | Matrix) -> str:
    """The name of an array's stored format: float32, float16 or bfloat16."""
    return NAMES[array.dtype]


_HOLLOW: ContextVar[bool] = ContextVar("hollow", default=False)


@contextmanager
def hollow() -> Iterator[None]:
    """Within this context files are opened by their headers alone, and every tensor is zeros.

    Their names, types and shapes are those of the file: what checks these is run at no cost.
    """
    before = _HOLLOW.set(True)
    try:
        yield
    finally:
        _HOLLOW.reset(before)


def is_hollow() -> bool:
    """Return True within the context `hollow`."""
    return _HOLLOW.get()


def zeros(dtype: np.typing.DTypeLike, shape: tuple[int, ...]) -> np.ndarray:
    """An array of zeros that takes no memory, and is read-only."""
    return np.broadcast_to(np.zeros((), dtype), shape)


def open_tensors(path: str | Path) -> Tensors:
    """The tensors of a safetensors file, mapped into memory.

    Raises:
        CheckpointError: the file is missing or damaged, or holds types that are not read.
    """
    path = Path(path)
    entries = header(path).entries
    for name, entry in entries.items():
        if entry.dtype not in DTYPES:
            raise CheckpointError(
                f"{path}: the tensor {name!r} is stored as {entry.dtype}; "
                f"supported: {', '.join(DTYPES)}."
            )
    if is_hollow():
        return Tensors(path, {n: zeros(DTYPES[e.dtype], e.shape) for n, e in entries.items()})
    data = np.asarray(np.memmap(path, np.uint8, "r"))
    arrays = {
        name: data[e.start : e.stop].view(DTYPES[e.dtype]).reshape(e.shape)
        for name, e in entries.items()
    }
    return Tensors(path, arrays, {name: entry.start for name, entry in entries.items()})


def not_finite(path: str | Path) -> str | None:
    """The first tensor of a file that holds NaN or infinity, in its order; None where none does."""
    for name, array in open_tensors(path).arrays.items():
        flat = array.reshape(-1)
        for start in range(0, len(flat), BLOCK):
            part = flat[start : start + BLOCK]
            numbers = widen(part) if part.dtype == np.uint16 else part
            if not np.isfinite(numbers).all():
                return name
    return None
