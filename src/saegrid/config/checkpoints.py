"""The location of a cell's checkpoint: its section of the config, placeholders filled in."""

from typing import Any

from saegrid.base.words import Cell
from saegrid.config.models import CheckpointSae

FILLED = ("path", "repo", "folder", "file")
"""Keys in which placeholders may stand."""
PLACEHOLDERS = ("{layer}", "{layer+1}", "{position}")
"""`{layer+1}` names a stream by the block that it enters (hook_resid_pre)."""


def fill_in(text: str, cell: Cell) -> str:
    """A text with the layer and position of a cell in the place of the placeholders."""
    values = (str(cell.site.layer), str(cell.site.layer + 1), cell.site.position)
    for placeholder, value in zip(PLACEHOLDERS, values, strict=True):
        text = text.replace(placeholder, value)
    return text


def location(sae: CheckpointSae, cell: Cell) -> dict[str, Any]:
    """The section of a cell's checkpoint as JSON values, for this cell alone, without what pages
    alone show."""
    section = sae.model_dump(mode="json", exclude={"neuronpedia"})
    if isinstance(section["revision"], dict):
        section["revision"] = section["revision"].get(cell.site.position)
    for key in FILLED:
        if section[key]:
            section[key] = fill_in(section[key], cell)
    return section


def neuronpedia(sae: CheckpointSae, cell: Cell) -> str | None:
    """Model and source of a cell on Neuronpedia; None where the section names none."""
    name = sae.neuronpedia
    if isinstance(name, dict):
        name = name.get(cell.site.position.lower())
    return fill_in(name, cell) if name else None
