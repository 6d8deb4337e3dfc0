"""Help that names what is registered, so that it stays in step."""

from pkgutil import resolve_name
from typing import Any

from pydantic import Field


def listed(table: str) -> str:
    """The names of a registry, `package.module:NAME`, as `a, b or c`."""
    *first, last = resolve_name(table)
    return f"{', '.join(first)} or {last}" if first else last


def helped(table: str, text: str = "{}.") -> Any:
    """A field whose help is `text` with the names of a registry in it."""
    return Field(description=text.format(listed(table)))
