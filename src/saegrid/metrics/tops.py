"""The share of the commonest token among a feature's largest activations.

It is the cheapest measure of interpretability that applies to features and to the directions of
baselines: a feature of one token has that token at all of its largest activations. It is a lower
bound, since a feature of a topic has many tokens, and it stands beside the share of tokens drawn at
random.
"""

import numpy as np

from saegrid.features import ordering
from saegrid.metrics.metric import Block, Metric, Subject, Value, Values

TOP = 20
"""Number of a feature's largest activations that are compared."""
DRAWS = 2000
"""Number of random draws of `TOP` tokens for the share by chance."""
DEFINITIONS = {
    "top_token_share": f"mean over the features with {TOP} active tokens or more of the share of "
    f"their {TOP} largest activations that stand at the commonest token id among these; n counts "
    "the features",
    "null_top_token_share": f"the same share of {TOP} tokens drawn at random from those measured, "
    f"mean over {DRAWS} seeded draws",
}
NO_TOKENS = "the activations are no token's own: means over texts"


class Tops:
    """The `TOP` largest activations of each feature so far; of equal ones the earlier token."""

    def __init__(self, width: int) -> None:
        """Set up empty lists; width: number of features."""
        self.feature, self.ids = np.zeros((2, 0), np.int64)
        self.value = np.zeros(0, np.float32)
        self.least = np.zeros(width, np.float32)

    def add(self, feature: np.ndarray, value: np.ndarray, ids: np.ndarray) -> None:
        """Add entries (entry,), in the order of tokens: features, activations above zero, token
        ids."""
        value = value.astype(np.float32)
        kept = value > self.least[feature]
        feature = np.concatenate([self.feature, feature[kept]]).astype(np.int64)
        value = np.concatenate([self.value, value[kept]])
        ids = np.concatenate([self.ids, ids[kept]])
        order = ordering.order(feature, ~ordering.height(value))
        rank = ordering.number(feature[order])
        order, rank = order[rank < TOP], rank[rank < TOP]
        self.feature, self.value, self.ids = feature[order], value[order], ids[order]
        last = rank == TOP - 1
        self.least[self.feature[last]] = self.value[last]

    def shares(self) -> np.ndarray:
        """(n,): share of the commonest token id of each feature with `TOP` entries."""
        counts = np.bincount(self.feature, minlength=len(self.least))
        return commonest(self.ids[counts[self.feature] == TOP].reshape(-1, TOP))


def commonest(ids: np.ndarray) -> np.ndarray:
    """(row,): share of the commonest number of each row of ids (row, n)."""
    ids = np.sort(ids, axis=1)
    most = run = np.ones(len(ids), np.int64)
    for one, other in zip(ids.T[1:], ids.T[:-1], strict=True):
        run = np.where(one == other, run + 1, 1)
        most = np.maximum(most, run)
    return most / ids.shape[1]


def by_chance(ids: np.ndarray, seed: int) -> float:
    """The mean share of the commonest of `TOP` tokens drawn at random from ids (token,)."""
    drawn = np.random.default_rng(seed).integers(len(ids), size=(DRAWS, TOP))
    return float(commonest(ids[drawn]).mean())


class TopTokens(Metric):
    """The mean share of the commonest token among each feature's largest activations."""

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self.n, self.tops = 0, Tops(subject.sae.encoder.d_sae)

    def add(self, block: Block) -> None:
        """Add a block of tokens."""
        z, ids = block.z, self.subject.ids
        if ids is not None:
            self.tops.add(z.owners(), z.data, ids[self.n + z.indices])
        self.n += len(z.token)

    def values(self) -> Values:
        """The mean share, and the share by chance."""
        ids, shares = self.subject.ids, self.tops.shares()
        if ids is None:
            return {
                name: Value(None, 0, definition, NO_TOKENS)
                for name, definition in DEFINITIONS.items()
            }
        name, null = DEFINITIONS
        mean = float(shares.mean()) if len(shares) else None
        because = "" if len(shares) else f"no feature has {TOP} active tokens"
        return {
            name: Value(mean, len(shares), DEFINITIONS[name], because),
            null: Value(by_chance(ids, self.subject.seed), len(ids), DEFINITIONS[null]),
        }
