"""The base of a config's sections, and the kinds of values that stand in them."""

import re
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator

EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?")
WORDS = {"true": True, "false": False, "null": None}


def plain(value: Any, kind: Any) -> Any:
    """A value of a section, where it came as a text, as the kind of value that is wanted there.

    Snakemake hands over `--config "top_tokens={n: 7}"` as texts, and YAML takes 1e-3 for one. A
    text stays where a text is wanted, or where it is none of what is wanted.
    """
    origin, kinds = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return plain(value, kinds[0])
    if origin in (Union, UnionType):
        fits = (plain(value, one) for one in kinds if one is not str)
        changed = (one for one in fits if one is not value)
        return value if isinstance(value, str) and str in kinds else next(changed, value)
    if isinstance(value, list) and origin in (list, tuple):
        inner = kinds if origin is tuple and Ellipsis not in kinds else kinds[:1] * len(value)
        return [plain(*pair) for pair in zip(value, inner, strict=False)] + value[len(inner) :]
    if isinstance(value, dict) and origin is dict:
        return {key: plain(inner, kinds[1]) for key, inner in value.items()}
    if not isinstance(value, str):
        return value
    if value in WORDS:
        wanted = WORDS[value]
        taken = origin is Literal and any(one is wanted for one in kinds)
        return wanted if taken or (kind in (bool, NoneType) and isinstance(wanted, kind)) else value
    if kind is int and value.removeprefix("-").isdecimal() and len(value) < 20:
        return int(value)
    return float(value) if kind is float and NUMBER.fullmatch(value) else value


NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]*$"
Number = float
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

    @model_validator(mode="before")
    @classmethod
    def _as_wanted(cls, values: Any) -> Any:
        """The values as `plain` reads them."""
        if not isinstance(values, dict):
            return values
        fields = cls.model_fields
        return {
            key: plain(value, fields[key].annotation) if key in fields else value
            for key, value in values.items()
        }
