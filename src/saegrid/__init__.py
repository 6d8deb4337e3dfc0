"""saegrid: sparse-autoencoder experiments over a grid of layers, positions and expansions."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`saegrid.open`, found when it is asked for: pandas is slow to import."""
    if name == "open":
        from saegrid.study import open as found

        return found
    raise AttributeError(f"module 'saegrid' has no attribute {name!r}")
