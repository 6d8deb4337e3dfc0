"""How large codes are: a histogram of all codes of an SAE, and how many are exact zeros (S1.6).

A narrow histogram is no sparsity: codes are sparse where most of them are zeros.
"""

from typing import Any

import numpy as np

from saegrid.metrics.metric import Block, Metric, Subject, Value, Values

BINS, LOWEST = 100, -15
"""Four bins an octave, of equal width within it, from 2^-15 to 2^10; the outer ones hold what lies
beyond. Edges have two binary digits behind the first, so that a float32 tells its bin by
its bits."""
SHIFT = 21
"""Bits of a float32 behind the exponent and the first two digits."""
DEFINITIONS = {
    "zeros": "share of the codes z of all tokens and features that are exactly zero, 1 - density",
    "largest": "largest z, raw units",
    "mean_active": "mean of the z that are not zero, raw units",
}


def edges() -> np.ndarray:
    """(bin + 1,) float64: where bins begin, and where the last one ends."""
    octave, quarter = np.divmod(np.arange(BINS + 1), 4)
    return np.ldexp(1 + quarter / 4, LOWEST + octave)


def bins_of(values: np.ndarray) -> np.ndarray:
    """(value,) int64: the bins of positive float32 values; each holds its lower edge."""
    first = (127 + LOWEST) << (23 - SHIFT)
    bits = np.ascontiguousarray(values, np.float32).view(np.int32) >> SHIFT
    return np.clip(bits.astype(np.int64) - first, 0, BINS - 1)


class Latents(Metric):
    """Counts of codes by their size."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.n, self.largest, self.total = 0, 0.0, 0.0
        self.counts = np.zeros(BINS, np.int64)

    def add(self, block: Block) -> None:
        """Counts, sum and maximum."""
        values = block.z.data
        self.n += len(block.z.token)
        self.counts += np.bincount(bins_of(values), minlength=BINS)
        self.total += float(values.astype(np.float64).sum())
        self.largest = max(self.largest, float(values.max(initial=0)))

    def values(self) -> Values:
        """The numbers."""
        active = int(self.counts.sum())
        zeros = 1 - active / (self.n * self.subject.sae.encoder.d_sae)
        mean = Value(self.total / max(active, 1), self.n, DEFINITIONS["mean_active"])
        if not active:
            mean = mean._replace(value=None, because="every feature is dead")
        return {
            "zeros": Value(zeros, self.n, DEFINITIONS["zeros"]),
            "largest": Value(self.largest, self.n, DEFINITIONS["largest"]),
            "mean_active": mean,
        }

    def more(self) -> dict[str, Any]:
        """`latents`: edges (bin + 1,) and counts (bin,) of the codes that are not zero."""
        return {"latents": {"edges": edges().tolist(), "counts": self.counts.tolist()}}
