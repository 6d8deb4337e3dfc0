"""Products with few active features, and the loss that gives dead features work."""

from typing import Any

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


class _ValuesAt(torch.autograd.Function):
    """Pre-activations at some places, with a gradient that touches these places only."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, b: Tensor, pre: Tensor, index: Tensor) -> Tensor:
        ctx.save_for_backward(x, W, index)
        return pre.gather(1, index)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, W, index = ctx.saved_tensors
        with torch.enable_grad():
            # The bag is the gradient of x; its own gradient, given x, is that of W.
            W = W.detach().requires_grad_()
            bag = embedding_bag(index, W, per_sample_weights=grad.contiguous(), mode="sum")
        (grad_W,) = torch.autograd.grad(bag, W, x)
        weights = grad.flatten().double()
        grad_b = torch.bincount(index.flatten(), weights, minlength=len(W)).to(grad.dtype)
        return bag.detach(), grad_W, grad_b, None, None


def values_at(x: Tensor, W: Tensor, b: Tensor, pre: Tensor, index: Tensor) -> Tensor:
    """(token, n): the entries of pre = x @ W.T + b at `index (token, n)`, differentiable.

    Args:
        x: (token, d_model).
        W: (feature, d_model).
        b: (feature,).
        pre: (token, feature), computed before without a gradient.
        index: (token, n) feature ids.
    """
    return _ValuesAt.apply(x, W, b, pre, index)


def decode_at(values: Tensor, index: Tensor, W: Tensor) -> Tensor:
    """(token, d_model): the sum of rows of W (feature, d_model), times values (token, n)."""
    return embedding_bag(index, W, per_sample_weights=values, mode="sum")


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
    index = dead[chosen]
    values = torch.relu(values_at(x, W_enc, b_enc, pre, index))
    left = error - decode_at(values, index, W_dec)
    return left.square().sum() / error.square().sum().clamp_min(1e-12)
