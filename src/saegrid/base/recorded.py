"""Reading of the spec that a finished file records, and a check that the file is whole.

Heads, footers and lengths are read, never the numbers between: garbage in the middle of a large
file of tensors or rows does not show here.
"""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import safetensors

from saegrid.base.io import SPEC

HEAD = 16 << 10
"""Bytes of a page in which its spec stands."""

UNREADABLE = (
    OSError,
    ValueError,
    RecursionError,
    pa.ArrowException,
    safetensors.SafetensorError,
)


class Recorded(NamedTuple):
    """The record of a file."""

    spec: str
    """The spec of the job that wrote it; empty where none is recorded."""
    damage: str = ""
    """The reason why the file cannot be read; empty where it is whole as far as it shows."""


def recorded(path: str | Path) -> Recorded:
    """The record of a result. Whatever the file holds, nothing is raised.

    Raises:
        OSError: the system does not let it be read, which says nothing about what it holds.
    """
    path = Path(path)
    try:
        if not path.stat().st_size:
            return Recorded("", "it is empty")
        return READERS.get(path.suffix, lambda path: Recorded(""))(path)
    except FileNotFoundError:
        return Recorded("", "it is not there")
    except UNREADABLE as problem:
        if getattr(problem, "errno", None):
            raise
        first = str(problem).strip().partition("\n")[0].removeprefix(f"{path}: ")
        return Recorded("", first or type(problem).__name__)


def recorded_spec(path: str | Path) -> str | None:
    """The spec of the job that wrote a file; empty if none is recorded, None if the file is damaged
    or missing."""
    record = recorded(path)
    return None if record.damage else record.spec


def _parquet(path: Path) -> Recorded:
    with path.open("rb") as file:
        if file.read(4) != b"PAR1":
            return Recorded("", "it does not begin with PAR1")
    # The footer stands at the end: a file that is cut short has none.
    facts = pq.read_metadata(path).metadata or {}
    return Recorded(facts.get(SPEC.encode(), b"").decode())


def _tensors(path: Path) -> Recorded:
    with safetensors.safe_open(str(path), framework="numpy") as file:
        return Recorded((file.metadata() or {}).get(SPEC, ""))


def _json(path: Path) -> Recorded:
    raw = path.read_bytes()
    facts = json.loads(raw)
    if not isinstance(facts, dict):
        return Recorded("", "it holds no JSON object")
    if not raw.endswith(b"\n"):
        return Recorded("", "it is cut short")
    spec = facts.get(SPEC, "")
    return Recorded(spec) if isinstance(spec, str) else Recorded("", "its spec is no text")


def _closed(path: Path, begins: tuple[bytes, ...], ends: bytes) -> tuple[bytes, str]:
    """The first bytes of a text file, and what is wrong with it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(0, size - len(ends)))
        tail = file.read()
    if not head.startswith(begins):
        return head, f"it does not begin with {begins[0].decode()}"
    return head, "" if tail == ends else f"it is cut short: {ends.decode().strip()} is missing"


def _marked(path: Path, begins: tuple[bytes, ...], ends: bytes, mark: re.Pattern) -> Recorded:
    """The record of a text file, in whose head it stands as escaped text after a mark."""
    head, damage = _closed(path, begins, ends)
    match = mark.search(head)
    if match and not match[2]:  # longer than the head
        match = mark.search(path.read_bytes())
    return Recorded(html.unescape(match[1].decode()) if match and not damage else "", damage)


def _page(path: Path) -> Recorded:
    begins = (b"<!doctype html>", b"<!DOCTYPE html>")
    return _marked(path, begins, b"</html>", IN_PAGE)


def _figure(path: Path) -> Recorded:
    return _marked(path, (b"<?xml", b"<svg"), b"</svg>\n", IN_FIGURE)


def _print(path: Path) -> Recorded:
    """The record of a PDF, which holds no spec: the SVG beside it has that of both."""
    return Recorded("", _closed(path, (b"%PDF-",), b"%%EOF\n")[1])


IN_PAGE = re.compile(rb'<meta name="saegrid-spec" content="([^"]*)("?)')
IN_FIGURE = re.compile(rb'<!-- saegrid-spec="([^"]*)("?)')
"""The spec, and the mark at its end."""


READERS: dict[str, Callable[[Path], Recorded]] = {
    ".parquet": _parquet,
    ".safetensors": _tensors,
    ".json": _json,
    ".html": _page,
    ".svg": _figure,
    ".pdf": _print,
}
"""Readers of the record of a file, by its ending."""
