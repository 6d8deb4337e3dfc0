"""TopK: the k largest pre-activations of a token reconstruct it; dead features learn the rest.

Loss: squared error over the variance + aux * (share of the residual that the k_aux most active dead
features leave unexplained). Gao et al. 2024, arXiv 2406.04093.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.settings import AuxiliarySettings, Whole

if TYPE_CHECKING:
    from torch import Tensor

    from saegrid.saes.training.entries import Entries


@dataclass(frozen=True)
class Settings(AuxiliarySettings):
    """Settings of TopK: a fixed number of features a token."""

    k: Whole = 32
    """Number of active features a token."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters."""
    return begin.four()


def explain(
    parameters: Parameters, batch: Batch, settings: AuxiliarySettings, pre: Tensor, entries: Entries
) -> Outcome:
    """The loss of a batch of which some entries of pre (token, feature) are active."""
    from saegrid.saes.training.entries import auxiliary, explained

    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    centred = batch.x - b_dec
    _, x_hat = explained(centred, W_enc, b_enc, W_dec, entries)
    error = centred - x_hat
    squared = error.square().sum()
    extra = 0.0
    if settings.aux and len(batch.dead) and batch.learn:
        left = error.detach()
        extra = settings.aux * auxiliary(
            centred, W_enc, b_enc, W_dec, pre, left, batch.dead, settings.k_aux
        )
    return Outcome(
        squared / (len(error) * batch.variance),
        squared.detach(),
        entries.fired(),
        entries.l0,
        auxiliary=extra,
    )


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """The reconstruction error in units of the variance, and the auxiliary loss of dead
    features."""
    from saegrid.saes.training.chosen import largest
    from saegrid.saes.training.dense import affine
    from saegrid.saes.training.entries import Entries, flat

    W_enc, b_enc, b_dec = (parameters[name] for name in ("W_enc", "b_enc", "b_dec"))
    pre = affine(batch.x - b_dec, W_enc, b_enc, settings.dtype)
    entries = Entries.positive(pre, *flat(largest(pre, settings.k)))
    return explain(parameters, batch, settings, pre, entries)


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A TopK SAE; its decoder rows have norm one, so that rescaling by their norm changes
    nothing."""
    keys = {"k": settings.k, "rescale_acts_by_decoder_norm": False}
    return Folded("topk", keys, fold(parameters, scale, unit=False), unit=False)


RECIPE = Recipe(Settings, start, step, finish)
