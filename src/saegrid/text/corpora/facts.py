"""Facts of a corpus: counts, digests, groups, repeats, grades, warnings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from saegrid.text.corpora.rows import Row

CLOSE = 1e-6
"""A mean may be off its digits by the rounding of a float32 file, no more."""


def facts(
    table: pa.Table,
    set_aside: pa.Table,
    rows: Sequence[Row],
    places: Sequence[tuple[str, int]],
    grades: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """The facts of a corpus, as JSON values.

    `rows` read, kept and set aside a split; `set_aside` by reason; `files` with sha256, `forms`
    how those of text are written; `groups` and `repeats`; `grades` a split; `warnings`, one each
    row that is kept and looks wrong.
    """
    splits = table["split"].to_pylist()
    kept = Counter(splits)
    read = Counter(row.split for row in rows)
    counts = {
        split: {"read": n, "kept": kept[split], "set_aside": n - kept[split]}
        for split, n in read.items()
    }
    return {
        "rows": counts,
        "set_aside": _sorted(Counter(set_aside["reason"].to_pylist())),
        "files": _files(rows),
        "forms": _forms(rows),
        "groups": _groups(table["group"].to_pylist(), splits),
        "repeats": _repeats(table),
        "grades": _grades(table, grades) if grades else None,
        "warnings": [*_same_texts(table, places), *(_wrong(table, places, grades or {}))],
    }


def _sorted(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(name): counts[name] for name in sorted(counts)}


def _files(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Name, size, rows and digest of each file, in order."""
    return [
        {"file": file.name, "rows": n, "bytes": file.stat().st_size, "sha256": sha256(file)}
        for file, n in Counter(row.file for row in rows).items()
    ]


def _forms(rows: Sequence[Row]) -> list[dict[str, str | bool]]:
    """Compression, encoding and what else was set or read off the head of each file of text."""
    forms = {row.file: row.form for row in rows if row.form is not None}
    return [{"file": file.name, **form.facts()} for file, form in forms.items()]


def sha256(file: Path) -> str:
    """Digest of a file's bytes, as hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _groups(groups: Sequence[int], splits: Sequence[str]) -> dict[str, Any]:
    """Number of groups, in each split and shared between splits, and how many have how many items.

    A group in two splits would leak what is learnt in one into the other.
    """
    pairs = Counter(zip(groups, splits, strict=True))
    homes = Counter(group for group, _ in pairs)
    sizes: dict[str, Counter[int]] = {split: Counter() for split in dict.fromkeys(splits)}
    for (_, split), size in pairs.items():
        sizes[split][size] += 1
    return {
        "n": len(homes),
        "shared_between_splits": sum(n > 1 for n in homes.values()),
        "splits": {
            split: {"n": sum(counts.values()), "sizes": _sorted(counts)}
            for split, counts in sizes.items()
        },
    }


def _repeats(table: pa.Table) -> dict[str, int]:
    """Number of items that repeat an earlier one's id (of another split), edited text or pair."""

    def repeats(*columns: str) -> int:
        cells = list(zip(*(table[name].to_pylist() for name in columns), strict=True))
        return len(cells) - len(set(cells))

    return {
        "ids_between_splits": repeats("id"),
        "edited_texts": repeats("edited"),
        "pairs": repeats("original", "edited"),
    }


def _grades(table: pa.Table, grades: Mapping[str, Any]) -> dict[str, Any]:
    """The scale, and each split's digits, numbers of grades, means and largest deviation."""
    digits = table[grades["digits"]].to_pylist()
    means = table[grades["mean"]].to_pylist()
    splits = table["split"].to_pylist()
    by_split: dict[str, Any] = {}
    for split in dict.fromkeys(splits):
        chosen = [(d, m) for d, m, s in zip(digits, means, splits, strict=True) if s == split]
        values = [m for _, m in chosen]
        by_split[split] = {
            "digits": _sorted(Counter("".join(d for d, _ in chosen))),
            "lengths": {str(k): n for k, n in sorted(Counter(len(d) for d, _ in chosen).items())},
            "mean": sum(values) / len(values),
            "lowest": min(values),
            "highest": max(values),
            "at_lowest_grade": sum(v == float(grades.get("low", 0)) for v in values),
            "below_1": sum(v < 1 for v in values),
            "sorted_descending": sum(list(d) == sorted(d, reverse=True) for d, _ in chosen),
            "largest_deviation": max(abs(_mean(d, m) - m) for d, m in chosen),
        }
    return {"low": grades.get("low", 0), "high": grades.get("high", 3), "splits": by_split}


def _mean(digits: str, otherwise: float) -> float:
    """Mean of the digits; `otherwise` where they are not digits."""
    return sum(map(int, digits)) / len(digits) if digits.isdecimal() else otherwise


def _same_texts(table: pa.Table, places: Sequence[tuple[str, int]]) -> Iterator[dict[str, Any]]:
    originals, edited = table["original"].to_pylist(), table["edited"].to_pylist()
    for i, (before, after) in enumerate(zip(originals, edited, strict=True)):
        if before == after:
            yield _warning(table, places, i, "the edit changes nothing")


def _wrong(
    table: pa.Table, places: Sequence[tuple[str, int]], grades: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Warnings on grades outside the scale and means that are not the mean of their digits."""
    if not grades:
        return
    low, high = grades.get("low", 0), grades.get("high", 3)
    legal = {str(grade) for grade in range(int(low), int(high) + 1)}
    columns = (table[grades[key]].to_pylist() for key in ("digits", "mean"))
    for i, (digits, mean) in enumerate(zip(*columns, strict=True)):
        said = []
        if illegal := sorted(set(digits) - legal):
            said.append(f"grades {digits!r} hold {', '.join(illegal)}, outside {low} to {high}")
        if not digits:
            said.append("there are no grades")
        if not low <= mean <= high:
            said.append(f"the mean {mean:g} is outside {low} to {high}")
        if abs(_mean(digits, mean) - mean) > CLOSE:
            said.append(f"the mean of {digits!r} is {_mean(digits, mean):.4g}, not {mean:g}")
        if said:
            yield _warning(table, places, i, "; ".join(said))


def _warning(
    table: pa.Table, places: Sequence[tuple[str, int]], i: int, what: str
) -> dict[str, Any]:
    file, line = places[i]
    split, name = table["split"][i].as_py(), table["id"][i].as_py()
    return {"split": split, "file": file, "line": line, "id": name, "warning": what}
