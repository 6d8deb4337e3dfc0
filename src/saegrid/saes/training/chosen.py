"""The largest entries of pre-activations, of each token or of a batch."""

import numpy as np
import torch
from torch import Tensor

from saegrid.saes.training.adam import Astray

GROUPS = 8


def largest(pre: Tensor, k: int) -> Tensor:
    """The ids (token, k) of the k largest entries of each row of pre (token, feature), ascending.

    The choice among equal ones is always the same. The k largest lie in the k groups with the
    largest maxima: two short searches instead of a long one. Raises ValueError if pre holds NaN.
    """
    n, d_sae = pre.shape
    width, rest = divmod(d_sae, GROUPS)
    if rest or width < 2 * k:
        return _largest(pre, k)
    # A group's members stand `width` apart, so that its maximum is one of whole rows.
    grouped = pre.view(n, GROUPS, width)
    group = _largest(grouped.amax(dim=1), k)
    candidates = grouped.gather(2, group[:, None, :].expand(-1, GROUPS, -1)).view(n, -1)
    position = _largest(candidates, k)
    return position // k * width + group.gather(1, position % k)


def _largest(values: Tensor, k: int) -> Tensor:
    """`largest` by one search over whole rows, with numpy, which is several times faster than torch
    here."""
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

    They are sorted by token, and fewer where fewer are positive. `guess` is an estimate of the
    smallest of them, which shortens the search and changes nothing else.
    """
    flat = pre.view(-1)
    indices = _above(flat, max(guess, 0.0))
    if len(indices) < n and guess > 0:
        indices = _above(flat, 0.0)
    if len(indices) > n:
        indices = indices[flat[indices].topk(n, sorted=False).indices].sort().values
    return indices // pre.shape[1], indices % pre.shape[1]


def _above(flat: Tensor, least: float) -> Tensor:
    return torch.from_numpy(np.flatnonzero(flat.numpy() > least))
