"""Passes of a model over prompts, to the difference of two logits and back to a site.

Rows run in tiles of fixed shapes, so that the numbers of a prompt depend on it alone.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saegrid.capture.surprisal import head_of
from saegrid.interventions.differences import BEST, Prompts
from saegrid.interventions.live import Live
from saegrid.models import check as parts
from saegrid.models.forward import check_rows, inputs_of, plan_of
from saegrid.models.hooks import editing, reading
from saegrid.models.load import Loaded, ModelError, fits, load
from saegrid.models.tiles import Tile, make_tile


class Passed(NamedTuple):
    """The numbers that a pass of some prompts leaves, on the CPU; tokens as in `Prompts.rows`."""

    difference: np.ndarray
    """(prompt,) float64: L."""
    x: Tensor
    """(token, channel) activations at the site that is read."""
    y: Tensor
    """(token, channel) activations at the site that is written, as the model has them."""
    gradient: Tensor
    """(token, channel) dL / dy; zero where no backward pass was made."""


def whole(model: Mapping[str, Any], memory_mb: int) -> Loaded:
    """A causal model in memory; ModelError where it does not fit, or predicts no next token."""
    if not fits(model, memory_mb):
        raise ModelError(
            f"analyses.attribution needs the whole model, which does not fit in {memory_mb} MB. "
            "Raise memory.capture, or leave the section out."
        )
    loaded = load(model)
    check(loaded)
    parts.check(loaded)
    return loaded


def check(model: Loaded) -> None:
    """ModelError where a model has no logits of a next token."""
    if not model.family.causal:
        raise ModelError(
            f"{model.source}: a {model.family.name} model does not predict the next token, so that "
            "no feature can be held against its logits. Take a causal model."
        )


def run(
    model: Loaded, prompts: Prompts, live: Live, taken: Tensor | None = None, back: bool = True
) -> Passed:
    """A forward pass of the prompts, and a backward pass of all their differences as far as the
    site that is written.

    taken: (token, channel) float64 that is taken off the activations there, one cast at the end.
    """
    rows, wanted = prompts.rows, np.arange(len(prompts.rows.ids))
    check_rows(model.source, model.sizes, rows, np.arange(len(prompts)))
    differences = np.empty(len(prompts))
    parts: list[tuple[np.ndarray, Tensor, Tensor, Tensor]] = []
    for shape, numbers in plan_of(model, rows, wanted):
        tile = make_tile(rows, wanted, shape, numbers)
        source = torch.from_numpy(tile.source).to(model.device)
        ends = torch.from_numpy(np.append(rows.starts[numbers + 1], 0) - 1)[:-1]
        edit = None if taken is None else (source, taken[tile.target])
        with torch.set_grad_enabled(back), _quick(model, back):
            x, y, hidden = _forward(model, live, tile, edit, back)
            last = hidden[torch.arange(len(numbers)), ends - torch.from_numpy(rows.starts[numbers])]
            pair = (torch.from_numpy(ids[numbers]) for ids in (prompts.plus, prompts.minus))
            value = difference(model, last, *pair)
            g = torch.autograd.grad(value.sum(), y)[0] if back else torch.zeros_like(y)
        differences[numbers] = value.detach().cpu().double().numpy()
        flat = (one.detach().flatten(0, 1)[source].cpu() for one in (x, y, g))
        parts.append((tile.target, *flat))
    order = torch.from_numpy(np.argsort(np.concatenate([part[0] for part in parts])))
    x, y, g = (torch.cat([part[k] for part in parts])[order] for k in (1, 2, 3))
    return Passed(differences, x, y, g)


def _forward(
    model: Loaded,
    live: Live,
    tile: Tile,
    taken: tuple[Tensor, Tensor] | None,
    back: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Activations (row, position, channel) at the site that is read and at the one that is written,
    from which a graph goes to the last hidden states."""
    held: dict[str, Tensor] = {}

    def read(x: Tensor) -> None:
        held["x"] = x.detach().clone()

    def cut(y: Tensor) -> Tensor:
        y = y.detach().clone()
        if taken is not None:
            take(y, *taken)
        held["y"] = y.requires_grad_(back)
        return y

    with ExitStack() as hooks:
        hooks.enter_context(reading(model, {live.site: read}))
        hooks.enter_context(editing(model, {live.writes: cut}))
        hidden = model.hidden(*inputs_of(model, tile))
    return held["x"], held["y"], hidden


class _Linear(torch.autograd.Function):
    """A linear map whose backward product is one of float32."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(weight)
        return torch.nn.functional.linear(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        (weight,) = ctx.saved_tensors
        return (g.float() @ weight.float()).to(g.dtype), None, None


@contextmanager
def _quick(model: Loaded, back: bool) -> Iterator[None]:
    """A context in which backward products on a CPU are those of float32 where the model is
    narrower: without instructions for it, they take twenty times as long in bfloat16 (measured)."""
    narrow = back and model.device.type == "cpu" and model.dtype.itemsize < 4
    parts = [part for part in model.body.modules() if type(part) is torch.nn.Linear]
    parts = parts if narrow else []
    for part in parts:
        part.forward = lambda x, part=part: _Linear.apply(x, part.weight, part.bias)
    try:
        yield
    finally:
        for part in parts:
            del part.forward


def take(y: Tensor, index: Tensor, off: Tensor) -> None:
    """Take `off` (token, channel) off the tokens `index` of y (row, position, channel), in place:
    in the wider of float32 and the model's dtype, one cast at the end."""
    flat = y.view(-1, y.shape[-1])
    wide = torch.promote_types(y.dtype, torch.float32)
    flat[index] = (flat[index].to(wide) - off.to(wide).to(y.device)).to(y.dtype)


def difference(model: Loaded, hidden: Tensor, plus: Tensor, minus: Tensor) -> Tensor:
    """L (row,): the logit of `plus` less that of `minus`, of last hidden states (row, d_model).

    Two rows of the unembedding are multiplied, in float32 whatever the model's dtype.
    """
    head, names = model.model.get_output_embeddings(), model.unembedding
    wide = torch.promote_types(hidden.dtype, torch.float32)
    ids = torch.stack([plus, minus], 1).to(hidden.device)
    logits = (hidden.to(wide)[:, None] * head.weight[ids].to(wide)).sum(-1)
    if getattr(head, "bias", None) is not None:
        logits = logits + head.bias[ids].to(wide)
    if names is not None:
        logits = logits * names.scale if names.scale != 1 else logits
        softcap = names.softcap
        logits = softcap * torch.tanh(logits / softcap) if softcap else logits
    return logits[:, 0] - logits[:, 1]


def against_best(model: Loaded, prompts: Prompts) -> Prompts:
    """The prompts with the best other token of the model where none is named."""
    check(model)
    rows, minus = prompts.rows, prompts.minus.copy()
    open_ = np.flatnonzero(minus == BEST)
    if not len(open_):
        return prompts
    check_rows(model.source, model.sizes, rows, open_)
    ends, head = rows.starts[open_ + 1] - 1, head_of(model)
    with torch.inference_mode():
        for shape, numbers in plan_of(model, rows, ends):
            tile = make_tile(rows, ends, shape, numbers)
            hidden = model.hidden(*inputs_of(model, tile))
            last = np.zeros(
                shape[0], np.int64
            )  # the tile's height, so that a row's bits are its own
            last[: len(numbers)] = np.diff(rows.starts)[numbers] - 1
            states = hidden[torch.arange(shape[0]), torch.from_numpy(last)]
            plus = torch.zeros(shape[0], dtype=torch.int64)
            plus[: len(numbers)] = torch.from_numpy(prompts.plus[numbers])
            best = torch.full((shape[0],), -torch.inf, dtype=torch.float64)
            other = torch.zeros_like(plus)
            for start, block in head.blocks():
                logits = head.logits(states, start, block).cpu()
                own = (plus >= start) & (plus < start + len(block))
                logits[own, plus[own] - start] = -torch.inf
                value, at = logits.max(1)
                other = torch.where(value > best, at + start, other)
                best = torch.maximum(value, best)
            minus[numbers] = other[: len(numbers)].numpy()
    return replace(prompts, minus=minus)
