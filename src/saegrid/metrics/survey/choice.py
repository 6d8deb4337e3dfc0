"""The choice of a layer from a survey, by a rule that is stated before any SAE is looked at.

Of the residual streams in the middle half of the blocks (layer + 1 from a quarter to three quarters
of their number), the one whose tokens point in the least similar directions, by the mean cosine of
two tokens: on what all tokens share an SAE spends features that tell nothing apart. Ties go to the
lower layer. A layer without an SAE cannot be taken; the table says where the rule would go.
"""

from collections.abc import Collection, Sequence
from typing import Any

import pyarrow as pa

from saegrid.base.words import Cell

MIDDLE = (0.25, 0.75)
"""Part of the blocks among which the layer is chosen."""


class ChoiceError(ValueError):
    """A survey from which no layer can be chosen."""


def choice(
    layers: Sequence[dict[str, Any]], corpus: str, n_layers: int, cells: Collection[str]
) -> pa.Table:
    """The sites of residual streams in the order of their layers, with what decides between them.

    layers: rows of survey/layers.parquet. cells: those that have an SAE. Columns: site, layer, n
    (tokens), norm, anisotropy, sum, max, average (of all tokens), one_sum, one_max, one_average (of
    one token), middle, trained, best (of the middle, whether trained or not), chosen.

    Raises:
        ChoiceError: no site with an SAE was surveyed.
    """
    trained = {str(Cell.parse(cell).site) for cell in cells}
    ours = [r for r in layers if (r["corpus"], r["position"]) == (corpus, "R")]
    every = {row["site"]: row for row in ours if row["tokens"] == "all"}
    one = {row["site"]: row for row in ours if row["tokens"] == "one"}
    rows = sorted(every.values(), key=lambda row: row["layer"])
    low, high = (part * n_layers for part in MIDDLE)
    middle = [row for row in rows if low <= row["layer"] + 1 <= high]
    usable = [row for row in middle if row["site"] in trained]
    usable = usable or [row for row in rows if row["site"] in trained]
    if not usable:
        raise ChoiceError(
            f"analyses.hooks: no residual stream of {corpus} has an SAE, so that no layer can be "
            "chosen. Put position r into the grid."
        )
    chosen, best = (min(some, key=_similar) if some else None for some in (usable, middle))
    sizes = ("n", "norm", "anisotropy", "sum", "max", "average")
    return pa.Table.from_pylist(
        [
            {
                **{name: row[name] for name in ("site", "layer", *sizes)},
                **{f"one_{name}": one[row["site"]][name] for name in sizes[3:]},
                "middle": row in middle,
                "trained": row["site"] in trained,
                "best": row is best,
                "chosen": row is chosen,
            }
            for row in rows
        ]
    )


def cell_of(table: pa.Table, cells: Sequence[str]) -> int:
    """The place of the first cell at the chosen site."""
    (site,) = (row["site"] for row in table.to_pylist() if row["chosen"])
    return [str(Cell.parse(cell).site) for cell in cells].index(site)


def norm_of(table: pa.Table) -> float:
    """The mean norm of a token at the chosen site."""
    (norm,) = (row["norm"] for row in table.to_pylist() if row["chosen"])
    return norm


def _similar(row: dict[str, Any]) -> tuple[float, int]:
    """The key by which the least similar directions, then the lower layer come first."""
    value = row["anisotropy"]
    return (value if value == value else float("inf"), row["layer"])
