"""A look at files of texts: their kind, the column of the texts, edits, splits and labels."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from saegrid.base.errors import ConfigError
from saegrid.base.registry import pick
from saegrid.command.proposal.columns import (
    LOOKED,
    columns_of,
    shared_columns,
    text_column,
    usual_of,
)
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.hub import PACKED
from saegrid.text.corpora.items import MARKER, NUMERAL, OWN
from saegrid.text.corpora.look import check_file

ENDINGS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl",
           ".parquet": "parquet", ".txt": "text"}  # fmt: skip
"""Kinds of files by the ends of their names."""
EDITS = ("edit", "edit_word", "replacement", "new_word")
"""Names of columns that hold what replaces the marked words."""
WHOLE = (("original", "edited"), ("before", "after"))
"""Names of columns that hold both texts of a pair."""
SPLIT, OF = "split", "\0split"
"""The column of splits, and the key under which a row has the split of its file."""
CLASSES = 10
"""Values of a column up to which it is taken for classes."""
LONG = 60
"""Characters of the longest value of a class."""


class Texts(NamedTuple):
    """Files of texts as they were seen."""

    files: dict[str, str]
    """Paths by split, as the config has them."""
    kind: str
    columns: dict[str, str]
    """Columns of the texts, by the keys of the config: text alone, or original with edit or
    edited."""
    labels: dict[str, str]
    """Other columns that may serve as labels: text or number."""
    classes: dict[str, dict[str, int]]
    """Values of the labels of texts, and the rows of each."""
    spread: list[str]
    """Labels of numbers whose lower and upper quartile differ."""
    split_column: str | None
    sizes: dict[str, int]
    """Rows seen of each split."""
    n: int
    """Rows seen, at most `LOOKED` of a file."""
    more: bool
    """True if a file has more rows than were looked at."""
    delimiter: str | None
    """Delimiter that the config must name; None where it shows."""
    repeated: bool
    """True if the column `id` does not tell the rows apart."""
    copies: int
    """Rows seen whose texts are those of an earlier one, blanks around them aside."""
    sample: list[str]
    """Texts of the rows seen."""

    @property
    def splits(self) -> list[str]:
        """Names of the splits, by files or by the column that names them."""
        return list(self.sizes)

    @property
    def is_paired(self) -> bool:
        """Return True for edits beside their originals."""
        return "original" in self.columns

    def source(self, paths: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The source of the corpus, as a config has it; `paths`: other paths of the files."""
        named: dict[str, Any] = dict(self.columns)
        if self.repeated:
            named = {"id": None, **named}
        files = dict(paths or self.files)
        source: dict[str, Any] = {"kind": self.kind}
        source["files"] = files["all"] if list(files) == ["all"] else files
        if self.delimiter:
            source["delimiter"] = self.delimiter
        if self.kind != "text":
            source["columns"] = named
        if self.labels:
            source["labels"] = dict(self.labels)
        if self.split_column:
            source["split_column"] = self.split_column
        return source


def kind_of(path: Path) -> str:
    """The kind of a file by its ending; ConfigError names those that are read."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in ENDINGS:
        raise ConfigError(f"{path}: must end in {', '.join(ENDINGS)}; rename it by what it holds.")
    return ENDINGS[suffixes[-1]]


def kind_of_all(files: Sequence[Path]) -> str:
    """The one kind of several files; ConfigError where they are of several."""
    kinds = {kind_of(path) for path in files}
    if len(kinds) > 1:
        raise ConfigError(f"the files must be of one kind; got {' and '.join(sorted(kinds))}.")
    return kinds.pop()


def look(paths: Sequence[tuple[str, Path]], column: str | None = None) -> Texts:
    """Look at the heads of files of texts.

    Args:
        paths: each file as the config names it, and where it lies.
        column: column of the texts; None: found by its name, or by the marks of edits in it.

    Raises:
        ConfigError, CorpusError: a file cannot be read, or there is no column of texts.
    """
    files = [check_file(path) for _, path in paths]
    kind = kind_of_all(files)
    if kind == "csv" and column is None and _is_list(files):
        kind = "text"
    names = shared_columns(files, kind)
    splits = _splits(files)
    delimiter = "\t" if kind == "csv" and len(names) == 1 and _has_commas(files) else None
    rows = _rows(kind, dict(zip(splits, map(str, files), strict=True)), names, delimiter)
    if not rows:
        raise ConfigError(f"{files[0]} has no rows: expected a text in each.")
    roles = _columns(rows, names, column)
    if roles is None:
        roles = {"text": text_column(files, kind, column)}
    others = [n for n in names if n not in (*roles.values(), *OWN, SPLIT)]
    labels, classes = _labels(rows, others) if kind != "text" else ({}, {})
    by_column = _few(rows, SPLIT) if SPLIT in names and len(files) == 1 else None
    first = roles.get("text") or roles.get("edited") or roles["original"]
    ids = [row["id"] for row in rows if "id" in names]
    return Texts(
        files=dict(zip(splits, (written for written, _ in paths), strict=True)),
        kind=kind,
        columns=roles,
        labels=labels,
        classes=classes,
        spread=[name for name, how in labels.items() if how == "number" and _differs(rows, name)],
        split_column=SPLIT if by_column else None,
        sizes=by_column or dict(Counter(row[OF] for row in rows)),
        n=len(rows),
        delimiter=delimiter and "tab",
        more=len(rows) == LOOKED * len(files),
        repeated=len(files) == 1 and len(set(ids)) < len(ids),
        copies=_copies(rows, list(roles.values())),
        sample=[row[first] for row in rows if row.get(first)],
    )


def _is_list(files: Sequence[Path]) -> bool:
    """Return True for a table that is none: a text a line, the first line a text too."""
    for path in files:
        head = columns_of(path, "csv")
        if usual_of(head) or not all(" " in name.strip() for name in head):
            return False
    return True


def _splits(files: Sequence[Path]) -> list[str]:
    """Names of the splits of files: the begins of their names; `all` of one file alone."""
    if len(files) == 1:
        return ["all"]
    stems = [path.name.split(".")[0] for path in files]
    return [
        stem if stems.count(stem) == 1 else f"{stem}-{number}"
        for number, stem in enumerate(stems, 1)
    ]


def _has_commas(files: Sequence[Path]) -> bool:
    """Return True for a table of one column whose texts hold commas without quotes."""
    for path in files:
        source = {"kind": "csv", "files": {"all": str(path)}, "columns": {}}
        rows = islice(pick(CORPORA, "csv", "Corpus kind")(source), LOOKED)
        if any(row.problem == "too many cells" for row in rows):
            return True
    return False


def _rows(
    kind: str, files: dict[str, str], names: Sequence[str], delimiter: str | None
) -> list[dict[str, str]]:
    """The first rows of each file that can be read, a value for each column."""
    reader = pick(CORPORA, kind, "Corpus kind")
    # Any column will do to tell the delimiter.
    wanted = {} if kind == "text" else {"text": names[0], "id": names[-1]}
    rows: list[dict[str, str]] = []
    for split, path in files.items():
        source = {"kind": kind, "files": {split: path}, "columns": wanted}
        source["delimiter"] = delimiter
        readable = (row.values for row in reader(source) if row.problem is None)
        head = islice(readable, LOOKED)
        rows += [{**{k: v or "" for k, v in one.items()}, OF: split} for one in head]
    return rows


def _columns(
    rows: Sequence[Mapping[str, str]], names: Sequence[str], column: str | None
) -> dict[str, str] | None:
    """The columns of a pair of texts, None where texts are unpaired or one column is asked for."""
    if column is not None:
        return None
    folded = {name.casefold(): name for name in names}
    for name in names:
        marked = sum(len(MARKER.findall(row.get(name, ""))) == 1 for row in rows)
        if 2 * marked > len(rows):
            edit = next((folded[one] for one in EDITS if one in folded), None)
            if edit is None:
                raise ConfigError(
                    f"the column {name!r} marks words to be replaced, as in <word/>, and no column "
                    f"is named {' or '.join(EDITS)}; name the column of the new words `edit`, or "
                    f"take the marked texts as they are with --column {name}."
                )
            return {"original": name, "edit": edit}
    for original, edited in WHOLE:
        if original in folded and edited in folded:
            return {"original": folded[original], "edited": folded[edited]}
    return None


def _labels(
    rows: Sequence[Mapping[str, str]], names: Sequence[str]
) -> tuple[dict[str, str], dict[str, dict[str, int]]]:
    """Columns of numbers and of a few classes, and the classes."""
    labels: dict[str, str] = {}
    classes: dict[str, dict[str, int]] = {}
    for name in names:
        values = [row.get(name, "") for row in rows]
        few = _few(rows, name)
        if all(map(NUMERAL.fullmatch, values)) and len(set(values)) > 2 and not _counts(values):
            labels[name] = "number"
        elif few is not None and len(few) > 1:
            labels[name], classes[name] = "text", few
    return labels, classes


def _copies(rows: Sequence[Mapping[str, str]], names: Sequence[str]) -> int:
    """The number of rows that have the texts of an earlier one, blanks around them aside; rows that
    lack one are no texts."""
    texts = [tuple(row.get(name, "").strip() for name in names) for row in rows]
    full = [one for one in texts if all(one)]
    return len(full) - len(set(full))


def _differs(rows: Sequence[Mapping[str, str]], name: str) -> bool:
    """Return True if the lower and the upper quartile of a column of numbers differ."""
    values = sorted(float(row[name]) for row in rows)
    return values[len(values) // 4] < values[-1 - len(values) // 4]


def _counts(values: Sequence[str]) -> bool:
    """Return True for digits that count nothing: numbers of rows, and digits behind a zero."""
    digits = all(value.isdecimal() for value in values)
    names_rows = len(set(values)) == len(values) > CLASSES
    return digits and (names_rows or any(len(v) > 1 and v.startswith("0") for v in values))


def _few(rows: Sequence[Mapping[str, str]], name: str) -> dict[str, int] | None:
    """The values of a column, with their rows, where these are few and none stands alone."""
    counts = Counter(row.get(name, "") for row in rows)
    if "" in counts or len(counts) > CLASSES or max(map(len, counts)) > LONG:
        return None
    return dict(sorted(counts.items())) if min(counts.values()) > 1 else None


def described(texts: Texts) -> Iterator[str]:
    """Describe the texts, a line each."""
    files = ", ".join(texts.files.values())
    number = f"more than {texts.n:,}" if texts.more else f"{texts.n:,}"
    named = " and ".join(f"{name!r} ({key})" for key, name in texts.columns.items())
    where = f"column {named}" if texts.kind != "text" else "one text a line"
    yield f"{files}: {texts.kind}, {number} rows, {where}"
    if texts.is_paired:
        yield "each row is an edited text beside its original"
    else:
        yield "plain texts, without edits"
    if len(texts.files) > 1:
        yield f"splits: {', '.join(texts.files)}"
    if texts.split_column:
        yield f"splits by the column {texts.split_column!r}"
    for name, how in texts.labels.items():
        values = f": {', '.join(texts.classes[name])}" if name in texts.classes else ""
        yield f"label {name!r}, {'numbers' if how == 'number' else 'classes'}{values}"
    if texts.delimiter:
        yield "texts hold commas without quotes: each line is read whole"
    if texts.repeated:
        yield "the column 'id' repeats itself, so that rows are numbered instead"
    if texts.copies:
        repeat = "repeats" if texts.copies == 1 else "repeat"
        first = "first " if texts.more else ""
        yield (
            f"{texts.copies:,} of the {first}{texts.n:,} rows {repeat} the text of an earlier one; "
            "none is dropped: each counts again in densities, tests take the copies as one cluster"
        )
