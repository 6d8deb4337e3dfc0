"""A shard of a site: one safetensors file, written a block at a time.

`row` (entry,) int64 number of the text, `token` (entry,) int64 number among the real tokens of the
stream, `token_id` (entry,) int32 (-1 for a mean), `x` (entry, channel) in the model's dtype.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saegrid.base import io
from saegrid.store.choice import Entries

DTYPES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
KINDS = {np.dtype(np.int64): "I64", np.dtype(np.int32): "I32"}


class Writer:
    """A writer of a shard: the columns of its entries are written first, then x block by block."""

    def __init__(
        self,
        path: Path,
        entries: Entries,
        width: int,
        dtype: torch.dtype,
        header: Mapping[str, str],
    ) -> None:
        columns = {name: getattr(entries, name) for name in ("row", "token", "token_id")}
        description: dict[str, Any] = {"__metadata__": dict(sorted(header.items()))}
        begin, n = 0, len(entries.token)
        for name, array in columns.items():
            description[name] = _entry(KINDS[array.dtype], [n], begin, array.nbytes)
            begin += array.nbytes
        description["x"] = _entry(DTYPES[dtype], [n, width], begin, n * width * dtype.itemsize)
        text = json.dumps(description, separators=(",", ":"), ensure_ascii=False).encode()
        text = text.ljust(-(-len(text) // 8) * 8)
        self.digest, self.file = hashlib.sha256(), path.open("wb")
        numbers = (array.tobytes() for array in columns.values())
        for part in (len(text).to_bytes(8, "little"), text, *numbers):
            self._add(part)

    def _add(self, part: bytes | np.ndarray) -> None:
        self.digest.update(part)
        self.file.write(part)

    def add(self, x: torch.Tensor) -> None:
        """Write the activations x (entry, channel) of the next entries."""
        self._add(x.contiguous().view(torch.uint8).numpy().reshape(-1))

    def close(self) -> str:
        """Close the file; return its sha256."""
        self.file.close()
        return self.digest.hexdigest()


def _entry(kind: str, shape: list[int], begin: int, size: int) -> dict[str, Any]:
    return {"dtype": kind, "shape": shape, "data_offsets": [begin, begin + size]}


@contextmanager
def writing(
    path: Path, entries: Entries, width: int, dtype: torch.dtype, header: Mapping[str, str]
) -> Iterator[Writer]:
    """A context with the writer of a shard, which gets its name on leaving; a failed one leaves no
    file."""
    with io.atomic(path) as temporary:
        writer = Writer(temporary, entries, width, dtype, header)
        try:
            yield writer
        finally:
            writer.close()
