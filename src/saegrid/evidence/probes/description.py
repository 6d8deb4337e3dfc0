"""Description length: how many bits labels cost somebody who has the numbers, online code.

Voita and Titov (2020): texts stand in an order, in blocks that end at .1, .2, .4, .8, 1.6, 3.2,
6.25, 12.5, 25, 50 and 100 % of them. The labels of the first block cost log2 K bits each, those of
each other one what a probe of the blocks before it makes them cost:

    L = n_1 log2 K - sum over blocks of log2 p(labels | probe of the blocks before)

The probe is logistic regression, with one of several L2 penalties on all units or on the k units of
the largest strength: the one under which the blocks before would have cost least (until one has,
the strongest penalty). Its probabilities are mixed with 1 / K by the weight 1 / (m + 2) after m
texts, so that no label costs an unlimited number of bits; while all labels so far are of one class,
the probability is Laplace's rule, (count + 1) / (m + K).

compression = n log2 K / L; L / (n H), H the entropy of the labels' shares, says what is saved
beside knowing these; surplus = L - n l, l the bits of a text in the last block (Whitney et al.
2020, with l as the tolerance), is what learning itself costs. Whole word types follow one another:
a block ends with the last text of its type.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.special import expit

from saegrid.evidence.exchange import exchanged, generator
from saegrid.evidence.probes import fits
from saegrid.evidence.probes.classify import Columns, series
from saegrid.evidence.probes.linear.method import Rows
from saegrid.evidence.probes.nested import rows_of
from saegrid.evidence.probes.problem import Split
from saegrid.evidence.probes.selection import Matrix, strengths, strongest
from saegrid.evidence.probes.target import CLASSES

SHARES = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0)
"""Ends of the blocks, as shares of the texts."""
PENALTIES = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5)
"""Penalties of the probes, the strongest first."""
KS = (1, 8, 64)
"""Numbers of units of the probes on the strongest ones."""
INVERSES = (1.0, 100.0)
"""Inverse strengths of their penalties, as of `fits.C`."""
PROBES = len(PENALTIES) + len(KS) * len(INVERSES)
CLASSES_OF = 2


class Code(NamedTuple):
    """The description length of labels."""

    ends: np.ndarray
    """(block,) number of texts up to the end of each block."""
    bits: np.ndarray
    """(block,) bits of the labels of each block."""
    n: int
    entropy: float
    """Bits of a label by the shares of both classes."""

    @property
    def length(self) -> float:
        """L, bits of all labels."""
        return float(self.bits.sum())

    @property
    def uniform(self) -> float:
        """n log2 K, bits of all labels where each class has the probability 1 / K."""
        return float(self.n * np.log2(CLASSES_OF))

    @property
    def compression(self) -> float:
        """n log2 K / L."""
        return self.uniform / self.length

    @property
    def surplus(self) -> float:
        """L less n times the bits of a text in the last block."""
        last = self.ends[-1] - (self.ends[-2] if len(self.ends) > 1 else 0)
        return self.length - self.n * float(self.bits[-1]) / last


def code(
    columns: Columns | Matrix,
    y: np.ndarray,
    type: np.ndarray,
    seed: int = 0,
    order: int = 0,
    shuffled: bool = False,
) -> Code:
    """The online code of labels in an order of the types that is drawn by seed and number.

    columns: (text, unit), or a function of a split that gives them, fitted on its training texts
    alone; shuffled: labels are exchanged between whole types first, the chance value.
    """
    rng = generator(seed, f"description {order}")
    rows = types_in_order(type, rng)
    if shuffled:
        y = y[exchanged(type, 1, rng)[:, 1]]
    ends = block_ends(type[rows])
    costs = np.zeros(PROBES)
    bits = [float(ends[0] * np.log2(CLASSES_OF))]
    for begin, end in pairwise(ends):
        each = _block(columns, y, rows[:begin], rows[begin:end])
        bits.append(float(each[int(np.argmin(costs))]))
        costs += each
    share = y.mean()
    entropy = float(-sum(p * np.log2(p) for p in (share, 1 - share) if p > 0))
    return Code(ends, np.array(bits), len(y), entropy)


def types_in_order(type: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(text,) texts, types in a drawn order and texts in a drawn order inside each."""
    _, number = np.unique(type, return_inverse=True)
    place = rng.permutation(int(number.max(initial=-1)) + 1)
    return np.lexsort((rng.random(len(type)), place[number]))


def block_ends(type: np.ndarray) -> np.ndarray:
    """(block,) ends of the blocks, each after the last text of its type, no block empty. type:
    (text,) in their order."""
    n = len(type)
    closes = np.flatnonzero(np.append(type[1:] != type[:-1], True)) + 1
    wanted = np.maximum(np.round(np.array(SHARES) * n).astype(int), 1)
    return np.unique(closes[np.searchsorted(closes, wanted)])


def _block(
    columns: Columns | Matrix, y: np.ndarray, before: np.ndarray, block: np.ndarray
) -> np.ndarray:
    """(probe,) bits of the labels of a block by each probe of the texts before it."""
    m, known = len(before), y[before]
    if len(np.unique(known)) < CLASSES_OF:
        p = (known.sum() + 1) / (m + CLASSES_OF)
        return np.full(PROBES, _bits(np.full(len(block), p), y[block]))
    train, test = rows_of(columns, Split(before, block))
    weight = 1 / (m + CLASSES_OF)
    margins = [*_on_all(train, known, test), *_on_few(train, known, test)]
    mixed = ((1 - weight) * expit(one) + weight / CLASSES_OF for one in margins)
    return np.array([_bits(p, y[block]) for p in mixed])


def _on_all(train: Rows, y: np.ndarray, test: Rows) -> Iterator[np.ndarray]:
    """(text,) log odds by a probe on all units for each penalty."""
    unit = fits.scale(train)
    train, test = unit.of(train), unit.of(test)
    for penalty in PENALTIES:
        yield fits.predicted(fits.wide(train, y, CLASSES, penalty), test)


def _on_few(train: Rows, y: np.ndarray, test: Rows) -> Iterator[np.ndarray]:
    """(text,) log odds by a probe on the k strongest units for each penalty and k."""
    every = np.ones((len(y), 1), bool)
    chosen = strongest(strengths(train, y[:, None], every)[:, 0], max(KS))
    inside, asked = (
        x[:, chosen].toarray() if sparse.issparse(x) else x[:, chosen] for x in (train, test)
    )
    sd = inside.std(axis=0)
    inside, asked = inside / sd, asked / sd
    for inverse in INVERSES:
        for k, w in series(inside, y, CLASSES, KS, inverse=inverse):
            yield asked[:, :k] @ w[1:] + w[0]


def _bits(p: np.ndarray, y: np.ndarray) -> float:
    """-log2 of the probability of labels, p that of the class 1."""
    return float(-np.log2(np.where(y > 0, p, 1 - p)).sum())


class Described(NamedTuple):
    """Description lengths over several orders of the texts."""

    codes: Sequence[Code]
    shuffled: Sequence[Code]
    """Bits with labels that are exchanged between types."""

    def mean(self, name: str, shuffled: bool = False) -> float:
        """Mean of a number of the codes over the orders."""
        return float(np.mean([getattr(one, name) for one in self._of(shuffled)]))

    def span(self, name: str, shuffled: bool = False) -> tuple[float, float]:
        """Least and largest of a number over the orders."""
        values = [getattr(one, name) for one in self._of(shuffled)]
        return float(min(values)), float(max(values))

    def _of(self, shuffled: bool) -> Sequence[Code]:
        return self.shuffled if shuffled else self.codes


def lengths(
    columns: Columns | Matrix, y: np.ndarray, type: np.ndarray, orders: int, seed: int = 0
) -> Described:
    """The online codes of the labels, and of shuffled labels, in several orders."""
    both = (
        [code(columns, y, type, seed, order, shuffled) for order in range(orders)]
        for shuffled in (False, True)
    )
    return Described(*both)
