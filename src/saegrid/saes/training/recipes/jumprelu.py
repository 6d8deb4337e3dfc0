"""JumpReLU: a threshold for each feature, learned through a window around it.

The loss pulls the mean number of active features a token to the one that is aimed at: squared error
over the variance + l0_weight * (l0 / aim - 1)^2, after warm-up, + the auxiliary loss of `topk`.
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.settings import AuxiliarySettings, Number, Positive

WARM_UP = 0.2
"""Share of the steps over which the weight of the l0 term rises."""


@dataclass(frozen=True)
class Settings(AuxiliarySettings):
    """Settings of JumpReLU: a learned threshold a feature, pulled towards a mean L0."""

    l0: Positive = 32.0
    """Aim for the mean number of active features a token."""
    l0_weight: Number = 1.0
    """Weight of (l0 / aim - 1)^2 in the loss, after warm-up."""
    bandwidth: Positive = 2.0
    """Width, in scaled units, of the window around a threshold in which it has a gradient."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters, and log_threshold (feature,): one value that gives the L0 aimed
    at."""
    four, d_sae = begin.four(), len(begin.rows)
    pre = (begin.x - four["b_dec"]) @ four["W_enc"].T
    n = min(pre.numel(), max(1, round(settings.l0 * len(begin.x))))
    first = pre.flatten().topk(n).values[-1].clamp_min(1e-3)
    return four | {"log_threshold": first.log().repeat(d_sae)}


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The reconstruction error in units of the variance, the squared distance from the L0 aim, and
    the auxiliary loss of dead features."""
    from saegrid.saes.training.dense import affine
    from saegrid.saes.training.entries import auxiliary
    from saegrid.saes.training.jump import jumped

    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    centred = batch.x - b_dec
    pre = affine(centred, W_enc, b_enc, settings.dtype)
    threshold = parameters["log_threshold"].exp()
    x_hat, l0, active = jumped(
        centred, (W_enc, b_enc, W_dec), threshold, pre, settings.bandwidth, settings.dtype
    )
    error = centred - x_hat
    squared = error.square().sum()
    # Whole on held-out tokens, so that these losses can be compared.
    weight = settings.l0_weight * (min(1.0, batch.progress / WARM_UP) if batch.learn else 1.0)
    extra = 0.0
    if settings.aux and len(batch.dead) and batch.learn:
        left = error.detach()
        extra = settings.aux * auxiliary(
            centred, W_enc, b_enc, W_dec, pre, left, batch.dead, settings.k_aux
        )
    return Outcome(
        squared / (len(error) * batch.variance),
        squared.detach(),
        active.fired(),
        active.l0,
        sparsity=weight * (l0 / settings.l0 - 1).square(),
        auxiliary=extra,
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A JumpReLU with the thresholds in raw units."""
    threshold = parameters["log_threshold"].exp() / scale
    return Folded("jumprelu", {}, fold(parameters, scale, unit=False) | {"threshold": threshold})


RECIPE = Recipe(Settings, start, step, finish)
