"""Contexts that read or edit sites while a model runs; leaving one removes its hooks."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from saegrid.base.words import Site
from saegrid.models.load import Loaded

Read = Callable[[torch.Tensor], None]
"""Function of the activations (row, position, channel) of a site."""
Edit = Callable[[torch.Tensor], torch.Tensor]
"""Function of the activations of a site that returns their replacement."""

ORDER = {"A": 0, "N": 1, "M": 2, "R": 3}
"""Ranks of positions in the order in which a block reaches them."""


def forward_order(site: Site) -> tuple[int, int]:
    """A sort key that puts sites in the order in which a forward pass reaches them."""
    return site.layer, ORDER[site.position]


@contextmanager
def editing(model: Loaded, edits: Mapping[Site, Edit]) -> Iterator[None]:
    """A context in which each site of `edits` is replaced by its function's result."""
    with _hooked(model, edits):
        yield


@contextmanager
def reading(model: Loaded, readers: Mapping[Site, Read]) -> Iterator[None]:
    """A context in which each site of `readers` is passed to its function."""

    def only(read: Read) -> Callable[[torch.Tensor], None]:
        def show(x: torch.Tensor) -> None:
            read(x)

        return show

    with _hooked(model, {site: only(read) for site, read in readers.items()}):
        yield


@contextmanager
def _hooked(model: Loaded, functions: Mapping[Site, Callable[[torch.Tensor], Any]]) -> Iterator:
    with ExitStack() as hooks:
        for site in sorted(functions, key=forward_order):
            hooks.callback(_hook(model, site, functions[site]).remove)
        yield


def _hook(model: Loaded, site: Site, edit: Callable[[torch.Tensor], Any]) -> Any:
    """Register one hook and return its handle; a function that returns None leaves the site as it
    is."""
    if site.position == "N":

        def before(module: Any, inputs: tuple) -> tuple | None:
            new = edit(inputs[0])
            return None if new is None else (new, *inputs[1:])

        return model.module(site).register_forward_pre_hook(before)

    def after(module: Any, inputs: tuple, output: Any) -> Any:
        # Blocks gave tuples in older transformers: the activations come first.
        whole = isinstance(output, torch.Tensor)
        new = edit(output if whole else output[0])
        return new if whole or new is None else (new, *output[1:])

    return model.module(site).register_forward_hook(after)
