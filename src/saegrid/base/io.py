"""The reading and writing of artefacts; every file is written under a temporary name and renamed.

Tensors are safetensors, rows are parquet, facts are json, pages are html. The header of a file
records the spec of the job that wrote it (see `saegrid.base.job`).
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors

SPEC = "saegrid_spec"
FACTS = "saegrid_facts"
DEEPEST = 100
"""Sections of a YAML file that may stand within each other."""
UMASK = os.umask(0)
os.umask(UMASK)


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A context with a temporary path beside `path`, renamed to it on success, removed on
    failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        # Some writers open their files for the owner alone; a group shares results.
        temporary.chmod(0o666 & ~UMASK)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def canonical(value: Any) -> str:
    """The canonical JSON text of a value: sorted keys, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def canonical_in_order(value: Any) -> str:
    """The JSON text of a value with its keys as they stand: no blanks, no NaN, letters as such."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], facts: Mapping[str, Any], spec: str = "") -> None:
    """Write facts as indented JSON, with the job's spec under `saegrid_spec`."""
    body = {**facts, SPEC: spec} if spec else dict(facts)
    write_text(path, json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a JSON file, without its spec."""
    facts = json.loads(Path(path).read_text(encoding="utf-8"))
    facts.pop(SPEC, None)
    return facts


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """The content of a YAML file, read by the C library where it is there: ten times as fast.

    Raises:
        yaml.YAMLError: this is no YAML, in one line; or sections stand within each other by the
            hundred, at which the C library would crash.
    """
    import yaml  # most jobs read none

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    text, depth = Path(path).read_text(encoding="utf-8"), 0
    try:
        for event in yaml.parse(text, Loader=loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise yaml.YAMLError(f"more than {DEEPEST} sections stand within each other")
        return yaml.load(text, Loader=loader)
    except yaml.YAMLError as problem:
        raise yaml.YAMLError(" ".join(str(problem).split())) from None


def write_table(
    path: str | os.PathLike[str],
    table: pa.Table,
    spec: str = "",
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a table as parquet, with facts about it in its header; same rows, same bytes."""
    header = {**(table.schema.metadata or {}), SPEC.encode(): spec.encode()}
    if facts is not None:
        header[FACTS.encode()] = canonical(facts).encode()
    with atomic(path) as temporary:
        pq.write_table(table.replace_schema_metadata(header), temporary, compression="zstd")


def read_table(path: str | os.PathLike[str], columns: list[str] | None = None) -> pa.Table:
    """The rows of a parquet file, or some of its columns, in the order in which they are named."""
    # pq.read_table does the same by way of pyarrow.dataset, which takes long to load.
    table = pq.ParquetFile(path, memory_map=True).read(columns)
    return table if columns is None else table.select(columns)


def table_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts in the header of a parquet file; empty if there are none."""
    return json.loads((pq.read_schema(path).metadata or {}).get(FACTS.encode(), b"{}"))


DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
"""Names of number types in safetensors, in its order: the last come first in a file, so that all
are aligned."""


def laid_out(dtypes: Mapping[str, str]) -> list[str]:
    """The names of tensors in the order of a file; dtypes: number types (`float32`) by name."""
    order = list(DTYPES)
    return sorted(dtypes, key=lambda name: (-order.index(dtypes[name]), name))


def tensors_head(
    tensors: Mapping[str, tuple[str, Sequence[int]]], metadata: Mapping[str, str]
) -> bytes:
    """The head of a safetensors file; its tensors follow in the order of `laid_out`.

    tensors: dtype and shape by name.
    """
    described: dict[str, Any] = {"__metadata__": dict(sorted(metadata.items()))}
    start = 0
    for name in laid_out({name: dtype for name, (dtype, _) in tensors.items()}):
        dtype, shape = tensors[name]
        kind = DTYPES[dtype]
        size = 1 if kind == "BOOL" else int(kind.lstrip("BFIU")) // 8
        stop = start + size * prod(shape)
        described[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(described, separators=(",", ":"), ensure_ascii=False).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    return len(text).to_bytes(8, "little") + text


def _plain(tensor: Any) -> tuple[str, np.ndarray]:
    """The name of the number type of a numpy array or torch tensor, and its contiguous bytes."""
    if type(tensor).__module__.split(".")[0] == "torch":
        import torch

        flat = tensor.detach().contiguous().cpu().reshape(-1)
        return str(tensor.dtype).removeprefix("torch."), flat.view(torch.uint8).numpy()
    return tensor.dtype.name, np.ascontiguousarray(tensor)


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    spec: str = "",
    header: Mapping[str, str] | None = None,
) -> None:
    """Write numpy arrays, or torch tensors, as safetensors with a header of strings.

    They are written without a copy: the library's own writer copies them first, and writes the
    strings in random order.
    """
    plain = {name: _plain(tensor) for name, tensor in tensors.items()}
    shapes = {name: (dtype, tuple(tensors[name].shape)) for name, (dtype, _) in plain.items()}
    with atomic(path) as temporary, temporary.open("wb") as file:
        file.write(tensors_head(shapes, {**(header or {}), SPEC: spec}))
        for name in laid_out({name: dtype for name, (dtype, _) in plain.items()}):
            file.write(plain[name][1].data)


def read_tensors(
    path: str | os.PathLike[str], names: list[str] | None = None, framework: str = "numpy"
) -> dict[str, Any]:
    """The tensors of a safetensors file (all, or those named), as numpy or torch (`pt`)."""
    with safetensors.safe_open(str(path), framework=framework) as file:
        return {name: file.get_tensor(name) for name in names or file.keys()}


def read_header(path: str | os.PathLike[str]) -> dict[str, str]:
    """The strings in a safetensors header."""
    with safetensors.safe_open(str(path), framework="numpy") as file:
        return dict(file.metadata() or {})
