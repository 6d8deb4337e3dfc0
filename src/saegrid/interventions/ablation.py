"""True ablation: L of the model less L with one feature taken away, y_t - z_j(x_t) s_t v_j.

A feature is taken away at all tokens of a prompt that are not special; the error of the SAE stays.
The prompt runs once as far as the block of the site, and from there on in the rows of a tile, each
without another feature. A tile has the shape that the prompt has in any company, and L of the model
comes from a row of the first one, so that an effect depends on prompt and feature alone.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saegrid.interventions.attribution import Attributed
from saegrid.interventions.differences import Prompts, spread
from saegrid.interventions.live import Live
from saegrid.interventions.passes import difference, take
from saegrid.models.forward import inputs_of, plan_of
from saegrid.models.hooks import editing
from saegrid.models.load import Loaded
from saegrid.models.tiles import Tile, make_tile

NONE = -1
"""Stands for a pair without a feature: the model as it is."""
SAY_EVERY = 5.0
"""Seconds between two lines on what is done."""


def planned(model: Loaded, prompts: Prompts, attributed: Attributed, pairs: np.ndarray) -> int:
    """Tokens, with padding, that are run to ablate these pairs one by one."""
    counts = np.bincount(attributed.prompt[pairs], minlength=len(prompts))
    tiles = ((_tile(model, prompts, p), counts[p]) for p in np.flatnonzero(counts).tolist())
    return sum(-(-(1 + int(n)) // len(tile.ids)) * tile.ids.size for tile, n in tiles)


def effects(
    model: Loaded,
    live: Live,
    prompts: Prompts,
    attributed: Attributed,
    pairs: np.ndarray,
    say: Callable[[str], Any] = lambda line: None,
) -> np.ndarray:
    """(pair,) float64: L - L without the feature, of some pairs of prompt and feature.

    Args:
        model: a causal model.
        live: the SAE.
        prompts: prompts with both tokens.
        attributed: attributions of the features on these prompts.
        pairs: numbers of pairs, ascending.
        say: gets a line about what will be run, before it is, and every few seconds.
    """
    total, done, began = planned(model, prompts, attributed, pairs), 0, time.monotonic()
    result, last, of = np.empty(len(pairs)), began, attributed.prompt[pairs]
    numbers = np.unique(of).tolist()
    say(f"ablation: {len(pairs):,} features on {len(numbers):,} prompts, {total:,} tokens to run")
    for number in numbers:
        own = np.flatnonzero(of == number)
        tile, values = _tile(model, prompts, number), []
        for some in _tiles(np.append(NONE, pairs[own]), tile):
            values.append(_without(model, live, prompts, attributed, number, tile, some))
            done += tile.ids.size
        plain, *without = np.concatenate(values)
        result[own] = plain - np.array(without)
        now = time.monotonic()
        if now - last >= SAY_EVERY:
            last = now
            left = (total - done) * (now - began) / done
            say(f"ablation: {done:,} of {total:,} tokens run, {left / 60:.1f} min left")
    return result


def _tiles(pairs: np.ndarray, tile: Tile) -> Iterator[np.ndarray]:
    """The pairs, as many at a time as the tile has rows."""
    for start in range(0, len(pairs), len(tile.ids)):
        yield pairs[start : start + len(tile.ids)]


def _tile(model: Loaded, prompts: Prompts, number: int) -> Tile:
    """The tile of a prompt alone; its first row holds the prompt."""
    rows = prompts.take([number]).rows
    wanted = np.arange(len(rows.ids))
    ((shape, numbers),) = plan_of(model, rows, wanted)
    return make_tile(rows, wanted, shape, numbers)


def _without(
    model: Loaded,
    live: Live,
    prompts: Prompts,
    attributed: Attributed,
    number: int,
    tile: Tile,
    pairs: np.ndarray,
) -> np.ndarray:
    """(pair,) float64: L of a prompt without the feature of each pair, at most one tile of them."""
    own = np.flatnonzero(pairs != NONE)
    starts, stops = attributed.starts[pairs[own]], attributed.starts[pairs[own] + 1]
    entry, number_of = spread(starts, stops), np.repeat(np.arange(len(own)), stops - starts)
    first, end = prompts.rows.starts[number : number + 2]
    index = own[number_of] * tile.ids.shape[1] + attributed.token[entry] - first
    rows = live.rows(torch.from_numpy(attributed.feature[pairs[own]])).cpu().double()
    off = torch.from_numpy(attributed.part[entry])[:, None] * rows[torch.from_numpy(number_of)]
    place = torch.from_numpy(index).to(model.device)

    def edit(y: Tensor) -> Tensor:
        y = y.clone(memory_format=torch.contiguous_format)
        take(y, place, off)
        return y

    alone = tile._replace(ids=tile.ids[:1], seen=tile.seen[:1])
    with (
        torch.inference_mode(),
        _widened(model, live.writes.layer, len(tile.ids)),
        editing(model, {live.writes: edit}),
    ):
        hidden = model.hidden(*inputs_of(model, alone))
        both = (
            torch.full((len(pairs),), int(ids[number])) for ids in (prompts.plus, prompts.minus)
        )
        values = difference(model, hidden[: len(pairs), end - first - 1], *both)
    return values.cpu().double().numpy()


@contextmanager
def _widened(model: Loaded, layer: int, times: int) -> Iterator[None]:
    """A context in which one row becomes so many rows at the block of a layer."""

    def widen(module: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return _times(args, times), _times(kwargs, times)

    with ExitStack() as hooks:
        for block in list(model.blocks)[layer:]:
            hooks.callback(block.register_forward_pre_hook(widen, with_kwargs=True).remove)
        yield


def _times(value: Any, times: int) -> Any:
    """An argument of a block, repeated if it has one row: the stream, masks, positions."""
    if isinstance(value, Tensor):
        return value.repeat(times, *[1] * (value.ndim - 1)) if _is_row(value) else value
    if isinstance(value, tuple | list):
        return type(value)(_times(part, times) for part in value)
    if isinstance(value, dict):
        return {key: _times(part, times) for key, part in value.items()}
    return value


def _is_row(value: Tensor) -> bool:
    return value.ndim > 1 and len(value) == 1
