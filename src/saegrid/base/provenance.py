"""The provenance of a run: versions and other facts that change without the results changing."""

import os
import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from saegrid.base.io import read_json, write_json

PACKAGES = (
    "saegrid",
    "snakemake",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
    "pyarrow",
    "pandas",
    "matplotlib",
)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def renew_licences(path: str | os.PathLike[str], study: Mapping[str, Any]) -> list[str]:
    """Write the licences of a study into its config.json, where one is there and has others.

    A run with nothing to do leaves the other entries alone, which say how the results were made,
    and a damaged file too: the next run with jobs writes it anew. The keys that were renewed come
    back.
    """
    try:
        known = read_json(path)
        corpora = known.get("corpora", {})
        sections = {
            "licence": (known, study),
            **{
                f"corpora.{name}.licence": (corpora[name], one)
                for name, one in study["corpora"].items()
                if name in corpora
            },
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return []
    if not all(isinstance(old, dict) for old, _ in sections.values()):
        return []
    changed = [k for k, (old, new) in sections.items() if old.get("licence") != new["licence"]]
    for key in changed:
        old, new = sections[key]
        old["licence"] = new["licence"]
    if changed:
        write_json(path, known)
    return changed


def provenance(study: dict[str, Any]) -> dict[str, Any]:
    """The resolved config with versions, commit and machine."""
    return {
        **study,
        "versions": {package: _version(package) for package in PACKAGES},
        "python": platform.python_version(),
        "commit": _commit(),
        "machine": {
            "processor": platform.machine(),
            "system": platform.system(),
            "cores": os.cpu_count(),
        },
    }
