"""The place where lines are shown: a terminal, whose last line renews itself, or a file or pipe."""

import os
import re
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

CLEAR = "\r\x1b[K"
"""Go to the begin of the line and remove what stands there."""
WIDEST = 100
"""Characters of the renewed line, where the terminal is wider."""
MARKED = re.compile(r"\b(FAILED)\b|^(Done:)", re.M)
COLOURS = {"FAILED": "31", "Done:": "32"}
"""Codes of colours of words, which say the same without."""


class Screen:
    """Standard error, or another stream. One thread at a time may write."""

    def __init__(self, stream: TextIO | None = None, colours: bool = True) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.renews = self._is_tty() and os.environ.get("TERM") != "dumb"
        """True of a terminal, on which a line can be renewed."""
        self.colours = colours and self.renews and not os.environ.get("NO_COLOR")
        self._shown = ""

    def _is_tty(self) -> bool:
        isatty = getattr(self.stream, "isatty", None)
        return bool(isatty and isatty())

    @property
    def width(self) -> int:
        """Characters of a line: of a file 80."""
        return min(shutil.get_terminal_size((80, 24)).columns - 1, WIDEST) if self.renews else 80

    def say(self, lines: Iterable[str]) -> None:
        """Write lines that stay, above the one that renews itself."""
        text = "".join(f"{line}\n" for line in lines)
        if text:
            self._write(CLEAR * bool(self._shown) + self._marked(text) + self._shown)

    def renew(self, line: str) -> None:
        """Write the last line anew; empty: remove it."""
        if self.renews and line != self._shown:
            self._write(CLEAR + line)
            self._shown = line

    def _marked(self, text: str) -> str:
        if not self.colours:
            return text
        return MARKED.sub(lambda m: f"\x1b[{COLOURS[m[0]]}m{m[0]}\x1b[0m", text)

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):  # whoever read it has gone: the run goes on
            self.renews = False
            self._shown = ""
