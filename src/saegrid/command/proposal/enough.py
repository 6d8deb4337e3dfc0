"""Texts that are enough for a comparison, counted before anything runs."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.registry import pick
from saegrid.evidence.contrast import LEAST
from saegrid.text.corpora import CORPORA

NEEDED = 2 * LEAST
"""Texts of each set: `LEAST` in the half that is searched, and as many in the other one."""


def check_texts(source: Mapping[str, Any], by: str | None) -> None:
    """ConfigError where a set has too few texts to be searched and confirmed.

    Args:
        source: the source of the corpus, as a config has it.
        by: the column whose values are the sets; None: each file is one.
    """
    text = source["columns"]["text"]
    for name, path in source["files"].items():
        one = {**source, "files": {name: path}}
        if source["kind"] == "text":
            one["columns"] = {}
        counts: Counter[str] = Counter()
        for row in pick(CORPORA, source["kind"], "Corpus kind")(one):
            kind = row.values.get(by) if by else ""
            if row.problem is None and (row.values.get(text) or "").strip() and kind is not None:
                counts[kind] += 1
            # Further rows of a large file change nothing.
            if not by and counts[""] == NEEDED:
                break
        if by and len(counts) != 2:
            shown = ", ".join(map(repr, sorted(counts)[:10])) or "none"
            raise ConfigError(
                f"--by: the column {by!r} of {path} must have two values; it has "
                f"{len(counts):,}: {shown}{', ...' if len(counts) > 10 else ''}."
            )
        for kind, n in sorted(counts.items()) or [("", 0)]:
            if n < NEEDED:
                where = f" with {by} {kind!r}" if by else ""
                raise ConfigError(
                    f"{path} has {n} texts{where}, of which half are searched, {n // 2}; at least "
                    f"{LEAST} are needed there, and as many to confirm on: give {NEEDED} or more."
                )
