"""Checks of a loaded model by its behaviour: that the names of its family mean the right parts."""

from collections.abc import Callable

import torch

from saegrid.base.words import Site
from saegrid.models.hooks import editing, forward_order, reading
from saegrid.models.load import Loaded, ModelError

ROWS, LENGTH, SEED = 2, 8, 0
ROUNDINGS = 8
"""Number of roundings of the dtype by which a sum of three terms may be off."""
TOKENS = 1000
"""Number of tokens whose logits are computed again."""
LOGITS = 1e-4
"""Share of the largest logit by which these may be off in float32."""


def check(model: Loaded) -> None:
    """Check a model on a few random tokens, at the cost of about a dozen short forward passes.

    The last R must give the model's own logits through the final norm and the unembedding. Hooks
    that read must leave the output unchanged, bit for bit, and be called in the order of the sites.
    R must equal R of the layer before + A + M if the family says so. An edit of each position of
    the last layer must change the output.

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
    tokens = torch.randperm(model.sizes.d_vocab, generator=generator)[:TOKENS]
    with torch.inference_mode():
        plain = model.output(ids)
        _check_logits(model, ids, plain, tokens.to(model.device))
        _check_causal(model, ids, plain)
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
    sites = [Site(layer, position) for position in model.positions]
    with reading(model, {site: _keep(x, site) for site in sites}):
        model.hidden(ids, seen)
    _check_shown(model, x, x[whole], plain)
    _check_sum(model, layer, x)
    for site in sites:
        if site != whole:
            edited = _block_output(model, whole, ids, seen, {site: _turn})
            _check_edited(model, site, edited, plain)


def logits_of(model: Loaded, x: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor | None:
    """The logits (..., token) of some tokens, float64, as the family computes them from the last
    residual stream x (..., d_model); None without a linear unembedding."""
    names = model.unembedding
    if names is None:
        return None
    x = _exact(x)
    if names.kind == "layer":
        x = x - x.mean(-1, keepdim=True)
    if names.kind != "none":
        x = x / (x.pow(2).mean(-1, keepdim=True) + names.eps).sqrt()
    if names.norm_weight:
        x = x * (_exact(model.tensor(names.norm_weight)) + names.plus)
    if names.norm_bias:
        x = x + _exact(model.tensor(names.norm_bias))
    if names.project:
        x = x @ _exact(model.tensor(names.project)).T
    logits = x @ _exact(model.model.get_output_embeddings().weight[tokens]).T
    if names.bias:
        logits = logits + _exact(model.tensor(names.bias)[tokens])
    logits = logits * names.scale
    return names.softcap * torch.tanh(logits / names.softcap) if names.softcap else logits


def _exact(x: torch.Tensor) -> torch.Tensor:
    """The numbers as float64, which not every device has."""
    return x.detach().cpu().double()


def _check_logits(
    model: Loaded, ids: torch.Tensor, plain: torch.Tensor, tokens: torch.Tensor
) -> None:
    """Check that norm and unembedding of the family turn the last R into the model's logits."""
    last = Site(model.sizes.n_layers - 1, "R")
    x: dict[Site, torch.Tensor] = {}
    with reading(model, {last: _keep(x, last)}):
        hidden = model.hidden(ids)
    if not model.family.causal:
        return
    computed = [model.logits(hidden)[..., tokens]]
    if model.family.outlined:
        computed += [model.logits(_normed(model, x[last], hidden))[..., tokens]]
    elif (from_last := logits_of(model, x[last], tokens)) is not None:
        computed += [from_last]
    own = _exact(plain[..., tokens])
    scale = own.abs().max().item()
    bound = max(LOGITS, ROUNDINGS * torch.finfo(model.dtype).eps) * scale
    for logits in computed:
        off = (_exact(logits) - own).abs().max().item()
        # A number that is not finite is told later, with its site.
        if off > bound:
            raise ModelError(
                f"{model.source}: {last} must give the model's own logits through the final norm "
                f"and the unembedding of its family; they are off by {off:.3g} where {bound:.3g} "
                f"is rounding. {_mend(model)}"
            )


def _check_causal(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Check that a causal model's output does not depend on later tokens, so that padding on the
    right counts for nothing."""
    if not model.family.causal or ids.shape[1] < 2:
        return
    other = ids.clone()
    other[:, -1] = (ids[:, -1] + 1) % model.sizes.d_vocab
    before, after = (_exact(output[:, :-1]) for output in (plain, model.output(other)))
    bound = max(LOGITS, ROUNDINGS * torch.finfo(model.dtype).eps) * before.abs().max().item()
    if (before - after).abs().max().item() > bound:
        raise ModelError(
            f"{model.source}: a token must attend to itself and the tokens before it alone; here "
            "later ones count too. Take a model that predicts the next token."
        )


def _normed(model: Loaded, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
    """The last residual stream through the norm beside the blocks that gives the nearest to the
    last hidden state; itself where there is none."""
    beside = model.body.get_submodule(model.family.blocks.rpartition(".")[0])
    norms = [m for name, m in beside.named_children() if "norm" in name or "ln" in name]
    normed = [x, *(norm(x) for norm in norms)]
    return min(normed, key=lambda one: (one - hidden).abs().max().item())


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
    if model.family.outlined:
        return (
            f"The architecture {model.family.name} has no row in the table of families, and what "
            "its structure suggests is wrong: write a row for it."
        )
    return (
        f"The family {model.family.name!r} does not describe this model: set model.family, or "
        "mend the family's file."
    )


def _check_reading(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Check that reading hooks change nothing, and that the residual stream adds up."""
    x: dict[Site, torch.Tensor] = {}
    layers = range(model.sizes.n_layers)
    sites = [Site(layer, position) for layer in layers for position in model.positions]
    with reading(model, {site: _keep(x, site) for site in sites}):
        hooked = model.output(ids)
    _check_shown(model, x, hooked, plain)
    for layer in layers:
        _check_sum(model, layer, x)


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
    for layer in sorted({site.layer for site in x}):
        order = [site for site in x if site.layer == layer]
        if order != sorted(order, key=forward_order):
            raise ModelError(
                f"{model.source}: a forward pass must reach the positions of block {layer} in the "
                f"order {_listed(sorted(order, key=forward_order))}; it reached {_listed(order)}. "
                f"{_mend(model)}"
            )
    for site, shown in sorted(x.items(), key=lambda item: item[0]):
        if shown.shape[-1] != model.width(site):
            raise ModelError(
                f"{model.source}: {site} must have {model.width(site)} channels; "
                f"got {shown.shape[-1]}. {_mend(model)}"
            )


def _listed(sites: list[Site]) -> str:
    return ", ".join(site.position for site in sites)


def _check_sum(model: Loaded, layer: int, x: dict[Site, torch.Tensor]) -> None:
    """Check that R = B + A + M, and H = B + A, where the family says so."""
    if not model.family.residual_sum:
        return
    at = {site.position: _exact(x[site]) for site in x if site.layer == layer}
    factor = model.family.factor(model.model.config.to_dict())
    for total, parts, words in (
        ("R", "AM", "the residual stream before it + A + M"),
        ("H", "A", "the residual stream before it + A"),
    ):
        if total not in at:
            continue
        off = (at[total] - at["B"] - factor * sum(at[part] for part in parts)).abs().max().item()
        scale = max(at[part].abs().max().item() for part in ("B", total, *parts))
        bound = ROUNDINGS * torch.finfo(model.dtype).eps * scale
        if not off <= bound:
            raise ModelError(
                f"{model.source}: {Site(layer, total)} must be {words}; it is off by {off:.3g} "
                f"where {bound:.3g} is rounding. {_mend(model)}"
            )


def _check_editing(model: Loaded, ids: torch.Tensor, plain: torch.Tensor) -> None:
    """Check that an edit of any position of the last layer reaches the output."""
    for position in model.positions:
        site = Site(model.sizes.n_layers - 1, position)
        with editing(model, {site: _turn}):
            _check_edited(model, site, model.output(ids), plain)


def _check_edited(model: Loaded, site: Site, edited: torch.Tensor, plain: torch.Tensor) -> None:
    if torch.equal(edited, plain):
        raise ModelError(
            f"{model.source}: an edit of {site} must change the output; it changed nothing. "
            f"{_mend(model)}"
        )
