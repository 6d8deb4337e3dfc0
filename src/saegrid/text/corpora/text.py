"""Texts of plain text files, unpaired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from saegrid.text.corpora.rows import Needed, Record, Row, is_text, numbered, over_files


def rows(source: Mapping[str, Any]) -> Iterator[Row]:
    """One row a text, with the columns `id` (its number in the split) and `text`.

    `separator` (a line end by default) stands between two texts; what is blank between separators
    is no text. A text longer than `max_characters` becomes several, each of whole words where a
    blank allows it, so nothing is lost. `n` takes the first texts only.
    """
    # Files are read with plain line ends, whatever they and the separator are written with.
    separator = (source.get("separator") or "\n").replace("\r\n", "\n")
    longest = source.get("max_characters")

    def read(file: Path, wanted: Needed) -> Iterator[Record]:
        with file.open(encoding="utf-8-sig", errors="surrogateescape") as opened:
            whole = opened.read()
        line = 1
        for text in whole.split(separator):
            if text.strip():
                first = line + text[: len(text) - len(text.lstrip())].count("\n")
                for part in parts(text, longest):
                    problem = None if is_text(part) else "not UTF-8"
                    yield Record(first, {"text": part}, problem, None if part == text else text)
                    first += part.count("\n")
            line += text.count("\n") + separator.count("\n")

    # Nothing but the text and its number is there to be asked for.
    files = {key: source.get(key) for key in ("kind", "files")}
    return islice(numbered(over_files(files, read), "id"), source.get("n"))


def parts(text: str, longest: int | None) -> Iterator[str]:
    """Pieces of at most `longest` characters, cut before a blank where one is near enough.

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
