"""What a recipe is, and what it gets. Importable without torch: configs are checked by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from saegrid.saes.training.adam import Adam

Parameters = dict[str, "Tensor"]
"""By name. Most recipes have W_enc (feature, d_model), b_enc (feature,), W_dec (feature, d_model)
and b_dec (d_model,), all for scaled activations."""


class Start(NamedTuple):
    """What the first parameters are made from."""

    rows: Tensor
    """(feature, d_model): first directions, of norm one."""
    mean: Tensor
    """(d_model,): mean of the tokens, scaled."""
    x: Tensor
    """(token, d_model): a sample, scaled."""

    def four(self) -> Parameters:
        """Unit decoder rows, the encoder their transpose, the mean as the decoder's bias."""
        zero = self.rows.new_zeros(len(self.rows))
        return {
            "W_enc": self.rows.clone(),
            "b_enc": zero,
            "W_dec": self.rows.clone(),
            "b_dec": self.mean.clone(),
        }


class Batch(NamedTuple):
    """What a recipe gets for a step."""

    x: Tensor
    """(token, d_model), scaled."""
    variance: float
    """Mean squared distance of the tokens from their mean, scaled."""
    dead: Tensor
    """(n_dead,) ids of the features that have not been active for long."""
    progress: float
    """Share of the steps that are done."""
    learn: bool = True
    """False: only the numbers are wanted, of held-out tokens, and no gradient."""


class Outcome(NamedTuple):
    """A step's loss, the sum of its terms, and what else is told of it.

    The terms carry their gradient, or the recipe has put it into the parameters' `grad` itself.
    """

    reconstruction: Tensor
    """Error term of the loss."""
    squared: Tensor
    """Squared error of the batch, summed over tokens and dimensions."""
    fired: Tensor
    """(feature,) bool: active in this batch."""
    l0: Callable[[], float]
    """Mean number of active features of a token; asked for now and then."""
    sparsity: Tensor | float = 0.0
    """Sparsity term, with its weight."""
    auxiliary: Tensor | float = 0.0
    """Any other term, with its weight."""


class Moment(NamedTuple):
    """A training after a step, for what a recipe does now and then."""

    step: int
    """Steps done."""
    steps: int
    """Steps of the whole training."""
    seed: int
    idle: Tensor
    """(feature,) tokens since the feature was active; may be changed."""
    optimiser: Adam
    sample: Callable[[int, int], Tensor]
    """`sample(n, seed)`: (n, d_model) scaled training tokens, fewer where there are fewer."""


class Folded(NamedTuple):
    """An SAE for raw activations in SAELens' layout."""

    architecture: str
    """standard, jumprelu or topk."""
    keys: dict[str, Any]
    """More keys of cfg.json."""
    tensors: Parameters
    """W_enc (d_model, feature), b_enc, W_dec (feature, d_model), b_dec, perhaps threshold."""
    unit: bool = True
    """Decoder rows may be brought to norm one, where what follows changes their norms."""


class Recipe(NamedTuple):
    """A way to train. Its module imports torch in functions only."""

    settings: type[Any]
    """A `saegrid.saes.training.settings.Settings`."""
    start: Callable[[Start, Any], Parameters]
    """All parameters and buffers, given the settings."""
    step: Callable[[Parameters, Batch, Any], Outcome]
    """Loss of a batch, given the parameters and the settings."""
    finish: Callable[[Parameters, float, Any], Folded]
    """What is written, given the scale that is folded into it."""
    decoder: str = "W_dec"
    """The parameter whose rows reconstruct."""
    unit_decoder: bool = True
    """Rows of the decoder keep norm one: the part of a gradient along its row is taken out."""
    buffers: tuple[str, ...] = ()
    """Names among the parameters that no gradient moves."""
    after: Callable[[Parameters, Moment, Any], None] | None = None
    """Called after each step."""


def fold(parameters: Parameters, scale: float, unit: bool) -> Parameters:
    """The four tensors for raw activations; `unit`: the norm of each decoder row goes to its
    encoder, so that all are one and the reconstruction stays.

    With x = scale * raw, z of raw activations is z / scale.
    """
    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    if unit:
        norms = norms_of(W_dec)
        W_enc, b_enc, W_dec = W_enc * norms[:, None], b_enc * norms, W_dec / norms[:, None]
    return {"W_enc": W_enc.T, "b_enc": b_enc / scale, "W_dec": W_dec, "b_dec": b_dec / scale}


def first_biases(pre: Tensor, share: float) -> Tensor:
    """(feature,) that added to pre (token, feature) make it positive on a share of the tokens."""
    rank = max(1, round(share * len(pre)))
    return -pre.sort(dim=0, descending=True).values[rank - 1]


def norms_of(rows: Tensor) -> Tensor:
    """(feature,) norms of rows (feature, d_model); 1 for a row of zeros."""
    norms = rows.norm(dim=1)
    return norms.where(norms > 0, norms.new_ones(()))
