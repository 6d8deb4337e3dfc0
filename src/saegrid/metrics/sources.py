"""The sources of metrics: tokens of a site and rows of text that are held out of a training.

A source is activations files with the tokens of their corpus, or a site of a store. Both are split
as in the training (`split.held_out`).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from saegrid.base.io import read_table
from saegrid.base.tensors import open_tensors
from saegrid.capture import activations
from saegrid.metrics.metric import NO_ROWS, MetricsError, Text
from saegrid.models import hub, read_config, sizes_of
from saegrid.models.files import CONFIG
from saegrid.saes.joined import Joined, open_rows
from saegrid.store.manifest import shard_path
from saegrid.store.reader import Reader
from saegrid.store.rows import Rower
from saegrid.store.settings import settings_of
from saegrid.text import tokenizer
from saegrid.text.split import held_out, texts_of

CUT = (
    "the store does not tell where rows begin in texts that were cut at max_characters; set its "
    "cut to truncate, or max_characters to null"
)
"""Reason why a store with such settings has no rows."""


class Tokens(NamedTuple):
    """The tokens of a site, split into those that are measured and those learned from."""

    x: np.ndarray | Joined
    """(token, d_model): activations as stored."""
    measured: np.ndarray
    """(n,) int64 ascending: rows of x that are measured."""
    learned: np.ndarray
    """(n,) int64 ascending: rows of x that may be learned from."""
    ids: np.ndarray | None = None
    """(token,) int64: token id of each row of x; None where rows are means over texts."""


class Source(Protocol):
    """A source of tokens and text; `share` and `order_seed` are those of the training's split."""

    name: str
    """Name of the source in messages."""

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """The tokens, split by whether they are held out.

        Args:
            share: share of the texts that is held out.
            order_seed: seed of the choice of held-out texts.
            measured: number of held-out tokens that is needed; files give all.
            learned: number of other tokens that is needed; files give all.

        Raises:
            MetricsError: one of the sides has no token.
        """

    def text(
        self, share: float, order_seed: int, n: int, seed: int, model: Mapping[str, Any]
    ) -> Text | str:
        """A seeded sample of at most n held-out rows with two tokens or more, or the reason why
        there are none; model: settings of the language model."""


def files(paths: Sequence[str | Path], tokens: str | Path) -> Source:
    """The source of a store's facts file, or of activations files with the tokens of their corpus.

    Args:
        paths: the facts file of a store's site, or the activations files of all shards.
        tokens: tokens.parquet of the corpus; a store does not use it.
    """
    if Path(paths[0]).suffix == ".json":
        return Stored(paths[0])
    return Captured(paths, read_table(tokens, ["row", "group", "token_id", "special"]))


class Captured:
    """A source of activations files of a site, shards in order, with the tokens of their corpus."""

    def __init__(self, paths: Sequence[str | Path], tokens: pa.Table) -> None:
        """Set up the source; tokens: columns row, group, token_id and special of tokens.parquet."""
        self.paths, self.tokens, self.name = paths, tokens, str(paths[0])
        self.owner = texts_of(tokens["row"].to_numpy(), tokens["group"].to_numpy())

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """See `Source`; all tokens are returned."""
        token = np.concatenate([activations.read(path)[1] for path in self.paths])
        apart = held_out(self.owner[token], share, order_seed)
        ids = self.tokens["token_id"].to_numpy()[token].astype(np.int64)
        tokens = Tokens(open_rows(self.paths), np.flatnonzero(apart), np.flatnonzero(~apart), ids)
        return _both(tokens, self.name, share)

    def text(
        self, share: float, order_seed: int, n: int, seed: int, model: Mapping[str, Any]
    ) -> Text | str:
        """See `Source`."""
        row = self.tokens["row"].to_numpy()
        starts = np.append(np.flatnonzero(np.diff(row, prepend=-1)), len(row)).astype(np.int64)
        long = np.flatnonzero(np.diff(starts) > 1)
        chosen = long[held_out(self.owner[starts[long]], share, order_seed)]
        if not n or not len(chosen):
            return NO_ROWS
        ids, special = self.tokens["token_id"].to_numpy(), self.tokens["special"]
        known = special.to_numpy(zero_copy_only=False)
        return Text(ids.astype(np.int64), starts, known, at_most(chosen, n, seed))


class Stored:
    """A source of a site of a store. It reads as many shards, from the first on, as it needs: once
    these suffice, results do not change when the store grows."""

    def __init__(self, facts: str | Path) -> None:
        """Open the site; facts: path of its facts file (`L0R.json`), beside its shards."""
        path = Path(facts)
        self.reader, self.name = Reader(path.parent, path.stem), str(facts)

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """See `Source`.

        Held-out tokens are all those of the first shards that have enough of them; the others are
        the first `learned`. Neither depends on the number of the other, so that SAEs and baselines,
        which learn from different numbers of tokens, are measured on the same ones.
        """
        parts: list[np.ndarray] = []
        held, others, ids = [], [], []
        n = n_held = n_others = 0
        for shard, apart in self._shards(share, order_seed):
            if n_held < measured:
                held.append(n + np.flatnonzero(apart))
                n_held += len(held[-1])
            others.append(n + np.flatnonzero(~apart)[: learned - n_others])
            n_others += len(others[-1])
            parts.append(shard["x"])
            ids.append(np.asarray(shard["token_id"], np.int64))
            n += len(apart)
            if n_held >= measured and n_others >= learned:
                break
        own = settings_of(self.reader.manifest.settings).choice != "mean"
        tokens = Tokens(
            Joined(parts),
            np.concatenate(held),
            np.concatenate(others),
            np.concatenate(ids) if own else None,
        )
        return _both(tokens, self.name, share)

    def text(
        self, share: float, order_seed: int, n: int, seed: int, model: Mapping[str, Any]
    ) -> Text | str:
        """See `Source`.

        Rows come from the first shards that have enough of them. They are cut from the tokens of a
        text as when the store was filled, but for special tokens within a text, which a store
        lacks.
        """
        settings = settings_of(self.reader.manifest.settings)
        if settings.choice != "all" or settings.norm != "none":
            return (
                f"the store has choice {settings.choice} and norm {settings.norm}: only where it "
                "has all tokens as the model carries them can an SAE stand in their place"
            )
        if settings.cut == "rows" and settings.max_characters is not None:
            return CUT
        encoder = tokenizer.load(hub.tokenizer_folder(model), model.get("bos", "auto"))
        home = hub.folder(model["path"], model.get("revision"), (CONFIG,))
        config = read_config(home)
        rower = Rower(encoder, settings, sizes_of(config, model.get("family", "auto")).context)
        rows: list[np.ndarray] = []
        for shard, apart in self._shards(share, order_seed) if n else ():
            ids, owner = shard["token_id"][apart], shard["row"][apart]
            for text in np.split(ids, np.flatnonzero(np.diff(owner)) + 1):
                rows += [row for row in rower.rows(text) if len(row) > 1]
            if len(rows) >= n:
                break
        if not rows:
            return NO_ROWS
        flat = np.concatenate(rows).astype(np.int64)
        starts = np.cumsum([0, *map(len, rows)], dtype=np.int64)
        return Text(flat, starts, ~rower.real(flat), at_most(np.arange(len(rows)), n, seed))

    def _shards(
        self, share: float, order_seed: int
    ) -> Iterator[tuple[dict[str, np.ndarray], np.ndarray]]:
        """The arrays of each shard, mapped, with (entry,) bool, True where an entry is held out."""
        for number in self.reader.numbers():
            path = shard_path(self.reader.folder, self.reader.site, number)
            shard = open_tensors(path).arrays
            yield shard, held_out(shard["row"], share, order_seed)


def at_most(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """A seeded sample of at most n of the rows, ascending."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def _both(tokens: Tokens, name: str, share: float) -> Tokens:
    """Return `tokens`; MetricsError if none of them is held out, or none is left to learn from."""
    if not len(tokens.measured) or not len(tokens.learned):
        raise MetricsError(
            f"{name}: of {tokens.x.shape[0]:,} tokens {len(tokens.measured):,} are held out where "
            f"{share:g} of the rows are; both sides need some. Set hold_out of the SAE's settings, "
            "or of `metrics`, so that some rows fall on either side."
        )
    return tokens
