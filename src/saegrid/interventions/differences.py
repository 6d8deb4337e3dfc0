"""Prompts after which a model prefers one token to another: L = logit(one) - logit(other).

An edited headline gives the tokens before its edit, the first token of the edit, and the first
token of what the edit replaced. A plain text is cut at a token drawn by seed, which is held against
the best other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.errors import ConfigError
from saegrid.base.words import EDITED, ORIGINAL, PLAIN
from saegrid.models.tiles import Rows, rows_of

BEST = -1
"""Stands for the best other token, which the model itself says."""
SHOWN = 80
"""Characters of a prompt that tables show, the last ones."""
USABLE = "usable"
REASONS = (
    USABLE,
    "not kept by the filter",
    "no word on one side of the edit, or too few tokens",
    "nothing before it but special tokens",
    "more tokens before it than `longest`",
    "fewer tokens than `shortest`",
    "other tokens before the edit than before what it replaced",
    "both words begin with the same token",
    "a word begins with a lone blank",
    "its text has a prompt",
)
"""Fates of an item, the first that holds; the last one is that of the second text of a group."""


@dataclass(frozen=True)
class Prompts:
    """Some prompts, each with two tokens that may follow."""

    rows: Rows
    """Token ids; the next token is predicted at the last one of each row."""
    special: np.ndarray
    """(token,) bool: left alone."""
    plus: np.ndarray
    """(prompt,) int64: id of the token whose logit counts."""
    minus: np.ndarray
    """(prompt,) int64: id of the token whose logit is taken off; `BEST`: of the best other one."""
    item: np.ndarray
    """(prompt,) int64: item that it comes from."""
    text: list[str]
    """End of each prompt."""

    def __len__(self) -> int:
        return len(self.plus)

    def take(self, some: np.ndarray | Sequence[int]) -> "Prompts":
        """The prompts of these numbers, in this order."""
        some = np.asarray(some, np.int64)
        starts, stops = self.rows.starts[some], self.rows.starts[some + 1]
        token = spread(starts, stops)
        rows = Rows(self.rows.ids[token], np.concatenate([[0], np.cumsum(stops - starts)]))
        kept = (column[some] for column in (self.plus, self.minus, self.item))
        return Prompts(rows, self.special[token], *kept, [self.text[i] for i in some.tolist()])


def spread(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:
    """The numbers of all ranges start..stop - 1, one range after the other."""
    counts = stops - starts
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + within


def choose(
    tokens: pa.Table,
    spans: pa.Table,
    group: np.ndarray,
    kept: np.ndarray | None,
    n: int,
    seed: int = 0,
    shortest: int = 1,
    longest: int = 128,
) -> tuple[Prompts, dict[str, int]]:
    """Up to n prompts, at most one of a group, drawn by seed; and why items gave none.

    Args:
        tokens: the corpus' table of tokens.
        spans: the corpus' table of spans.
        group: (item,) items of one original text have one group.
        kept: (item,) bool, the filter; None keeps all.
        n: number of prompts.
        seed: of the order of the items, and of the token at which a plain text is cut.
        shortest: tokens, without special ones, that stand in a prompt at least.
        longest: tokens of a prompt at most.

    Raises:
        ConfigError: no item gives a prompt.
    """
    corpus = _Corpus(tokens, spans, len(group))
    kept = np.ones(len(group), bool) if kept is None else kept
    rng = np.random.default_rng(seed)
    order, share = rng.permutation(len(group)), rng.random(len(group))
    place = corpus.edits() if corpus.has_edits else corpus.cuts(share, shortest, longest)
    fate = corpus.fates(place, shortest, longest)
    fate[~kept] = 1
    usable = order[fate[order] == 0]
    _, first = np.unique(group[usable], return_index=True)
    fate[np.setdiff1d(usable, usable[first])] = len(REASONS) - 1
    drawn = usable[np.sort(first)][:n]
    counts = {words: int((fate == number).sum()) for number, words in enumerate(REASONS)}
    if not len(drawn):
        why = "; ".join(f"{words}: {k}" for words, k in counts.items() if k)
        raise ConfigError(
            f"analyses.attribution: none of the {len(group)} texts gives a prompt ({why}). Lower "
            "`shortest`, raise `longest`, or mend the filter."
        )
    return corpus.prompts(place, drawn), counts


class _Places(NamedTuple):
    """The tokens that may follow a prompt of each item; -1 where it has none."""

    one: np.ndarray
    """(item,) token index of the first token of the edit, or of the next one of a plain text."""
    other: np.ndarray
    """(item,) token index of the first token of what was replaced."""
    start: np.ndarray
    """(item,) first token of the text in the row of `one`."""
    other_start: np.ndarray
    """(item,) the same in the row of `other`."""


class _Corpus:
    """The tokens of a corpus with the places of its texts."""

    def __init__(self, tokens: pa.Table, spans: pa.Table, n: int) -> None:
        self.rows, self.special = rows_of(tokens), tokens["special"].to_numpy(zero_copy_only=False)
        self.text = tokens["text"]
        side = np.asarray(spans["side"].cast(pa.string()))
        self.has_edits = bool((side == EDITED).any())
        self.spans = {name: spans[name].to_numpy() for name in spans.column_names if name != "side"}
        self.side, self.n = side, n
        self.row = self.rows.row_of(np.arange(len(self.rows.ids)))

    def _firsts(self, side: str, start: str, stop: str) -> tuple[np.ndarray, np.ndarray]:
        """(item,) the first token of a span and of its text, -1 where the span has no token."""
        own = np.flatnonzero((self.side == side) & (self.spans[stop] > self.spans[start]))
        _, first = np.unique(self.spans["item"][own], return_index=True)
        own = own[first]  # of a text that the end of a row cuts the first piece
        begin = self.rows.starts[self.spans["row"][own]]
        places = []
        for name in (start, "start"):
            place = np.full(self.n, -1, np.int64)
            place[self.spans["item"][own]] = begin + self.spans[name][own]
            places.append(place)
        return places[0], places[1]

    def edits(self) -> _Places:
        """The first tokens of the edits, and of what they replaced."""
        one, start = self._firsts(EDITED, "edit_start", "edit_stop")
        other, other_start = self._firsts(ORIGINAL, "edit_start", "edit_stop")
        return _Places(one, other, start, other_start)

    def cuts(self, share: np.ndarray, shortest: int, longest: int) -> _Places:
        """A token of each plain text, at a share of its possible ones, as the next one."""
        first, start = self._firsts(PLAIN, "start", "stop")
        stop = np.full(self.n, 0, np.int64)
        own = self.side == PLAIN
        begin = self.rows.starts[self.spans["row"][own]]
        np.maximum.at(stop, self.spans["item"][own], begin + self.spans["stop"][own])
        has, row = first >= 0, self.row[first]
        last = np.minimum(stop, self.rows.starts[row + 1])  # of a text in several rows the first
        room = np.minimum(last, self.rows.starts[row] + longest + 1) - first - shortest
        at = first + shortest + (share * np.maximum(room, 1)).astype(np.int64)
        one = np.where(has & (room > 0), at, -1)
        return _Places(one, one, start, start)

    def fates(self, place: _Places, shortest: int, longest: int) -> np.ndarray:
        """(item,) the number of the first reason that holds in `REASONS`, 0 where none does."""
        one, other = place.one, place.other
        has = (one >= 0) & (other >= 0)
        at, beside = np.where(has, one, 0), np.where(has, other, 0)
        begin = self.rows.starts[self.row[at]]
        ordinary = np.concatenate([[0], np.cumsum(~self.special)])
        before = ordinary[at] - ordinary[begin]
        pairs = one is not other
        wrong = np.stack(
            [
                ~has,
                before == 0,
                at - begin > longest,
                before < shortest,
                pairs & self._differ(place, at, beside),
                pairs & ((self.rows.ids[at] == self.rows.ids[beside]) | self._inside(at)),
                self._blank(at) | self._blank(beside),
            ]
        )
        return np.where(wrong.any(0), wrong.argmax(0) + 2, 0)

    def _differ(self, place: _Places, at: np.ndarray, beside: np.ndarray) -> np.ndarray:
        """(item,) bool: other tokens of the text stand before one word than before the other."""
        n, m = at - place.start, beside - place.other_start
        differ = n != m
        for item in np.flatnonzero(~differ & (place.one >= 0) & (place.other >= 0)).tolist():
            ours = self.rows.ids[place.start[item] : at[item]]
            differ[item] = (ours != self.rows.ids[place.other_start[item] : beside[item]]).any()
        return differ

    def _texts(self, token: np.ndarray) -> list[str]:
        return self.text.take(pa.array(token)).to_pylist()

    def _inside(self, at: np.ndarray) -> np.ndarray:
        """(item,) bool: the token goes on with a word. Tokens that both words begin with stand
        before the edit."""
        before = np.maximum(at - 1, 0)
        several = zip(self._texts(at), self._texts(before), self.special[before], strict=True)
        return np.array(
            [
                not first and text[:1].isalnum() and past[-1:].isalnum()
                for text, past, first in several
            ],
            bool,
        )

    def _blank(self, at: np.ndarray) -> np.ndarray:
        return np.array([not text.strip() for text in self._texts(at)], bool) | self.special[at]

    def prompts(self, place: _Places, drawn: np.ndarray) -> Prompts:
        """The prompts of some items."""
        one, other = place.one[drawn], place.other[drawn]
        begin = self.rows.starts[self.row[one]]
        token = spread(begin, one)
        starts = np.concatenate([[0], np.cumsum(one - begin)]).astype(np.int64)
        ids, special = self.rows.ids[token], self.special[token]
        minus = self.rows.ids[other] if self.has_edits else np.full(len(one), BEST)
        shown = np.where(special, "", np.asarray(self._texts(token), object))
        text = ["".join(shown[a:b])[-SHOWN:] for a, b in pairwise(starts)]
        return Prompts(Rows(ids, starts), special, self.rows.ids[one], minus, drawn, text)


def facts(counts: dict[str, int]) -> dict[str, Any]:
    """Numbers of items by fate, for the header of a table."""
    return {"items": {words: k for words, k in counts.items() if k}}
