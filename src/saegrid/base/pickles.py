"""Files of torch.save with plain tensors: what else a pickle may hold is refused, and not run."""

import re
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, is_zipfile

import numpy as np

from saegrid.base.errors import CheckpointError, shown
from saegrid.base.npz import begin
from saegrid.base.tensors import DTYPES, Tensors, is_hollow, zeros

READ = {np.dtype(dtype) for dtype in DTYPES.values()}


def open_pickle(path: str | Path) -> Tensors:
    """The tensors of a file that torch.save wrote, by name; mapped, with bfloat16 as its bits.

    Raises:
        CheckpointError: the file is missing or damaged, or holds more than tensors by name.
    """
    import torch

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: the file is not there.")
    try:
        mapped = is_zipfile(path)  # files of torch before 1.6 are none, and are read whole
        members = _members(path) if mapped else []
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except MemoryError:
        raise
    except Exception as problem:  # damage can make any of them: a pickle is a program
        # The rest of torch's own text advises to run what the file holds.
        asked = re.search(r"GLOBAL (\S+)", str(problem))
        what = f"it asks for {asked[1]}" if asked else getattr(problem, "strerror", None)
        raise CheckpointError(
            f"{path}: this is no file of plain tensors by torch.save, or it is damaged"
            f"{f' ({what})' if what else ''}; what else a pickle may hold is not read. Fetch it "
            "again, or save the state_dict alone."
        ) from None
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise CheckpointError(
            f"{path}: tensors by name were expected, as a state_dict has them; got "
            f"{type(content).__name__}."
        )
    arrays = {name: _array(path, name, value) for name, value in content.items()}
    return Tensors(path, arrays, {} if is_hollow() else _places(members, content))


def _members(path: Path) -> list[int]:
    """First bytes of the storages in a zip file, ascending."""
    with ZipFile(path) as file:
        held = [one for one in file.infolist() if "/data/" in one.filename and one.file_size]
    return sorted(begin(path, one) for one in held if one.compress_type == ZIP_STORED)


def _places(at: list[int], content: dict[str, Any]) -> dict[str, int]:
    """First byte of each contiguous tensor in a mapped file; empty where that is not certain.

    Torch does not say where it has mapped the file. The members of the zip do: in the order of
    memory their sizes and distances must be those of the storages.
    """
    storages = {value.untyped_storage().data_ptr(): value for value in content.values()}
    if not storages or len(at) != len(storages):
        return {}
    first = min(storages) - at[0]
    if [pointer - first for pointer in sorted(storages)] != at:
        return {}
    return {
        name: value.data_ptr() - first for name, value in content.items() if value.is_contiguous()
    }


def _array(path: Path, name: str, value: Any) -> np.ndarray:
    """A tensor as an array over the same memory."""
    import torch

    if not isinstance(value, torch.Tensor) or value.is_sparse or value.is_quantized:
        what = "a sparse or quantised one" if isinstance(value, torch.Tensor) else shown(value)
        raise CheckpointError(f"{path}: {name!r} must be a plain tensor; got {what}.")
    value = value.detach()
    if value.dtype == torch.bfloat16:
        value = value.view(torch.uint16)
    elif value.dtype == torch.uint16:
        raise CheckpointError(f"{path}: the tensor {name!r} is stored as uint16.")
    try:
        array = value.numpy()
    except TypeError:
        array = np.empty(0, bool)
    if array.dtype not in READ:
        raise CheckpointError(
            f"{path}: the tensor {name!r} is stored as {str(value.dtype).removeprefix('torch.')}; "
            "supported: float64, float32, float16, bfloat16, int64, int32."
        )
    return zeros(array.dtype, array.shape) if is_hollow() else array
