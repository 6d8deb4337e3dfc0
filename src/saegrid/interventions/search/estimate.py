"""The cost of a search by prompt, told before it begins.

Encoders are read once, whatever the number of prompts; products grow with their tokens. Seconds are
those of a disk and a processor whose rates are named.
"""

from collections.abc import Sequence
from typing import NamedTuple

from saegrid.base import io
from saegrid.base.errors import size
from saegrid.interventions.search.files import Place
from saegrid.saes.reference import REFERENCE
from saegrid.saes.sizes import Sae, of_checkpoint

FAST, SLOW = 2e9, 2e8
"""Bytes a second of a fast and of a slow disk."""
FLOPS = 1.1e11
"""Operations a second of one thread: 131,072 x 4,096 x 16 in .15 s, as measured."""


class Cost(NamedTuple):
    """The cost of a search."""

    cells: int
    n_bytes: int
    """Bytes of the encoders."""
    operations: float
    """2 x numbers of the encoders x tokens."""

    @classmethod
    def of(cls, saes: Sequence[Sae], tokens: int) -> "Cost":
        """The cost of prompts of so many tokens in some SAEs."""
        numbers = sum(sae.n_weights for sae in saes)
        return cls(len(saes), sum(sae.matrix for sae in saes), 2.0 * numbers * tokens)

    def line(self) -> str:
        """One line, in words."""
        fast, slow = (_time(self.n_bytes / rate) for rate in (FAST, SLOW))
        cells = "1 cell" if self.cells == 1 else f"{self.cells} cells"
        return (
            f"search: {size(self.n_bytes)} of encoders in {cells} are read once, for any number of "
            f"prompts: {fast} at 2 GB/s, {slow} at 0.2 GB/s; products take "
            f"{_time(self.operations / FLOPS)} of one processor."
        )


def _time(seconds: float) -> str:
    if seconds < 1:
        return "under a second"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def size_of(place: Place, width: int) -> Sae:
    """The sizes of a cell's SAE from its headers; of one on the hub by its name. width: channels
    of its site."""
    path = place.sae / REFERENCE
    trained = {"format": "sae_lens", "path": str(place.sae)}
    reference = io.read_json(path) if path.is_file() else trained
    sizes = of_checkpoint({"path": None, "repo": None, **reference}, place.cell, width)
    assert sizes is not None  # only without a width
    return sizes
