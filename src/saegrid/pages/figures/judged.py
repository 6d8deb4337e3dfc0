"""The data of the figures of the health page: SAEs' numbers, baselines and loss curves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.io import read_json, read_table
from saegrid.pages.figures import style


class Measured(NamedTuple):
    """The tokens on which SAEs and baselines are measured; only numbers of the same compare."""

    site: str
    corpus: str
    hold_out: float
    """Share of the texts that are held out."""
    order_seed: int
    """Seed of the choice of held-out texts."""


SAID = {"corpus": "{}", "hold_out": "{:g} held out", "order_seed": "seed {}"}
"""Labels of the fields that distinguish measured tokens of one site."""


@dataclass(frozen=True)
class Judged:
    """The judged SAEs of a study."""

    table: pa.Table
    """Table of health, one row a cell, see `health.health`."""
    baselines: Mapping[Measured, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rows of the baselines by the tokens they are measured on."""
    histories: Mapping[str, pa.Table] = field(default_factory=dict)
    """history.parquet by cell, of SAEs trained here alone."""
    latents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Edges and counts of the codes by cell, see `metrics.latents`."""

    def rows(self) -> list[dict[str, Any]]:
        """The rows of the table."""
        return self.table.to_pylist()

    def groups(self) -> dict[Measured, list[dict[str, Any]]]:
        """The rows by the tokens they are measured on, in the order of the table."""
        groups: dict[Measured, list[dict[str, Any]]] = {}
        for row in self.rows():
            groups.setdefault(measured_on(row), []).append(row)
        return groups

    def names(self) -> dict[Measured, str]:
        """The names of measured tokens: their site, and the fields that differ between any of
        them."""
        every = {**self.groups(), **dict.fromkeys(self.baselines)}
        varied = [key for key in SAID if len({getattr(one, key) for one in every}) > 1]
        said = {one: [SAID[key].format(getattr(one, key)) for key in varied] for one in every}
        return {one: ", ".join([one.site, *words]) for one, words in said.items()}

    def named_baselines(self) -> dict[str, Sequence[Mapping[str, Any]]]:
        """The rows of the baselines by the names of the tokens they are measured on."""
        names = self.names()
        return {names[one]: rows for one, rows in self.baselines.items()}

    def kinds(self) -> list[str]:
        """The kinds of SAEs in a legend: their recipes, else their names."""
        return list(dict.fromkeys(kind(row) for row in self.rows()))

    def looks(self) -> dict[str, dict[str, str]]:
        """The colour and marker of each kind."""
        return {
            name: {
                "color": style.COLOURS[at % len(style.COLOURS)],
                "marker": style.MARKERS[at // len(style.COLOURS) % len(style.MARKERS)],
            }
            for at, name in enumerate(self.kinds())
        }

    def lines(self) -> dict[str, dict[str, str]]:
        """The colour and dash of each kind."""
        return {
            name: {
                "color": look["color"],
                "ls": style.DASHES[at // len(style.COLOURS) % len(style.DASHES)],
            }
            for at, (name, look) in enumerate(self.looks().items())
        }


def measured_on(row: Mapping[str, Any]) -> Measured:
    """The tokens that the SAE of a row is measured on."""
    return Measured(site(row), row["corpus"], row["hold_out"], row["order_seed"])


def site(row: Mapping[str, Any]) -> str:
    """The site of a row's SAE."""
    return f"L{row['layer']}{row['position']}"


def kind(row: Mapping[str, Any]) -> str:
    """The recipe of a row, or the name of an SAE that was trained elsewhere."""
    return row.get("set_recipe") or row["sae"]


def read_judged(
    table: pa.Table,
    baselines: Iterable[str | Path],
    histories: Iterable[str | Path],
    metrics: Mapping[str, Path] | None = None,
) -> Judged:
    """The judged SAEs of a study from their files.

    Args:
        table: the table of health.
        baselines: files {corpus}/baselines/{site}.parquet.
        histories: files {cell}/history.parquet.
        metrics: metrics.json by cell, for the histograms of the codes.
    """
    beside: dict[Measured, list[dict[str, Any]]] = {}
    for path in map(Path, baselines):
        for row in read_table(path).to_pylist():
            one = Measured(path.stem, path.parts[-3], row["hold_out"], row["order_seed"])
            beside.setdefault(one, []).append(row)
    curves = {Path(p).parent.name: read_table(p) for p in histories}
    latents = {cell: read_json(path)["latents"] for cell, path in (metrics or {}).items()}
    return Judged(table, beside, curves, latents)


def panels(n: int, width: float = 3.1, height: float = 2.7, columns: int = 4) -> tuple[Any, list]:
    """A figure with n axes in rows of `columns`; unused axes are hidden."""
    across = max(1, min(n, columns))
    down = max(1, -(-n // across))
    figure, axes = style.new(width * across + 1.4, height * down, down, across)
    flat = list(axes.flat)
    for unused in flat[n:]:
        unused.set_visible(False)
    return figure, flat[:n]
