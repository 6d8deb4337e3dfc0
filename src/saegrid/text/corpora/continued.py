"""The reader of prompts that the model of the study continues: a corpus of its own text.

Rows are those of the kind `of`, each as often as there are to be samples of it. A stage of its own
runs the model (`continuations`), and the tokens that it draws follow the prompt's in the rows of
model input.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from saegrid.text.corpora import csv, jsonl, parquet
from saegrid.text.corpora.rows import BY_ITSELF, CorpusError, Row, as_read

READERS = {"csv": csv.rows, "jsonl": jsonl.rows, "parquet": parquet.rows}
"""Readers of the prompts, by their kind."""


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The prompts in the order of the files, once for each sample.

    Ids of several samples end in their number: 7-1, 7-2. Samples of one prompt are one group, since
    their text is the same.

    Raises:
        CorpusError: settings do not fit, or as the kind `of` raises.
    """
    for problem in problems(source):
        raise CorpusError(problem)
    n, column = int(source.get("samples") or 1), (source.get("columns") or {}).get("id")
    column = "id" if column == BY_ITSELF else column
    for row in READERS[source["of"]](as_read(source)):
        named = row.values.get(column) if n > 1 and column else None
        for sample in range(1, n + 1):
            values = row.values if named is None else {**row.values, column: f"{named}-{sample}"}
            yield row._replace(values=values)


def problems(source: Mapping[str, Any]) -> Iterator[str]:
    """Settings with which no prompt can be continued, a sentence each."""
    if source.get("of") not in READERS:
        yield (
            f"of: a source of kind continued needs the kind of the prompts, {', '.join(READERS)}; "
            f"got {source.get('of')!r}."
        )
    if not source.get("new_tokens"):
        yield "new_tokens: a source of kind continued needs the number of tokens to be drawn."
    columns = source.get("columns") or {}
    if any(columns.get(key) for key in ("original", "edit", "edited")):
        yield "columns: prompts are plain text: map `text` and no original, edit or edited."
