"""The sparsity of codes: how many features are active, how often each, and how unevenly."""

import numpy as np

from saegrid.metrics.lights import EXPOSURE
from saegrid.metrics.metric import Block, Metric, Subject, Value, Values

EPSILON = 1e-12
"""Addend to the denominator of the source's Gini index (S2.6)."""
DEFINITIONS = {
    "l0": "mean over tokens of the number of features with z > 0",
    "density": "mean over tokens and features of z > 0, l0 / d_sae",
    "dead_rate": "share of the features with z = 0 at every one of the n tokens",
    "dead_rate_at_exposure": "expected share of the features with z = 0 at every one of n tokens "
    f"drawn from those measured, n = {EXPOSURE:g} d_sae / l0",
    "gini": "Gini index of u_f = sum over tokens of z_f, over all features",
    "gini_counts": "Gini index of the number of tokens with z_f > 0, over all features",
    "gini_of_active": "(gini - dead_rate) / (1 - dead_rate): the Gini index over the features "
    "that are not dead",
}


def gini(usage: np.ndarray) -> float:
    """The Gini index of usage (feature,): 0 if all are used alike, 1 - 1/m if one does all."""
    u, m = np.sort(np.asarray(usage, np.float64)), len(usage)
    return float(((2 * np.arange(1, m + 1) - m - 1) * u).sum() / (m * u.sum() + EPSILON))


def gini_of_active(whole: float, dead: float) -> float | None:
    """The Gini index over the features that fire, from that over all and the share of dead ones."""
    return (whole - dead) / (1 - dead) if dead < 1 else None


def silent_share(counts: np.ndarray, n: int, drawn: int) -> float:
    """The expected share of features that are silent at `drawn` of n tokens (rarefaction).

    counts: (feature,), the number of the n tokens at which each is active. Source: Hurlbert 1971.
    """
    from scipy.special import gammaln

    silent = n - np.asarray(counts)
    fits = silent >= drawn
    few = silent[fits]
    log = gammaln(few + 1) - gammaln(few - drawn + 1) - gammaln(n + 1) + gammaln(n - drawn + 1)
    return float(np.exp(log).sum() / len(counts))


class Sparsity(Metric):
    """The L0, density, share of dead features and Gini indices of an SAE."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        d_sae = subject.sae.encoder.d_sae
        self.n, self.counts, self.usage = 0, np.zeros(d_sae, np.int64), np.zeros(d_sae)

    def add(self, block: Block) -> None:
        """Add a block to the counts and sums of each feature."""
        z = block.z
        self.n += len(z.token)
        self.counts += np.diff(z.indptr)
        self.usage += np.bincount(z.owners(), z.data.astype(np.float64), minlength=z.d_sae)

    def values(self) -> Values:
        """The values; a dead rate holds at its number of tokens."""
        n, d_sae = self.n, len(self.counts)
        l0, dead = int(self.counts.sum()) / n, int((self.counts == 0).sum()) / d_sae
        whole = gini(self.usage)
        numbers = {
            "l0": l0,
            "density": l0 / d_sae,
            "dead_rate": dead,
            "gini": whole,
            "gini_counts": gini(self.counts),
            "gini_of_active": gini_of_active(whole, dead),
        }
        values = {name: Value(value, n, DEFINITIONS[name]) for name, value in numbers.items()}
        if dead == 1:
            # The formula gives 0, as where all are used alike.
            for name in ("gini", "gini_counts", "gini_of_active"):
                values[name] = values[name]._replace(value=None, because="every feature is dead")
        return values | {"dead_rate_at_exposure": self._at_exposure(l0)}

    def _at_exposure(self, l0: float) -> Value:
        """The dead rate at the number of tokens at which an average feature has fired `EXPOSURE`
        times."""
        definition = DEFINITIONS["dead_rate_at_exposure"]
        drawn = round(EXPOSURE * len(self.counts) / l0) if l0 else 0
        if not 0 < drawn <= self.n:
            wanted = f"{drawn:,} tokens are needed" if drawn else "no feature fires"
            return Value(None, self.n, definition, f"{wanted}; {self.n:,} were measured")
        return Value(silent_share(self.counts, self.n, drawn), drawn, definition)
