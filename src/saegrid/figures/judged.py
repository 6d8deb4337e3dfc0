"""What the figures of trained SAEs are drawn from: their numbers, baselines, loss curves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from saegrid.figures import style
from saegrid.io import read_json, read_table


@dataclass(frozen=True)
class Judged:
    """The SAEs of a study, judged."""

    table: pa.Table
    """One row a cell, see `health.health`."""
    baselines: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Site: rows of its baselines."""
    histories: Mapping[str, pa.Table] = field(default_factory=dict)
    """Cell: its history.parquet; of trained SAEs alone."""
    latents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Cell: edges and counts of its codes, see `metrics.latents`."""

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return self.table.to_pylist()

    def sites(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of each site, in the order of the table."""
        found: dict[str, list[dict[str, Any]]] = {}
        for row in self.rows():
            found.setdefault(site(row), []).append(row)
        return found

    def kinds(self) -> list[str]:
        """What SAEs are told apart by, in a legend: their recipes, else their names."""
        return list(dict.fromkeys(kind(row) for row in self.rows()))

    def looks(self) -> dict[str, dict[str, str]]:
        """Colour and marker of each kind."""
        return {
            name: {
                "color": style.COLOURS[at % len(style.COLOURS)],
                "marker": style.MARKERS[at // len(style.COLOURS) % len(style.MARKERS)],
            }
            for at, name in enumerate(self.kinds())
        }


def site(row: Mapping[str, Any]) -> str:
    """Where the SAE of a row stands."""
    return f"L{row['layer']}{row['position']}"


def kind(row: Mapping[str, Any]) -> str:
    """The recipe of a row, or the name of its SAE where it was trained elsewhere."""
    return row.get("set_recipe") or row["sae"]


def read_judged(
    table: pa.Table,
    baselines: Iterable[str | Path],
    histories: Iterable[str | Path],
    metrics: Mapping[str, Path] | None = None,
) -> Judged:
    """The numbers with baselines ({site}.parquet), histories ({cell}/history.parquet) and, of the
    metrics.json by cell, what is no number."""
    beside: dict[str, list[dict[str, Any]]] = {}
    for path in map(Path, baselines):
        beside.setdefault(path.stem, []).extend(read_table(path).to_pylist())
    told = {Path(p).parent.name: read_table(p) for p in histories}
    latents = {cell: read_json(path)["latents"] for cell, path in (metrics or {}).items()}
    return Judged(table, beside, told, latents)


def panels(n: int, width: float = 3.1, height: float = 2.7, columns: int = 4) -> tuple[Any, list]:
    """A figure with n axes in rows of `columns`; what is left over is hidden."""
    across = max(1, min(n, columns))
    down = max(1, -(-n // across))
    figure, axes = style.new(width * across + 1.4, height * down, down, across)
    flat = list(axes.flat)
    for unused in flat[n:]:
        unused.set_visible(False)
    return figure, flat[:n]
