"""Reference of the config: every section with its keys, their types, defaults and help."""

import json
from collections.abc import Iterable, Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from saegrid.config.models import Study
from saegrid.stages.written.tables import escaped, table

PLAIN = {bool: "true or false", str: "text", Any: "any value", int: "whole number", float: "number"}
"""Types in words."""
UNITS = {"memory.": "MB", "threads.": "threads", "hub.budget_gb": "GB"}
"""Units of keys, by the beginning of their name; other numbers are counts or shares, as the help
says."""


class Section(NamedTuple):
    """A section of the config."""

    path: str
    """Its key, NAME standing for a name of a catalogue; empty for the whole config."""
    model: type[BaseModel]


def sections(model: type[BaseModel] = Study, path: str = "") -> Iterator[Section]:
    """A section and, after it, all sections within it."""
    yield Section(path, model)
    for key, field in model.model_fields.items():
        inner = f"{path}.{key}" if path else key
        yield from _within(field.annotation, inner)


def _within(annotation: Any, path: str) -> Iterator[Section]:
    """The sections that may stand where an annotation does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from sections(annotation, path)
        return
    origin, kinds = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        kinds = kinds[:1]
    elif origin is dict:
        path, kinds = f"{path}.NAME", kinds[1:]
    elif origin is list:
        path = f"{path}[]"
    elif origin not in (Union, UnionType):
        return
    for kind in kinds:
        yield from _within(kind, path)


def bounds(metadata: Iterable[Any]) -> str:
    """The bounds of a number in words, such as ` from 1 to 10`; empty without any."""
    low = high = ""
    for one in metadata:
        for part in one.metadata if isinstance(one, FieldInfo) else [one]:
            low = _bound(part, "ge", "from", low)
            low = _bound(part, "gt", "above", low)
            high = _bound(part, "le", "to", high)
            high = _bound(part, "lt", "below", high)
    return low + high


def _bound(part: Any, name: str, word: str, otherwise: str) -> str:
    value = getattr(part, name, None)
    if value is None:
        return otherwise
    return f" {word} {value:,}" if isinstance(value, int) else f" {word} {value:g}"


def kind(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """A type in words; that a value may be null is left to the default."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return kind(inner[0], inner[1:])
    if origin in (Union, UnionType):
        words = [kind(one, metadata) for one in inner if one is not NoneType]
        return " or ".join(dict.fromkeys(words))
    if origin is Literal:
        return ", ".join(f"`{_json(value)}`" for value in inner)
    if origin in (list, tuple):
        words = dict.fromkeys(kind(one) for one in inner if one is not Ellipsis)
        return f"list of {' and '.join(words)}"
    if origin is dict:
        return f"names, each with {kind(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "section"
    word = PLAIN.get(annotation, "value")
    return word + bounds(metadata) if annotation in (int, float) else word


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def default(field: FieldInfo) -> str:
    """The default of a key: a JSON value, `required`, or nothing where it is a section."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "" if isinstance(value, BaseModel) else f"`{escaped(json.dumps(value))}`"


def unit(key: str) -> str:
    """The unit of a key, in brackets; empty for texts, counts and shares."""
    return next((f" ({word})" for start, word in UNITS.items() if key.startswith(start)), "")


def keys() -> str:
    """The reference of the config as Markdown: a heading and a table of keys for each section."""
    parts = []
    for path, model in sections():
        source = model.model_fields.get("source")
        tag = get_args(source.annotation) if source else ()
        named = f" with `source: {tag[0]}`" if tag and isinstance(tag[0], str) else ""
        rows = [
            (
                f"`{key}`",
                kind(field.annotation, field.metadata) + unit(f"{path}.{key}"),
                default(field),
                escaped(field.description or ""),
            )
            for key, field in model.model_fields.items()
        ]
        heading = f"`{path}`{named}" if path else "The whole config"
        head = f"## {heading}\n\n{' '.join((model.__doc__ or '').split())}\n\n"
        parts.append(head + (table(("key", "type", "default", "help"), rows) if rows else ""))
    return "\n".join(parts)
