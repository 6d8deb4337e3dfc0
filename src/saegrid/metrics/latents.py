"""The sizes of an SAE's codes: a histogram, and the share of exact zeros.

A narrow histogram is not sparsity: codes are sparse if most of them are zeros.
"""

from typing import Any

import numpy as np

from saegrid.metrics.metric import Block, Metric, Subject, Value, Values

BINS, LOWEST = 100, -15
"""Number of bins, and the exponent of the lowest edge. There are four bins an octave, of equal
width within it, from 2^-15 to 2^10; the outer ones hold all values beyond. Edges have two binary
digits behind the first, so that the bits of a float32 give its bin."""
SHIFT = 21
"""Number of bits of a float32 behind the exponent and the first two digits."""
DEFINITIONS = {
    "zeros": "share of the codes z of all tokens and features that are exactly zero, 1 - density",
    "largest": "largest z, raw units",
    "mean_active": "mean of the z that are not zero, raw units",
}


def edges() -> np.ndarray:
    """(bin + 1,) float64: lower edges of the bins, and the upper edge of the last one."""
    octave, quarter = np.divmod(np.arange(BINS + 1), 4)
    return np.ldexp(1 + quarter / 4, LOWEST + octave)


def bins_of(values: np.ndarray) -> np.ndarray:
    """(value,) int64: bins of positive float32 values; a bin includes its lower edge."""
    first = (127 + LOWEST) << (23 - SHIFT)
    bits = np.ascontiguousarray(values, np.float32).view(np.int32) >> SHIFT
    return np.clip(bits.astype(np.int64) - first, 0, BINS - 1)


class Latents(Metric):
    """A histogram of codes, with their share of zeros, largest and mean."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.n, self.largest, self.total = 0, 0.0, 0.0
        self.counts = np.zeros(BINS, np.int64)

    def add(self, block: Block) -> None:
        """Add a block to counts, sum and maximum."""
        values = block.z.data
        self.n += len(block.z.token)
        self.counts += np.bincount(bins_of(values), minlength=BINS)
        self.total += float(values.astype(np.float64).sum())
        self.largest = max(self.largest, float(values.max(initial=0)))

    def values(self) -> Values:
        """The share of zeros, the largest code, and the mean of those that are not zero."""
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
        """The histogram under `latents`: edges (bin + 1,), counts (bin,) of codes that are not
        zero."""
        return {"latents": {"edges": edges().tolist(), "counts": self.counts.tolist()}}
