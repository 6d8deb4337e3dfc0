"""Registries: dictionaries of `name: "package.module:attribute"`, resolved when used."""

from collections.abc import Mapping
from difflib import get_close_matches
from pkgutil import resolve_name
from typing import Any

from saegrid.base.errors import shown

LONGEST = 100
"""Number of letters of a name that are compared."""


def nearest(name: str, known: list[str]) -> str:
    """The hint ` Did you mean 'x'?`, or an empty text if no known name is near."""
    match = get_close_matches(name[:LONGEST], known, n=1)
    return f" Did you mean {match[0]!r}?" if match else ""


def entry(registry: Mapping[str, str], name: str, what: str) -> str:
    """The unresolved entry of `name`; ValueError names the nearest spelling."""
    if name not in registry:
        known = sorted(registry)
        raise ValueError(
            f"{what} {shown(name)} is unknown.{nearest(name, known)} Known: {', '.join(known)}."
        )
    return registry[name]


def pick(registry: Mapping[str, str], name: str, what: str) -> Any:
    """The object registered under `name`; ValueError names the nearest spelling."""
    return resolve_name(entry(registry, name, what))


def lookup(table: str, name: str, what: str) -> str:
    """The entry of `name` in the registry at `table` (`package.module:NAME`), unresolved."""
    return entry(resolve_name(table), name, what)
