"""The sparse features of a cell from those of the shards of its corpus.

The tokens of a shard follow those of the one before, so within a feature the entries of the shards
stand one after the other. Blocks of features are read, put together and written; the file is that
of the whole corpus, byte for byte.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from saegrid.base import io
from saegrid.codes.sparse import Features, feature_ranges, features_header, read_features

TENSORS = {"indptr": "int64", "token": "int64", "data": "float32", "indices": "int32"}
"""Tensors of features.safetensors and their types, in the order in which they lie there."""
AGAIN = "Delete the shards of the cell and let them be encoded again."


def merge_features(
    paths: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    spec: str = "",
    entries: int | None = None,
) -> int:
    """Write features.safetensors from the files of the shards, in order; the number of entries.

    entries: at most so many are held at a time, or those of one feature.

    Raises ValueError where the shards differ in d_sae or their tokens do not follow one another.
    """
    shards = [read_features(shard) for shard in paths]
    _check(paths, shards)
    indptr = np.sum([shard.indptr for shard in shards], axis=0)
    token = np.concatenate([shard.token for shard in shards])
    ranges = feature_ranges(indptr, entries)
    header = {**features_header(len(indptr) - 1, len(token)), io.SPEC: spec}
    lengths = {"indptr": len(indptr), "token": len(token)}
    lengths |= dict.fromkeys(("data", "indices"), int(indptr[-1]))
    shapes = {name: (dtype, (lengths[name],)) for name, dtype in TENSORS.items()}
    with io.atomic(path) as temporary, temporary.open("wb") as file:
        file.write(io.tensors_head(shapes, header))
        for block in (indptr, token, *_blocks(shards, indptr, ranges)):
            file.write(np.ascontiguousarray(block).data)
    return int(indptr[-1])


def _check(paths: Sequence[str | os.PathLike[str]], shards: list[Features]) -> None:
    """ValueError names the first shard that does not fit."""
    last = -1
    for path, shard in zip(paths, shards, strict=True):
        if shard.d_sae != shards[0].d_sae:
            raise ValueError(
                f"{Path(path)}: a shard must have the {shards[0].d_sae} features of the first one; "
                f"got {shard.d_sae}. {AGAIN}"
            )
        if len(shard.token) and shard.token[0] <= last:
            raise ValueError(
                f"{Path(path)}: the tokens of a shard must follow those of the one before; it "
                f"begins with token {shard.token[0]} after token {last}. {AGAIN}"
            )
        last = int(shard.token[-1]) if len(shard.token) else last


def _blocks(
    shards: list[Features], indptr: np.ndarray, ranges: list[tuple[int, int]]
) -> Iterator[np.ndarray]:
    """The merged data, then the merged indices, a range of features at a time."""
    for name in ("data", "indices"):
        for start, stop in ranges:
            yield _block(name, shards, indptr[start : stop + 1], slice(start, stop + 1))


def _block(name: str, shards: list[Features], indptr: np.ndarray, part: slice) -> np.ndarray:
    """(entry,) of some features: the entries of the shards in turn within each feature."""
    out = np.empty(indptr[-1] - indptr[0], getattr(shards[0], name).dtype)
    filled = indptr[:-1] - indptr[0]  # where the next entry of each feature goes
    for shard in shards:
        own = shard.indptr[part]
        place = np.arange(own[0], own[-1]) + np.repeat(filled - own[:-1], np.diff(own))
        out[place] = getattr(shard, name)[own[0] : own[-1]]
        filled = filled + np.diff(own)
    return out
