"""Npz files of numpy: what is stored uncompressed is mapped, and no object is unpickled."""

from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

from saegrid.base.errors import CheckpointError
from saegrid.base.tensors import DTYPES, MEND, Tensors, is_hollow, zeros

READ = {np.dtype(dtype) for name, dtype in DTYPES.items() if name != "BF16"}
"""Number types that are read; numpy has no bfloat16."""
LOCAL_HEADER = 30
"""Bytes of a member's header in a zip file, before its name."""


def open_npz(path: str | Path) -> Tensors:
    """The arrays of an npz file by name, mapped into memory where they are not compressed.

    Raises:
        CheckpointError: the file is missing or damaged, or holds what is no array of numbers.
    """
    path = Path(path)
    arrays, places = {}, {}
    try:
        with ZipFile(path) as file:
            for member in file.infolist():
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise CheckpointError(
                        f"{path}: {member.filename!r} is no array, or stands twice; an npz file "
                        f"holds one .npy a name. {MEND}"
                    )
                arrays[name], place = _member(path, file, member)
                if place is not None:
                    places[name] = place
    except FileNotFoundError:
        raise CheckpointError(f"{path}: the file is not there.") from None
    except (CheckpointError, MemoryError):
        raise
    except Exception as problem:  # the libraries raise many kinds, and struct.error among them
        raise CheckpointError(
            f"{path}: this is no npz file, or it is damaged: {problem}. {MEND}"
        ) from None
    return Tensors(path, arrays, places)


def _member(path: Path, file: ZipFile, member: ZipInfo) -> tuple[np.ndarray, int | None]:
    """The array of a member, and the place of its first byte where it is mapped."""
    with file.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, turned, dtype = read(stream)
        head = stream.tell()
        if dtype not in READ:
            raise CheckpointError(
                f"{path}: the array {member.filename!r} holds {dtype}; supported: "
                f"{', '.join(sorted(str(known) for known in READ))}."
            )
        order = "F" if turned else "C"
        count = int(np.prod(shape, dtype=np.int64))
        if member.file_size != head + count * dtype.itemsize:
            raise CheckpointError(
                f"{path}: the array {member.filename!r} of shape {shape} and type {dtype} needs "
                f"{count * dtype.itemsize} bytes; it has {member.file_size - head}. {MEND}"
            )
        if is_hollow():
            return zeros(dtype, shape), None
        if member.compress_type != ZIP_STORED:
            numbers = np.frombuffer(stream.read(), dtype, count)
            return numbers.reshape(shape, order=order), None
    start = begin(path, member) + head
    mapped = np.asarray(np.memmap(path, np.uint8, "r"))[start : start + count * dtype.itemsize]
    return mapped.view(dtype).reshape(shape, order=order), None if turned else start


def begin(path: Path, member: ZipInfo) -> int:
    """The place of the first byte of a member's content, behind its header in the file."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        header = file.read(LOCAL_HEADER)
    name, extra = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    return member.header_offset + LOCAL_HEADER + name + extra
