"""Sizes of sparse autoencoders, from their training or from the facts of a checkpoint."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.paths import expand
from saegrid.base.registry import pick
from saegrid.saes.formats import FORMATS
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


def of_checkpoint(checkpoint: Mapping[str, Any], name: str, width: int) -> Sae | None:
    """Sizes of a checkpoint: as its facts say, else as its name does.

    None where its width follows from a model on the hub (width 0).
    """
    facts = {}
    if checkpoint["path"]:
        form = pick(FORMATS, checkpoint["format"], "format")
        path = Path(expand(checkpoint["path"])) / form.files[0]
        facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    named = re.search(r"(\d+)x", name) or re.search(r"(\d+)x", checkpoint["repo"] or "")
    expansion = int(named[1]) if named else EXPANSION
    d_model = int(facts.get("d_model") or facts.get("d_in") or width)
    if not d_model:
        return None
    dtype = str(facts.get("dtype", "bfloat16")).removeprefix("torch.")
    d_sae = int(facts.get("d_sae") or expansion * d_model)
    l0 = int(facts.get("k") or facts.get("top_k") or L0)
    return Sae(d_model, d_sae, BYTES.get(dtype, 4), l0)
