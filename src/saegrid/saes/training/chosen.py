"""Which entries of pre-activations are the largest."""

import numpy as np
import torch
from torch import Tensor

from saegrid.saes.training.adam import Astray

GROUPS = 8


def largest(pre: Tensor, k: int) -> Tensor:
    """(token, k): ids of the k largest entries of each row of pre (token, feature), rising; of
    equal ones always the same.

    The k largest stand in the k groups with the largest maxima: two short searches instead of a
    long one. Raises ValueError where pre holds NaN.
    """
    n, d_sae = pre.shape
    width, rest = divmod(d_sae, GROUPS)
    if rest or width < 2 * k:
        return _largest(pre, k)
    # A group's members stand `width` apart, so that its maximum is one of whole rows.
    grouped = pre.view(n, GROUPS, width)
    group = _largest(grouped.amax(dim=1), k)
    candidates = grouped.gather(2, group[:, None, :].expand(-1, GROUPS, -1)).view(n, -1)
    found = _largest(candidates, k)
    return found // k * width + group.gather(1, found % k)


def _largest(values: Tensor, k: int) -> Tensor:
    """The same by one search: numpy partitions numbers several times faster than torch selects."""
    n, width = values.shape
    row = values.numpy()
    parted = np.partition(row, width - k, axis=1)[:, width - k :]
    if np.isnan(parted).any():  # NaN stands behind all numbers
        raise Astray("Pre-activations are")
    least = parted[:, :1]
    chosen = row >= least
    if np.count_nonzero(chosen) > n * k:
        # As many of those that are equal to the least as there is room for, from the left.
        equal = row == least
        room = k - (chosen & ~equal).sum(axis=1, keepdims=True)
        chosen &= ~equal | (equal.cumsum(axis=1) <= room)
    return torch.from_numpy(np.flatnonzero(chosen).reshape(n, k) % width)


def largest_of_batch(pre: Tensor, n: int, guess: float) -> tuple[Tensor, Tensor]:
    """Token and feature (n,) of the n largest positive entries of pre (token, feature).

    Sorted by token; fewer where fewer are positive. `guess` only shortens the search: about what
    the smallest of them will be.
    """
    flat = pre.view(-1)
    found = _above(flat, max(guess, 0.0))
    if len(found) < n and guess > 0:
        found = _above(flat, 0.0)
    if len(found) > n:
        found = found[flat[found].topk(n, sorted=False).indices].sort().values
    return found // pre.shape[1], found % pre.shape[1]


def _above(flat: Tensor, least: float) -> Tensor:
    return torch.from_numpy(np.flatnonzero(flat.numpy() > least))
