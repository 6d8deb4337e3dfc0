"""What SAEs are judged on: tokens of a site and rows of text, those held out of a training.

Activations files with the tokens of their corpus, or a site of a store: both are cut as the
training cuts them (`split.held_out`).
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
"""Why there are no rows of such texts."""


class Tokens(NamedTuple):
    """The tokens of a site: those that are measured, and those learned from."""

    x: np.ndarray | Joined
    """(token, d_model) as stored."""
    measured: np.ndarray
    """(n,) int64 ascending: rows of x."""
    learned: np.ndarray
    """(n,) int64 ascending: rows of x."""
    ids: np.ndarray | None = None
    """(token,) int64: the token id of each row of x; None where rows are means over texts."""


class Source(Protocol):
    """Where tokens and text come from. share, order_seed: as the training's, see `split`."""

    name: str
    """For messages."""

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """The tokens, held out or not. measured, learned: how many are wanted; files give all.

        Raises MetricsError where no token falls on one of the sides.
        """

    def text(
        self, share: float, order_seed: int, n: int, seed: int, model: Mapping[str, Any]
    ) -> Text | str:
        """At most n of the rows that are held out, of those with two tokens, a seeded sample; or
        why there are none. model: settings of the language model."""


def files(paths: Sequence[str | Path], tokens: str | Path) -> Source:
    """The facts file of a store's site, or activations files with the tokens of their corpus.

    tokens: tokens.parquet, of no use to a store.
    """
    if Path(paths[0]).suffix == ".json":
        return Stored(paths[0])
    return Captured(paths, read_table(tokens, ["row", "group", "token_id", "special"]))


class Captured:
    """Activations files of a site, shards in order, and tokens.parquet of their corpus."""

    def __init__(self, paths: Sequence[str | Path], tokens: pa.Table) -> None:
        """tokens: its columns row, group, token_id and special."""
        self.paths, self.tokens, self.name = paths, tokens, str(paths[0])
        self.owner = texts_of(tokens["row"].to_numpy(), tokens["group"].to_numpy())

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """See `Source`; all tokens, whatever is wanted."""
        token = np.concatenate([activations.read(path)[1] for path in self.paths])
        apart = held_out(self.owner[token], share, order_seed)
        ids = self.tokens["token_id"].to_numpy()[token].astype(np.int64)
        found = Tokens(open_rows(self.paths), np.flatnonzero(apart), np.flatnonzero(~apart), ids)
        return _both(found, self.name, share)

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
    """A site of a store, of which no more shards are looked at than are needed, from the first on:
    once these suffice, what is found does not change where a store grows."""

    def __init__(self, facts: str | Path) -> None:
        """facts: `L0R.json`, beside its shards."""
        path = Path(facts)
        self.reader, self.name = Reader(path.parent, path.stem), str(facts)

    def split(self, share: float, order_seed: int, measured: int, learned: int) -> Tokens:
        """See `Source`: all held-out tokens of the first shards that have as many as are wanted,
        and as many others as are wanted, the first ones. Neither depends on the other's number, so
        that SAEs and baselines, which learn from other numbers, are measured on the same tokens."""
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
        found = Tokens(
            Joined(parts),
            np.concatenate(held),
            np.concatenate(others),
            np.concatenate(ids) if own else None,
        )
        return _both(found, self.name, share)

    def text(
        self, share: float, order_seed: int, n: int, seed: int, model: Mapping[str, Any]
    ) -> Text | str:
        """See `Source`: of the rows of the first shards that have as many, made of a text's tokens
        as when the store was filled (special ones within a text, which a store lacks, aside)."""
        told = settings_of(self.reader.manifest.settings)
        if told.choice != "all" or told.norm != "none":
            return (
                f"the store has choice {told.choice} and norm {told.norm}: only where it has all "
                "tokens as the model carries them can an SAE stand in their place"
            )
        if told.cut == "rows" and told.max_characters is not None:
            return CUT
        encoder = tokenizer.load(hub.tokenizer_folder(model), model.get("bos", "auto"))
        home = hub.folder(model["path"], model.get("revision"), (CONFIG,))
        config = read_config(home)
        rower = Rower(encoder, told, sizes_of(config, model.get("family", "auto")).context)
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
        """Each shard's arrays, mapped, and which of its entries (entry,) bool are held out."""
        for number in self.reader.numbers():
            path = shard_path(self.reader.folder, self.reader.site, number)
            shard = open_tensors(path).arrays
            yield shard, held_out(shard["row"], share, order_seed)


def at_most(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Some of the rows, ascending: all, or a seeded sample of n."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def _both(found: Tokens, name: str, share: float) -> Tokens:
    """The same; MetricsError where one side is empty."""
    if not len(found.measured) or not len(found.learned):
        raise MetricsError(
            f"{name}: of {found.x.shape[0]:,} tokens {len(found.measured):,} are held out where "
            f"{share:g} of the rows are; both sides need some. Set hold_out of the SAE's settings, "
            "or of `metrics`, so that some rows fall on either side."
        )
    return found
