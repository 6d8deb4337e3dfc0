"""Products with few active features, and the loss that gives dead features work."""

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

GROUPS = 16


def largest(pre: Tensor, k: int) -> Tensor:
    """(token, k): ids of the k largest entries of pre (token, feature), in any order.

    The k largest stand in the k groups with the largest maxima: two short searches instead of
    a long one, a third faster.
    """
    n, d_sae = pre.shape
    width, rest = divmod(d_sae, GROUPS)
    if rest or width < 4 * k:
        return pre.topk(k, dim=1, sorted=False).indices
    grouped = pre.view(n, GROUPS, width)
    group = grouped.amax(dim=1).topk(k, dim=1, sorted=False).indices
    candidates = grouped.gather(2, group[:, None, :].expand(-1, GROUPS, -1)).view(n, -1)
    found = candidates.topk(k, dim=1, sorted=False).indices
    return found // k * width + group.gather(1, found % k)


def largest_of_batch(pre: Tensor, n: int, guess: float) -> tuple[Tensor, Tensor]:
    """Token and feature (n,) of the n largest positive entries of pre (token, feature).

    Sorted by token; fewer where fewer are positive. `guess` only shortens the search: about what
    the smallest of them will be.
    """
    flat = pre.view(-1)
    found = (flat > max(guess, 0.0)).nonzero()[:, 0]
    if len(found) < n and guess > 0:
        found = (flat > 0).nonzero()[:, 0]
    if len(found) > n:
        found = found[flat[found].topk(n, sorted=False).indices].sort().values
    return found // pre.shape[1], found % pre.shape[1]


class Places(NamedTuple):
    """Some entries of a matrix (token, feature)."""

    index: Tensor
    """(token, n) feature ids, the same number a token; or (entry,) sorted by token."""
    token: Tensor | None = None
    """(entry,) where index is flat."""

    def offsets(self, n_tokens: int) -> Tensor | None:
        """First entry of each token, where index is flat."""
        if self.token is None:
            return None
        counts = torch.bincount(self.token, minlength=n_tokens)
        return counts.cumsum(0) - counts

    def of(self, matrix: Tensor) -> Tensor:
        """The entries of matrix (token, feature), in the shape of index."""
        return matrix.gather(1, self.index) if self.token is None else matrix[tuple(self)[::-1]]


class _ValuesAt(torch.autograd.Function):
    """Pre-activations at some places, with a gradient that touches these places only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor, pre: Tensor, places: Places) -> Tensor:
        ctx.save_for_backward(x, W)
        ctx.places = places
        return places.of(pre)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (x, W), places = ctx.saved_tensors, ctx.places
        with torch.enable_grad():
            # The bag is the gradient of x; its own gradient, given x, is that of W.
            W = W.detach().requires_grad_()
            bag = decode_at(grad.contiguous(), places, W, len(x))
        (grad_W,) = torch.autograd.grad(bag, W, x)
        weights = grad.flatten().double()
        grad_b = torch.bincount(places.index.flatten(), weights, minlength=len(W)).to(grad.dtype)
        return bag.detach(), grad_W, grad_b, None, None


def values_at(x: Tensor, W: Tensor, b: Tensor, pre: Tensor, places: Places) -> Tensor:
    """The entries of pre = x @ W.T + b at some places, differentiable; in the shape of their index.

    Args:
        x: (token, d_model).
        W: (feature, d_model).
        b: (feature,).
        pre: (token, feature), computed before without a gradient.
        places: which entries.
    """
    return _ValuesAt.apply(x, W, b, pre, places)


def decode_at(values: Tensor, places: Places, W: Tensor, n_tokens: int) -> Tensor:
    """(token, d_model): the sum of rows of W (feature, d_model), times the values."""
    offsets = places.offsets(n_tokens)
    return embedding_bag(places.index, W, offsets, per_sample_weights=values, mode="sum")


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
    """Share of the error that the k most active dead features of each token leave unexplained.

    Args:
        x: (token, d_model) centred input.
        W_enc: (feature, d_model).
        b_enc: (feature,).
        W_dec: (feature, d_model).
        pre: (token, feature) pre-activations, without a gradient.
        error: (token, d_model) what the reconstruction leaves, without a gradient.
        dead: (n_dead,) ids of dead features.
        k: dead features a token.
    """
    chosen = pre[:, dead].topk(min(k, len(dead)), dim=1, sorted=False).indices
    places = Places(dead[chosen])
    values = torch.relu(values_at(x, W_enc, b_enc, pre, places))
    left = error - decode_at(values, places, W_dec, len(x))
    return left.square().sum() / error.square().sum().clamp_min(1e-12)
