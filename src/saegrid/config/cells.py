"""The cells of a study's grid, and their settings."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from saegrid.base.errors import ConfigError
from saegrid.base.words import Cell, Site
from saegrid.config.messages import explained
from saegrid.config.models import Block, Study

STAGES = ("train", "encode", "density", "top_tokens", "logits", "pages")
"""Stages whose settings a cell may override."""


def blocks(study: Study) -> list[Block]:
    """The blocks of the study's grid; none where it names a grid that is not there."""
    return list(study.grids.get(study.grid, []) if isinstance(study.grid, str) else study.grid)


def cells(study: Study) -> list[Cell]:
    """The cells of the study's grid, sorted, each once."""
    return sorted(
        {
            Cell(Site(layer, position.upper()), sae)
            for block in blocks(study)
            for sae in block.saes
            if sae in study.saes
            for layer in block.layers
            for position in block.positions
        }
    )


def cell_section(
    study: Study, cell: Cell, stage: str, values: Mapping[str, Any] | None = None
) -> Any:
    """The section of a stage for one cell, overrides put in; ConfigError for what cannot be used.

    values: the overrides; by default those of the study.
    """
    if values is None:
        values = study.overrides.get(str(cell), {}).get(stage, {})
    base: BaseModel = study.saes[cell.sae] if stage == "train" else _section(study, stage)
    merged = _merge(base.model_dump(), values)
    try:
        return type(base)(**merged)
    except ValidationError as problem:
        key, known = f"overrides.{cell}.{stage}", sorted(type(base).model_fields)
        mistakes = explained(problem.errors(include_url=False), merged, key, known)
        raise ConfigError("\n".join(mistake.text for mistake in mistakes)) from None


def cell_settings(
    study: Study, cell: Cell, stage: str, values: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The settings of a stage for one cell, as `cell_section`, as JSON values."""
    return cell_section(study, cell, stage, values).model_dump(mode="json")


def _section(study: Study, name: str) -> BaseModel:
    """A section of the config, or of its analyses."""
    return getattr(study, name, None) or getattr(study.analyses, name)


def _merge(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        inner = merged.get(key)
        both = isinstance(value, Mapping) and isinstance(inner, Mapping)
        merged[key] = _merge(inner, value) if both else value
    return merged
