"""Texts of a streamed corpus: in one order, each with a number that stays, in bounded memory.

Files come in the order of the config (`*` by name), texts in the order of the file. The next file
is fetched and its digest taken while the present one is in use.
"""

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from saegrid.base.registry import pick
from saegrid.text.corpora import hub
from saegrid.text.corpora.facts import sha256
from saegrid.text.corpora.rows import CorpusError, check_columns, files, is_text

CHUNK = 1 << 20
"""Characters of a text file that are read at a time."""
LONGEST = 1 << 26
"""Characters of the longest text."""
RECORDS = 256
"""Rows of a parquet file that are read at a time."""


class Place(NamedTuple):
    """Where in the stream a text stands: what comes before it."""

    file: int = 0
    """Number of its file."""
    index: int = 0
    """Number of the text in its file."""
    text: int = 0
    """Number of the text in the stream."""
    token: int = 0
    """Real tokens before it."""


class Text(NamedTuple):
    """A text, or what is wrong with it."""

    file: int
    index: int
    text: str
    problem: str | None = None
    """Why it cannot be used; it keeps its number."""


class File(NamedTuple):
    """A file of the stream on this machine."""

    name: str
    """Its own name; on the hub repository, commit and path."""
    path: Path
    sha256: str


def names(source: Mapping[str, Any]) -> list[str]:
    """The files of a source in the order of the stream; CorpusError where one is not there."""
    if source["kind"] not in KINDS:
        raise CorpusError(
            f"A source of kind {source['kind']!r} cannot be streamed; expected one of "
            f"{', '.join(sorted(KINDS))}."
        )
    if source["kind"] == "hub":
        return [path for _, path in hub.names(source)]
    found: list[str] = []
    for split, path in files(source):
        matches = _matching(path) if "*" in path else [path] * Path(path).is_file()
        if not matches:
            raise CorpusError(f"{path} is not there; `files.{split}` must name a file.")
        found += matches
    return found


def _matching(pattern: str) -> list[str]:
    """Files of a folder whose names match, by name."""
    path = Path(pattern)
    return sorted(str(found) for found in path.parent.glob(path.name) if found.is_file())


def locate(source: Mapping[str, Any], name: str) -> File:
    """A file with its digest, fetched where it lies on the hub."""
    path = Path(name)
    if source["kind"] == "hub":
        path = Path(hub.fetched(source, [("", name)])[0][1])
    return File(full_name(source, name), path, sha256(path))


def full_name(source: Mapping[str, Any], name: str) -> str:
    """What a file of a source is called in a manifest."""
    if not is_pinned(source):
        return Path(name).name
    return f"{source['repo']}@{source['revision']}/{name}"


def is_pinned(source: Mapping[str, Any]) -> bool:
    """Whether the names of files say what is in them: those of a commit on the hub."""
    return source["kind"] == "hub" and not Path(source["repo"]).is_dir()


def texts(
    source: Mapping[str, Any],
    listed: Sequence[str],
    at: Place = Place(),  # noqa: B008
    met: Callable[[int, File], None] = lambda number, file: None,
) -> Iterator[Text]:
    """The texts of the files `listed` from a place on.

    source: kind (text, csv, jsonl, parquet, hub), `columns.text`, `separator`; see the config.
    met: told number and facts of each file before its first text.

    A file without text stands there as one text that cannot be used.

    Raises CorpusError for a column that is not there and a text without end.
    """
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(locate, source, listed[at.file]) if at.file < len(listed) else None
        for number in range(at.file, len(listed)):
            file = coming.result()
            if number + 1 < len(listed):
                coming = pool.submit(locate, source, listed[number + 1])
            met(number, file)
            skipped, count = at.index if number == at.file else 0, 0
            for text, problem in _reader(source, file.path)(file.path, source):
                if count >= skipped:
                    yield Text(number, count, text, problem)
                count += 1
            if not count and not skipped:
                # One of thousands may well be empty, and is met hours after the start.
                yield Text(number, 0, "", "a file without text")


Found = Iterator[tuple[str, str | None]]
"""Texts, each with what is wrong with it."""


def _reader(source: Mapping[str, Any], path: Path) -> Callable[[Path, Mapping[str, Any]], Found]:
    kind = source["kind"] if source["kind"] != "hub" else path.suffix.lower().removeprefix(".")
    return pick(KINDS, kind, "The kind of a streamed source")


def _column(source: Mapping[str, Any]) -> str:
    return (source.get("columns") or {}).get("text") or "text"


def separated(path: Path, source: Mapping[str, Any]) -> Found:
    """What stands between separators and is not blank."""
    separator = (source.get("separator") or "\n").replace("\r\n", "\n")
    kept = ""
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as opened:
        while chunk := opened.read(CHUNK):
            *whole, kept = (kept + chunk).split(separator)
            yield from map(_checked, filter(str.strip, whole))
            if len(kept) > LONGEST:
                raise CorpusError(
                    f"{path}: a text has more than {LONGEST:,} characters without the separator "
                    f"{separator!r}. Set source.separator to what stands between its texts."
                )
    if kept.strip():
        yield _checked(kept)


def _checked(text: Any) -> tuple[str, str | None]:
    if not isinstance(text, str) or not text.strip():
        return "", "no text"
    return (text, None) if is_text(text) else ("", "not UTF-8")


def jsonl(path: Path, source: Mapping[str, Any]) -> Found:
    """The text column of JSON Lines."""
    column, there = _column(source), False
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for line in filter(str.strip, lines):
            try:
                found = json.loads(line)
            except json.JSONDecodeError:
                yield "", "not JSON"
                continue
            if not isinstance(found, dict):
                yield "", "not a JSON object"
                continue
            if not there:
                check_columns(path, found, {column: "columns.text"})
                there = True
            yield _checked(found.get(column))


def comma_separated(path: Path, source: Mapping[str, Any]) -> Found:
    """The text column of a CSV file."""
    column = _column(source)
    csv.field_size_limit(LONGEST)
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as opened:
        reader = csv.reader(opened, strict=True)
        header = next(reader, [])
        check_columns(path, header, {column: "columns.text"})
        place = header.index(column)
        while True:
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                yield "", "stray quote"
                continue
            if cells:
                yield (
                    _checked(cells[place]) if len(cells) == len(header) else ("", "number of cells")
                )


def parquet(path: Path, source: Mapping[str, Any]) -> Found:
    """The text column of a parquet file."""
    column = _column(source)
    try:
        with pq.ParquetFile(path, pre_buffer=False) as opened:
            check_columns(path, opened.schema_arrow.names, {column: "columns.text"})
            for batch in opened.iter_batches(RECORDS, columns=[column]):
                cells = batch.column(0)
                if pa.types.is_dictionary(cells.type):
                    cells = cells.dictionary_decode()
                # As bytes, since one string that is not UTF-8 would stop the whole column.
                for cell in cells.cast(pa.large_string()).cast(pa.large_binary()).to_pylist():
                    yield _checked(cell and cell.decode(errors="surrogateescape"))
    except (pa.ArrowException, OSError) as problem:
        raise CorpusError(
            f"{path} cannot be read as parquet: {problem}. Fetch or write the file again."
        ) from problem


KINDS = {
    "text": "saegrid.store.texts:separated",
    "csv": "saegrid.store.texts:comma_separated",
    "jsonl": "saegrid.store.texts:jsonl",
    "parquet": "saegrid.store.texts:parquet",
    "hub": "saegrid.store.texts:parquet",
}
"""Readers by the kind of a source; on the hub the ending of a file tells which."""
