"""Rows of text with their file and line, the common output of all readers."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from saegrid.base.errors import shown
from saegrid.base.registry import nearest

if TYPE_CHECKING:
    from saegrid.text.corpora.form import Form

RAW = "row"
"""Under this key stands the text of a row that could not be taken apart."""

NO_SPLIT = "all"
"""Split of the rows of a source that has no files to name one."""

NAMES = 20
"""Names of columns that a message lists."""

BY_ITSELF = "auto"
"""Setting of columns.id: the column `id` where the files have one, else the row number."""


class CorpusError(ValueError):
    """A source that cannot be used; the message names the file, what is wrong and the mend."""


class Record(NamedTuple):
    """A row of one file: its first line (in parquet its number), its values or what is wrong."""

    line: int
    values: dict[str, str | None]
    problem: str | None = None
    whole: str | None = None
    """The text that this is a piece of; pieces of one text are one group."""


class Row(NamedTuple):
    """A row of a source. All values are text; None where the file has none."""

    split: str
    file: Path
    line: int
    values: dict[str, str | None]
    problem: str | None = None
    whole: str | None = None
    """See Record."""
    form: "Form | None" = None
    """The form of the file; None where it has none to choose."""


class Read(NamedTuple):
    """A file that is being read."""

    form: "Form | None"
    """Its form; None where there is none to choose."""
    records: Iterator[Record]


Needed = Mapping[str, str]
"""Column names and the config keys that ask for them."""

Reader = Callable[[Path, Mapping[str, Any]], Read]
"""Reads one file of a source; the columns needed are there or it raises CorpusError."""


RANDOM_EDITS, CONTINUED, CARRIED = DERIVED = ("random_edits", "continued", "carried")
"""Kinds of sources whose files are read as those of another kind, `of`."""


def as_read(source: Mapping[str, Any]) -> dict[str, Any]:
    """The source by which its files are read: of random edits that of the real ones, of continued
    prompts that of the prompts, of words in sentences that of the words."""
    return {**source, "kind": source.get("of")} if source["kind"] in DERIVED else {**source}


def needed(source: Mapping[str, Any]) -> dict[str, str]:
    """The columns that a source asks for, each with the key that names it."""
    columns = {
        name: f"columns.{key}"
        for key, name in (source.get("columns") or {}).items()
        if name and (key, name) != ("id", BY_ITSELF)
    }
    labels = {name: f"labels.{name}" for name in source.get("labels") or {}}
    split = source.get("split_column")
    return {**({split: "split_column"} if split else {}), **labels, **columns}


def check_columns(file: Path, present: Iterable[str], wanted: Needed) -> None:
    """CorpusError where a column is not there, or where two have one name."""
    present = list(present)
    listed = ", ".join(shown(name) for name in present[:NAMES]) or "none"
    listed += f" and {len(present) - NAMES} more" if len(present) > NAMES else ""
    for name, key in wanted.items():
        if name not in present:
            mend = " Set columns.id to null to number the rows." if key == "columns.id" else ""
            raise CorpusError(
                f"{file} has no column {name!r}, which {key} asks for."
                f"{nearest(name, present)} Columns there: {listed}.{mend}"
            )
        if present.count(name) > 1:
            raise CorpusError(
                f"{file} has {present.count(name)} columns named {name!r}, which {key} asks for; "
                f"expected one. Columns there: {listed}."
            )


def files(source: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Split and path of every file of a source, in order; CorpusError where there is none."""
    listed = [
        (split, path)
        for split, paths in (source.get("files") or {}).items()
        for path in ([paths] if isinstance(paths, str | Path) else paths)
    ]
    if not listed:
        raise CorpusError(
            f"A source of kind {source.get('kind')!r} needs `files`, a mapping of splits to "
            "files, such as {train: data/train.csv}; got none."
        )
    return [(split, str(path)) for split, path in listed]


def over_files(
    source: Mapping[str, Any], read: Reader, listed: Iterable[tuple[str, str]] | None = None
) -> Iterator[Row]:
    """The rows of a source's files, or of the files `listed`, in order.

    Raises:
        CorpusError: a file that is not there or has no row; a column that is not there.
    """
    split_column = source.get("split_column")
    for split, path in files(source) if listed is None else listed:
        file, n = Path(path), 0
        if not file.is_file():
            raise CorpusError(f"{file} is not there; `files.{split}` must name a file.")
        form, records = read(file, source)
        for n, (line, values, problem, whole) in enumerate(records, start=1):  # noqa: B007
            named = split
            if split_column and not problem:
                named = values.get(split_column) or split
                problem = None if values.get(split_column) else f"missing value: {split_column}"
            yield Row(named, file, line, values, problem, whole, form)
        if not n:
            raise CorpusError(f"{file} holds no rows; expected at least one.")


def numbered(rows: Iterable[Row], column: str) -> Iterator[Row]:
    """The rows with their number within the split, counted from 1, in `column`."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row.split] += 1
        yield row._replace(values={**row.values, column: str(counts[row.split])})


def is_text(*values: str | None) -> bool:
    """Return True if values hold no lone surrogates, which stand for bytes that are no text."""
    try:
        "".join(value for value in values if value).encode()
    except UnicodeEncodeError:
        return False
    return True
