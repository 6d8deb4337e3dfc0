"""JumpReLU with a tanh penalty and a pull on silent pre-activations.

    L = mean over tokens of |x - x_hat|^2
        + sparsity * sum_i tanh(steepness * z_i |W_dec_i|)
        + pre * sum_i relu(threshold_i - pre_i) |W_dec_i|

No pre-encoder bias, free decoder norms. The estimated gradient of the steps reaches thresholds and
pre-activations (in `jumprelu` thresholds alone). The weight of the tanh term rises over the whole
training. "Dictionary Learning Optimization Techniques" (Anthropic, January 2025).
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
    norms_of,
)
from saegrid.saes.training.settings import Number, Positive, Share

FIRST_ACTIVE, FIRST_SHARE = 10_000, 1 / 64
"""Tokens on which each feature begins active: FIRST_ACTIVE / d_sae of them, as published, which is
one in a hundred for a million features, and FIRST_SHARE of them at most. A small number of features
that are active on half of the tokens explain these together from the start, and never become
directions."""


@dataclass(frozen=True)
class Settings(base.Settings):
    """Settings of JumpReLU with a tanh penalty."""

    lr: Number = 1e-3
    """Learning rate of Adam after warm-up; published: 2e-4 for many more steps."""
    decay: Share = 0.2
    sparsity: Number = 2.0
    """Weight of the tanh term at the end; published: up to 20, for wide residual streams."""
    steepness: Number = 4.0
    """Factor of z inside the tanh."""
    pre: Number = 3e-6
    """Weight of the pull on pre-activations below their threshold."""
    threshold: Number = 0.1
    """Value of all thresholds at the start."""
    bandwidth: Positive = 2.0
    """Width, in scaled units, of the window around a threshold in which it has a gradient."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters, with encoder biases that make each feature active on its share of
    the tokens, and log_threshold (feature,)."""
    four = begin.four()
    d_sae = len(begin.rows)
    share = min(FIRST_SHARE, FIRST_ACTIVE / d_sae)
    first = max(settings.threshold, 1e-3)
    bias = first + first_biases(begin.x @ four["W_enc"].T, share)
    log_threshold = four["b_enc"].new_full((d_sae,), first).log()
    return four | {"b_enc": bias, "b_dec": begin.mean * 0, "log_threshold": log_threshold}


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above."""
    import torch

    from saegrid.saes.training.dense import product
    from saegrid.saes.training.jump import jump

    W_dec, n = parameters["W_dec"], len(batch.x)
    pre = product(batch.x, parameters["W_enc"].T, settings.dtype) + parameters["b_enc"]
    threshold, norms = parameters["log_threshold"].exp(), norms_of(W_dec)
    z, l0 = jump(pre, threshold, settings.bandwidth)
    error = product(z, W_dec, settings.dtype) + parameters["b_dec"] - batch.x
    squared = error.square().sum()
    weight = settings.sparsity * (batch.progress if batch.learn else 1.0)
    sparsity = torch.tanh(settings.steepness * z * norms).sum() / n
    pull = (torch.relu(threshold - pre).sum(dim=0) @ norms) / n
    return Outcome(
        squared / n,
        squared.detach(),
        (z.detach() > 0).any(dim=0),
        lambda: float(l0.detach()),
        sparsity=weight * sparsity,
        auxiliary=settings.pre * pull,
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A JumpReLU with decoder norms folded to one; thresholds are multiplied by them."""
    threshold = parameters["log_threshold"].exp() * norms_of(parameters["W_dec"]) / scale
    keys = {"apply_b_dec_to_input": False}
    tensors = fold(parameters, scale, unit=True) | {"threshold": threshold}
    return Folded("jumprelu", keys, tensors)


RECIPE = Recipe(Settings, start, step, finish, unit_decoder=False)
