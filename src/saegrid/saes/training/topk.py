"""TopK: the k largest pre-activations of a token reconstruct it; dead features learn the rest."""

from typing import Any

import torch
from torch import Tensor

from saegrid.saes.training.loop import Batch, Outcome, Parameters, Recipe
from saegrid.saes.training.settings import TopKSettings
from saegrid.saes.training.sparse import auxiliary, decode_at, largest, values_at


def start(parameters: Parameters, x: Tensor, told: TopKSettings) -> Parameters:
    """No further parameters; ValueError where k is larger than d_sae."""
    if told.k > len(parameters["b_enc"]):
        raise ValueError(f"The setting k must be at most d_sae; got {told.k}.")
    return {}


def step(parameters: Parameters, batch: Batch, told: TopKSettings) -> Outcome:
    """Reconstruction error in units of the variance, and the auxiliary loss of dead features."""
    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    centred = batch.x - b_dec
    with torch.no_grad():
        pre = torch.addmm(b_enc, centred, W_enc.T)
        index = largest(pre, told.k)
    values = torch.relu(values_at(centred, W_enc, b_enc, pre, index))
    error = centred - decode_at(values, index, W_dec)
    fvu = error.square().sum() / (len(error) * batch.variance)
    active = values.detach() > 0
    fired = torch.zeros(len(b_enc), dtype=torch.bool)
    fired[index[active]] = True
    loss = fvu
    if told.aux and len(batch.dead):
        left = error.detach()
        extra = auxiliary(centred, W_enc, b_enc, W_dec, pre, left, batch.dead, told.k_aux)
        loss = fvu + told.aux * extra
    return Outcome(loss, fvu.detach(), float(active.sum()) / len(active), fired)


def finish(
    parameters: Parameters, scale: float, told: TopKSettings
) -> tuple[dict[str, Any], Parameters]:
    """k; decoder rows have norm one, so that rescaling by their norm changes nothing."""
    return {"k": told.k, "rescale_acts_by_decoder_norm": False}, {}


RECIPE = Recipe("topk", start, step, finish)
