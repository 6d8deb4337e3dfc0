"""The reader of words in carrier sentences: each word of a file in each of some templates.

A word alone is no text that a model has learned from; in several sentences it is one word type with
several texts. Rows are those of the kind `of`, one for each template.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from saegrid.text.corpora import csv, jsonl, parquet
from saegrid.text.corpora.rows import BY_ITSELF, CorpusError, Row, as_read

READERS = {"csv": csv.rows, "jsonl": jsonl.rows, "parquet": parquet.rows}
"""Readers of the words, by their kind."""
PLACE = "{word}"
"""Stands in a template where the word goes."""
WORD, TEMPLATE = "word", "template"
"""Labels that every item gets: its word, and the template that it stands in."""


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The words in the order of the files, each in all templates in their order.

    The text of a row is the template with the word, without the blanks around it, in its place; ids
    end in the number of the template: 7-1, 7-2. Sentences of one word are one group.

    Raises:
        CorpusError: settings do not fit, or as the kind `of` raises.
    """
    for problem in problems(source):
        raise CorpusError(problem)
    column, ids = source["columns"].get("text") or "text", source["columns"].get("id")
    ids = "id" if ids == BY_ITSELF else ids
    for row in READERS[source["of"]](as_read(source)):
        word = (row.values.get(column) or "").strip()
        named = row.values.get(ids) if ids else None
        if row.problem or not word:
            yield row
            continue
        for number, template in enumerate(map(str.strip, source["templates"]), 1):
            values = {**row.values, column: template.replace(PLACE, word)}
            values |= {WORD: word, TEMPLATE: template}
            values |= {} if named is None else {ids: f"{named}-{number}"}
            yield row._replace(values=values, whole=word.casefold())


def problems(source: Mapping[str, Any]) -> Iterator[str]:
    """Settings with which no word can be carried, a sentence each."""
    if source.get("of") not in READERS:
        yield (
            f"of: a source of kind carried needs the kind of the words, {', '.join(READERS)}; got "
            f"{source.get('of')!r}."
        )
    templates = source.get("templates") or []
    if not templates:
        yield (
            f"templates: a source of kind carried needs sentences with {PLACE}, such as "
            f"'They spoke of the {PLACE}.'; got none."
        )
    for template in templates:
        if template.count(PLACE) != 1:
            yield (
                f"templates: a sentence must hold {PLACE} once; {template!r} has it "
                f"{template.count(PLACE)} times."
            )
    columns = source.get("columns") or {}
    if any(columns.get(key) for key in ("original", "edit", "edited")):
        yield "columns: words are plain text: map `text` and no original, edit or edited."
    if columns.get("text") in (WORD, TEMPLATE) or columns.get("id") in (WORD, TEMPLATE):
        yield (
            f"columns: {WORD} and {TEMPLATE} are names of labels that are made here. Name the "
            "file's columns otherwise, or set columns.id to null."
        )
