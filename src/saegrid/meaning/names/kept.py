"""People's labels of features in the results of a study.

`{corpus}/labels/{cell}.json` has the shape that a page of features exports, so that it can be
imported there and named in `analyses.names.labels`: study, corpus, cell, labels. Beside them stands
`conflicts`: other texts for a feature, which were brought in and not taken.

No stage makes them: a page that shows them has their digest among its settings, so that pages are
made again, and nothing else, after labels were brought in.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from saegrid.base import io
from saegrid.base.digest import digest
from saegrid.base.errors import ConfigError
from saegrid.meaning.names.labels import check_text, normalised, number

NAMED = ["feature", "name"]
"""Columns of names."""


class Conflict(NamedTuple):
    """Two different labels of one feature."""

    feature: int
    ours: str
    theirs: str


class Merged(NamedTuple):
    """The labels of a cell with those of a file."""

    labels: dict[int, str]
    """Labels by feature, ascending."""
    added: int
    equal: int
    """Labels that both have, but for case and punctuation."""
    conflicts: list[Conflict]
    """Conflicts by feature; `labels` has the preferred one, or ours where none was."""


def merge(ours: Mapping[int, str], theirs: Mapping[int, str], prefer: str = "ours") -> Merged:
    """The labels of both. Of two that differ `prefer` (ours, theirs) decides; labels that are equal
    but for case and punctuation stay as ours are."""
    both = sorted(ours.keys() & theirs.keys())
    differ = [f for f in both if normalised(ours[f]) != normalised(theirs[f])]
    conflicts = [Conflict(f, ours[f], theirs[f]) for f in differ]
    labels = {**theirs, **ours}
    if prefer == "theirs":
        labels |= {f: theirs[f] for f in differ}
    added = len(theirs.keys() - ours.keys())
    return Merged(dict(sorted(labels.items())), added, len(both) - len(differ), conflicts)


def path_of(corpus: Path, cell: str) -> Path:
    """The file of a cell's labels in the folder of a corpus."""
    return corpus / "labels" / f"{cell}.json"


def read_kept(corpus: Path, cell: str) -> tuple[dict[int, str], dict[int, list[str]]]:
    """The labels of a cell by feature, and the other texts of some of these features. ConfigError
    for a file that is no such file."""
    path = path_of(corpus, cell)
    try:
        body = io.read_json(path) if path.is_file() else {}
        labels = {number(key): text for key, text in body.get("labels", {}).items()}
        aside = {number(key): list(texts) for key, texts in body.get("conflicts", {}).items()}
        for text in (*labels.values(), *(one for texts in aside.values() for one in texts)):
            check_text(text)
    except (ValueError, AttributeError, TypeError, OSError) as problem:
        raise ConfigError(
            f"{path}: expected labels as `saegrid labels import` writes them; {problem}. Remove "
            "the file, and import the labels anew."
        ) from problem
    return labels, aside


def state_of(corpus: Path, cell: str) -> list[str]:
    """The path of a cell's labels and their digest, for the settings of a page that shows them; []
    where there are none. ConfigError for a file that is no such file."""
    path = path_of(corpus, cell)
    labels, _ = read_kept(corpus, cell)
    return (
        [path.as_posix(), digest(io.canonical({str(f): labels[f] for f in labels}))]
        if labels
        else []
    )


def read_state(state: Sequence[str]) -> dict[int, str]:
    """The labels of a cell by feature, of which `state_of` gave path and digest; {} of none."""
    if not state:
        return {}
    path = Path(state[0])
    return read_kept(path.parents[1], path.stem)[0]


def labelled(
    names: Mapping[str, pa.Table], states: Mapping[str, Sequence[str]]
) -> dict[str, pa.Table]:
    """Columns feature and name by cell: the labels of people, and of other features their names.

    names: the same columns by cell. states: of the cells with labels, see `state_of`.
    """
    return {**names, **{c: _with(names.get(c), read_state(state)) for c, state in states.items()}}


def _with(names: pa.Table | None, labels: Mapping[int, str]) -> pa.Table:
    of = {} if names is None else dict(zip(*(names[c].to_pylist() for c in NAMED), strict=True))
    every = {**of, **labels}
    ids, texts = pa.array(list(every), pa.int32()), pa.array(list(every.values()), pa.string())
    return pa.table([ids, texts], NAMED)


def write_kept(
    study: str,
    corpus: Path,
    cell: str,
    labels: Mapping[int, str],
    aside: Mapping[int, Sequence[str]],
) -> Path:
    """Write the labels of a cell, by feature; the path of the file."""
    path = path_of(corpus, cell)
    body = body_of(study, corpus.name, cell, labels)
    if aside:
        body["conflicts"] = {str(f): list(aside[f]) for f in sorted(aside)}
    io.write_json(path, body)
    return path


def body_of(study: str, corpus: str, cell: str, labels: Mapping[int, str]) -> dict[str, object]:
    """The labels of a cell as a page of features exports them."""
    texts = {str(feature): labels[feature] for feature in sorted(labels)}
    return {"study": study, "corpus": corpus, "cell": cell, "labels": texts}
