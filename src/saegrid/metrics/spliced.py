"""The loss of a language model with an SAE spliced in at its site: cross-entropy and KL. A
transcoder reads its site and is spliced in at the one that it writes.

Rows are run as far as the site, for x. Then each tile of them is run again, and carried three times
from the block of the site on: as it is, with x_hat in place of x, and with zero in its place.
Tokens that are not special are replaced, and predictions made at these tokens are counted.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from saegrid.base.words import Site
from saegrid.metrics.codes import BLOCK
from saegrid.metrics.metric import Metric, MetricsError, Subject, Text, Value, Values
from saegrid.models.forward import capture, check_rows, plan_of
from saegrid.models.hooks import editing
from saegrid.models.load import Loaded, fits, load
from saegrid.models.tiles import Rows, Tile, make_tile

LOGITS = 1 << 22
"""Number of logits that are compared at a time."""
VARIANTS = ("original", "spliced", "zero")
WHERE = "over predictions made at tokens that are not special"
DEFINITIONS = {
    "ce_original": f"mean next-token cross-entropy (nats) of the model, {WHERE}",
    "ce_spliced": f"the same with x_hat in place of x at the site, {WHERE}",
    "ce_zero": f"the same with zero in place of x at the site, {WHERE}",
    "ce_recovered": "(ce_zero - ce_spliced) / (ce_zero - ce_original)",
    "kl": f"mean KL(model || spliced model) of next-token distributions (nats), {WHERE}",
}


class Spliced(Metric):
    """Cross-entropy recovered and KL with the SAE spliced in; it needs the whole model in
    memory."""

    def __init__(self, subject: Subject) -> None:
        """Set up the metric; MetricsError, before any work, if the model does not fit in memory."""
        super().__init__(subject)
        if isinstance(subject.text, Text) and not fits(subject.model, subject.memory_mb):
            raise MetricsError(
                "metrics.rows: cross-entropy needs the whole model, which does not fit in "
                f"{subject.memory_mb} MB. Raise memory.capture, or set metrics.rows to 0."
            )

    def values(self) -> Values:
        """The values; without numbers, but with the reason, if model or text do not allow them."""
        subject = self.subject
        if isinstance(subject.text, str):
            return nothing(subject.text)
        with _threads(subject.threads):
            model = load(subject.model)
            if not model.family.causal:
                return nothing(f"a {model.family.name} model does not predict the next token")
            return spliced(model, subject)


def nothing(because: str) -> Values:
    """The values without numbers, with the reason."""
    return {name: Value(None, 0, definition, because) for name, definition in DEFINITIONS.items()}


@contextmanager
def _threads(n: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def spliced(model: Loaded, subject: Subject) -> Values:
    """The values over the chosen rows of a causal model."""
    text, site = subject.text, subject.site
    place = subject.sae.writes or site
    rows = Rows(text.ids, text.starts)
    check_rows(model.source, model.sizes, rows, text.chosen)
    inside = np.isin(rows.row_of(np.arange(len(text.ids))), text.chosen)
    wanted = np.flatnonzero(inside & ~text.special)
    n, losses, kl = 0, np.zeros(len(VARIANTS)), 0.0
    with torch.inference_mode():
        for tiles, tokens in _chunks(model, rows, wanted):
            x = capture(model, rows, tokens, [site])[site]
            x_hat = torch.from_numpy(subject.reconstruct(stored(x))).to(model.device, model.dtype)
            for shape, numbers in tiles:
                tile = make_tile(rows, tokens, shape, numbers)
                with carried(model, place, tile, x_hat[tile.target]):
                    hidden = model.hidden(torch.from_numpy(tile.ids).to(model.device))
                count, loss, divergence = _compare(model, tile, hidden)
                n, losses, kl = n + count, losses + loss, kl + divergence
    if not n:
        return nothing("no chosen row has two tokens in a row that are not special")
    original, with_sae, zero = (float(loss) / n for loss in losses)
    gap = zero - original
    means = {
        "ce_original": original,
        "ce_spliced": with_sae,
        "ce_zero": zero,
        "ce_recovered": (zero - with_sae) / gap if gap else None,
        "kl": kl / n,
    }
    because = "the site makes no difference: zero in its place changes nothing"
    return {
        name: Value(value, n, DEFINITIONS[name], because if value is None else "")
        for name, value in means.items()
    }


def _chunks(
    model: Loaded, rows: Rows, wanted: np.ndarray
) -> Iterator[tuple[list[tuple[tuple[int, int], np.ndarray]], np.ndarray]]:
    """Groups of tiles with about `BLOCK` tokens each, and the wanted tokens in them, ascending."""
    row = rows.row_of(wanted)
    tiles: list[tuple[tuple[int, int], np.ndarray]] = []
    size = 0
    for shape, numbers in plan_of(model, rows, wanted):
        tiles.append((shape, numbers))
        size += shape[0] * shape[1]
        if size >= BLOCK:
            yield tiles, wanted[np.isin(row, np.concatenate([n for _, n in tiles]))]
            tiles, size = [], 0
    if tiles:
        yield tiles, wanted[np.isin(row, np.concatenate([n for _, n in tiles]))]


def stored(x: torch.Tensor) -> np.ndarray:
    """Activations in the form of files: bfloat16 as its bits."""
    return x.view(torch.int16).numpy().view(np.uint16) if x.dtype == torch.bfloat16 else x.numpy()


@contextmanager
def carried(model: Loaded, site: Site, tile: Tile, x_hat: torch.Tensor) -> Iterator[None]:
    """A context in which the model carries a tile three times from the site's block on.

    The output has the rows of the tile unchanged, then with x_hat, then with zero at the kept
    tokens; x_hat: (kept, channel), in the order of the tile's kept tokens.
    """
    n_rows, kept = len(tile.ids), torch.from_numpy(tile.source).to(model.device)

    def widen(module: Any, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return _times(args, n_rows), _times(kwargs, n_rows)

    def replace(x: torch.Tensor) -> torch.Tensor:
        x = x.clone(memory_format=torch.contiguous_format)
        _, spliced, zero = x.view(len(VARIANTS), -1, x.shape[-1])
        spliced[kept], zero[kept] = x_hat, 0
        return x

    with ExitStack() as hooks:
        for block in list(model.blocks)[site.layer :]:
            handle = block.register_forward_pre_hook(widen, with_kwargs=True)
            hooks.callback(handle.remove)
        hooks.enter_context(editing(model, {site: replace}))
        yield


def _times(value: Any, n_rows: int) -> Any:
    """An argument of a block, repeated three times if it has rows: the stream, masks, positions."""
    if isinstance(value, torch.Tensor) and value.ndim > 1 and len(value) == n_rows:
        return value.repeat(len(VARIANTS), *[1] * (value.ndim - 1))
    if isinstance(value, tuple | list):
        return type(value)(_times(part, n_rows) for part in value)
    if isinstance(value, dict):
        return {key: _times(part, n_rows) for key, part in value.items()}
    return value


def _compare(model: Loaded, tile: Tile, hidden: torch.Tensor) -> tuple[int, np.ndarray, float]:
    """The number of predictions of a tile, the sum of their losses by variant, and the sum of KL.

    hidden: (variant * row, position, d_model), after the final norm.
    """
    row, position = np.divmod(tile.source, tile.ids.shape[1])
    at = tile.source[position + 1 < tile.seen.sum(axis=1)[row]]
    # Not every device has float64.
    exact = torch.device("cpu") if model.device.type == "mps" else model.device
    target = torch.from_numpy(tile.ids.ravel()[at + 1]).to(exact)
    streams = hidden.reshape(len(VARIANTS), -1, hidden.shape[-1])
    losses, kl = np.zeros(len(VARIANTS)), 0.0
    step = max(1, LOGITS // (len(VARIANTS) * model.sizes.d_vocab))
    indices = torch.from_numpy(at).to(model.device)
    for some, goal in zip(indices.split(step), target.split(step), strict=True):
        log_p = model.logits(streams[:, some]).to(exact).double().log_softmax(-1)
        chosen = log_p.gather(-1, goal.expand(len(VARIANTS), -1)[..., None])
        losses -= chosen.sum((1, 2)).cpu().numpy()
        original, with_sae, _ = log_p
        kl += float((original.exp() * (original - with_sae)).sum())
    return len(at), losses, kl
