"""Logistic regression with the sizes of the weights as its penalty (lasso)."""

from collections.abc import Sequence
from functools import partial

from saegrid.evidence.probes.linear.method import Method
from saegrid.evidence.probes.linear.path import path

SHARES: Sequence[float] = (0.9, 0.64, 0.45, 0.32, 0.22, 0.16, 0.11, 0.08)
"""Penalties in multiples of the least one under which all weights are zero."""

METHOD = Method(
    "logistic regression, L1",
    "minimum of mean -log p(y) + penalty |w|_1; each column in units of its standard deviation, "
    "dense ones centred; penalties are multiples of the least one under which all weights are "
    "zero, the best of several on texts that are not fitted",
    partial(path, ratio=1.0),
    penalties=SHARES,
    is_odds=True,
)
