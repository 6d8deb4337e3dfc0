"""The reader of the corpus kind `generated`, whose texts are sampled from a grammar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

from saegrid.text.corpora.generated import texts
from saegrid.text.corpora.rows import NO_SPLIT, CorpusError, Row


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The sampled texts, one row each, with columns `id` (number, from 1) and `text`.

    Raises:
        CorpusError: `grammar` or `n` is missing, or the grammar's file is.
    """
    for key in ("grammar", "n"):
        if not source.get(key):
            raise CorpusError(f"A source of kind 'generated' needs `{key}`; got none.")
    grammar = Path(source["grammar"])
    if not grammar.is_file():
        raise CorpusError(f"{grammar} is not there; `grammar` must name a grammar file.")
    sampled = texts(grammar, int(source["n"]), int(source.get("seed") or 0))
    for number, text in zip(count(1), sampled, strict=False):
        yield Row(NO_SPLIT, grammar, number, {"id": str(number), "text": text})
