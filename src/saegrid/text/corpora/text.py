"""The reader of plain text files, whose texts are unpaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from saegrid.text.corpora.form import Form, bytes_form, open_text
from saegrid.text.corpora.rows import Read, Record, Row, is_text, numbered, over_files


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """The texts of the source's files, one row each, with columns `id` (number in the split),
    `text`.

    `separator` (a line end by default) stands between two texts; blanks between separators are not
    a text. A text longer than `max_characters` becomes several, cut at blanks where possible, so
    that nothing is lost. `n` takes the first texts only.
    """
    # Files are read with plain line ends, whatever they and the separator are written with.
    separator = (source.get("separator") or "\n").replace("\r\n", "\n")
    longest = source.get("max_characters")

    def read(file: Path, source: Mapping[str, Any]) -> Read:
        form = bytes_form(file, source)
        return Read(form, records(file, form))

    def records(file: Path, form: Form) -> Iterator[Record]:
        with open_text(file, form) as opened:
            whole = opened.read()
        line = 1
        for text in whole.split(separator):
            if text.strip():
                first = line + text[: len(text) - len(text.lstrip())].count("\n")
                for part in parts(text, longest):
                    problem = None if is_text(part) else form.wrong
                    yield Record(first, {"text": part}, problem, None if part == text else text)
                    first += part.count("\n")
            line += text.count("\n") + separator.count("\n")

    # Nothing but the text and its number is there to be asked for.
    files = {key: source.get(key) for key in ("kind", "files", "encoding", "compression")}
    return islice(numbered(over_files(files, read), "id"), source.get("n"))


def parts(text: str, longest: int | None) -> Iterator[str]:
    """The pieces of a text, of at most `longest` characters, cut before the last blank if there is
    one.

    Pieces that are blank are left out.
    """
    while longest and len(text) > longest:
        blank = max(text.rfind(character, 1, longest + 1) for character in " \n\t")
        cut = blank if blank > 0 else longest
        if text[:cut].strip():
            yield text[:cut]
        text = text[cut:]
    if text.strip():
        yield text
