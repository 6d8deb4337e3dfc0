"""Scaling Monosemanticity: ReLU, free decoder norms, L1 weighted by them.

    L = mean over tokens of |x - x_hat|^2 + l1 * sum_i z_i |W_dec_i|

on activations scaled to mean norm sqrt(d_model); no pre-encoder bias, no resampling. The SAE that
is written has the decoder's norms folded into z, which is then the activation the source reports.
Templeton et al. 2024, "Scaling Monosemanticity", with "Update on how we train SAEs" (April 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training.recipe import (
    Batch,
    Folded,
    Outcome,
    Parameters,
    Recipe,
    Start,
    fold,
    norms_of,
)
from saegrid.saes.training.settings import L1Settings, Number, Share, Whole

NORM = 0.1
"""Norm of the first decoder rows."""


@dataclass(frozen=True)
class Settings(L1Settings):
    """Settings of Scaling Monosemanticity, as published; less data need fewer steps and a higher
    lr."""

    steps: Whole = 200_000
    batch: Whole = 4096
    lr: Number = 5e-5
    warm_up: Share = 0.0
    decay: Share = 0.2


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters, with short decoder rows and b_dec zero."""
    four = begin.four()
    short = {name: four[name] * NORM for name in ("W_enc", "W_dec")}
    return four | short | {"b_dec": begin.mean * 0}


def rising(settings: L1Settings, batch: Batch) -> float:
    """The weight of the sparsity term at this step; whole on held-out tokens."""
    full = settings.l1_warm_up == 0 or not batch.learn
    return settings.l1 * (1.0 if full else min(1.0, batch.progress / settings.l1_warm_up))


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above, with gradients by hand."""
    from saegrid.saes.training.dense import Weights, gradient_of, relu_pass

    n, weights = len(batch.x), Weights(*(parameters[p] for p in ("W_enc", "b_enc", "W_dec")))
    b_dec, norms = parameters["b_dec"], norms_of(weights.W_dec.detach())
    l1 = rising(settings, batch)
    gradients = Weights(*map(gradient_of, weights)) if batch.learn else None
    passed = relu_pass(
        batch.x, batch.x, weights, b_dec, 1 / n, l1 / n * norms, gradients, settings.dtype
    )
    if gradients is not None:
        along = (l1 / n * passed.total / norms)[:, None]
        gradients.W_dec.addcmul_(along, weights.W_dec.detach())
        gradient_of(b_dec).copy_(passed.error.sum(dim=0))
    return Outcome(
        passed.squared / n,
        passed.squared,
        passed.total > 0,
        passed.l0,
        sparsity=l1 / n * (passed.total @ norms),
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A ReLU SAE with decoder norms folded to one."""
    keys = {"apply_b_dec_to_input": False}
    return Folded("standard", keys, fold(parameters, scale, unit=True))


RECIPE = Recipe(Settings, start, step, finish, unit_decoder=False)
