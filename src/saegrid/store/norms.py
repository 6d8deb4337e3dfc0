"""What is done to activations before they are stored: nothing, or a norm."""

from collections.abc import Callable

import torch

from saegrid.models import unembedding_names
from saegrid.models.load import Loaded
from saegrid.store.settings import StoreError

EPSILON = 1e-5
"""Added to the variance by `layer`, as torch does."""

Norm = Callable[[torch.Tensor], torch.Tensor]


def norm_of(model: Loaded, norm: str) -> Norm:
    """A function of x (token, channel); what it gives has the same shape and dtype.

    none: x. layer: (x - mean) / sqrt(variance + 1e-5) of each token, without scale and shift.
    final: the model's own last norm, with scale and shift, whatever layer x is of; at the deepest R
    that is what transformers gives as the last of `hidden_states`.

    Raises StoreError where a model has no last norm.
    """
    if norm == "none":
        return lambda x: x
    if norm == "layer":
        return lambda x: torch.nn.functional.layer_norm(x.float(), x.shape[-1:], eps=EPSILON).to(
            x.dtype
        )
    names = unembedding_names(model.model.config.to_dict(), (), model.family.name)
    if names is None or names.norm_weight is None:
        raise StoreError(
            f"store.norm: {model.source} has no last norm to apply. Set norm to none or layer."
        )
    module = model.model.get_submodule(names.norm_weight.removesuffix(".weight"))

    def final(x: torch.Tensor) -> torch.Tensor:
        if x.shape[-1] != model.sizes.d_model:
            raise StoreError(
                "store.norm: final fits sites of width d_model, not N. Set it to none."
            )
        return module(x.to(model.device)).cpu()

    return final
