"""The progress of a command that writes many files: one line that is renewed on a terminal, a line
now and then elsewhere."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Self, TextIO

from saegrid.base.progress.words import rough, span

EVERY, APART = 0.2, 10.0
"""Seconds between two lines on a terminal, and elsewhere."""
SURE = 5.0
"""Seconds from which the time that is left is said."""


class Bar:
    """A line such as `47 of 212 tables, 31 %, 12 s left`, gone at the end.

    weights: bytes of each file by its name, without what stands behind its last dot; of other files
    nothing is said. The time left is the time so far x bytes left / bytes done.
    """

    def __init__(
        self,
        weights: Mapping[str, int],
        stream: TextIO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.weights, self.stream, self.clock = weights, stream, clock
        self.renews = stream.isatty() and os.environ.get("TERM") != "dumb"
        self.n = self.done = 0
        self.began = self.shown = clock()

    def step(self, name: str) -> None:
        """A file has been written."""
        weight = self.weights.get(name.rpartition(".")[0])
        if weight is None:
            return
        self.n, self.done = self.n + 1, self.done + weight
        now = self.clock()
        if now - self.shown >= (EVERY if self.renews else APART):
            self.shown = now
            line = self.line(now)
            self.stream.write(f"\r\033[K{line}" if self.renews else f"{line}\n")
            self.stream.flush()

    def line(self, now: float) -> str:
        """The line at a time of the clock."""
        share = self.done / max(1, sum(self.weights.values()))
        parts = [f"{self.n:,} of {len(self.weights):,} tables", f"{100 * share:.0f} %"]
        had = now - self.began
        if had >= SURE and share:
            left = had * (1 - share) / share
            parts.append(f"{rough(left) if left >= 60 else span(left)} left")
        return ", ".join(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.renews:
            self.stream.write("\r\033[K")
            self.stream.flush()
