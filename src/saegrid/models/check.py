"""Checks of a loaded model by its behaviour: that the names of its family mean the right parts."""

from collections.abc import Callable

import torch

from saegrid.base.words import POSITIONS, Site
from saegrid.models.hooks import editing, forward_order, reading
from saegrid.models.load import Loaded, ModelError

ROWS, LENGTH, SEED = 2, 8, 0
ROUNDINGS = 8
"""Number of roundings of the dtype by which a sum of three terms may be off."""


def check(model: Loaded) -> None:
    """Check a model on a few random tokens, at the cost of about six short forward passes.

    Hooks that read must leave the output unchanged, bit for bit. R must equal R of the layer before
    + A + M if the family says so. An edit of each position of the last layer must change the
    output.

    Raises:
        ModelError: a check fails; the message names the site and what was expected.
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


def check_layer(model: Loaded, layer: int, ids: torch.Tensor, seen: torch.Tensor | None) -> None:
    """Check the only loaded block of a model by its own output R, see `check`.

    ids: (row, position) int64; seen: (row, position) bool or None; see `Loaded.hidden`.

    Raises:
        ModelError: a check fails; the message names the site and what was expected.
    """
    whole = Site(layer, "R")
    plain = _block_output(model, whole, ids, seen, {})
    x: dict[Site, torch.Tensor] = {}
    sites = [Site(layer, position) for position in POSITIONS]
    entering: list[torch.Tensor] = []
    handle = model.blocks[layer].register_forward_pre_hook(
        lambda module, inputs: entering.append(inputs[0])
    )
    try:
        with reading(model, {site: _keep(x, site) for site in sites}):
            model.hidden(ids, seen)
    finally:
        handle.remove()
    _check_shown(model, x, x[whole], plain)
    if model.family.residual_sum:
        _check_sum(model, layer, x, entering[0])
    for position in "ANM":
        edit = {Site(layer, position): _turn}
        edited = _block_output(model, whole, ids, seen, edit)
        _check_edited(model, Site(layer, position), edited, plain)


def _block_output(
    model: Loaded, whole: Site, ids: torch.Tensor, seen: torch.Tensor | None, edits: dict
) -> torch.Tensor:
    """The R of a block with some edits within it."""
    x: dict[Site, torch.Tensor] = {}
    with editing(model, edits), reading(model, {whole: _keep(x, whole)}):
        model.hidden(ids, seen)
    return x[whole]


def _keep(x: dict[Site, torch.Tensor], site: Site) -> Callable[[torch.Tensor], None]:
    def keep(seen: torch.Tensor) -> None:
        x[site] = seen

    return keep


def _turn(x: torch.Tensor) -> torch.Tensor:
    """Change any activations, as the edit of a check."""
    return x.flip(-1) + 1


def _mend(model: Loaded) -> str:
    return (
        f"The family {model.family.name!r} does not describe this model: set model.family, or "
        "mend the family's file."
    )


def _check_reading(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Check that reading hooks change nothing, and that the residual stream adds up."""
    x: dict[Site, torch.Tensor] = {}
    sites = [Site(layer, p) for layer in range(model.sizes.n_layers) for p in POSITIONS]
    entering: list[torch.Tensor] = []

    def first(module: torch.nn.Module, inputs: tuple) -> None:
        entering.append(inputs[0])

    handle = model.blocks[0].register_forward_pre_hook(first)
    try:
        with reading(model, {site: _keep(x, site) for site in sites}):
            hooked = model.output(ids)
    finally:
        handle.remove()
    _check_shown(model, x, hooked, plain)
    if model.family.residual_sum:
        for layer in range(model.sizes.n_layers):
            _check_sum(model, layer, x, x[Site(layer - 1, "R")] if layer else entering[0])


def _check_shown(
    model: Loaded, x: dict[Site, torch.Tensor], hooked: torch.Tensor, plain: torch.Tensor
) -> None:
    """Check that reading hooks changed nothing and showed the right number of channels."""
    if not torch.isfinite(plain).all():
        first = min((site for site in x if not torch.isfinite(x[site]).all()), key=forward_order)
        raise ModelError(
            f"{model.source}: {first} holds NaN or infinity. Activations must be finite: take "
            "dtype bfloat16 or float32 instead of float16, and check the checkpoint."
        )
    if not torch.equal(hooked, plain):
        raise ModelError(
            f"{model.source}: hooks that only read changed the output, which must stay equal bit "
            f"for bit. {_mend(model)}"
        )
    for site, shown in sorted(x.items(), key=lambda item: item[0]):
        if shown.shape[-1] != model.width(site):
            raise ModelError(
                f"{model.source}: {site} must have {model.width(site)} channels; "
                f"got {shown.shape[-1]}. {_mend(model)}"
            )


def _check_sum(
    model: Loaded, layer: int, x: dict[Site, torch.Tensor], entering: torch.Tensor
) -> None:
    """Check that R = the stream that enters the block + A + M."""
    r = x[Site(layer, "R")].double()
    terms = [entering.double(), x[Site(layer, "A")].double(), x[Site(layer, "M")].double()]
    off = (r - sum(terms)).abs().max().item()
    scale = max(term.abs().max().item() for term in [r, *terms])
    bound = ROUNDINGS * torch.finfo(model.dtype).eps * scale
    if not off <= bound:
        raise ModelError(
            f"{model.source}: {Site(layer, 'R')} must be the residual stream before it + A + "
            f"M; it is off by {off:.3g} where {bound:.3g} is rounding. {_mend(model)}"
        )


def _check_editing(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Check that an edit of any position of the last layer reaches the output."""
    for position in POSITIONS:
        site = Site(model.sizes.n_layers - 1, position)
        with editing(model, {site: _turn}):
            _check_edited(model, site, model.output(ids), plain)


def _check_edited(model: Loaded, site: Site, edited: torch.Tensor, plain: torch.Tensor) -> None:
    if torch.equal(edited, plain):
        raise ModelError(
            f"{model.source}: an edit of {site} must change the output; it changed nothing. "
            f"{_mend(model)}"
        )
