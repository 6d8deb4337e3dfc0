"""The texts of a streamed corpus: in a fixed order, each with a fixed number, in bounded memory.

Files come in the order of the config (`*` by name), texts in the order of the file. The next file
is fetched and its digest taken while the present one is in use.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.registry import pick
from saegrid.text.corpora import csv as csv_reader
from saegrid.text.corpora import hub
from saegrid.text.corpora import jsonl as json_reader
from saegrid.text.corpora import parquet as parquet_reader
from saegrid.text.corpora.facts import sha256
from saegrid.text.corpora.form import Form, bytes_form, open_text
from saegrid.text.corpora.rows import CorpusError, check_columns, files, is_text

CHUNK = 1 << 20
"""Number of characters of a text file that are read at a time."""
LONGEST = 1 << 26
"""Number of characters of the longest text."""
RECORDS = 256
"""Number of rows of a parquet file that are read at a time."""


class Offset(NamedTuple):
    """The offset of a text in the stream, by file, text and token."""

    file: int = 0
    """Number of the text's file."""
    index: int = 0
    """Number of the text in its file."""
    text: int = 0
    """Number of the text in the stream."""
    token: int = 0
    """Number of real tokens before the text."""


class Text(NamedTuple):
    """A text of the stream, with the reason if it cannot be used."""

    file: int
    index: int
    text: str
    problem: str | None = None
    """Reason why the text cannot be used; it keeps its number."""


class File(NamedTuple):
    """A file of the stream on this machine."""

    name: str
    """Name of the file; on the hub, its repository, commit and path."""
    path: Path
    sha256: str


def names(source: Mapping[str, Any]) -> list[str]:
    """The files of a source in the order of the stream; CorpusError if one is missing."""
    if source["kind"] not in KINDS:
        raise CorpusError(
            f"A source of kind {source['kind']!r} cannot be streamed; expected one of "
            f"{', '.join(sorted(KINDS))}."
        )
    if source["kind"] == "hub":
        return [path for _, path in hub.names(source)]
    paths: list[str] = []
    for split, path in files(source):
        matches = _matching(path) if "*" in path else [path] * Path(path).is_file()
        if not matches:
            raise CorpusError(f"{path} is not there; `files.{split}` must name a file.")
        paths += matches
    return paths


def _matching(pattern: str) -> list[str]:
    """The files of a folder whose names match a pattern, sorted by name."""
    path = Path(pattern)
    return sorted(str(file) for file in path.parent.glob(path.name) if file.is_file())


def locate(source: Mapping[str, Any], name: str) -> File:
    """A file of a source with its digest, fetched first if it lies on the hub."""
    path = Path(name)
    if source["kind"] == "hub":
        path = Path(hub.fetched(source, [("", name)])[0][1])
    return File(full_name(source, name), path, sha256(path))


def full_name(source: Mapping[str, Any], name: str) -> str:
    """The name of a source's file in a manifest."""
    if not is_pinned(source):
        return Path(name).name
    return f"{source['repo']}@{source['revision']}/{name}"


def is_pinned(source: Mapping[str, Any]) -> bool:
    """Return True if file names identify their content, as those of a commit on the hub do."""
    return source["kind"] == "hub" and not Path(source["repo"]).is_dir()


def texts(
    source: Mapping[str, Any],
    listed: Sequence[str],
    at: Offset = Offset(),  # noqa: B008
    met: Callable[[int, File], None] = lambda number, file: None,
) -> Iterator[Text]:
    """The texts of some files from an offset on.

    A file without text counts as one text that cannot be used.

    Args:
        source: `kind` (text, csv, jsonl, parquet, hub), `columns.text` and `separator`, see the
            config.
        listed: names of the files, in order.
        at: offset of the first text.
        met: called with the number and the facts of each file before its first text.

    Raises:
        CorpusError: a column is missing, or a text has no end.
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


Texts = Iterator[tuple[str, str | None]]
"""Texts, each with the reason why it cannot be used, or None."""


def _reader(source: Mapping[str, Any], path: Path) -> Callable[[Path, Mapping[str, Any]], Texts]:
    return pick(KINDS, _kind(source, path), "The kind of a streamed source")


def _kind(source: Mapping[str, Any], path: Path) -> str:
    """The kind of a file; one on the hub is read by its ending."""
    return source["kind"] if source["kind"] != "hub" else hub.kind_of(path.name)


def _column(source: Mapping[str, Any]) -> str:
    return (source.get("columns") or {}).get("text") or "text"


def separated(path: Path, source: Mapping[str, Any]) -> Texts:
    """The texts between separators that are not blank."""
    separator = (source.get("separator") or "\n").replace("\r\n", "\n")
    kept, form = "", bytes_form(path, source)
    with open_text(path, form) as opened:
        while chunk := opened.read(CHUNK):
            *whole, kept = (kept + chunk).split(separator)
            yield from (_checked(text, form.wrong) for text in whole if text.strip())
            if len(kept) > LONGEST:
                raise CorpusError(
                    f"{path}: a text has more than {LONGEST:,} characters without the separator "
                    f"{separator!r}. Set source.separator to what stands between its texts."
                )
    if kept.strip():
        yield _checked(kept, form.wrong)


def _checked(text: Any, wrong: str = "not UTF-8") -> tuple[str, str | None]:
    if not isinstance(text, str) or not text.strip():
        return "", "no text"
    return (text, None) if is_text(text) else ("", wrong)


def jsonl(path: Path, source: Mapping[str, Any]) -> Texts:
    """The texts of a column of JSON: lines, an array, or objects over several lines."""
    column, checked = _column(source), False
    form = json_reader.form(path, source)
    for _, record, problem in json_reader.values(path, form, spelled=False):
        if problem or not isinstance(record, dict):
            yield "", problem or "not a JSON object"
            continue
        if not checked:
            check_columns(path, record, {column: "columns.text"})
            checked = True
        yield _checked(record.get(column), form.wrong)


def delimited(path: Path, source: Mapping[str, Any]) -> Texts:
    """The texts of a column of a CSV file."""
    column = _column(source)
    form = csv_reader.form(path, _asked(source))
    csv.field_size_limit(LONGEST)
    with open_text(path, form, newline="") as opened:
        rows = csv_reader.records(opened, form.delimiter, form.quotes)
        _, first = next(rows, (0, []))
        header = csv_reader.names(path, first)
        check_columns(path, header, {column: "columns.text"})
        index = header.index(column)
        for _, cells in rows:
            if cells is None:
                yield "", "stray quote"
            elif csv_reader.is_header(cells, first):
                yield "", "a second header row"
            elif len(cells) != len(header):
                yield "", "number of cells"
            else:
                yield _checked(cells[index], form.wrong)


def _asked(source: Mapping[str, Any]) -> dict[str, Any]:
    """A source with the column that is read of it alone."""
    return {**source, "columns": {"text": _column(source)}, "labels": {}, "split_column": None}


def parquet(path: Path, source: Mapping[str, Any]) -> Texts:
    """The texts of a column of a parquet file."""
    column = _column(source)
    for batch in parquet_reader.batches(path, {column: "columns.text"}, RECORDS):
        for cell in parquet_reader.texts(path, column, batch.column(0)):
            yield _checked(cell)


def form_of(path: Path, source: Mapping[str, Any]) -> Form | None:
    """The form in which a file of a stream is read; None where it has none to choose."""
    forms = {"text": bytes_form, "csv": csv_reader.form, "jsonl": json_reader.form}
    kind = _kind(source, path)
    return forms[kind](path, _asked(source)) if kind in forms else None


KINDS = {
    "text": "saegrid.store.texts:separated",
    "csv": "saegrid.store.texts:delimited",
    "jsonl": "saegrid.store.texts:jsonl",
    "parquet": "saegrid.store.texts:parquet",
    "hub": "saegrid.store.texts:parquet",
}
"""Readers of texts by the kind of a source; a file on the hub is read by its ending."""
