"""Labels that people gave on the pages of features, and how far two of them agree.

A page exports {study, corpus, cell, labels: {feature: text}}.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.errors import ConfigError, shown

KEY = "analyses.names.labels"
LABELS = pa.schema([("feature", pa.int32()), ("labeller", pa.string()), ("label", pa.string())])
"""Columns of labels.parquet: the labels as they were typed, a labeller being the file of the
config."""
AGREEMENT = pa.schema(
    [
        ("labeller", pa.string()),
        ("other", pa.string()),
        ("n", pa.int32()),
        ("agree", pa.float64()),
        ("agree_low", pa.float64()),
        ("agree_high", pa.float64()),
        ("chance", pa.float64()),
        ("kappa", pa.float64()),
        ("kappa_low", pa.float64()),
        ("kappa_high", pa.float64()),
    ]
)
"""Columns of labels_agreement.parquet, a row for each two labellers: features that both labelled,
share of equal labels, share that chance gives, and Cohen's kappa."""
ID = re.compile(r"0|[1-9]\d{0,8}")


class File(NamedTuple):
    """A file of labels."""

    path: str
    cell: str
    labels: Mapping[int, str]


def read(path: str, written: str, study: str, corpora: Iterable[str], cells: Iterable[str]) -> File:
    """The labels of a file.

    path: where it lies; written: the same as the config has it. ConfigError where this is no export
    of a page of the study's main corpus.
    """
    want = "expected a file that a page of features exports"
    try:
        body = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{KEY}: the file {written} is not there. Mend the path.") from None
    except (OSError, ValueError, RecursionError):
        raise ConfigError(f"{KEY}: {written} is no JSON; {want}. Export it again.") from None
    labels = body.get("labels") if isinstance(body, dict) else None
    if not isinstance(labels, dict):
        raise ConfigError(f"{KEY}: {written} has no mapping `labels`; {want}. Export it again.")
    for name, known in (("study", [study]), ("corpus", list(corpora)), ("cell", list(cells))):
        if body.get(name) not in known:
            of = known[0] if len(known) == 1 else f"one of {', '.join(sorted(known)[:6])}"
            raise ConfigError(
                f"{KEY}: {written} holds labels of the {name} {shown(body.get(name))}; expected "
                f"{of}. Leave the file out, or name one of this study."
            )
    return File(
        written, body["cell"], {_feature(k, written): v for k, v in _texts(labels, written)}
    )


def _texts(labels: Mapping[str, Any], written: str) -> Iterable[tuple[str, str]]:
    for key, text in labels.items():
        try:
            check_text(text)
        except ValueError:
            raise ConfigError(
                f"{KEY}: {written}: the label of {shown(key)} must be a text; got {shown(text)}. "
                "Export it again."
            ) from None
        if text.strip():
            yield key, text.strip()


def check_text(label: Any) -> None:
    """ValueError where a label is no text, or holds half of a character, which no file can hold."""
    try:
        str.encode(label)
    except (TypeError, UnicodeEncodeError):
        raise ValueError(f"{ascii(label)[:40]} is no text") from None


def number(key: str) -> int:
    """The feature that a label stands by; ValueError where the key is no number of one."""
    if not ID.fullmatch(key):
        raise ValueError(f"{ascii(key)[:40]} is no number of a feature")
    return int(key)


def _feature(key: str, written: str) -> int:
    try:
        return number(key)
    except ValueError:
        raise ConfigError(
            f"{KEY}: {written}: labels stand by the number of a feature; got {shown(key)}. Export "
            "it again."
        ) from None


def check_features(files: Sequence[File], d_sae: int) -> None:
    """ConfigError where a label is of a feature that the cell has not."""
    for file in files:
        for feature in file.labels:
            if feature >= d_sae:
                raise ConfigError(
                    f"{KEY}: {file.path} has a label of feature {feature:,}; {file.cell} has 0 to "
                    f"{d_sae - 1:,}. Was it exported from another run? Leave the label out."
                )


def table(files: Sequence[File]) -> pa.Table:
    """labels.parquet: the labels of a cell, by feature, then in the order of the files."""
    rows = [
        {"feature": feature, "labeller": file.path, "label": file.labels[feature]}
        for feature in sorted({f for file in files for f in file.labels})
        for file in files
        if feature in file.labels
    ]
    return pa.Table.from_pylist(rows, LABELS)


def normalised(label: str) -> str:
    """A label as it is compared: case-folded, punctuation as blanks, one blank between words."""
    kept = label.casefold().translate(str.maketrans(dict.fromkeys(string.punctuation, " ")))
    return " ".join(kept.split()) or label.strip()


class Agreement(NamedTuple):
    """Agreement of two labellers on the features that both labelled."""

    n: int
    agree: float | None = None
    agree_low: float | None = None
    agree_high: float | None = None
    chance: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None


def agreement(one: Sequence[str], other: Sequence[str]) -> Agreement:
    """Cohen's kappa of two lists of labels, in the same order of features.

    Each different label, after `normalised`, is a category: of a vocabulary of few labels (yes, no)
    this is the usual kappa; of free texts chance agreement is near 0 and kappa near the share of
    equal labels. kappa = (agree - chance) / (1 - chance), where chance is the sum over categories
    of the product of both shares; null where chance is 1. Interval: that of Clopper and Pearson for
    the share of agreement, put into the formula with the same chance, so that two who agree on
    everything have one with a width; the error of chance itself is left out.
    """
    from saegrid.evidence.intervals import exact

    pairs = [(normalised(a), normalised(b)) for a, b in zip(one, other, strict=True)]
    n = len(pairs)
    if not n:
        return Agreement(0)
    equal = sum(a == b for a, b in pairs)
    first, second = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    by_chance = sum(count * second[label] for label, count in first.items())
    chance, (low, high) = by_chance / n**2, (float(end) for end in exact(equal, n))
    shares = equal / n, low, high
    if by_chance == n**2:
        return Agreement(n, *shares, chance)
    return Agreement(n, *shares, chance, *((share - chance) / (1 - chance) for share in shares))


def agreements(files: Sequence[File]) -> pa.Table:
    """labels_agreement.parquet: each two files of a cell."""
    rows = []
    for one, other in combinations(files, 2):
        both = sorted(one.labels.keys() & other.labels.keys())
        result = agreement([one.labels[f] for f in both], [other.labels[f] for f in both])
        rows.append({"labeller": one.path, "other": other.path, **result._asdict()})
    return pa.Table.from_pylist(rows, AGREEMENT)


def kappa(table: pa.Table) -> float | None:
    """Kappa of the first two labellers of a cell; None where there are none."""
    return table["kappa"][0].as_py() if table.num_rows else None


def rows_of_features(table: pa.Table) -> dict[int, list[dict[str, str]]]:
    """The rows of the panel on the page of each feature."""
    rows: dict[int, list[dict[str, str]]] = {}
    for row in table.to_pylist():
        rows.setdefault(row["feature"], []).append(
            {"label": row["label"], "by": Path(row["labeller"]).stem}
        )
    return rows


def read_all(
    settings: Mapping[str, Any], written: Mapping[str, Any], corpus: str, cell: str
) -> list[File]:
    """The label files of a cell by its spec, whose paths are expanded in `settings` and as in the
    config in `written`. ConfigError as in `read`."""
    pairs = zip(settings["label_files"], written["label_files"], strict=True)
    return [read(path, name, settings["study"], [corpus], [cell]) for (path, _), (name, _) in pairs]
