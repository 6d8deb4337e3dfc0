"""TopK: the k largest pre-activations of a token reconstruct it; dead features learn the rest.

Loss: squared error over the variance + aux * (share of what is left over that the k_aux most active
dead features leave unexplained). Gao et al. 2024, arXiv 2406.04093.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.settings import AuxiliarySettings, Whole

if TYPE_CHECKING:
    from torch import Tensor

    from saegrid.saes.training.sparse import Places


@dataclass(frozen=True)
class Settings(AuxiliarySettings):
    """TopK: a fixed number of features a token."""

    k: Whole = 32
    """Active features a token."""


def start(begin: Start, told: Settings) -> Parameters:
    """The four."""
    return begin.four()


def explain(
    parameters: Parameters, batch: Batch, told: AuxiliarySettings, pre: Tensor, places: Places
) -> Outcome:
    """Loss where features at some places are active, if positive. pre: (token, feature)."""
    import torch

    from saegrid.saes.training.sparse import auxiliary, decode_at, values_at

    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    centred = batch.x - b_dec
    values = torch.relu(values_at(centred, W_enc, b_enc, pre, places))
    error = centred - decode_at(values, places, W_dec, len(centred))
    squared = error.square().sum()
    active = values.detach() > 0
    fired = torch.zeros(len(b_enc), dtype=torch.bool)
    fired[places.index[active]] = True
    extra = 0.0
    if told.aux and len(batch.dead) and batch.learn:
        left = error.detach()
        extra = told.aux * auxiliary(
            centred, W_enc, b_enc, W_dec, pre, left, batch.dead, told.k_aux
        )
    return Outcome(
        squared / (len(error) * batch.variance),
        squared.detach(),
        fired,
        lambda: float(active.sum()) / len(error),
        auxiliary=extra,
    )


def pre_activations(parameters: Parameters, batch: Batch, told: AuxiliarySettings) -> Tensor:
    """(token, feature), without a gradient."""
    import torch

    from saegrid.saes.training.dense import product

    with torch.no_grad():
        centred = batch.x - parameters["b_dec"]
        if told.dtype == "float32":
            return torch.addmm(parameters["b_enc"], centred, parameters["W_enc"].T)
        return product(centred, parameters["W_enc"].T, told.dtype).add_(parameters["b_enc"])


def step(parameters: Parameters, batch: Batch, told: Settings) -> Outcome:
    """Reconstruction error in units of the variance, and the auxiliary loss of dead features."""
    from saegrid.saes.training.sparse import Places, largest

    pre = pre_activations(parameters, batch, told)
    return explain(parameters, batch, told, pre, Places(largest(pre, told.k)))


def finish(parameters: Parameters, scale: float, told: Settings) -> Folded:
    """k; decoder rows have norm one, so that rescaling by their norm changes nothing."""
    keys = {"k": told.k, "rescale_acts_by_decoder_norm": False}
    return Folded("topk", keys, fold(parameters, scale, unit=False), unit=False)


RECIPE = Recipe(Settings, start, step, finish)
