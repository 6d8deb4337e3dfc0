"""Surprisal: -log p of a token after the tokens before it in its row, under the model itself.

Rows run in the tiles of a capture. The last hidden states of the tokens before those that are asked
for meet the unembedding in blocks of one height and width, the last ones filled with zeros, so that
a number depends on its row alone. Logits are float32, their softmax float64; never more of them are
held than a block has. A model that is too large for the memory runs block by block, to the same
numbers.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from saegrid.base.words import PLAIN, Site
from saegrid.capture.activations import read
from saegrid.capture.corpus import MEMORY_MB
from saegrid.capture.finished import is_finished, stored
from saegrid.capture.layers import capture_layers
from saegrid.models import family_of, read_config, unembedding_names
from saegrid.models.check import check
from saegrid.models.forward import (
    CaptureError,
    Progress,
    Say,
    check_rows,
    inputs_of,
    plan_of,
    tokens_of,
)
from saegrid.models.layers import Layers, architecture, open_layers
from saegrid.models.load import DTYPES, Loaded, fits, folder_of, load
from saegrid.models.tensors import tensor_files, tensor_rows
from saegrid.models.tiles import Rows, make_tile, rows_of

HEIGHT, WIDTH = 256, 8192
"""Numbers of predictions and of tokens of the vocabulary in one product."""
NOTHING = "the model does not predict the next token: no surprisal"
DEFINITION = (
    "surprisal: sum of -log p(token | tokens before it in its row) in nats over the tokens of the "
    "edit, of a plain text over all of its tokens; mean: per token; first: of the first token; "
    "special tokens are left out; null where there is no token, or one that nothing stands before"
)
SCHEMA = pa.schema(
    [
        ("item", pa.int32()),
        ("side", pa.string()),
        ("n_tokens", pa.int32()),
        ("surprisal", pa.float64()),
        ("mean", pa.float64()),
        ("first", pa.float64()),
    ]
)
"""Columns of surprisal.parquet."""


class Surprisals(NamedTuple):
    """The surprisals of a corpus."""

    table: pa.Table
    """A row for each item and side, in the order of the spans; see `SCHEMA`."""
    facts: dict[str, Any]
    """`definition`, and `because`: the reason why there are no numbers, else empty."""


class Spans(NamedTuple):
    """The tokens of each item and side, in flat arrays."""

    item: np.ndarray
    """(span,) int32: number of the item."""
    side: list[str]
    """Side of each span."""
    starts: np.ndarray
    """(span + 1,) int64: first entry of each span in `tokens`."""
    tokens: np.ndarray
    """(entry,) int64: token indices."""


@dataclass(frozen=True)
class Head:
    """An unembedding that is read by rows."""

    rows: Callable[[int, int], torch.Tensor]
    """Its rows from a first to a last one, float32."""
    d_vocab: int
    bias: torch.Tensor | None
    scale: float
    softcap: float | None

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """The rows, `WIDTH` at a time, each with the number of the first."""
        for start in range(0, self.d_vocab, WIDTH):
            yield start, self.rows(start, min(start + WIDTH, self.d_vocab))

    def logits(self, hidden: torch.Tensor, start: int, rows: torch.Tensor) -> torch.Tensor:
        """The logits (prediction, token), float64, of the tokens of a block from `start` on."""
        logits = hidden.float() @ rows.T
        if self.bias is not None:
            logits = logits + self.bias[start : start + len(rows)].float()
        logits = logits * self.scale if self.scale != 1 else logits
        if self.softcap:
            logits = self.softcap * torch.tanh(logits / self.softcap)
        # Not every device has float64.
        return (logits.cpu() if logits.device.type == "mps" else logits).double()


class _Sums:
    """The log of the sum of exp(logit), and the logit of the token that came, block by block."""

    def __init__(self, target: torch.Tensor) -> None:
        """target: (prediction,) int64, ids of the tokens that came."""
        self.target = target
        self.total = torch.full(target.shape, -torch.inf, dtype=torch.float64, device=target.device)
        self.own = self.total.clone()

    def add(self, logits: torch.Tensor, start: int) -> None:
        """Take in the logits (prediction, token) of the tokens from `start` on."""
        place = self.target - start
        inside = (place >= 0) & (place < logits.shape[1])
        own = logits.gather(1, place.clamp(0, logits.shape[1] - 1)[:, None])[:, 0]
        self.own = torch.where(inside, own, self.own)
        self.total = torch.logaddexp(self.total, logits.logsumexp(1))

    def nats(self) -> np.ndarray:
        """Surprisals (prediction,) float64."""
        return (self.total - self.own).clamp(min=0).cpu().numpy()


def head_of(model: Loaded) -> Head:
    """The unembedding of a causal model in memory."""
    head, names = model.model.get_output_embeddings(), model.unembedding
    scale, softcap = (1.0, None) if names is None else (names.scale, names.softcap)
    weight = head.weight

    def rows(start: int, stop: int) -> torch.Tensor:
        return weight[start:stop].float()

    return Head(rows, len(weight), getattr(head, "bias", None), scale, softcap)


def head_on_disk(model: Mapping[str, Any], device: torch.device) -> Head:
    """The unembedding of a causal model's checkpoint, rounded to the dtype of the model."""
    folder, dtype = folder_of(model), DTYPES[model.get("dtype", "float32")]
    files = tensor_files(folder)
    names = unembedding_names(read_config(folder), files, model.get("family", "auto"))
    weight = tensor_rows(files, names.unembed)

    def tensor(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(values)).to(dtype).float().to(device)

    bias = tensor(tensor_rows(files, names.bias)[:]) if names.bias else None
    return Head(
        lambda start, stop: tensor(weight[start:stop]),
        weight.shape[0],
        bias,
        names.scale,
        names.softcap,
    )


def _filled(values: torch.Tensor) -> torch.Tensor:
    """Up to `HEIGHT` rows, with zeros behind them up to that height."""
    room = values.new_zeros((HEIGHT, *values.shape[1:]))
    room[: len(values)] = values
    return room


def _exact(values: np.ndarray, device: torch.device) -> torch.Tensor:
    """Token ids, filled up, on the device on which float64 is."""
    return _filled(torch.from_numpy(values)).to("cpu" if device.type == "mps" else device)


def _chunks(
    parts: Iterable[tuple[torch.Tensor, np.ndarray]],
) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Hidden states (prediction, channel) with their places, `HEIGHT` at a time."""
    hidden, places = None, np.zeros(0, np.int64)
    for some, where in parts:
        hidden = some if hidden is None else torch.cat([hidden, some])
        places = np.concatenate([places, where])
        while len(places) >= HEIGHT:
            yield hidden[:HEIGHT], places[:HEIGHT]
            hidden, places = hidden[HEIGHT:], places[HEIGHT:]
    if len(places):
        yield _filled(hidden), places


def surprisals(model: Loaded, rows: Rows, wanted: np.ndarray, say: Say) -> np.ndarray:
    """Surprisals (token,) float64 of the `wanted` tokens under a causal model in memory.

    wanted: (token,) int64, ascending indices of tokens that are not the first of their row.

    Raises:
        CaptureError: a row is too long, a token id is unknown, or a logit is not finite.
    """
    check_rows(model.source, model.sizes, rows, np.unique(rows.row_of(wanted)))
    before, plan, head = wanted - 1, plan_of(model, rows, wanted - 1), head_of(model)
    counts = tokens_of(rows, plan)
    progress = Progress(lambda line: say(line.replace("capture", "surprisal", 1)), sum(counts))

    def states() -> Iterator[tuple[torch.Tensor, np.ndarray]]:
        for shape, numbers in plan:
            tile = make_tile(rows, before, shape, numbers)
            hidden = model.hidden(*inputs_of(model, tile)).flatten(0, 1)
            yield hidden[torch.from_numpy(tile.source).to(model.device)], tile.target
            progress.add(tile.n_tokens)

    nats = np.zeros(len(wanted))
    with torch.inference_mode():
        for hidden, places in _chunks(states()):
            sums = _Sums(_exact(rows.ids[wanted[places]], model.device))
            for start, block in head.blocks():
                sums.add(head.logits(hidden, start, block), start)
            nats[places] = sums.nats()[: len(places)]
    return _checked(nats, rows, wanted)


def surprisals_by_layers(
    model: Mapping[str, Any], rows: Rows, wanted: np.ndarray, store: Path, spec: str, say: Say
) -> np.ndarray:
    """`surprisals` under a causal model that does not fit in memory.

    store: folder of the last residual stream. A killed pass goes on from it if it was written for
    the same `spec`.
    """
    checkpoint = architecture(model)
    before, site = wanted - 1, Site(checkpoint.sizes.n_layers - 1, "R")
    if not is_finished(stored(store, site), before, spec):
        capture_layers(model, rows, before, [site], store, spec, say)
    x, _ = read(stored(store, site))
    layers = open_layers(model, checkpoint, np.zeros(1, np.int64))
    device = layers.shell.device
    head = head_on_disk(model, device)
    parts = [slice(start, start + HEIGHT) for start in range(0, len(wanted), HEIGHT)]
    sums = [_Sums(_exact(rows.ids[wanted[part]], device)) for part in parts]
    with torch.inference_mode():
        for start, block in head.blocks():
            for part, sum_ in zip(parts, sums, strict=True):
                hidden = _filled(_normed(layers, x[part]))
                sum_.add(head.logits(hidden, start, block), start)
    nats = np.concatenate([sum_.nats() for sum_ in sums])[: len(wanted)]
    return _checked(nats, rows, wanted)


def _normed(layers: Layers, x: np.ndarray) -> torch.Tensor:
    """The last hidden states of streams x (token, d_model) behind the last block.

    The shell runs with all blocks passed over: what comes behind them is the architecture's own.
    """
    shell = layers.shell
    short = x.dtype == np.uint16  # the bits of bfloat16
    stream = torch.from_numpy(np.array(x.view(np.int16) if short else x))
    stream = stream.view(torch.bfloat16) if short else stream
    hidden = []
    for some in stream.to(shell.device).split(shell.sizes.context):
        layers.give(shell.sizes.n_layers, some[None])
        hidden.append(shell.hidden(torch.zeros((1, len(some)), dtype=torch.int64).to(shell.device)))
    layers.give(shell.sizes.n_layers, None)
    return torch.cat(hidden, 1)[0]


def _checked(nats: np.ndarray, rows: Rows, wanted: np.ndarray) -> np.ndarray:
    """The surprisals; CaptureError names the row of the first that is not finite."""
    bad = np.flatnonzero(~np.isfinite(nats))
    if len(bad):
        raise CaptureError(
            f"The logits hold NaN or infinity in row {int(rows.row_of(wanted[bad[0]]))}. They must "
            "be finite: take dtype bfloat16 or float32 instead of float16, and check the "
            "checkpoint."
        )
    return nats


def spans_of(tokens: pa.Table, spans: pa.Table, rows: Rows) -> Spans:
    """The tokens of each item and side: those of the edit, of a plain text all.

    Special tokens are left out. The pieces of a text that a row end cuts are one span.
    """
    side = spans["side"].cast(pa.string()).to_pylist()
    item, row = (spans[name].to_numpy() for name in ("item", "row"))
    plain = np.array([one == PLAIN for one in side], dtype=bool)
    start, stop = (
        rows.starts[row] + np.where(plain, spans[whole].to_numpy(), spans[edit].to_numpy())
        for whole, edit in (("start", "edit_start"), ("stop", "edit_stop"))
    )
    lengths = stop - start
    piece = np.repeat(np.arange(len(row)), lengths)
    first = np.cumsum(lengths) - lengths
    index = start[piece] + np.arange(lengths.sum()) - first[piece]
    kept = ~tokens["special"].to_numpy()[index]
    piece, index = piece[kept], index[kept]
    new = np.ones(len(row), dtype=bool)
    new[1:] = (item[1:] != item[:-1]) | np.array(
        [a != b for a, b in zip(side[1:], side, strict=False)], dtype=bool
    )
    opens = np.flatnonzero(new)
    starts = np.append(np.searchsorted(piece, opens), len(index))
    return Spans(item[opens], [side[one] for one in opens], starts.astype(np.int64), index)


def table_of(spans: Spans, tokens: np.ndarray, nats: np.ndarray) -> pa.Table:
    """The table of spans, from the surprisals of their tokens.

    tokens: (token,) int64, ascending; nats: (token,) float64, NaN where there is none. A span that
    holds such a token has no number.
    """
    values = nats[np.searchsorted(tokens, spans.tokens)]
    counts = np.diff(spans.starts)
    some = np.flatnonzero(counts)
    total, first = np.full(len(counts), np.nan), np.full(len(counts), np.nan)
    if len(some):
        total[some] = np.add.reduceat(values, spans.starts[some])
        first[some] = values[spans.starts[some]]
    first[np.isnan(total)] = np.nan
    columns = [total, total / np.maximum(counts, 1), first]
    return pa.Table.from_arrays(
        [
            pa.array(spans.item, pa.int32()),
            pa.array(spans.side, pa.string()),
            pa.array(counts, pa.int32()),
            *(pa.array(column, pa.float64(), from_pandas=True) for column in columns),
        ],
        schema=SCHEMA,
    )


def _print(line: str) -> None:
    print(line, flush=True)


def surprisals_of(
    model: Mapping[str, Any],
    tokens: pa.Table,
    spans: pa.Table,
    store: Path,
    spec: str = "",
    memory_mb: int = MEMORY_MB,
    say: Say = _print,
) -> Surprisals:
    """The surprisals of a corpus' edits on both sides, and of its plain texts.

    Args:
        model: settings of the model, see `models.load`.
        tokens: the corpus' table of tokens.
        spans: the corpus' table of spans.
        store: folder for what a model that is too large for the memory leaves between its blocks;
            it is removed at the end.
        spec: text that decides the values; what an earlier run left for another one is not used.
        memory_mb: megabytes that may be held.
        say: prints a line of progress.

    Raises:
        CaptureError, ModelError: they cannot be had; the message names the row or the file.
    """
    rows = rows_of(tokens)
    of = spans_of(tokens, spans, rows)
    every = np.unique(of.tokens)
    nats = np.full(len(every), np.nan)
    follows = tokens["position"].to_numpy()[every] > 0
    wanted, because = every[follows], ""
    if not family_of(read_config(folder_of(model)), model.get("family", "auto")).causal:
        because = NOTHING
        say(because)
    elif len(wanted) and fits(model, memory_mb):
        loaded = load(model)
        check(loaded)
        nats[follows] = surprisals(loaded, rows, wanted, say)
    elif len(wanted):
        nats[follows] = surprisals_by_layers(model, rows, wanted, store, spec, say)
        shutil.rmtree(store)
    table = table_of(of, every, nats)
    n = table.num_rows - table["surprisal"].null_count
    say(f"surprisal: {n:,} of {table.num_rows:,} spans have one")
    return Surprisals(table, {"definition": DEFINITION, "because": because})
