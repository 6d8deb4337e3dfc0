"""What the figures of trained SAEs are drawn from: their numbers, baselines, loss curves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.io import read_json, read_table
from saegrid.pages.figures import style


class Place(NamedTuple):
    """Tokens on which SAEs and baselines are measured: numbers of two places are not compared."""

    site: str
    corpus: str
    hold_out: float
    """Share of the texts that are held out."""
    order_seed: int
    """Seed of which those are."""


SAID = {"corpus": "{}", "hold_out": "{:g} held out", "order_seed": "seed {}"}
"""What tells two places of a site apart, in words."""


@dataclass(frozen=True)
class Judged:
    """The SAEs of a study, judged."""

    table: pa.Table
    """One row a cell, see `health.health`."""
    baselines: Mapping[Place, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rows of the baselines of each place."""
    histories: Mapping[str, pa.Table] = field(default_factory=dict)
    """Cell: its history.parquet; of trained SAEs alone."""
    latents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Cell: edges and counts of its codes, see `metrics.latents`."""

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return self.table.to_pylist()

    def places(self) -> dict[Place, list[dict[str, Any]]]:
        """The rows of each place, in the order of the table."""
        found: dict[Place, list[dict[str, Any]]] = {}
        for row in self.rows():
            found.setdefault(place(row), []).append(row)
        return found

    def names(self) -> dict[Place, str]:
        """What places are called: their sites, and what else differs between any of them."""
        every = {**self.places(), **dict.fromkeys(self.baselines)}
        varied = [key for key in SAID if len({getattr(one, key) for one in every}) > 1]
        said = {one: [SAID[key].format(getattr(one, key)) for key in varied] for one in every}
        return {one: ", ".join([one.site, *words]) for one, words in said.items()}

    def named_baselines(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """Rows of the baselines of each place, by its name."""
        names = self.names()
        return {names[one]: rows for one, rows in self.baselines.items()}

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

    def lines(self) -> dict[str, dict[str, str]]:
        """Colour and dash of each kind."""
        return {
            name: {
                "color": look["color"],
                "ls": style.DASHES[at // len(style.COLOURS) % len(style.DASHES)],
            }
            for at, (name, look) in enumerate(self.looks().items())
        }


def place(row: Mapping[str, Any]) -> Place:
    """Where the SAE of a row is measured."""
    return Place(site(row), row["corpus"], row["hold_out"], row["order_seed"])


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
    """The numbers with baselines ({corpus}/baselines/{site}.parquet), histories
    ({cell}/history.parquet) and, of the metrics.json by cell, what is no number."""
    beside: dict[Place, list[dict[str, Any]]] = {}
    for path in map(Path, baselines):
        for row in read_table(path).to_pylist():
            one = Place(path.stem, path.parts[-3], row["hold_out"], row["order_seed"])
            beside.setdefault(one, []).append(row)
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
