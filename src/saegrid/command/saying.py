"""The words of a command for whoever gave it, on stderr: its mistakes, and what else it has to say
beside its answer."""

import sys
from collections.abc import Iterable

FAILED = 1
"""Exit status of a command that could not do what it was asked."""


def say(command: str, lines: Iterable[object]) -> None:
    """Print lines, each behind the name of the command: `saegrid new: ...`."""
    for line in lines:
        print(f"saegrid {command}: {line}", file=sys.stderr, flush=True)


def refuse(command: str, *mistakes: object) -> int:
    """Print mistakes, a line each; the exit status."""
    say(command, mistakes)
    return FAILED
