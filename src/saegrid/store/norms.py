"""Norms that are applied to activations before they are stored."""

from collections.abc import Callable

import torch

from saegrid.models.load import Loaded
from saegrid.store.settings import StoreError

EPSILON = 1e-5
"""Addend to the variance in the norm `layer`, the default of torch."""

Norm = Callable[[torch.Tensor], torch.Tensor]


def norm_of(model: Loaded, norm: str) -> Norm:
    """The norm of a name: a function of x (token, channel) that keeps its shape and dtype.

    none: x. layer: (x - mean) / sqrt(variance + 1e-5) of each token, without scale and shift.
    final: the model's own last norm, with scale and shift, at every layer; at the deepest R it
    gives the last of the `hidden_states` of transformers.

    Raises:
        StoreError: the model has no last norm.
    """
    if norm == "none":
        return lambda x: x
    if norm == "layer":
        return lambda x: torch.nn.functional.layer_norm(x.float(), x.shape[-1:], eps=EPSILON).to(
            x.dtype
        )
    last = model.family.last
    if last is None or not last.norm:
        raise StoreError(
            f"store.norm: {model.source} has no last norm to apply. Set norm to none or layer."
        )
    module = model.body.get_submodule(last.norm)

    def final(x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != model.sizes.d_model:
            raise StoreError(
                "store.norm: final fits sites of width d_model, not N. Set it to none."
            )
        return module(x.to(model.device)).cpu()

    return final
