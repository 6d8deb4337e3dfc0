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

ORDER = {position: rank for rank, position in enumerate("BZAHINMR")}
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
            for handle in _hook(model, site, functions[site]):
                hooks.callback(handle.remove)
        yield


def _hook(model: Loaded, site: Site, edit: Callable[[torch.Tensor], Any]) -> list[Any]:
    """Register the hooks of one site and return their handles; a function that returns None leaves
    the site as it is."""
    name, kind = _place(model, site)
    rows: list[int] = []

    def shown(x: torch.Tensor) -> torch.Tensor:
        return x if x.ndim > 2 else x.view(*rows, x.shape[-1])

    def on_input(module: Any, inputs: tuple) -> tuple | None:
        new = edit(shown(inputs[0]))
        return None if new is None else (new.reshape(inputs[0].shape), *inputs[1:])

    def in_place(module: Any, inputs: tuple) -> None:
        # The stream itself: what the block adds to it later adds to the replacement.
        x = shown(inputs[0])
        new = edit(x)
        if new is not None:
            x.copy_(new)

    def on_output(module: Any, inputs: tuple, output: Any) -> Any:
        # Some blocks give tuples: the activations come first.
        whole = isinstance(output, torch.Tensor)
        x = output if whole else output[0]
        new = edit(shown(x))
        if new is None:
            return None
        new = new.reshape(x.shape)
        return new if whole else (new, *output[1:])

    def measure(module: Any, inputs: tuple) -> None:
        rows[:] = inputs[0].shape[:2]

    block, module = model.blocks[site.layer], model.part(site.layer, name)
    handles = [block.register_forward_pre_hook(measure)] if model.family.flat else []
    if kind == "output":
        return [*handles, module.register_forward_hook(on_output)]
    before = in_place if kind == "stream" else on_input
    return [*handles, module.register_forward_pre_hook(before)]


def _place(model: Loaded, site: Site) -> tuple[str, str]:
    """The name of a site's module within its block, and what of it the site is: `input`, `output`,
    or `stream` for an input that the block adds to later."""
    model.check_site(site)
    family = model.family
    return {
        "B": ("", "input"),
        "Z": (family.attention, "input"),
        "A": (family.after_attention or family.attention, "output"),
        "H": (family.middle, "stream" if family.residual_sum else "output"),
        "I": (family.enters, "input"),
        "N": (family.mlp, "input"),
        "M": (family.after_mlp or family.mlp, "output"),
        "R": ("", "output"),
    }[site.position]
