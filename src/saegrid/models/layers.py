"""A model of which one block at a time holds weights.

The architecture's own forward pass runs with stand-ins for all blocks but one. The stand-in before
the loaded block returns the residual stream of an earlier pass, so that the block gets the same
input as in the whole model and computes the same bytes. Embedding rows are gathered for the token
ids in use; there is no head.
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
from saegrid.models.load import (
    DTYPES,
    UNUSED,
    Loaded,
    ModelError,
    config_of,
    device_of,
    folder_of,
)
from saegrid.models.weights import Weights


class StandIn(torch.nn.Module):
    """A stand-in for a block, which returns its input, or a stored output."""

    def __init__(self, tuples: bool) -> None:
        """tuples: True if the block returns a tuple."""
        super().__init__()
        self.tuples = tuples
        self.output: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """The stored output (row, position, d_model), else the input."""
        output = hidden if self.output is None else self.output
        return (output, None) if self.tuples else output


@dataclass(frozen=True)
class Layers:
    """A language model that runs block by block."""

    shell: Loaded
    """The model with stand-ins."""
    blocks: torch.nn.ModuleList
    """The blocks, whose parameters are on the meta device; their other tensors are not."""
    weights: Weights

    def shapes(self, layer: int) -> dict[str, tuple[int, ...]]:
        """The shapes of a block's tensors, by their names in the model without its head."""
        prefix = f"{self.shell.family.blocks}.{layer}."
        return {prefix + k: tuple(t.shape) for k, t in self.blocks[layer].state_dict().items()}

    def n_bytes(self, layer: int) -> int:
        """The bytes of a block's tensors on disk."""
        return self.weights.n_bytes(self.shapes(layer))

    def read(self, layer: int) -> dict[str, torch.Tensor]:
        """The tensors of a block, read from disk; this may run in its own thread."""
        pinned = self.shell.device.type == "cuda"
        return self.weights.read(self.shapes(layer), self.shell.dtype, pinned)

    @contextmanager
    def placed(self, layer: int, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """A context in which the block of a layer is loaded with these tensors."""
        skip = len(f"{self.shell.family.blocks}.{layer}.")
        device = self.shell.device
        state = {name[skip:]: t.to(device, non_blocking=True) for name, t in tensors.items()}
        block = copy.deepcopy(self.blocks[layer])
        block.load_state_dict(state, assign=True)
        block.to(device).eval().requires_grad_(False)
        stand_in, self.shell.blocks[layer] = self.shell.blocks[layer], block
        try:
            yield
        finally:
            self.shell.blocks[layer] = stand_in

    def give(self, layer: int, hidden: torch.Tensor | None) -> None:
        """Store the residual stream (row, position, d_model) that enters a layer, in the stand-in
        before it."""
        if layer:
            self.shell.blocks[layer - 1].output = hidden


@contextmanager
def _without_weights() -> Iterator[None]:
    """A context in which new parameters take no memory; other tensors get their values."""
    register = torch.nn.Module.register_parameter

    def on_meta(module: torch.nn.Module, name: str, parameter: torch.nn.Parameter | None) -> None:
        if parameter is not None:
            parameter = torch.nn.Parameter(parameter.to("meta"), requires_grad=False)
        register(module, name, parameter)

    torch.nn.Module.register_parameter = on_meta
    try:
        yield
    finally:
        torch.nn.Module.register_parameter = register


def _body(config: Any, dtype: torch.dtype, kernel: str | None) -> torch.nn.Module:
    # In float32: tables of positions would be made in a narrower dtype, and those read are not.
    wide = torch.float32
    with torch.random.fork_rng():
        body = transformers.AutoModel.from_config(config, dtype=wide, attn_implementation=kernel)
    for parameter in body.parameters():
        parameter.data = parameter.data.to(dtype)
    return body.eval().requires_grad_(False)


def _shell(config: Any, vocabulary: np.ndarray, dtype: torch.dtype, family: Family) -> Any:
    """The model without its head, with stand-ins and an embedding for the vocabulary in use."""
    small = copy.deepcopy(config)
    n_layers = small.num_hidden_layers
    small.num_hidden_layers, small.vocab_size, small.pad_token_id = 0, len(vocabulary), None
    body = _body(small, dtype, family.kernel)
    body.get_submodule(family.blocks).extend(StandIn(family.tuples) for _ in range(n_layers))
    body.config.num_hidden_layers = n_layers
    for module in body.modules():
        # RoBERTa counts positions from this one.
        if hasattr(module, "padding_idx") and not isinstance(module, torch.nn.Embedding):
            module.padding_idx = config.pad_token_id
    ids = torch.from_numpy(vocabulary)

    def ranks(module: torch.nn.Module, inputs: tuple) -> tuple:
        return (torch.searchsorted(ids.to(inputs[0].device), inputs[0]),)

    body.get_input_embeddings().register_forward_pre_hook(ranks)
    return body


def _fill_shell(body: Any, weights: Weights, vocabulary: np.ndarray, dtype: torch.dtype) -> None:
    """Load the weights that belong to no block."""
    embedding = body.get_input_embeddings().weight
    state = dict(body.named_parameters())
    by_row = next(name for name, tensor in state.items() if tensor is embedding)
    whole = {k: tuple(t.shape) for k, t in state.items() if k != by_row and not UNUSED.search(k)}
    read = weights.read(whole, dtype)
    read[by_row] = weights.rows(by_row, vocabulary, dtype)
    for name, tensor in read.items():
        state[name].copy_(tensor)


class Architecture(NamedTuple):
    """The architecture of a checkpoint, from its files without weights."""

    folder: Path
    family: Family
    config: Any
    sizes: Sizes
    source: str
    """Folder or hub name of the checkpoint, for messages."""


def architecture(model: Mapping[str, Any]) -> Architecture:
    """The architecture of a study's model, whose files are fetched if they lie on the hub.

    model: settings of the model, see `models.load.load`.

    Raises:
        ModelError: the files cannot be had or read.
        ValueError: the family is unknown.
    """
    transformers.logging.set_verbosity_error()
    source, folder = str(model["path"]), folder_of(model)
    family = family_of(read_config(folder), model.get("family", "auto"))
    if family.outlined:
        raise ModelError(
            f"model.path: {source}: the architecture {family.name} has no row in the table of "
            "families, so that it cannot be run block by block. Raise memory.capture until the "
            "whole model fits."
        )
    config = config_of(model, folder, family)
    return Architecture(folder, family, config, family.sizes(config.to_dict()), source)


def open_layers(
    model: Mapping[str, Any], checkpoint: Architecture, vocabulary: np.ndarray
) -> Layers:
    """A model that runs block by block.

    Args:
        model: `dtype` and `device`, see `models.load.load`.
        checkpoint: the architecture of the checkpoint.
        vocabulary: (id,) int64 ascending, the token ids that will be run.

    Raises:
        ModelError: a file or tensor is wrong; the message names it and says what to mend.
    """
    dtype = DTYPES[model.get("dtype", "float32")]
    family = checkpoint.family
    weights = Weights(checkpoint.folder, family)
    body = _shell(checkpoint.config, vocabulary, dtype, family)
    _fill_shell(body, weights, vocabulary, dtype)
    with _without_weights():
        blocks = _body(checkpoint.config, dtype, family.kernel).get_submodule(family.blocks)
    body = body.to(device_of(model.get("device", "cpu")))
    return Layers(Loaded(body, family, checkpoint.sizes, checkpoint.source), blocks, weights)
