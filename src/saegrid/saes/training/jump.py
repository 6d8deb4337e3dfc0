"""Step functions whose derivative is estimated in a window around them.

The derivative of a step is taken as 1 / bandwidth inside a window of that width around its
threshold, and 0 outside. Rajamanoharan et al. 2024, arXiv 2407.14435.
"""

from typing import Any

import torch
from torch import Tensor

from saegrid.saes.training.dense import BLOCK, product
from saegrid.saes.training.entries import Entries


class _Jumped(torch.autograd.Function):
    """The function of `jumped`: z W_dec, and the mean number of active features a token."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        W_enc: Tensor,
        b_enc: Tensor,
        W_dec: Tensor,
        threshold: Tensor,
        constants: tuple[Tensor, Entries, float, str],
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, W_enc, W_dec, threshold)
        ctx.constants = constants
        entries = constants[1]
        return entries.decode(entries.value, W_dec), x.new_tensor(entries.l0())

    @staticmethod
    def backward(ctx: Any, grad_x_hat: Tensor, grad_l0: Tensor) -> tuple[Tensor | None, ...]:
        x, W_enc, W_dec, threshold = ctx.saved_tensors
        pre, entries, bandwidth, dtype = ctx.constants
        grad = entries.along(grad_x_hat, W_dec)
        pull, size = torch.empty_like(threshold), max(64, BLOCK // len(x))
        for start in range(0, len(threshold), size):
            s = slice(start, start + size)
            away = (pre[:, s] - threshold[s]).abs_().numpy()
            near = torch.from_numpy(away < bandwidth / 2)
            felt = product(grad_x_hat, W_dec[s].T, dtype).mul_(near).sum(dim=0)
            pull[s] = felt * threshold[s] + near.sum(dim=0) * (grad_l0 / len(x))
        return (
            entries.decode(grad, W_enc) if ctx.needs_input_grad[0] else None,
            entries.spread(grad, x),
            entries.sums(grad),
            entries.spread(entries.value, grad_x_hat),
            -pull / bandwidth,
            None,
        )


def jumped(
    x: Tensor,
    weights: tuple[Tensor, Tensor, Tensor],
    threshold: Tensor,
    pre: Tensor,
    bandwidth: float,
    dtype: str = "float32",
) -> tuple[Tensor, Tensor, Entries]:
    """The decoded JumpReLU: z W_dec (token, channel), the mean L0, and the active entries of z.

    z = pre where pre > threshold, else 0. The first two are differentiable; the estimated
    derivative reaches the thresholds alone.

    Args:
        x: (token, channel).
        weights: W_enc (feature, channel), b_enc (feature,), W_dec (feature, channel).
        threshold: (feature,), above zero.
        pre: (token, feature) = x W_enc + b_enc, computed before without a gradient.
        bandwidth: width of the window around a threshold.
        dtype: number type of the factors of the dense product.
    """
    entries = Entries.above(pre, threshold.detach())
    x_hat, l0 = _Jumped.apply(x, *weights, threshold, (pre, entries, bandwidth, dtype))
    return x_hat, l0, entries


class _Jump(torch.autograd.Function):
    """The function of `jump`: z, and the mean number of active features a token."""

    @staticmethod
    def forward(ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, ...]:
        z = pre * (pre > threshold)
        ctx.save_for_backward(pre, threshold, z)
        ctx.bandwidth = bandwidth
        return z, (z > 0).sum() / float(len(z))

    @staticmethod
    def backward(ctx: Any, grad_z: Tensor, grad_l0: Tensor) -> tuple[Tensor | None, ...]:
        pre, threshold, z = ctx.saved_tensors
        near = (pre - threshold).abs_() < ctx.bandwidth / 2
        estimate = (grad_z * threshold + grad_l0 / len(pre)) * near / ctx.bandwidth
        return grad_z * (z > 0) + estimate, -estimate.sum(dim=0), None


def jump(pre: Tensor, threshold: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
    """The JumpReLU z (token, feature) of pre, and its mean number of active features a token.

    z = pre where pre > threshold (feature,), else 0. The estimated derivative reaches thresholds
    and pre-activations.
    """
    return _Jump.apply(pre, threshold, bandwidth)
