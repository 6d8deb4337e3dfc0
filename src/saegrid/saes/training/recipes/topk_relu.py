"""TopK on signed pre-activations, then ReLU; no decoder bias, input centred by the mean.

    s = relu(topk(W_enc (x - mean) + b_enc)),  x_hat = mean + W_dec s
    L = mean over tokens and dimensions of (x - x_hat)^2 + l1 * mean over tokens and features of s

so that fewer than k may be active; without k all positive ones are. On raw activations.
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.settings import Maybe, MeanSettings


@dataclass(frozen=True)
class Settings(MeanSettings):
    """TopK, then ReLU."""

    k: Maybe = 32
    """Pre-activations of a token that pass, if positive; null: all."""


def start(begin: Start, told: Settings) -> Parameters:
    """Encoder, decoder, and the mean, which is not learned."""
    return begin.four()


def step(parameters: Parameters, batch: Batch, told: Settings) -> Outcome:
    """The loss above."""
    return _dense(parameters, batch, told) if told.k is None else _sparse(parameters, batch, told)


def _sparse(parameters: Parameters, batch: Batch, told: Settings) -> Outcome:
    from saegrid.saes.training.chosen import largest
    from saegrid.saes.training.dense import affine
    from saegrid.saes.training.entries import Entries, explained, flat

    W_enc, b_enc, centred = parameters["W_enc"], parameters["b_enc"], batch.x - parameters["b_dec"]
    pre = affine(centred, W_enc, b_enc, told.dtype)
    entries = Entries.positive(pre, *flat(largest(pre, told.k)))
    s, x_hat = explained(centred, W_enc, b_enc, parameters["W_dec"], entries)
    squared = (centred - x_hat).square().sum()
    return Outcome(
        squared / centred.numel(),
        squared.detach(),
        entries.fired(),
        entries.l0,
        sparsity=told.l1 * s.sum() / pre.numel(),
    )


def _dense(parameters: Parameters, batch: Batch, told: Settings) -> Outcome:
    from saegrid.saes.training.dense import Weights, gradient_of, relu_pass

    centred = batch.x - parameters["b_dec"]
    weights = Weights(*(parameters[p] for p in ("W_enc", "b_enc", "W_dec")))
    l1 = told.l1 / (len(centred) * len(weights.b_enc))
    gradients = Weights(*map(gradient_of, weights)) if batch.learn else None
    penalty = weights.b_enc.new_full((1,), l1).expand(len(weights.b_enc))
    weight = 1 / centred.numel()
    found = relu_pass(centred, centred, weights, None, weight, penalty, gradients, told.dtype)
    return Outcome(
        weight * found.squared,
        found.squared,
        found.total > 0,
        found.l0,
        sparsity=l1 * found.total.sum(),
    )


def finish(parameters: Parameters, scale: float, told: Settings) -> Folded:
    """The mean stands as b_dec. Decoder norms stay as they are: k decides on s, and what is made
    of s, such as the Gini index of S2.6, is then the same quantity with k and without."""
    tensors = fold(parameters, scale, unit=False)
    if told.k is None:
        return Folded("standard", {}, tensors, unit=False)
    keys = {"k": told.k, "rescale_acts_by_decoder_norm": False}
    return Folded("topk", keys, tensors, unit=False)


RECIPE = Recipe(Settings, start, step, finish, unit_decoder=False, buffers=("b_dec",))
