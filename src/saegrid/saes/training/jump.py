"""Steps whose derivative is estimated in a window around them."""

from typing import Any

import torch
from torch import Tensor


class _Jump(torch.autograd.Function):
    """z and the mean number of active features a token, of pre and threshold."""

    @staticmethod
    def forward(
        ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float, through: bool
    ) -> tuple[Tensor, Tensor]:
        z = pre * (pre > threshold)
        ctx.save_for_backward(pre, threshold, z)
        ctx.bandwidth, ctx.through = bandwidth, through
        return z, (z > 0).sum() / float(len(z))

    @staticmethod
    def backward(ctx: Any, grad_z: Tensor, grad_l0: Tensor) -> tuple[Tensor | None, ...]:
        pre, threshold, z = ctx.saved_tensors
        near = (pre - threshold).abs_() < ctx.bandwidth / 2
        grad_pre = grad_z * (z > 0)
        if ctx.through:
            estimate = (grad_z * threshold + grad_l0 / len(pre)) * near / ctx.bandwidth
            return grad_pre + estimate, -estimate.sum(dim=0), None, None
        pull = (grad_z * near).sum(dim=0) * threshold + near.sum(dim=0) * (grad_l0 / len(pre))
        return grad_pre, -pull / ctx.bandwidth, None, None


def jump(
    pre: Tensor, threshold: Tensor, bandwidth: float, through: bool = False
) -> tuple[Tensor, Tensor]:
    """z (token, feature) = pre where pre > threshold, else 0, and the mean number a token of those.

    The derivative of the step is taken as 1 / bandwidth inside a window of that width around the
    threshold (feature,), and 0 outside. Rajamanoharan et al. 2024, arXiv 2407.14435.

    through: pre feels the estimate too, not the threshold alone.
    """
    return _Jump.apply(pre, threshold, bandwidth, through)
