"""The base of a config's sections, and the kinds of values that stand in them."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")


def _number(value: Any) -> Any:
    """A number that YAML takes for a text, such as 1e-3, which it wants to be 1.0e-3."""
    exponent = isinstance(value, str) and EXPONENT.fullmatch(value)
    return float(value) if exponent else value


NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
Number = Annotated[float, BeforeValidator(_number)]
Positive = Annotated[int, Field(ge=1)]
Many = Annotated[int, Field(ge=1, le=10**12)]
"""Tokens, texts or characters: as many as a disk holds."""
Layer = Annotated[int, Field(ge=0, le=9_999)]
Shown = Annotated[int, Field(ge=0, le=10_000)]
"""Examples or tokens on a page."""
ThreadCount = Annotated[int, Field(ge=1, le=1_024)]
Megabytes = Annotated[int, Field(ge=1, le=10**8)]
Share = Annotated[Number, Field(ge=0, le=1)]
Cut = Annotated[Number, Field(ge=0, lt=1)]
"""A density: that of 1 no feature reaches."""
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Commit = Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class Strict(BaseModel):
    """A section without room for unknown keys, in which true is no number and 1 is not true."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )
