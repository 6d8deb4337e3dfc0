"""Identity of a model: a short digest of all that decides its outputs."""

import hashlib
from pathlib import Path
from typing import Any

from saegrid.base.digest import LARGE, file_digest
from saegrid.base.io import canonical

SAMPLES, SAMPLE = 16, 64 << 10


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
