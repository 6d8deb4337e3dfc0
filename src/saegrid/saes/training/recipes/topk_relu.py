"""TopK on signed pre-activations, then ReLU; no decoder bias, input centred by the mean.

    s = relu(topk(W_enc (x - mean) + b_enc)),  x_hat = mean + W_dec s
    L = mean over tokens and dimensions of (x - x_hat)^2 + l1 * mean over tokens and features of s

on raw activations. Fewer than k features may be active; without k all positive ones are.
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.settings import Maybe, MeanSettings


@dataclass(frozen=True)
class Settings(MeanSettings):
    """Settings of TopK, then ReLU."""

    k: Maybe = 32
    """Number of pre-activations of a token that pass, if positive; null: all."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters; b_dec, the mean, is not learned."""
    return begin.four()


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above."""
    return (
        _dense(parameters, batch, settings)
        if settings.k is None
        else _sparse(parameters, batch, settings)
    )


def _sparse(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    from saegrid.saes.training.chosen import largest
    from saegrid.saes.training.dense import affine
    from saegrid.saes.training.entries import Entries, explained, flat

    W_enc, b_enc, centred = parameters["W_enc"], parameters["b_enc"], batch.x - parameters["b_dec"]
    pre = affine(centred, W_enc, b_enc, settings.dtype)
    entries = Entries.positive(pre, *flat(largest(pre, settings.k)))
    s, x_hat = explained(centred, W_enc, b_enc, parameters["W_dec"], entries)
    squared = (centred - x_hat).square().sum()
    return Outcome(
        squared / centred.numel(),
        squared.detach(),
        entries.fired(),
        entries.l0,
        sparsity=settings.l1 * s.sum() / pre.numel(),
    )


def _dense(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    from saegrid.saes.training.dense import Weights, gradient_of, relu_pass

    centred = batch.x - parameters["b_dec"]
    weights = Weights(*(parameters[p] for p in ("W_enc", "b_enc", "W_dec")))
    l1 = settings.l1 / (len(centred) * len(weights.b_enc))
    gradients = Weights(*map(gradient_of, weights)) if batch.learn else None
    penalty = weights.b_enc.new_full((1,), l1).expand(len(weights.b_enc))
    weight = 1 / centred.numel()
    passed = relu_pass(centred, centred, weights, None, weight, penalty, gradients, settings.dtype)
    return Outcome(
        weight * passed.squared,
        passed.squared,
        passed.total > 0,
        passed.l0,
        sparsity=l1 * passed.total.sum(),
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """An SAE with the mean as b_dec. Decoder norms stay as they are: k decides on s, and numbers of
    s, such as its Gini index, are then the same quantity with k and without."""
    tensors = fold(parameters, scale, unit=False)
    if settings.k is None:
        return Folded("standard", {}, tensors, unit=False)
    keys = {"k": settings.k, "rescale_acts_by_decoder_norm": False}
    return Folded("topk", keys, tensors, unit=False)


RECIPE = Recipe(Settings, start, step, finish, unit_decoder=False, buffers=("b_dec",))
