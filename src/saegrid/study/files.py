"""Files of a study, and the error of a request for what it does not hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq

from saegrid.base.registry import nearest


class NotThere(LookupError):
    """An error of a request for results that a study does not hold; the message says what it holds,
    or how to make them."""


def folders(folder: Path) -> list[str]:
    """The names of the folders in a folder."""
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def missing(what: str, name: str, known: Sequence[str]) -> NoReturn:
    """Raise NotThere with the nearest spelling and some known names."""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    raise NotThere(f"{what}{nearest(name, known)} Known: {shown or 'none'}.")


def not_made(path: Path, target: str = "cells") -> NoReturn:
    """Raise NotThere with the target that makes a file."""
    raise NotThere(f"{path} is not there. Make it with snakemake's target {target} of this study.")


def read(
    path: Path, filters: list[tuple[str, str, int]] | None = None, target: str = "cells"
) -> Any:
    """The rows of a parquet file that pass the filters; NotThere if it was not made."""
    if not path.is_file():
        not_made(path, target)
    return pq.read_table(path, filters=filters, partitioning=None)


def from_one(table: Any, *columns: str) -> Any:
    """A data frame whose ranks count from 1, as on the pages; in files they count from 0."""
    return table.assign(**{name: table[name] + 1 for name in columns if name in table})
