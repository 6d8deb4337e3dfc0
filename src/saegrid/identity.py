"""What a file or a model is, as short digests: they stand in specs and in paths."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from saegrid.io import canonical, write_text

LARGE = 16 << 20
"""Bytes above which a digest is remembered by path, size and time of change."""
SAMPLES, SAMPLE = 16, 64 << 10


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


def weights_digest(path: Path) -> str:
    """Digest of a safetensors file: its size, header and sixteen samples of its bytes.

    A checkpoint of tens of gigabytes is told apart without reading it whole.
    """
    size = path.stat().st_size
    if size <= LARGE:
        return file_digest(path)
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
        found.update(file.read(min(header, LARGE)))
        for index in range(SAMPLES):
            file.seek(index * (size - SAMPLE) // (SAMPLES - 1))
            found.update(file.read(SAMPLE))
    return found.hexdigest()[:16]


def model_identity(model: dict[str, Any], folder: Path | None) -> dict[str, Any]:
    """What decides a model's outputs: content of a local checkpoint, or name and commit on the hub.

    Args:
        model: path, revision, dtype, weights and seed, as in the config.
        folder: where it lies on this machine; None for a model on the hub.
    """
    chosen = {key: model[key] for key in ("dtype", "weights")}
    if model["weights"] == "random":
        chosen["seed"] = model["seed"]
    if folder is None:
        return {**chosen, "hub": model["path"], "revision": model["revision"]}
    content = {"config": file_digest(folder / "config.json")}
    if model["weights"] == "pretrained":
        content |= {p.name: weights_digest(p) for p in sorted(folder.glob("*.safetensors"))}
    return {**chosen, "content": hashlib.sha256(canonical(content).encode()).hexdigest()[:16]}
