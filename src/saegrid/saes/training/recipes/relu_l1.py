"""Towards Monosemanticity: ReLU + L1, pre-encoder bias, unit decoder rows, resampling.

    z = relu(W_enc (x - b_dec) + b_enc),  L = mean over tokens of |x - x_hat|^2 + l1 * sum_i z_i

At an eighth, two, three and four eighths of the steps (25,000 to 100,000 of 200,000), features that
were silent for the last sixteenth (12,500) begin anew: at tokens drawn with a probability that goes
as the square of their loss, or, where decoder or encoder is frozen, with the frozen direction for
both. Bricken et al. 2023, "Towards Monosemanticity". Two things are ours: the input is scaled, so
that l1 means the same for every model (`input_scale: none` leaves it out), and a new direction is a
token less b_dec, which is what the decoder has to explain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from saegrid.saes.training.recipe import (
    Batch,
    Folded,
    Moment,
    Outcome,
    Parameters,
    Recipe,
    Start,
    fold,
)
from saegrid.saes.training.recipes.scaling import rising
from saegrid.saes.training.settings import Count, L1Settings, Number, Share, Whole

if TYPE_CHECKING:
    from torch import Tensor

BYTES = 1 << 30
"""Most bytes of the tokens of a resampling."""


@dataclass(frozen=True)
class Settings(L1Settings):
    """Settings of ReLU with L1; published: without `l1_warm_up`."""

    lr: Number = 1e-3
    resamplings: Count = 4
    """Number of times that silent features are resampled."""
    resample_every: Share = 0.125
    """Share of the steps between two resamplings."""
    resample_silent: Share = 0.0625
    """Share of the steps that a feature must have been silent for to be resampled."""
    resample_sample: Whole = 819_200
    """Number of tokens that a resampling draws from, at most a gigabyte of them."""
    resample_norm: Number = 0.2
    """Norm of a resampled encoder row, in mean norms of those of living features."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters."""
    return begin.four()


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The loss of a batch, by the formula above, with gradients by hand."""
    from saegrid.saes.training.dense import Weights, gradient_of, relu_pass

    n, weights = len(batch.x), Weights(*(parameters[p] for p in ("W_enc", "b_enc", "W_dec")))
    b_dec, l1 = parameters["b_dec"].detach(), rising(settings, batch)
    centred = batch.x - b_dec
    gradients = Weights(*map(gradient_of, weights)) if batch.learn else None
    penalty = b_dec.new_full((1,), l1 / n).expand(len(weights.b_enc))
    passed = relu_pass(centred, centred, weights, None, 1 / n, penalty, gradients, settings.dtype)
    if gradients is not None:
        through_encoder = gradients.b_enc @ weights.W_enc.detach()
        gradient_of(parameters["b_dec"]).copy_(passed.error.sum(dim=0) - through_encoder)
    return Outcome(
        passed.squared / n,
        passed.squared,
        passed.total > 0,
        passed.l0,
        sparsity=l1 / n * passed.total.sum(),
    )


def is_due(done: int, steps: int, settings: Settings) -> bool:
    """Return True if features are resampled after `done` steps."""
    every = settings.resample_every * steps
    return any(done == round(every * time) for time in range(1, settings.resamplings + 1))


def after(parameters: Parameters, moment: Moment, settings: Settings) -> None:
    """Resample silent features, if it is time for it."""
    if is_due(moment.step, moment.steps, settings) and 0 < moment.step < moment.steps:
        silent = settings.resample_silent * moment.steps * settings.batch
        resample(parameters, moment, settings, (moment.idle >= max(silent, 1)).nonzero()[:, 0])


def resample(parameters: Parameters, moment: Moment, settings: Settings, dead: Tensor) -> None:
    """Point dead features (n,) at tokens with a large loss, and give them small encoder rows.

    What is frozen stays: its directions are then those of the other rows.
    """
    import torch

    if not len(dead):
        return
    learned = moment.optimiser.parameters
    with torch.no_grad():
        still = [parameters[name][dead] for name in ("W_dec", "W_enc") if name not in learned]
        rows = still[0] if still else poorly_explained(parameters, moment, settings, len(dead))
        rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
        alive = torch.ones(len(moment.idle), dtype=torch.bool)
        alive[dead] = False
        norms = parameters["W_enc"].norm(dim=1)
        typical = norms[alive].mean() if alive.any() else norms.mean()
        new = {"W_enc": rows * typical * settings.resample_norm, "b_enc": 0.0, "W_dec": rows}
        for name in new.keys() & learned.keys():
            parameters[name][dead] = new[name]
            moment.optimiser.forget(name, dead)
        moment.idle[dead] = 0


def poorly_explained(parameters: Parameters, moment: Moment, settings: Settings, n: int) -> Tensor:
    """n tokens (n, d_model) less b_dec, drawn by the square of their loss."""
    import torch

    from saegrid.saes.training.dense import Weights, relu_pass

    with torch.no_grad():
        b_dec = parameters["b_dec"]
        x = moment.sample(min(settings.resample_sample, BYTES // (4 * len(b_dec))), moment.seed)
        weights = Weights(*(parameters[p] for p in ("W_enc", "b_enc", "W_dec")))
        loss = [
            relu_pass(part - b_dec, part - b_dec, weights, None, dtype=settings.dtype)
            .error.square()
            .sum(dim=1)
            for part in x.split(settings.batch)
        ]
        odds = torch.cat(loss).double().square()
        generator = torch.Generator().manual_seed(moment.seed)
        # The share of each token on a line, hit at random places.
        line = odds.cumsum(0)
        hits = torch.rand(n, generator=generator, dtype=torch.float64) * line[-1]
        chosen = torch.searchsorted(line, hits).clamp_max(len(x) - 1)
        return x[chosen] - b_dec


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A ReLU SAE with the scale folded in; its decoder rows have norm one."""
    return Folded("standard", {}, fold(parameters, scale, unit=False))


RECIPE = Recipe(Settings, start, step, finish, after=after)
