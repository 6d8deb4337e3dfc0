"""ReLU with a KL term, which pulls each feature to be active on the same small share of the tokens.

    z = relu(pre), pre = W_enc x + b_enc,  x_hat = W_dec z + b_dec
    L = mean over tokens of |x - x_hat|^2 + kl * sum_i KL(rho || q_i)
    KL(rho || q) = rho log(rho / q) + (1 - rho) log((1 - rho) / (1 - q))

with q_i the mean over the batch of sigmoid(pre_i / softness). Ng 2011, "Sparse autoencoder" (notes
of CS294A), where units are sigmoids and q_i their mean. A ReLU has no upper bound, so that its mean
is no share; the sigmoid stands in for the step from silent to active, and by it silent features
feel that they are too silent. The L0 that comes out is near d_sae * rho.
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training import settings as base
from saegrid.saes.training.recipe import (
    Batch,
    Folded,
    Outcome,
    Parameters,
    Recipe,
    Start,
    first_biases,
    fold,
)
from saegrid.saes.training.settings import Number, Part, Positive


@dataclass(frozen=True)
class Settings(base.Settings):
    """Settings of ReLU with a KL term."""

    rho: Part = 0.02
    """Aim for the share of the tokens that each feature is active on."""
    kl: Number = 1.0
    """Weight of the KL term."""
    softness: Positive = 0.1
    """Width of the sigmoid that stands for a step, in units of pre."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters, with encoder biases that make each feature active on rho of the
    tokens."""
    four = begin.four()
    return four | {"b_enc": first_biases(begin.x @ four["W_enc"].T, settings.rho)}


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above."""
    from math import log

    import torch
    from torch.nn.functional import logsigmoid

    from saegrid.saes.training.dense import product

    n, rho = len(batch.x), settings.rho
    pre = product(batch.x, parameters["W_enc"].T, settings.dtype) + parameters["b_enc"]
    z = torch.relu(pre)
    error = product(z, parameters["W_dec"], settings.dtype) + parameters["b_dec"] - batch.x
    squared, active = error.square().sum(), z.detach() > 0
    soft = pre / settings.softness
    # As logarithms, which stay finite however silent or busy a feature is.
    log_q, log_rest = (torch.logsumexp(logsigmoid(s), dim=0) - log(n) for s in (soft, -soft))
    kl = rho * (log(rho) - log_q) + (1 - rho) * (log(1 - rho) - log_rest)
    return Outcome(
        squared / n,
        squared.detach(),
        active.any(dim=0),
        lambda: float(active.sum()) / n,
        sparsity=settings.kl * kl.sum(),
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A ReLU SAE with the scale folded in; its decoder rows have norm one."""
    keys = {"apply_b_dec_to_input": False}
    return Folded("standard", keys, fold(parameters, scale, unit=False))


RECIPE = Recipe(Settings, start, step, finish)
