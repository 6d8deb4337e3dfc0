"""Sizes of sparse autoencoders, from their training or from the facts of a checkpoint."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from saegrid.base.words import Cell
from saegrid.saes.reference import look
from saegrid.saes.training.settings import Settings

BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a stored number."""
L0 = 50
"""Active features a token where a checkpoint does not say: Llama Scope's."""
EXPANSION = 32
"""d_sae / d_model where neither a checkpoint nor its name says."""


class Sae(NamedTuple):
    """Sizes of a sparse autoencoder."""

    d_model: int
    d_sae: int
    itemsize: int
    """Bytes of a stored number."""
    l0: int
    """Active features a token: k, or what the checkpoint was made for."""

    @property
    def n_weights(self) -> int:
        """Numbers in its encoder, and in its decoder."""
        return self.d_model * self.d_sae

    @property
    def matrix(self) -> int:
        """Bytes of its encoder's rows, and of its decoder's."""
        return self.n_weights * self.itemsize


def of_training(width: int, expansion: int, recipe: Settings) -> Sae:
    """Sizes of an SAE that is trained on a site of so many channels."""
    l0 = round(getattr(recipe, "k", None) or getattr(recipe, "l0", None) or L0)
    return Sae(width, expansion * width, 4, l0)


def of_checkpoint(checkpoint: Mapping[str, Any], cell: str, width: int) -> Sae | None:
    """Sizes of a checkpoint: as its files say, else as its name does.

    None where its width follows from a model on the hub (width 0).
    """
    if checkpoint["path"]:
        with suppress(ValueError):  # told where the checkpoint itself is looked at
            encoder = look(checkpoint, cell).encoder
            return Sae(encoder.d_model, encoder.d_sae, BYTES[encoder.dtype], encoder.k or L0)
    name = Cell.parse(cell).sae
    named = re.search(r"(\d+)x", name) or re.search(r"(\d+)x", checkpoint["repo"] or "")
    expansion = int(named[1]) if named else EXPANSION
    return Sae(width, expansion * width, BYTES["bfloat16"], L0) if width else None
