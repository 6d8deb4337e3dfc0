"""A model of which one block at a time holds weights.

The architecture's own forward pass runs, in which all blocks but one are stand-ins: the one before
hands out the residual stream as an earlier pass left it, so the block in place gets just what it
would get in the whole model, and computes the same bytes. Embedding rows are gathered for the
token ids in use; the head is not there.
"""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers

from saegrid.models import Family, Sizes, family_of, read_config
from saegrid.models.load import DTYPES, UNUSED, Loaded, device_of, folder_of
from saegrid.models.weights import Weights


class StandIn(torch.nn.Module):
    """A block that hands on what it gets, or what it was given to hand out."""

    def __init__(self) -> None:
        super().__init__()
        self.given: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        """What was given, else what comes in (row, position, d_model)."""
        return hidden if self.given is None else self.given


@dataclass(frozen=True)
class Layers:
    """A language model that is run block by block."""

    shell: Loaded
    """The model with stand-ins; its token ids are ranks in the vocabulary in use."""
    blocks: torch.nn.ModuleList
    """The blocks, without memory."""
    weights: Weights

    def shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """Shapes of a block's tensors, by their names in the model without its head."""
        prefix = f"{self.shell.family.blocks}.{layer}."
        return {prefix + k: tuple(t.shape) for k, t in self.blocks[layer].state_dict().items()}

    def n_bytes(self, layer: int) -> int:
        """Bytes of a block's tensors on disk."""
        return self.weights.n_bytes(self.shapes(layer))

    def read(self, layer: int) -> dict[str, torch.Tensor]:
        """A block's tensors, from disk. May run in a thread of its own."""
        pinned = self.shell.device.type == "cuda"
        return self.weights.read(self.shapes(layer), self.shell.dtype, pinned)

    @contextmanager
    def placed(self, layer: int, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Within this context the block of a layer is in its place, with these tensors."""
        skip = len(f"{self.shell.family.blocks}.{layer}.")
        device = self.shell.device
        there = {name[skip:]: t.to(device, non_blocking=True) for name, t in tensors.items()}
        block = copy.deepcopy(self.blocks[layer])
        block.load_state_dict(there, assign=True)
        block.eval().requires_grad_(False)
        stand_in, self.shell.blocks[layer] = self.shell.blocks[layer], block
        try:
            yield
        finally:
            self.shell.blocks[layer] = stand_in

    def give(self, layer: int, hidden: torch.Tensor | None) -> None:
        """Let the stand-in before a layer hand out its residual stream (row, position, d_model)."""
        if layer:
            self.shell.blocks[layer - 1].given = hidden


def _body(config: Any, dtype: torch.dtype, device: str) -> torch.nn.Module:
    with torch.device(device), torch.random.fork_rng():
        made = transformers.AutoModel.from_config(config, dtype=dtype, attn_implementation="sdpa")
    return made.eval().requires_grad_(False)


def _shell(config: Any, vocabulary: np.ndarray, dtype: torch.dtype, blocks: str) -> Any:
    """The model without its head, with stand-ins and rooms for the vocabulary in use."""
    small = copy.deepcopy(config)
    n_layers = small.num_hidden_layers
    small.num_hidden_layers, small.vocab_size, small.pad_token_id = 0, len(vocabulary), None
    body = _body(small, dtype, "cpu")
    body.get_submodule(blocks).extend(StandIn() for _ in range(n_layers))
    body.config.num_hidden_layers = n_layers
    return body


def _fill_shell(body: Any, weights: Weights, vocabulary: np.ndarray, dtype: torch.dtype) -> None:
    """Put the weights that belong to no block in their places."""
    embedding = body.get_input_embeddings().weight
    state = dict(body.named_parameters())
    by_row = next(name for name, tensor in state.items() if tensor is embedding)
    whole = {k: tuple(t.shape) for k, t in state.items() if k != by_row and not UNUSED.search(k)}
    read = weights.read(whole, dtype)
    read[by_row] = weights.rows(by_row, vocabulary, dtype)
    for name, tensor in read.items():
        state[name].copy_(tensor)


class Architecture(NamedTuple):
    """A checkpoint, as its facts describe it."""

    folder: Path
    family: Family
    config: Any
    sizes: Sizes
    source: str
    """Folder or hub name, for messages."""


def architecture(model: Mapping[str, Any]) -> Architecture:
    """What a study's model is, without its weights; from the hub they are fetched.

    model: as for `models.load.load`. Raises ModelError, and ValueError for an unknown family.
    """
    transformers.logging.set_verbosity_error()
    source, folder = str(model["path"]), folder_of(model)
    family = family_of(read_config(folder), model.get("family", "auto"))
    config = transformers.AutoConfig.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False
    )
    return Architecture(folder, family, config, family.sizes(config.to_dict()), source)


def open_layers(model: Mapping[str, Any], found: Architecture, vocabulary: np.ndarray) -> Layers:
    """The model, to be run block by block.

    Args:
        model: `dtype` and `device` as for `models.load.load`.
        found: the checkpoint.
        vocabulary: (id,) int64 ascending, the token ids that will be run.

    Raises:
        ModelError: names the file or tensor and says what to mend.
    """
    dtype = DTYPES[model.get("dtype", "float32")]
    weights = Weights(found.folder, found.family.prefix)
    body = _shell(found.config, vocabulary, dtype, found.family.blocks)
    _fill_shell(body, weights, vocabulary, dtype)
    blocks = _body(found.config, dtype, "meta").get_submodule(found.family.blocks)
    sizes = found.sizes._replace(d_vocab=len(vocabulary))
    body = body.to(device_of(model.get("device", "cpu")))
    return Layers(Loaded(body, found.family, sizes, found.source), blocks, weights)
