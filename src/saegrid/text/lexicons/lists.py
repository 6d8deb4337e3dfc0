"""Topics of a YAML file with their words: those of the repository, or a user's own."""

from pathlib import Path
from typing import Any

from saegrid.base.errors import shown
from saegrid.text.lexicons.lexicon import Concept, Kind, Lexicon, LexiconError, read_body
from saegrid.text.wordlists import TopicsError, read_lists

KEYS = ("topics", "meta", "news")
"""Keys of a file; news are words of the toy world that belong to no topic."""
EXAMPLE = "topics: {food: [ham, pie]}"


def read(path: Path, senses: str) -> Lexicon:
    """The topics of a file, each a concept, in its order.

    `meta` may hold `name` (else that of the file without its ending), `source` and `licence`.
    The rule of senses changes nothing: a word of a list belongs to its topic.

    Raises:
        LexiconError: the file is not there or cannot be used.
    """
    body = read_body(path, KEYS, EXAMPLE)
    meta = body.get("meta", {})
    if not isinstance(meta, dict):
        raise LexiconError(
            f"{path}: meta must be a mapping, as in `meta: {{name: mine, source: by hand}}`; got "
            f"{shown(meta)}."
        )
    try:
        topics = read_lists(path)
    except TopicsError as problem:
        raise LexiconError(str(problem)) from None
    name = text(meta, "name") or path.stem
    for topic in topics:
        if not isinstance(topic, str):
            raise LexiconError(f"{path}: the topic {shown(topic)} must be a text; quote it.")
    concepts = (Concept(topic, topic.replace("_", " "), tuple(ws)) for topic, ws in topics.items())
    return Lexicon(name, notice(path, name, meta), tuple(concepts))


def text(meta: dict[str, Any], key: str) -> str:
    """The text of a key in one line, empty where there is none."""
    value = meta.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


def notice(path: Path, name: str, meta: dict[str, Any]) -> str:
    """Source and licence of a file, one sentence."""
    source = text(meta, "source").partition(". ")[0].rstrip(".") or "its file names no source"
    licence = text(meta, "licence").rstrip(".") or "not named"
    return f"Lists {name} ({path.name}): {source}; licence: {licence}."


LEXICON = Kind("resources/topics/english.yaml", read, named=True)
