"""Logistic regression with half of each penalty: sizes and squares of the weights."""

from functools import partial

from saegrid.evidence.probes.linear.l1 import SHARES
from saegrid.evidence.probes.linear.method import Method
from saegrid.evidence.probes.linear.path import path

RATIO = 0.5

METHOD = Method(
    "logistic regression, elastic net",
    "minimum of mean -log p(y) + penalty (|w|_1 / 2 + |w|^2 / 4); columns and penalties as of L1",
    partial(path, ratio=RATIO),
    penalties=SHARES,
    is_odds=True,
)
