"""Model families: where a kind of checkpoint keeps its blocks, its sites and its unembedding.

Importable without torch. A new family is one file, or one line where it names its parts like a
known one; `models.check` tests by behaviour that the names mean what they should.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.registry import pick

FAMILIES = {
    "bert": "saegrid.models.families.bert:FAMILY",
    "gpt2": "saegrid.models.families.gpt2:FAMILY",
    "llama": "saegrid.models.families.llama:FAMILY",
    "mistral": "saegrid.models.families.llama:FAMILY",
    "qwen2": "saegrid.models.families.llama:FAMILY",
    "qwen3": "saegrid.models.families.llama:FAMILY",
}
"""Families by the `model_type` of config.json."""


class Unembedding(NamedTuple):
    """Names of the tensors that turn the last residual stream into logits."""

    norm_weight: str | None
    """Scale of the final norm (d_model,)."""
    norm_bias: str | None
    """Shift of the final norm (d_model,); None where it has none."""
    unembed: str
    """Unembedding (d_vocab, d_model); the embedding where the two are tied."""
    kind: str
    """Final norm: `rms` divides by the root mean square, `layer` takes off the mean before."""


class Sizes(NamedTuple):
    """Sizes of a model, as its config.json gives them."""

    n_layers: int
    d_model: int
    d_mlp: int
    """Width of the hidden neurons, position N."""
    d_vocab: int
    context: int
    """Longest row in tokens."""


@dataclass(frozen=True)
class Family:
    """The names under which checkpoints of an architecture keep what is read and edited.

    Names of modules are relative: `blocks` to the model without its head, the others to a block.
    """

    name: str
    blocks: str
    """The list of blocks; the output of a block is R."""
    attention: str
    """The attention's output projection; its output is A."""
    mlp: str
    """The MLP's down-projection; its output is M and its input N."""
    residual_sum: bool
    """True if R of a layer is R of the layer before + A + M: pre-norm blocks, not BERT's."""
    causal: bool
    """True if a token attends only to itself and the tokens before it."""
    prefix: str
    """Prefix of tensor names in a checkpoint that holds a head too."""
    sizes: Callable[[Mapping[str, Any]], Sizes]
    """Sizes, from the facts of config.json."""
    unembedding: Callable[[Mapping[str, Any]], Unembedding | None]
    """Tensor names, from the facts of config.json; None without a linear unembedding."""


def read_config(folder: str | Path) -> dict[str, Any]:
    """The facts of a checkpoint's config.json; FileNotFoundError names the folder."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"model.path: {folder} must be a folder that holds config.json and *.safetensors; "
            "there is no config.json in it."
        )
    return json.loads(path.read_text(encoding="utf-8"))


def family_name(config: Mapping[str, Any], name: str = "auto") -> str:
    """The family's name in the registry: `name`, or what config.json says where it is `auto`."""
    return str(config.get("model_type", "")) if name == "auto" else name


def family_of(config: Mapping[str, Any], name: str = "auto") -> Family:
    """The family of a checkpoint; ValueError names the nearest one where it is unknown."""
    return pick(FAMILIES, family_name(config, name), "model family")


def sizes_of(config: Mapping[str, Any], name: str = "auto") -> Sizes:
    """Layers, widths and context of a checkpoint."""
    return family_of(config, name).sizes(config)


def unembedding_names(
    config: Mapping[str, Any], available: Collection[str] = (), name: str = "auto"
) -> Unembedding | None:
    """Tensor names of the final norm and the unembedding; None where there is no linear one.

    available: the names in the checkpoint; some are saved without the prefix of the headed model,
    as the hub's gpt2 is. ValueError names a tensor that is not among them.
    """
    family = family_of(config, name)
    names = family.unembedding(config)
    if names is None or not available:
        return names

    def find(tensor: str | None) -> str | None:
        spellings = [tensor, tensor.removeprefix(family.prefix)] if tensor else [None]
        for spelling in spellings:
            if spelling is None or spelling in available:
                return spelling
        raise ValueError(
            f"The checkpoint has no tensor {tensor}, which a {family.name} model must have. "
            "Check that the files are whole and that model.family is right."
        )

    norm_weight, norm_bias, unembed, kind = names
    return Unembedding(find(norm_weight), find(norm_bias), str(find(unembed)), kind)
