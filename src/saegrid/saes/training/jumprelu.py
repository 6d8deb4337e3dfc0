"""JumpReLU: a threshold for each feature, learned through a window around it.

The derivative of a step is taken as 1 / bandwidth inside a window of that width around the
threshold, and 0 outside (a straight-through estimate); the loss pulls the mean number of active
features a token to the one that is aimed at.
"""

from typing import Any

import torch
from torch import Tensor

from saegrid.saes.training.loop import Batch, Outcome, Parameters, Recipe
from saegrid.saes.training.settings import JumpReLUSettings
from saegrid.saes.training.sparse import auxiliary

WARM_UP = 0.2
"""Share of the steps over which the weight of the l0 term rises."""


class _Jump(torch.autograd.Function):
    """z and the mean number of active features a token, of pre and threshold."""

    @staticmethod
    def forward(
        ctx: Any, pre: Tensor, threshold: Tensor, bandwidth: float
    ) -> tuple[Tensor, Tensor]:
        z = pre * (pre > threshold)
        ctx.save_for_backward(pre, threshold, z)
        ctx.bandwidth = bandwidth
        return z, (z > 0).sum() / float(len(z))

    @staticmethod
    def backward(ctx: Any, grad_z: Tensor, grad_l0: Tensor) -> tuple[Tensor, Tensor, None]:
        pre, threshold, z = ctx.saved_tensors
        near = (pre - threshold).abs_() < ctx.bandwidth / 2
        pull = (grad_z * near).sum(dim=0) * threshold + near.sum(dim=0) * (grad_l0 / len(pre))
        return grad_z * (z > 0), -pull / ctx.bandwidth, None


def start(parameters: Parameters, x: Tensor, told: JumpReLUSettings) -> Parameters:
    """log_threshold (feature,): first one value that lets through the number aimed at."""
    d_sae = len(parameters["b_enc"])
    if not 0 < told.l0 <= d_sae:
        raise ValueError(f"The setting l0 must lie in 0..{d_sae} (d_sae); got {told.l0}.")
    pre = (x - parameters["b_dec"]) @ parameters["W_enc"].T
    n = min(pre.numel(), max(1, round(told.l0 * len(x))))
    first = pre.flatten().topk(n).values[-1].clamp_min(1e-3)
    return {"log_threshold": first.log().repeat(d_sae)}


def step(parameters: Parameters, batch: Batch, told: JumpReLUSettings) -> Outcome:
    """Reconstruction error in units of the variance, and the squared distance from the l0 aim."""
    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    centred = batch.x - b_dec
    pre = torch.addmm(b_enc, centred, W_enc.T)
    z, l0 = _Jump.apply(pre, parameters["log_threshold"].exp(), told.bandwidth)
    error = centred - z @ W_dec
    fvu = error.square().sum() / (len(error) * batch.variance)
    weight = told.l0_weight * min(1.0, batch.progress / WARM_UP)
    loss = fvu + weight * (l0 / told.l0 - 1).square()
    if told.aux and len(batch.dead):
        left = error.detach()
        extra = auxiliary(centred, W_enc, b_enc, W_dec, pre.detach(), left, batch.dead, told.k_aux)
        loss = loss + told.aux * extra
    return Outcome(loss, fvu.detach(), float(l0.detach()), (z.detach() > 0).any(dim=0))


def finish(
    parameters: Parameters, scale: float, told: JumpReLUSettings
) -> tuple[dict[str, Any], Parameters]:
    """The thresholds in raw units."""
    return {}, {"threshold": parameters["log_threshold"].exp() / scale}


RECIPE = Recipe("jumprelu", start, step, finish)
