"""Reading and writing artefacts. Every file gets a temporary name first and is then renamed.

Tensors are safetensors, rows are parquet, facts are json, pages are html. The spec of the job that
wrote a file (see `workflow`) stands in its header.
"""

import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors
import safetensors.numpy

SPEC = "saegrid_spec"
FACTS = "saegrid_facts"
UMASK = os.umask(0)
os.umask(UMASK)
HEAD = 16 << 10
"""Characters of a page in which its spec stands."""


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to it on success and removed on failure."""
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
    """The one JSON text of a value: keys sorted, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 text."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | os.PathLike[str], facts: Mapping[str, Any], spec: str = "") -> None:
    """Write facts as indented JSON; the job's spec stands under `saegrid_spec`."""
    body = {**facts, SPEC: spec} if spec else dict(facts)
    write_text(path, json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts of a JSON file, without its spec."""
    facts = json.loads(Path(path).read_text(encoding="utf-8"))
    facts.pop(SPEC, None)
    return facts


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
    """The rows of a parquet file, or some of its columns."""
    return pq.read_table(path, columns=columns, memory_map=True, partitioning=None)


def table_facts(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The facts in the header of a parquet file; empty where there are none."""
    return json.loads((pq.read_schema(path).metadata or {}).get(FACTS.encode(), b"{}"))


def _sort_metadata(path: Path) -> None:
    """Sort the strings of a safetensors header; safetensors writes them in random order."""
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) > size:
            raise ValueError(f"The header of {path} grew from {size} to {len(text)} bytes.")
        file.seek(8)
        file.write(text.ljust(size))


def write_tensors(
    path: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    spec: str = "",
    header: Mapping[str, str] | None = None,
) -> None:
    """Write numpy arrays, or torch tensors, as safetensors with a header of strings."""
    metadata = {**(header or {}), SPEC: spec}
    ordered = {name: tensors[name] for name in sorted(tensors)}
    with atomic(path) as temporary:
        if any(type(t).__module__.split(".")[0] == "torch" for t in ordered.values()):
            from safetensors.torch import save_file

            save_file({k: t.contiguous() for k, t in ordered.items()}, temporary, metadata)
        else:
            arrays = {name: np.ascontiguousarray(array) for name, array in ordered.items()}
            safetensors.numpy.save_file(arrays, temporary, metadata)
        _sort_metadata(temporary)


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


def recorded_spec(path: str | os.PathLike[str]) -> str:
    """The spec of the job that wrote a parquet, safetensors, json or html file; empty: none."""
    path = Path(path)
    if path.suffix == ".parquet":
        metadata = pq.read_schema(path).metadata or {}
        return metadata.get(SPEC.encode(), b"").decode()
    if path.suffix == ".safetensors":
        return read_header(path).get(SPEC, "")
    if path.suffix == ".html":
        with path.open(encoding="utf-8") as file:
            found = re.search(r'<meta name="saegrid-spec" content="([^"]*)">', file.read(HEAD))
        return html.unescape(found[1]) if found else ""
    return json.loads(path.read_text(encoding="utf-8")).get(SPEC, "")
