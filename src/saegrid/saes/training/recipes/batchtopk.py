"""BatchTopK: the k * n largest pre-activations of a batch of n tokens reconstruct it.

The loss is that of `topk`. For inference, where a token must not depend on its neighbours, a
threshold stands for the batch: the running mean of its smallest positive activation. The SAE that
is written is therefore a JumpReLU. Bussmann et al. 2024, arXiv 2412.06410.
"""

from __future__ import annotations

from dataclasses import dataclass

from saegrid.saes.training.recipe import Batch, Folded, Outcome, Parameters, Recipe, Start, fold
from saegrid.saes.training.recipes.topk import explain
from saegrid.saes.training.settings import AuxiliarySettings, Whole

WEIGHT = 0.02
"""Weight of the newest batch in the running mean."""


@dataclass(frozen=True)
class Settings(AuxiliarySettings):
    """Settings of BatchTopK: a fixed number of features a batch."""

    k: Whole = 32
    """Mean number of active features a token."""


def start(begin: Start, settings: Settings) -> Parameters:
    """The four usual parameters, and the threshold, which is -1 before the first batch."""
    return begin.four() | {"threshold": begin.mean.new_full((1,), -1.0)}


def step(parameters: Parameters, batch: Batch, settings: Settings) -> Outcome:
    """Same as `topk`, except that held-out tokens use the learned global threshold instead of the
    batch's top k."""
    from saegrid.saes.training.chosen import largest_of_batch
    from saegrid.saes.training.dense import affine
    from saegrid.saes.training.entries import Entries

    W_enc, b_enc, b_dec = (parameters[name] for name in ("W_enc", "b_enc", "b_dec"))
    pre = affine(batch.x - b_dec, W_enc, b_enc, settings.dtype)
    threshold = parameters["threshold"]
    before = float(threshold)
    if not batch.learn:
        return explain(parameters, batch, settings, pre, Entries.above(pre, max(before, 0.0)))
    token, feature = largest_of_batch(pre, settings.k * len(pre), 0.8 * before)
    if len(token):
        least = float(pre[token, feature].min())
        threshold.fill_(least if before < 0 else before + WEIGHT * (least - before))
    return explain(parameters, batch, settings, pre, Entries.positive(pre, token, feature))


def finish(parameters: Parameters, scale: float, settings: Settings) -> Folded:
    """A JumpReLU with the threshold in raw units, one for all features."""
    from torch import full_like

    threshold = full_like(parameters["b_enc"], max(float(parameters["threshold"]), 0.0) / scale)
    return Folded("jumprelu", {}, fold(parameters, scale, unit=False) | {"threshold": threshold})


RECIPE = Recipe(Settings, start, step, finish, buffers=("threshold",))
