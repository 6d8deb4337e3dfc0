"""Checks of a loaded model by what it does: that the names of its family mean what they should."""

import torch

from saegrid.models.hooks import editing, reading
from saegrid.models.load import Loaded, ModelError
from saegrid.words import POSITIONS, Site

ROWS, LENGTH, SEED = 2, 8, 0
ROUNDINGS = 8
"""Roundings of the dtype by which a sum of three terms may be off."""


def check(model: Loaded) -> None:
    """Check a model on a few random tokens; costs about six short forward passes.

    Hooks that read leave the output as it is, bit for bit. R = R of the layer before + A + M where
    the family says so. An edit of each position of the last layer changes the output.

    Raises:
        ModelError: names the site and what was expected.
    """
    if len(model.blocks) != model.sizes.n_layers:
        raise ModelError(
            f"{model.source}: config.json promises {model.sizes.n_layers} layers, the model has "
            f"{len(model.blocks)} blocks. {_mend(model)}"
        )
    generator = torch.Generator().manual_seed(SEED)
    shape = (ROWS, min(LENGTH, model.sizes.context))
    ids = torch.randint(model.sizes.d_vocab, shape, generator=generator).to(model.device)
    with torch.inference_mode():
        plain = model.output(ids)
        _check_reading(model, ids, plain)
        _check_editing(model, ids, plain)


def _mend(model: Loaded) -> str:
    return (
        f"The family {model.family.name!r} does not describe this model: set model.family, or "
        "mend the family's file."
    )


def _check_reading(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Hooks change nothing, and the residual stream adds up."""
    x: dict[Site, torch.Tensor] = {}
    sites = [Site(layer, p) for layer in range(model.sizes.n_layers) for p in POSITIONS]
    readers = {site: lambda seen, site=site: x.__setitem__(site, seen) for site in sites}
    entering: list[torch.Tensor] = []

    def first(module: torch.nn.Module, inputs: tuple) -> None:
        entering.append(inputs[0])

    handle = model.blocks[0].register_forward_pre_hook(first)
    try:
        with reading(model, readers):
            hooked = model.output(ids)
    finally:
        handle.remove()
    if not torch.equal(hooked, plain):
        raise ModelError(
            f"{model.source}: hooks that only read changed the output, which must stay equal bit "
            f"for bit. {_mend(model)}"
        )
    for site in sites:
        if x[site].shape[-1] != model.width(site):
            raise ModelError(
                f"{model.source}: {site} must have {model.width(site)} channels; "
                f"got {x[site].shape[-1]}. {_mend(model)}"
            )
    if model.family.residual_sum:
        _check_sums(model, x, entering[0])


def _check_sums(model: Loaded, x: dict[Site, torch.Tensor], entering: torch.Tensor) -> None:
    """R = what enters the block + A + M."""
    bound = ROUNDINGS * torch.finfo(model.dtype).eps
    for layer in range(model.sizes.n_layers):
        r = x[Site(layer, "R")].double()
        terms = [entering.double(), x[Site(layer, "A")].double(), x[Site(layer, "M")].double()]
        off = (r - sum(terms)).abs().max().item()
        scale = max(term.abs().max().item() for term in [r, *terms])
        if not off <= bound * scale:
            raise ModelError(
                f"{model.source}: {Site(layer, 'R')} must be the residual stream before it + A + "
                f"M; it is off by {off:.3g} where {bound * scale:.3g} is rounding. {_mend(model)}"
            )
        entering = x[Site(layer, "R")]


def _check_editing(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """An edit of any position of the last layer reaches the output."""
    for position in POSITIONS:
        site = Site(model.sizes.n_layers - 1, position)
        with editing(model, {site: lambda x: x.flip(-1) + 1}):
            edited = model.output(ids)
        if torch.equal(edited, plain):
            raise ModelError(
                f"{model.source}: an edit of {site} must change the output; it changed nothing. "
                f"{_mend(model)}"
            )
