"""Kin of each feature: what points the same way, fires on the same tokens or in the same texts."""

from typing import Annotated

from pydantic import Field

from saegrid.base.section import Many as Count
from saegrid.base.section import Strict
from saegrid.base.words import Cell
from saegrid.features.logits import STREAM
from saegrid.meaning import CELL as OWN
from saegrid.meaning import LAYER, WIDTH
from saegrid.stages import places
from saegrid.stages.evidence import frozen
from saegrid.stages.stage import (
    CELL,
    At,
    Many,
    Needs,
    Panel,
    Plan,
    Read,
    Settings,
    Sizes,
    Source,
    Stage,
    Weight,
)


class Section(Strict):
    """Kin of each feature with examples: in its cell, at its site and in neighbouring layers."""

    k: Annotated[int, Field(ge=1, le=50)] = 5
    """Kin of a feature by each relation (direction, tokens, texts) in each cell."""
    least: Count = 3
    """Tokens, or texts, on which two features must fire together to be kin by that."""
    silent: bool = False
    """Features without examples are kin by direction too; else only those with examples are."""


def others(plan: Plan, cell: str) -> list[tuple[str, str]]:
    """The cells in which kin of a cell are looked for, with their place: its own, the other SAEs at
    its site, and the same one in the next lower and the next higher layer of the grid.

    SAEs that stay in part at their random start are nulls, and no kin of others.
    """
    own = Cell.parse(cell)
    trained = [c for c in plan.cells if c != own and frozen(plan, str(c)) == "none"]
    widths = sorted(c for c in trained if c.site == own.site)
    alike = [c for c in trained if (c.site.position, c.sae) == (own.site.position, own.sae)]
    below = sorted(c for c in alike if c.site.layer < own.site.layer)[-1:]
    above = sorted(c for c in alike if c.site.layer > own.site.layer)[:1]
    several = [(c, WIDTH) for c in widths] + [(c, LAYER) for c in [*below, *above]]
    return [(cell, OWN), *((str(c), place) for c, place in several)]


def compares(plan: Plan, one: str, other: str) -> bool:
    """Return True if decoder rows of two cells lie in one space: both write the same site, or the
    same position of the residual stream in two layers.

    Neurons and heads of two layers have nothing in common, nor has a transcoder's output with what
    an SAE at the site that it reads writes.
    """
    first, second = (plan.saes.writes(cell) or Cell.parse(cell).site for cell in (one, other))
    return first == second or (first.position == second.position and first.position in STREAM)


def of_each(output: str) -> Many:
    """An output of each of these cells on the job's corpus."""
    return Many(
        lambda plan, at: [Source(output, At(at.corpus, cell)) for cell, _ in others(plan, at.cell)]
    )


def saes(plan: Plan, at: At) -> list[Source]:
    """The files of the SAEs of these cells, two of each."""
    return [one for cell, _ in others(plan, at.cell) for one in places.sae(plan, At(cell=cell))]


def settings(plan: Plan, at: At) -> Settings:
    """The cells, where they are, and whether their directions compare."""
    return {
        "cells": [
            [cell, place, compares(plan, at.cell, cell)] for cell, place in others(plan, at.cell)
        ]
    }


def code(plan: Plan, at: At) -> list[str]:
    """Code that reads the formats of the SAEs."""
    return sorted({plan.saes.reader(cell) for cell, _ in others(plan, at.cell)})


def weighs(sizes: Sizes, at: At) -> Weight:
    """The decoders are read; a row of the table takes a dozen bytes."""
    cells = others(sizes.plan, at.cell)
    k = sizes.plan.settings(at.cell, "kin")["k"]
    read = sum(sizes.sae(cell).matrix for cell, _ in cells)
    return Weight(write=12 * 3 * k * len(cells) * sizes.shown(at), read=read)


READS: dict[str, str | Read] = {
    "features": of_each("encode.features"),
    "top": of_each("top_tokens.top"),
    "saes": Many(saes, counted=False),
    "tokens": "tokens.tokens",
    "spans": "tokens.spans",
    "selection": "selection.selection",
    "texts": "items.table",
}

KIN = Stage(
    "kin",
    reads=READS,
    writes={"table": CELL + "kin.parquet"},
    config=Section,
    ends=places.cells,
    settings=settings,
    code=code,
    # Not in the group of the cells: it waits for several of them, and the page waits for it.
    needs=Needs(memory=4000, minutes=30, hub=True, priority=6, group="pages"),
    weighs=weighs,
    shows=(
        Panel(
            "kin",
            "Kin",
            "Features like this one, in its cell, in other SAEs at its site and in the layers "
            "beside, with the commonest words of their top tokens. Direction: cosine of decoder "
            "rows. Tokens: correlation (phi) of firing over all captured tokens. Texts: of those "
            "in which one of them fires, the share in which both do. Both: tokens on which both "
            "fire. A dash: not among the nearest by that.",
            "saegrid.pages.browser.kin:of_features",
            "kin.table",
        ),
    ),
)
