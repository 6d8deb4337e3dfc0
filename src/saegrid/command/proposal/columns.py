"""The column of the texts: by its name, the same in all files, and with more than one value."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from saegrid.base.errors import ConfigError
from saegrid.base.registry import nearest, pick
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.csv import DELIMITERS
from saegrid.text.corpora.items import OWN
from saegrid.text.corpora.look import columns
from saegrid.text.corpora.rows import NAMES

USUAL = ("text", "prompt", "headline", "title", "sentence", "content", "body")
"""Names of columns that hold texts, in the order in which they are tried."""
LOOKED = 5_000
"""Rows of a file that are looked at."""


def columns_of(path: Path, kind: str) -> list[str]:
    """The columns of a file; of a table with another delimiter than commas those that it gives.

    A delimiter with which a usual name of texts is a column is believed, else the one that gives
    most columns.
    """
    if kind == "text":
        return ["text"]
    if kind != "csv":
        return columns(path, kind, {})
    ways = [columns(path, kind, {"delimiter": mark}) for mark in DELIMITERS]
    return max(ways, key=lambda names: (bool(usual_of(names)), len(names)))


def usual_of(names: Iterable[str]) -> list[str]:
    """The usual names of texts among columns, whatever their capitals, in the order of `USUAL`."""
    folded = {name.casefold(): name for name in names}
    return [folded[usual] for usual in USUAL if usual in folded]


def shared_columns(files: Sequence[Path], kind: str) -> list[str]:
    """The columns that all files have, in the order of the first one."""
    return _shared([columns_of(path, kind) for path in files])


def _shared(known: Sequence[Sequence[str]]) -> list[str]:
    return [name for name in known[0] if all(name in other for other in known)]


def text_column(files: Sequence[Path], kind: str, named: str | None) -> str:
    """The column of the texts, the same in all files.

    Args:
        files: the files.
        kind: their kind.
        named: the column that is asked for; None: the first of the usual names, or the only
            column, that has more than one value in each file of several rows.

    Raises:
        ConfigError: there is no such column, or none that may be meant.
    """
    known = [columns_of(path, kind) for path in files]
    common, listed = _shared(known), _listed(files, known)
    if named is not None:
        check_named("--column", named, files, kind)
        return named
    likely = usual_of(common) or [name for name in common if len(common) == 1 and name not in OWN]
    same = {}
    for name in likely:
        path = of_one_value(files, kind, name)
        if path is None:
            return name
        same[name] = path
    if same:
        said = " and ".join(f"of {path} in {name!r}" for name, path in same.items())
        raise ConfigError(
            f"the texts are all the same, {said}, so that there is nothing to tell apart; name "
            "the column of the texts with --column, or give other texts."
        )
    raise ConfigError(_none_common(files, known, common, listed))


def check_named(option: str, name: str, files: Sequence[Path], kind: str) -> None:
    """ConfigError where a column that an option names is not in all files."""
    known = [columns_of(path, kind) for path in files]
    common = _shared(known)
    if name in common:
        return
    by_file = dict(zip(_names(files), known, strict=True))
    lacking = {path: names for path, names in by_file.items() if name not in names}
    if len(lacking) == len(by_file):
        raise ConfigError(
            f"{option}: {name!r} is no column of the files: {_listed(files, known)}."
            f"{nearest(name, common)}"
        )
    listed = "; ".join(f"{path} has {_columns(names)}" for path, names in lacking.items())
    having = next(path for path in by_file if path not in lacking)
    usual = {path: next(iter(usual_of(names)), None) for path, names in lacking.items()}
    renamed = " and ".join(f"{other!r} of {path}" for path, other in usual.items())
    how = (
        f"rename {renamed} to {name!r} in the file"
        if all(usual.values())
        else "give the column of the texts this name in each file"
    )
    others = [column for column in common if column not in OWN]
    other = f", or name a column that all files have: {_columns(others)}" if others else ""
    raise ConfigError(f"{option}: {listed}: no column {name!r}, as {having} has; {how}{other}.")


def of_one_value(files: Sequence[Path], kind: str, name: str) -> Path | None:
    """The first file of several rows that has one value at most in a column, blanks aside and as
    far as it is looked at; None where there is no such file."""
    reader = pick(CORPORA, kind, "Corpus kind")
    for path in files:
        asked = {} if kind == "text" else {"text": name}
        source = {"kind": kind, "files": {"all": str(path)}, "columns": asked}
        values: set[str] = set()
        n = 0
        for n, row in enumerate(islice(reader(source), LOOKED), start=1):  # noqa: B007
            values.add((row.values.get(name) or "").strip())
            if len(values - {""}) > 1:
                break
        else:
            if n > 1:
                return path
    return None


def _none_common(
    files: Sequence[Path], known: Sequence[Sequence[str]], common: Sequence[str], listed: str
) -> str:
    """The sentence of files that have no column of texts in common."""
    usual = [next(iter(usual_of(names)), None) for names in known]
    wanted = next((name for name in usual if name), None)
    if len(files) == 1 or (common and not all(usual)):
        return f"--column must name the column of the texts; {listed}."
    what = "no column of texts in common" if common else "no column in common"
    if all(usual):
        others = [
            f"{name!r} of {path} to {wanted!r}"
            for path, name in zip(_names(files), usual, strict=True)
            if name != wanted
        ]
        return f"{listed}: {what}; rename the column {' and '.join(dict.fromkeys(others))}."
    return f"{listed}: {what}; give the column of the texts the same name in each file."


def _listed(files: Sequence[Path], known: Sequence[Sequence[str]]) -> str:
    """The columns of each file by its name."""
    pairs = zip(_names(files), known, strict=True)
    return "; ".join(dict.fromkeys(f"{path} has {_columns(names)}" for path, names in pairs))


def _columns(names: Sequence[str]) -> str:
    """The first names of columns, and the number of the others."""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def _names(files: Sequence[Path]) -> list[str]:
    """Names of files; paths where two files in different folders have one name."""
    apart = len({path.name for path in files}) == len(set(files))
    return [path.name if apart else str(path) for path in files]
