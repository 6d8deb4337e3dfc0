"""Tied weights: the decoder is the encoder's transpose, one parameter; ReLU + L1, early stopping.

    z = relu(W x + b_enc),  x_hat = W^T z + b_dec
    L = mean over tokens and dimensions of (x - x_hat)^2 + l1 * mean over tokens and features of z

on raw activations. The ReLU is ours: without one, codes are negative and never exactly zero. Ours
are the first biases, too: features that begin active on half of the tokens come to stand for
coordinates and their opposites, however strong l1.
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
    first_biases,
    fold,
)
from saegrid.saes.training.settings import Count, MeanSettings, Number

FIRST_SHARE = 1 / 64


@dataclass(frozen=True)
class Settings(MeanSettings):
    """Settings of tied weights: one measurement on held-out tokens a pass, and at most 50
    passes."""

    epochs: Count = 50
    validate_every: Count = 0
    patience: Count = 5
    l1: Number = 1e-5


def start(begin: Start, settings: Settings) -> Parameters:
    """The matrix W (feature, d_model) and the biases; each feature begins active on FIRST_SHARE of
    the tokens."""
    four = begin.four()
    bias = first_biases(begin.x @ four["W_enc"].T, FIRST_SHARE)
    return {"W": four["W_enc"], "b_enc": bias, "b_dec": four["b_dec"]}


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above, with gradients by hand."""
    from torch import empty_like

    from saegrid.saes.training.dense import Weights, gradient_of, relu_pass

    W, b_enc, b_dec = (parameters[name] for name in ("W", "b_enc", "b_dec"))
    n, numbers = len(batch.x), batch.x.numel()
    l1 = settings.l1 / (n * len(b_enc))
    gradients = None
    if batch.learn:
        gradients = Weights(gradient_of(W), gradient_of(b_enc), empty_like(W))
    penalty = b_enc.new_full((1,), l1).expand(len(b_enc))
    weights = Weights(W, b_enc, W)
    passed = relu_pass(
        batch.x, batch.x, weights, b_dec, 1 / numbers, penalty, gradients, settings.dtype
    )
    if gradients is not None:
        gradients.W_enc.add_(gradients.W_dec)
        gradient_of(b_dec).copy_(passed.error.sum(dim=0))
    return Outcome(
        passed.squared / numbers,
        passed.squared,
        passed.total > 0,
        passed.l0,
        sparsity=l1 * passed.total.sum(),
    )


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A ReLU SAE with separate encoder and decoder, decoder norms folded to one."""
    four = {**parameters, "W_enc": parameters["W"], "W_dec": parameters["W"]}
    keys = {"apply_b_dec_to_input": False}
    return Folded("standard", keys, fold(four, scale, unit=True))


RECIPE = Recipe(Settings, start, step, finish, decoder="W", encoder="W", unit_decoder=False)
