"""Errors that several rooms raise, and values as messages show them."""

from reprlib import Repr
from typing import Any

_SHORT = Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxtuple, _SHORT.maxdict = 2, 4, 4, 3
_SHORT.maxstring, _SHORT.maxlong, _SHORT.maxother = 80, 40, 80


def shown(value: Any) -> str:
    """A value as a message shows it: never longer than a line, whatever stands in a config."""
    text = _SHORT.repr(value)
    return text if len(text) <= 160 else f"{text[:157]}..."


def size(n: int) -> str:
    """Bytes in a unit in which they show: 3.2 MB and not 0.00 GB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if n >= unit:
            return f"{n / unit:,.1f} {name}"
    return f"{n} bytes"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and what is wrong in it."""


class ConfigError(ValueError):
    """A mistake in the config; the message names the key and the mend."""
