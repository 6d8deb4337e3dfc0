"""People's labels of features in the results of a study.

`{corpus}/labels/{cell}.json` has the shape that a page of features exports, so that it can be
imported there and named in `analyses.names.labels`: study, corpus, cell, labels. Beside them stands
`conflicts`: other texts for a feature, which were brought in and not taken.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from saegrid.base import io
from saegrid.meaning.names.labels import normalised


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
    """The labels of a cell by feature, and the other texts of some of these features."""
    path = path_of(corpus, cell)
    body = io.read_json(path) if path.is_file() else {}
    labels = {int(feature): text for feature, text in body.get("labels", {}).items()}
    aside = {int(feature): list(texts) for feature, texts in body.get("conflicts", {}).items()}
    return labels, aside


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
