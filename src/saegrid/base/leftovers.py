"""Temporary files of killed jobs: what `io.atomic` and safetensors could not remove."""

import re
from pathlib import Path

TEMPORARY = re.compile(r"^(\..+\.\d+\.tmp|\.tmp\w{6})$")
"""Names that `io.atomic` gives, and safetensors while it writes."""


def remove(folder: str | Path, before: float) -> list[Path]:
    """Remove the temporary files below a folder last written before a time (s); which they were.

    Whoever still writes one, on this machine or another, has touched it since: a time not long ago
    tells leftovers from files under way.
    """
    removed = []
    for path in sorted(Path(folder).rglob(".*tmp*")):
        try:
            if TEMPORARY.match(path.name) and path.stat().st_mtime < before:
                path.unlink()
                removed.append(path)
        except FileNotFoundError:  # renamed or removed by its writer just now
            continue
    return removed
