"""Short digests of texts and files: they stand in specs and in paths."""

import hashlib
import json
import os
from pathlib import Path

from saegrid.base.io import write_text

LARGE = 16 << 20
"""Bytes above which a digest is remembered by path, size and time of change."""


def digest(text: str) -> str:
    """Twelve hexadecimal digits that stand for `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _remembered(path: Path, memory: Path) -> str:
    stat = path.stat()
    key = f"{path.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
    known = json.loads(memory.read_text()) if memory.is_file() else {}
    if key not in known:
        known[key] = _sha256(path)
        write_text(memory, json.dumps(known, indent=1))
    return known[key]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_digest(path: str | os.PathLike[str], memory: str = "results/.digests.json") -> str:
    """Sixteen hexadecimal digits of a file's sha256; large files are read once and remembered."""
    path = Path(path)
    large = path.stat().st_size > LARGE
    return (_remembered(path, Path(memory)) if large else _sha256(path))[:16]
