"""The base of all sections of a config."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A section without room for unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
