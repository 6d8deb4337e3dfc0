"""The reader of pairs whose edits are random words: a control for what any odd word would do.

The pairs are those of the kind `of`, with their originals, markers, ids and splits. The edit of
each is a word that editors took out of another original, of the same form. So item k here and item
k of the real edits, by split and id, differ in the edit alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from saegrid.text.corpora import csv, jsonl, parquet
from saegrid.text.corpora.items import Bad, both_texts, label_of, parsed
from saegrid.text.corpora.rows import BY_ITSELF, CorpusError, Row, as_read, numbered
from saegrid.text.wordlists import bare

READERS = {"csv": csv.rows, "jsonl": jsonl.rows, "parquet": parquet.rows}
"""Readers of the real edits, by their kind."""
ENDINGS = ("ing", "ed", "ly", "s")
"""Ends of words that are kept; the first that fits counts."""
NONE = "no random word for its edit"
"""Reason why a row is set aside here that is an item of the real edits."""
NUMBER = "row number"
AT_ONCE = 1 << 20
"""Number of hashes that are compared at a time."""
LARGEST = np.uint64(2**64 - 1)


class Form(NamedTuple):
    """The form of an edit, which its random word has too."""

    is_capital: bool
    """True if the first letter is one."""
    n_words: int
    ending: str
    """One of `ENDINGS` of the last word; empty where it has none."""


class Pair(NamedTuple):
    """A row that is a pair."""

    number: int
    """Number of the row."""
    key: str
    """Split and id."""
    original: str
    """The text of the original without its marker."""
    replaced: str
    edit: str


LEVELS: tuple[Callable[[Form], tuple[Any, ...]], ...] = (
    tuple,
    lambda form: form[:2],
    lambda form: form[:1],
    lambda form: (),
)
"""Parts of a form that agree: all; not the ending; nor the number of words; nor the capital."""


def form_of(words: str) -> Form:
    """The form of one or several words."""
    parts = words.split()
    last = bare(parts[-1].casefold()) if parts else ""
    ending = next((end for end in ENDINGS if last.endswith(end) and last != end), "")
    return Form(bare(words)[:1].isupper(), len(parts), ending)


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The rows of the real edits, with a random word in the place of each edit.

    A word is drawn from the pairs (original, word that was replaced in it), each once, of all
    splits: so often-replaced words are drawn often. It comes from another original than the row's,
    and is neither its replaced word nor its edit, whatever their case. Its form is that of the
    edit: the capital, the number of words and the ending; where there is none such, the ending may
    differ, then the number of words too, then the capital; where there is still none, the row is
    set aside.

    Each row takes the pair with the least hash of the seed, the row's split and id, and the pair.
    So the order of the rows decides nothing, and a row more or less changes the words of those few
    rows alone that draw a pair that it brings or takes away.

    Rows that cannot be items of the real edits, for their labels too, come as they are, with the
    reason. Labels are not carried into the items: they are those of the real edits.

    Raises:
        CorpusError: `of` is missing, there is no marker to replace, or as the kind `of` raises.
    """
    for problem in problems(source):
        raise CorpusError(problem)
    read = [_checked(row, source) for row in READERS[source["of"]](as_read(source))]
    pairs = list(_pairs(read, source))
    words = draw(pairs, int(source.get("seed") or 0))
    edits = dict(zip((pair.number for pair in pairs), words, strict=True))
    column = source["columns"]["edit"]
    for number, row in enumerate(read):
        if number not in edits:
            yield row
        elif edits[number] is None:
            yield row._replace(problem=NONE)
        else:
            yield row._replace(values={**row.values, column: edits[number]})


def problems(source: Mapping[str, Any]) -> Iterator[str]:
    """Settings with which no edit can be replaced, a sentence each."""
    if source.get("of") not in READERS:
        yield (
            f"of: a source of kind random_edits needs the kind of the real edits, "
            f"{', '.join(READERS)}; got {source.get('of')!r}."
        )
    columns = source.get("columns") or {}
    if not columns.get("original") or not columns.get("edit") or columns.get("edited"):
        named = ", ".join(key for key in ("original", "edit", "edited") if columns.get(key))
        yield (
            "columns: random edits stand in the place of a marker: map `original` and `edit`, and "
            f"no `edited`; got {named or 'neither'}."
        )


def _checked(row: Row, source: Mapping[str, Any]) -> Row:
    """The row, with its problem where a label cannot be read."""
    try:
        for name, how in (source.get("labels") or {}).items():
            row.problem or label_of(row, name, how)
    except Bad as reason:
        return row._replace(problem=str(reason))
    return row


def _pairs(read: Sequence[Row], source: Mapping[str, Any]) -> Iterator[Pair]:
    """The rows that are pairs."""
    columns = source["columns"]
    named = columns.get("id")
    for number, row in enumerate(numbered(read, NUMBER)):
        original, edit = (row.values.get(columns[key]) for key in ("original", "edit"))
        if row.problem or original is None or edit is None:
            continue
        own = row.values.get("id" if named == BY_ITSELF else named or NUMBER)
        try:
            whole, _, _ = both_texts({"original": original, "edit": edit})
            replaced = parsed(original)[1]
        except Bad:
            continue
        key = f"{row.split}\0{row.values[NUMBER] if own is None else own}"
        yield Pair(number, key, str(whole).strip(), replaced, edit.strip())


def draw(pairs: Sequence[Pair], seed: int) -> list[str | None]:
    """A word for each pair, see `rows`; None where there is none."""
    drawn = sorted({(pair.original, pair.replaced) for pair in pairs})
    hashes = np.array([_hash(f"{original}\0{word}") for original, word in drawn], dtype=np.uint64)
    salts = np.array([_hash(f"{seed}\0{pair.key}") for pair in pairs], dtype=np.uint64)
    texts, words = _Numbers(), _Numbers()
    lost = np.array([[texts.of(o), words.of(_folded(word))] for o, word in drawn])
    # What each pair's word may not have in common with it: its text, its words.
    unlike = np.array(
        [
            [texts.of(one.original), words.of(_folded(one.replaced)), words.of(_folded(one.edit))]
            for one in pairs
        ]
    )
    forms = [form_of(word) for _, word in drawn], [form_of(pair.edit) for pair in pairs]
    chosen = np.full(len(pairs), -1)
    for part in LEVELS:
        pool = _places([part(form) for form in forms[0]])
        waiting = np.flatnonzero(chosen < 0)
        for key, group in _places([part(forms[1][number]) for number in waiting]).items():
            places = pool.get(key, np.zeros(0, np.int64))
            for some in np.array_split(group, max(1, len(group) * len(places) // AT_ONCE)):
                numbers = waiting[some]
                allowed = lost[places, 0] != unlike[numbers, :1]
                for column in (1, 2):
                    allowed &= lost[places, 1] != unlike[numbers, column, None]
                usable = allowed.any(axis=1)
                numbers, allowed = numbers[usable], allowed[usable]
                mixed = _mixed(hashes[places] ^ salts[numbers, None])
                if len(numbers):
                    least = np.where(allowed, mixed, LARGEST).argmin(axis=1)
                    chosen[numbers] = places[least]
    return [None if place < 0 else drawn[place][1] for place in chosen.tolist()]


class _Numbers:
    """The numbers of names, in the order in which they come."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The number of a name."""
        return self.numbers.setdefault(name, len(self.numbers))


def _places(keys: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], np.ndarray]:
    """The places at which each key stands."""
    places: dict[tuple[Any, ...], list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    return {key: np.array(several) for key, several in places.items()}


def _folded(word: str) -> str:
    """A word as it is compared with others."""
    return " ".join(word.casefold().split())


def _hash(text: str) -> int:
    """A number of 64 bits that follows from a text alone."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """Hashes (row, pair) uint64 as other ones: the finaliser of SplitMix64, in which every bit
    changes half of all others."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))
