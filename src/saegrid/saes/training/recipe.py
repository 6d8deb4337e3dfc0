"""The interface of recipes. It imports without torch, since configs are checked by it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor

    from saegrid.saes.training.adam import Adam

Parameters = dict[str, "Tensor"]
"""Parameters by name. Most recipes have W_enc (feature, d_model), b_enc (feature,), W_dec (feature,
d_model) and b_dec (d_model,), all for scaled activations."""


class Start(NamedTuple):
    """The data from which a recipe makes its first parameters."""

    rows: Tensor
    """(feature, d_model): first directions of the features, of norm one."""
    mean: Tensor
    """(d_model,): mean of the tokens, scaled."""
    x: Tensor
    """(token, d_model): a sample of the tokens, scaled."""

    def four(self) -> Parameters:
        """The four usual parameters: unit decoder rows, the encoder their transpose, the mean as
        b_dec."""
        zero = self.rows.new_zeros(len(self.rows))
        return {
            "W_enc": self.rows.clone(),
            "b_enc": zero,
            "W_dec": self.rows.clone(),
            "b_dec": self.mean.clone(),
        }


class Batch(NamedTuple):
    """The data of one step."""

    x: Tensor
    """(token, d_model): activations, scaled."""
    variance: float
    """Mean squared distance of the tokens from their mean, scaled."""
    dead: Tensor
    """(n_dead,): ids of the features that have not been active for long."""
    progress: float
    """Share of the training's steps that are done."""
    learn: bool = True
    """False where only the numbers of held-out tokens are needed, and no gradient."""


class Outcome(NamedTuple):
    """The loss of a step, as the sum of its terms, with further numbers for the history.

    The terms carry their gradient, or the recipe has put it into the parameters' `grad` itself.
    """

    reconstruction: Tensor
    """Error term of the loss."""
    squared: Tensor
    """Squared error of the batch, summed over tokens and dimensions."""
    fired: Tensor
    """(feature,) bool: True where a feature is active in this batch."""
    l0: Callable[[], float]
    """Function that returns the mean number of active features a token; it is called rarely."""
    sparsity: Tensor | float = 0.0
    """Sparsity term of the loss, with its weight."""
    auxiliary: Tensor | float = 0.0
    """Sum of all other terms of the loss, with their weights."""


class Moment(NamedTuple):
    """The state of a training after a step, for a recipe's `after`."""

    step: int
    """Number of steps done."""
    steps: int
    """Number of steps of the whole training."""
    seed: int
    idle: Tensor
    """(feature,): tokens since the feature was active; a recipe may change it."""
    optimiser: Adam
    sample: Callable[[int, int], Tensor]
    """Function of n and a seed that returns a sample (n, d_model) of scaled training tokens, fewer
    if there are fewer."""


class Folded(NamedTuple):
    """An SAE for raw activations in SAELens' layout."""

    architecture: str
    """Architecture of cfg.json: standard, jumprelu or topk."""
    keys: dict[str, Any]
    """Further keys of cfg.json."""
    tensors: Parameters
    """Tensors W_enc (d_model, feature), b_enc, W_dec (feature, d_model), b_dec, perhaps
    threshold."""
    unit: bool = True
    """True where decoder rows may be scaled to norm one after a later step changes their norms."""


class Recipe(NamedTuple):
    """A recipe: the functions that make a kind of SAE. Its module imports torch in functions
    only."""

    settings: type[Any]
    """Class of the settings, a `saegrid.saes.training.settings.Settings`."""
    start: Callable[[Start, Any], Parameters]
    """Function of the start and the settings that returns all parameters and buffers."""
    step: Callable[[Parameters, Batch, Any], Outcome]
    """Function of the parameters, a batch and the settings that returns the loss."""
    finish: Callable[[Parameters, float, Any], Folded]
    """Function of the parameters, the scale and the settings that returns the SAE to be written."""
    decoder: str = "W_dec"
    """Name of the parameter whose rows reconstruct."""
    encoder: str = "W_enc"
    """Name of the parameter whose rows read the activations."""
    unit_decoder: bool = True
    """True where rows of the decoder keep norm one: the part of a gradient along its row is
    removed."""
    buffers: tuple[str, ...] = ()
    """Names among the parameters that no gradient moves."""
    after: Callable[[Parameters, Moment, Any], None] | None = None
    """Function that is called after each step, or None. It leaves alone what the optimiser does not
    have: buffers, and what is frozen."""


def fold(parameters: Parameters, scale: float, unit: bool) -> Parameters:
    """The four tensors of an SAE for raw activations, from parameters for scaled ones.

    With x = scale * raw, z of raw activations is z / scale. With `unit`, the norm of each decoder
    row moves to its encoder row, so that all norms are one and the reconstruction stays.
    """
    W_enc, b_enc, W_dec, b_dec = (parameters[n] for n in ("W_enc", "b_enc", "W_dec", "b_dec"))
    if unit:
        norms = norms_of(W_dec)
        W_enc, b_enc, W_dec = W_enc * norms[:, None], b_enc * norms, W_dec / norms[:, None]
    return {"W_enc": W_enc.T, "b_enc": b_enc / scale, "W_dec": W_dec, "b_dec": b_dec / scale}


def first_biases(pre: Tensor, share: float) -> Tensor:
    """Biases (feature,) that make pre (token, feature) positive on a share of the tokens."""
    rank = max(1, round(share * len(pre)))
    return -pre.sort(dim=0, descending=True).values[rank - 1]


def norms_of(rows: Tensor) -> Tensor:
    """Norms (feature,) of rows (feature, d_model); 1 for a row of zeros."""
    norms = rows.norm(dim=1)
    return norms.where(norms > 0, norms.new_ones(()))
