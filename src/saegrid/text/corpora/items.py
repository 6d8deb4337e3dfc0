"""The items of a corpus: one row a text or a pair of texts, as they will be tokenised."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.registry import nearest, pick
from saegrid.text.corpora import CORPORA, facts, hub
from saegrid.text.corpora.form import Form
from saegrid.text.corpora.look import COLUMNS, ID, id_column
from saegrid.text.corpora.rows import (
    BY_ITSELF,
    CARRIED,
    RANDOM_EDITS,
    CorpusError,
    Row,
    as_read,
    files,
    numbered,
)

MARKER = re.compile(r"<([^<>]*)/>")
"""The words of an original text that its edit replaces: `Vows to Cut <Taxes/>`."""

OPEN = re.compile(r"<[^<>\s]*$")
"""The begin of a marker that another one follows within a word: `<b` of `<b<c/>/>`."""

STRIPS = ("both", "left", "none")
SET_ASIDE = ("split", "file", "line", "id", "reason", "raw")
OWN = ("item", "id", "original", "edited", "edit", "group", "split")
"""Columns of every items table; no label may have one of these names."""

MADE = {"word": "text", "template": "text"}
"""Labels of words in sentences, which the reader makes."""
NUMERAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
NUMBER = "row number"
"""Stands in for an id column where a source has none."""

FEW = 0.05
"""Share of the rows that may be set aside where none is set; one row always may then."""
MENDS = {
    "repeated id": "columns.id: null numbers the rows",
    "not a number": "source.decimal says how decimals are written",
    **dict.fromkeys(["not JSON", "not a JSON object"], ""),
    "too many cells": "source.delimiter says what separates the columns",
    "too few cells": "source.delimiter says what separates the columns",
    "stray quote": "source.quotes: false takes quotes for letters",
    "not ": "source.encoding says how the file is encoded",
}
"""Settings that may mend rows, by the begin of the reason why these are set aside."""


class Items(NamedTuple):
    """The items, the rows that are none, and what is to be said of both."""

    table: pa.Table
    """item int32 (0.. in file order), id, original, edited, edit, group int32, split, labels."""
    set_aside: pa.Table
    """split, file (its name), line, id, reason, raw (the row as JSON)."""
    facts: dict[str, Any]
    """Only JSON values; see `saegrid.text.corpora.facts`."""


class Bad(ValueError):
    """A row that cannot be an item; the message is the reason, the same for all of its kind."""


def items(
    source: Mapping[str, Any],
    strip: str = "both",
    keep_space: Collection[str] = (),
    grades: Mapping[str, Any] | None = None,
    share: float | None = 1.0,
) -> Items:
    """The items of a source (requirements, S0.1 to S0.5; design, semantics 4).

    A pair is an original text with one <word/> marker and its `edit`, or an original and an
    `edited` text; a `text` is unpaired, with nulls for original and edit. Items with the same
    original text (of unpaired ones: text, whole where it was cut), blanks around it aside, are one
    group.

    Args:
        source: kind, files, columns, labels and what else the kind needs; paths are final.
        strip: which blanks around the texts go: both, left or none.
        keep_space: ids whose leading blank stays.
        grades: {digits, mean, low, high}: the label columns with the digits and with their mean,
            and the range of a digit. Rows that disagree are kept and stand in facts["warnings"].
        share: largest share of the rows that may be set aside; None: `FEW`, and one row.

    Raises:
        CorpusError: for a source that cannot be used, with the file and the mend. A single row
            that cannot be used is set aside with its reason instead, as long as these are few.
    """
    source = _checked(source, strip, grades)
    reader = pick(CORPORA, source["kind"], "Corpus kind")
    source = with_ids(source)
    columns = {"id": NUMBER, **source["columns"]}
    # Labels of random edits are those of the real ones.
    labels = {} if source["kind"] == RANDOM_EDITS else source["labels"]
    labels = {**labels, **(MADE if source["kind"] == CARRIED else {})}
    builder, bad, seen = _Builder(columns, labels), [], set()
    keep = frozenset(map(str, keep_space))
    read = reader(source)
    rows = list(numbered(read, NUMBER) if columns["id"] == NUMBER else read)
    for row in rows:
        try:
            item = builder.item(row, strip, keep)
            if (row.split, item["id"]) in seen:
                raise Bad("repeated id")
        except Bad as reason:
            bad.append(_aside(row, columns["id"], str(reason)))
        else:
            seen.add((row.split, item["id"]))
            builder.add(row, item)
    _check_items(seen, keep, bad)
    check_share(len(bad), len(rows), share, lambda: reasons(bad))
    table = builder.table()
    cells = [pa.array([row[i] for row in bad], _type(n)) for i, n in enumerate(SET_ASIDE)]
    set_aside = pa.table(dict(zip(SET_ASIDE, cells, strict=True)))
    ids = NUMBER if columns["id"] == NUMBER else f"column {columns['id']!r}"
    said = facts.facts(table, set_aside, rows, builder.places, grades) | {"ids": ids}
    return Items(table, set_aside, said)


def with_ids(source: Mapping[str, Any]) -> dict[str, Any]:
    """The source with a column of ids, or none, in place of `columns.id: auto`."""
    columns, plain = dict(source["columns"]), as_read(source)
    if columns.get("id") == BY_ITSELF:
        if plain["kind"] == "hub":
            listed = hub.local_files(source)
        else:
            listed = [path for _, path in files(source)] if plain["kind"] in COLUMNS else []
        columns["id"] = id_column(plain, listed) if listed else ID
    return {**source, "columns": {key: name for key, name in columns.items() if name}}


def remarks(read: Items) -> Iterator[str]:
    """Forms that were read off the files, ids that were made, rows set aside: a line each."""
    for described in read.facts["forms"]:
        file, form = described["file"], {k: v for k, v in described.items() if k != "file"}
        if words := Form(**form).describe():
            yield f"{file}: {words}"
    if read.facts["ids"] == NUMBER:
        yield "ids are the numbers of the rows"
    if bad := read.set_aside.num_rows:
        rows = [tuple(row.values()) for row in read.set_aside.to_pylist()]
        of = read.table.num_rows + bad
        yield f"{bad:,} of {of:,} rows are set aside in set_aside.parquet: {reasons(rows)}"


def check_share(n: int, of: int, share: float | None, why: Callable[[], str]) -> None:
    """CorpusError where more rows are set aside than may be. why: the reasons, a sentence."""
    if n > (max(1, FEW * of) if share is None else share * of):
        most = FEW if share is None else share
        raise CorpusError(
            f"set_aside: {n:,} of {of:,} rows cannot be used, more than the share {most:g}: "
            f"{why()} Mend the rows, check columns and labels, or raise set_aside."
        )


def reasons(bad: Sequence[tuple[Any, ...]]) -> str:
    """The reasons of rows that are set aside, each with its count, first row and mend; ends with a
    full stop."""
    first: dict[str, tuple[Any, ...]] = {}
    for row in bad:
        first.setdefault(row[SET_ASIDE.index("reason")], row)
    counts = Counter(row[SET_ASIDE.index("reason")] for row in bad)
    parts = []
    for reason, n in counts.most_common():
        _, file, line, *_ = first[reason]
        mend = next((mend for begin, mend in MENDS.items() if reason.startswith(begin)), "")
        parts.append(f"{reason} ({n:,}, first {file}, line {line}{mend and f'; {mend}'})")
    return "; ".join(parts) + "."


def problems(
    source: Mapping[str, Any], strip: str = "both", grades: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Contradictions in the settings of a source, a sentence each."""
    columns = {key: name for key, name in (source.get("columns") or {}).items() if name}
    labels = source.get("labels") or {}
    if strip not in STRIPS:
        yield f"strip must be one of {', '.join(STRIPS)}; got {strip!r}.{nearest(strip, STRIPS)}"
    texts = {key for key in ("original", "edited", "edit", "text") if key in columns}
    if "text" in texts and len(texts) > 1:
        yield "columns: `text` is for unpaired texts; map it alone or leave it out."
    elif texts - {"text"} and not ("original" in texts and texts & {"edited", "edit"}):
        yield (
            "columns must map `original` and `edit` (a marker in the original text), or "
            "`original` and `edited`, or `text` alone; got " + ", ".join(sorted(texts)) + "."
        )
    for name, how in labels.items():
        if name in OWN:
            yield f"labels.{name}: the name {name!r} is taken by a column of the items."
        if how not in ("text", "number"):
            yield f"labels.{name} must be text or number; got {how!r}."
    for key, how in (("digits", "text"), ("mean", "number")) if grades else ():
        if labels.get(grades.get(key)) != how:
            yield (
                f"grades.{key} must name a label read as {how}; got {grades.get(key)!r}. "
                f"Labels: {', '.join(f'{n} ({h})' for n, h in labels.items()) or 'none'}."
            )


def _checked(
    source: Mapping[str, Any], strip: str, grades: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The source with its columns made plain; CorpusError where settings do not fit."""
    for problem in problems(source, strip, grades):
        raise CorpusError(problem)
    columns = {key: name for key, name in (source.get("columns") or {}).items() if name}
    if not columns.keys() & {"original", "edited", "edit", "text"}:
        columns["text"] = "text"
    return {**source, "columns": columns, "labels": dict(source.get("labels") or {})}


def _check_items(
    seen: Collection[tuple[str, str]], keep: frozenset[str], bad: Sequence[tuple[Any, ...]]
) -> None:
    """CorpusError where there are no items, or none with an id to keep the blank of."""
    if not seen:
        _, file, line, _, reason, _ = bad[0]
        raise CorpusError(
            f"None of the {len(bad)} rows can be used; the first, {file}, line {line}: {reason}. "
            "Check `columns` and `labels` against the file."
        )
    known = {name for _, name in seen}
    if absent := sorted(keep - known):
        raise CorpusError(
            f"keep_space: the corpus has no item with the id {absent[0]!r}."
            f"{nearest(absent[0], sorted(known))}"
        )


class _Builder:
    """The columns of the items table, filled item by item."""

    def __init__(self, columns: Mapping[str, str], labels: Mapping[str, str]) -> None:
        self.columns, self.labels = columns, labels
        self.cells: dict[str, list[Any]] = {name: [] for name in (*OWN, *self.labels)}
        self.groups: dict[str, int] = {}
        self.places: list[tuple[str, int]] = []
        """File name and line of each item, for messages."""

    def item(self, row: Row, strip: str, keep: frozenset[str]) -> dict[str, Any]:
        """The cells of a row, but for item and group; Bad where it cannot be an item."""
        if row.problem:
            raise Bad(row.problem)
        named = {key: _present(row, name) for key, name in self.columns.items()}
        labels = {name: label_of(row, name, how) for name, how in self.labels.items()}
        original, edited, edit = both_texts(named)
        if not named["id"].strip():
            raise Bad("empty id")
        blanks = strip, named["id"] in keep
        return {
            "id": named["id"],
            "original": None if original is None else stripped(original, *blanks),
            "edited": stripped(edited, *blanks),
            "edit": edit,
            "split": row.split,
            **labels,
        }

    def add(self, row: Row, item: dict[str, Any]) -> None:
        """Take a row in as the next item."""
        text = item["edited"] if item["original"] is None else item["original"]
        item["item"] = len(self.places)
        item["group"] = self.groups.setdefault((row.whole or text).strip(), len(self.groups))
        for name, cells in self.cells.items():
            cells.append(item[name])
        self.places.append((row.file.name, row.line))

    def table(self) -> pa.Table:
        """All items."""
        types = {name: pa.string() for name in self.cells}
        types |= {"item": pa.int32(), "group": pa.int32()}
        types |= {name: pa.float64() for name, how in self.labels.items() if how == "number"}
        return pa.table({n: pa.array(cells, types[n]) for n, cells in self.cells.items()})


def stripped(text: str, strip: str, keep_left: bool) -> str:
    """The text without the blanks that go."""
    if strip == "both":
        text = text.rstrip()
    return text if strip == "none" or keep_left else text.lstrip()


def both_texts(named: Mapping[str, str]) -> tuple[str | None, str, str | None]:
    """Original text, edited text and edit of a row's cells by role; Bad where they make none."""
    if "text" in named:
        return None, _filled(named["text"], "text"), None
    edit = _filled(named["edit"], "edit").strip() if "edit" in named else None
    if "edited" in named:
        return _filled(named["original"], "original"), _filled(named["edited"], "edited"), edit
    before, word, after = parsed(named["original"])
    return before + word + after, before + edit + after, edit


def parsed(marked: str) -> tuple[str, str, str]:
    """The text before the marker, in it and after it; Bad unless there is exactly one marker.

    Blanks around the words in it are no part of them, as with those of an edit.
    """
    pieces = MARKER.split(marked)
    if len(pieces) != 3:
        raise Bad("no marker" if len(pieces) == 1 else "several markers")
    before, words, after = pieces
    if "/>" in before + after or OPEN.search(before):
        raise Bad("a marker within a marker")
    return before, _filled(words, "marker").strip(), after


def _present(row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is None:
        raise Bad(f"missing value: {column}")
    return value


def _filled(value: str, what: str) -> str:
    if not value.strip():
        raise Bad(f"empty {what}")
    return value


def label_of(row: Row, column: str, how: str) -> str | float:
    """The label of a row in a column that is read as text or number; Bad where it has none."""
    value = _present(row, column)
    if how == "text":
        return value
    # Python would read 1_000 and the digits of other scripts too.
    number = float(value) if NUMERAL.fullmatch(value.strip()) else math.nan
    if not math.isfinite(number):
        raise Bad(f"not a number: {column}" if value.strip() else f"missing value: {column}")
    return number


def _aside(row: Row, id_column: str, reason: str) -> tuple[Any, ...]:
    def written(text: str) -> str:
        # Bytes that are not UTF-8 come as lone surrogates; JSON spells them \udcff as well.
        return text.encode(errors="backslashreplace").decode()

    raw = written(json.dumps(row.values, ensure_ascii=False))
    name = row.values.get(id_column)
    place = written(row.split), row.file.name, row.line
    return *place, None if name is None else written(name), reason, raw


def _type(column: str) -> pa.DataType:
    return pa.int64() if column == "line" else pa.string()
