"""Active entries of z (token, feature), and the products that need no others.

A dense product costs as much for an entry that is zero as for any other. Where one in thirty is
active, going by the entries is several times faster. Every sum has a fixed order: features of a
token in the order of the arguments, tokens of a feature in ascending order.
"""

import warnings
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from scipy.sparse import coo_array
from torch import Tensor
from torch.nn.functional import embedding_bag

# What torch says of its compressed matrices at their first use does not help who reads a log.
warnings.filterwarnings("ignore", "Sparse (invariant checks|CSR tensor support)")


class Entries(NamedTuple):
    """Some entries of a matrix (token, feature), sorted by token, with their order by feature."""

    value: Tensor
    """(entry,) values, by token."""
    feature: Tensor
    """(entry,) int32: ids of the features, by token."""
    token_starts: Tensor
    """(token + 1,) int32: by token, index of a token's first entry."""
    order: Tensor
    """(entry,) int32: by feature, index of the entry by token."""
    token: Tensor
    """(entry,) int32: indices of the tokens, by feature."""
    feature_starts: Tensor
    """(feature + 1,) int32: by feature, index of a feature's first entry."""

    @classmethod
    def of(
        cls, token: np.ndarray, feature: np.ndarray, value: Tensor, shape: tuple[int, int]
    ) -> Self:
        """The entries (entry,) of a matrix of a shape, in any order, each at most once."""
        indices = np.arange(len(value), dtype=np.int32)
        where = token.astype(np.int32), feature.astype(np.int32)
        matrix = coo_array((indices, where), shape=shape)
        matrix.has_canonical_format = True  # no entry twice: nothing to be summed
        by_token = matrix.tocsr()
        value = value.index_select(0, torch.from_numpy(by_token.data))
        by_token.data = indices
        by_feature = by_token.tocsc()
        arrays = (
            *(by_token.indices, by_token.indptr),
            *(by_feature.data, by_feature.indices, by_feature.indptr),
        )
        return cls(value, *map(torch.from_numpy, arrays))

    @classmethod
    def positive(cls, pre: Tensor, token: Tensor, feature: Tensor) -> Self:
        """The entries of pre (token, feature) that are positive, among those (entry,) of the
        arguments."""
        value = pre.view(-1).index_select(0, token * pre.shape[1] + feature)
        kept = value > 0
        if not kept.all():
            token, feature, value = token[kept], feature[kept], value[kept]
        return cls.of(token.numpy(), feature.numpy(), value, tuple(pre.shape))

    @classmethod
    def above(cls, pre: Tensor, threshold: Tensor | float) -> Self:
        """The entries of pre (token, feature) above a threshold, one for all or (feature,)."""
        least = threshold.numpy() if isinstance(threshold, Tensor) else threshold
        index = np.flatnonzero(pre.numpy() > least)
        token, feature = np.divmod(index, pre.shape[1])
        value = pre.view(-1).index_select(0, torch.from_numpy(index))
        return cls.of(token, feature, value, tuple(pre.shape))

    def decode(self, value: Tensor, W: Tensor) -> Tensor:
        """Sums (token, channel) of each token's values times the rows of W (feature, channel)."""
        return _sums_of_rows(self.feature, W, self.token_starts, value)

    def along(self, rows: Tensor, W: Tensor) -> Tensor:
        """Products (entry,), by token, of the token's row of rows (token, channel) with the
        feature's row of W (feature, channel)."""
        if not len(self.feature):
            return torch.zeros_like(self.value)
        shape = len(rows), len(W)
        at = torch.sparse_csr_tensor(
            self.token_starts, self.feature, torch.zeros_like(self.value), shape
        )
        return torch.sparse.sampled_addmm(at, rows, W.detach().T, beta=0.0).values()

    def spread(self, value: Tensor, rows: Tensor) -> Tensor:
        """Sums (feature, channel) of each feature's values times the rows (token, channel)."""
        value = value.index_select(0, self.order)
        return _sums_of_rows(self.token, rows, self.feature_starts, value)

    def sums(self, value: Tensor) -> Tensor:
        """Sums (feature,) of each feature's values, taken in float64."""
        n = len(self.feature_starts) - 1
        return torch.bincount(self.feature, value.double(), minlength=n).to(value.dtype)

    def fired(self) -> Tensor:
        """(feature,) bool: True where a feature has an entry."""
        return self.feature_starts.diff() > 0

    def l0(self) -> float:
        """Mean number of entries of a token."""
        return len(self.value) / (len(self.token_starts) - 1)


def _sums_of_rows(index: Tensor, rows: Tensor, starts: Tensor, value: Tensor) -> Tensor:
    return embedding_bag(
        index, rows, starts, per_sample_weights=value, mode="sum", include_last_offset=True
    )


class _Explained(torch.autograd.Function):
    """The function of `explained`: z at the entries and z W_dec, with gradients at these entries
    only."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, entries: Entries
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, W_enc, W_dec)
        ctx.entries = entries
        return entries.value.clone(), entries.decode(entries.value, W_dec)

    @staticmethod
    def backward(ctx: Any, grad_z: Tensor, grad_x_hat: Tensor) -> tuple[Tensor | None, ...]:
        (x, W_enc, W_dec), entries = ctx.saved_tensors, ctx.entries
        grad = entries.along(grad_x_hat, W_dec) + grad_z
        return (
            entries.decode(grad, W_enc) if ctx.needs_input_grad[0] else None,
            entries.spread(grad, x),
            entries.sums(grad),
            entries.spread(entries.value, grad_x_hat),
            None,
        )


def explained(
    x: Tensor, W_enc: Tensor, b_enc: Tensor, W_dec: Tensor, entries: Entries
) -> tuple[Tensor, Tensor]:
    """z (entry,) = x W_enc + b_enc at the entries, and z W_dec (token, channel); differentiable.

    Args:
        x: (token, channel).
        W_enc: (feature, channel).
        b_enc: (feature,).
        W_dec: (feature, channel).
        entries: active entries, with their values computed without a gradient; all others are 0.
    """
    return _Explained.apply(x, W_enc, b_enc, W_dec, entries)


def auxiliary(
    x: Tensor,
    W_enc: Tensor,
    b_enc: Tensor,
    W_dec: Tensor,
    pre: Tensor,
    error: Tensor,
    dead: Tensor,
    k: int,
) -> Tensor:
    """The share of the error that the k most active dead features of each token leave unexplained.

    Args:
        x: (token, d_model) centred input.
        W_enc: (feature, d_model).
        b_enc: (feature,).
        W_dec: (feature, d_model).
        pre: (token, feature) pre-activations, without a gradient.
        error: (token, d_model) residual of the reconstruction, without a gradient.
        dead: (n_dead,) ids of dead features.
        k: number of dead features a token.
    """
    chosen = dead[pre[:, dead].topk(min(k, len(dead)), dim=1, sorted=False).indices]
    entries = Entries.positive(pre, *flat(chosen))
    _, x_hat = explained(x, W_enc, b_enc, W_dec, entries)
    return (error - x_hat).square().sum() / error.square().sum().clamp_min(1e-12)


def flat(feature: Tensor) -> tuple[Tensor, Tensor]:
    """Token and feature (entry,) of the ids feature (token, n)."""
    token = torch.arange(len(feature)).repeat_interleave(feature.shape[1])
    return token, feature.flatten()
