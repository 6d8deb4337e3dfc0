"""Times and lines as people read them on a screen."""

import time
from collections.abc import Iterable

UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
"""Seconds and name of a unit, and those of the next smaller one."""


def span(seconds: float) -> str:
    """Seconds in the two largest units that they fill: 45 s, 3 min 20 s, 2 h 5 min, 1 d 3 h."""
    whole = max(0, round(seconds))
    for size, name, smaller, below in UNITS:
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {name}" + f" {rest} {below}" * bool(rest)
    return f"{whole} s"


def rough(seconds: float) -> str:
    """Seconds as exact as a forecast is: minutes, at least one; from two hours on in tens."""
    minutes = max(1, round(seconds / 60))
    if minutes >= 120:
        minutes = round(minutes, -1)
    return span(60 * minutes)


def clock(seconds: float) -> str:
    """The time of day of a moment in seconds since 1970."""
    return time.strftime("%H:%M:%S", time.localtime(seconds))


def fit(text: str, width: int) -> str:
    """A text of at most `width` characters, its end cut off with two dots where it is longer."""
    return text if len(text) <= width else text[: max(0, width - 2)] + ".."


def joined(parts: Iterable[str], width: int, separator: str = ", ") -> str:
    """The first parts, as many as fit into `width` characters; dots stand for the others."""
    line = ""
    several = list(parts)
    for number, part in enumerate(several):
        longer = line + separator * bool(line) + part
        more = f"{separator}.." if number + 1 < len(several) else ""
        if line and len(longer + more) > width:
            return f"{line}{separator}.."
        line = longer
    return line


def counted(n: int, noun: str) -> str:
    """A number with its noun: `1 job`, `1,200 jobs`."""
    return f"{n:,} {noun}{'s' * (n != 1)}"
