"""The temporary files of killed jobs, which `io.atomic` and safetensors could not remove."""

import re
from pathlib import Path

TEMPORARY = re.compile(r"^(\..+\.\d+\.tmp|\.tmp\w{6})$")
"""Pattern of the temporary names of `io.atomic` and of safetensors."""


def remove(folder: str | Path, before: float) -> list[Path]:
    """Remove the temporary files below a folder last written before a time (s); return their paths.

    A job that still writes one, on this machine or another, has touched it since: a time not long
    ago separates leftovers from files under way.
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
