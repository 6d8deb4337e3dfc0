"""A lexicon, words and the concepts that they belong to, and the kinds of lexicons there are."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from saegrid.base import registry
from saegrid.base.errors import shown
from saegrid.base.io import read_yaml
from saegrid.base.paths import expand
from saegrid.text.lexicons import LEXICONS

ROOT = Path(__file__).resolve().parents[4]
"""Folder of the repository."""


class LexiconError(ValueError):
    """A lexicon that cannot be used; the message names the file and how to mend it."""


class Concept(NamedTuple):
    """A concept and the words that belong to it."""

    name: str
    """Name within its lexicon, such as noun.food."""
    title: str
    """Name in plain words, such as food (noun)."""
    words: tuple[str, ...]
    """Words as words are compared. Their inflections and compounds belong to it too."""


class Lexicon(NamedTuple):
    """Concepts from one source, in its order."""

    name: str
    notice: str
    """Source and licence, one sentence."""
    concepts: tuple[Concept, ...]
    senses: str = ""
    """Rule of senses by which words belong to it (`wordnet.RULES`); empty where all senses of its
    words do."""


class Kind(NamedTuple):
    """A kind of lexicons, as the registry holds it."""

    file: str | None
    """The file that is read, where none is named."""
    read: Callable[[Path, str], Lexicon]
    """The lexicon in a file, under a rule of senses."""
    named: bool = False
    """True if another file may be named: `lists:my/topics.yaml`."""
    fixed: bool = False
    """True of a large table of the repository, which is not read to look for mistakes."""


def place(path: str | Path) -> Path:
    """A path from the working folder; that in the repository where only this is there."""
    own, ours = Path(path), ROOT / path
    return ours if ours.exists() and not own.exists() else own


def split(name: str) -> tuple[Kind, Path]:
    """The kind of a lexicon and its file.

    Raises:
        LexiconError: there is no such kind, or a file is named where none can be.
        PathError: a variable of the path is not set, or its package not installed.
    """
    first, colon, path = name.partition(":")
    try:
        kind = registry.pick(LEXICONS, first, "lexicon")
    except ValueError as problem:
        raise LexiconError(str(problem)) from None
    if colon and not (kind.named and path):
        which = [known for known in LEXICONS if registry.pick(LEXICONS, known, "lexicon").named]
        raise LexiconError(
            f"lexicon {shown(name)}: a file is named as in {which[0]}:my/topics.yaml; "
            f"{first} alone reads {kind.file}."
        )
    return kind, place(expand(path or str(kind.file)))


def read_lexicon(name: str, senses: str = "first") -> Lexicon:
    """The lexicon of a name: `wordnet`, `categories`, `lists` or `lists:my/topics.yaml`.

    senses: rule of the senses that count where a lexicon tells these apart.

    Raises:
        LexiconError: there is no such lexicon or rule, or its file cannot be used.
    """
    kind, path = split(name)
    return kind.read(path, senses)


def read_lexicons(names: Sequence[str], senses: str = "first") -> list[Lexicon]:
    """The lexicons of some names, in their order.

    Raises as `read_lexicon` does, and where two lexicons have one name.
    """
    lexicons = [read_lexicon(name, senses) for name in names]
    check_names(names, [lexicon.name for lexicon in lexicons])
    return lexicons


def check_names(names: Sequence[str], own: Sequence[str]) -> None:
    """LexiconError where two lexicons have one name. own: the name of each, as it has it itself."""
    for at, (name, one) in enumerate(zip(names, own, strict=True)):
        if one in own[:at]:
            raise LexiconError(
                f"lexicon {shown(name)}: there is another one named {one!r}. Name each once, or "
                "give its file another meta.name."
            )


def lexicon_files(names: Sequence[str]) -> list[str]:
    """The files that some lexicons are read from, each once: those whose bytes decide a result.

    Words of all lexicons are compared by WordNet's lemmas, so that its table is always there.
    """
    return list(dict.fromkeys(str(split(name)[1]) for name in ("wordnet", *names)))


def topic_file(name: str) -> Path | None:
    """The file of lists of topics; None of another lexicon, or of one that there is not."""
    return split(name)[1] if name.partition(":")[0] == "lists" else None


def read_body(path: Path, keys: Sequence[str], example: str) -> dict[str, Any]:
    """The content of a YAML file that is a mapping with some of these keys and no others.

    Raises:
        LexiconError: the file is not there or is no such file.
    """
    try:
        body = read_yaml(path)
    except (FileNotFoundError, NotADirectoryError):
        raise LexiconError(
            f"{path}: this list of words is not there. Mend the path, from the folder of the "
            "repository, or write the file as in resources/topics/english.yaml."
        ) from None
    except (OSError, UnicodeDecodeError) as problem:
        what = getattr(problem, "strerror", None) or "it is no text in UTF-8"
        raise LexiconError(f"{path}: this list of words cannot be read: {what}.") from None
    except yaml.YAMLError as problem:
        raise LexiconError(f"{path}: this is no YAML: {shown(str(problem))}.") from None
    if not isinstance(body, dict):
        raise LexiconError(f"{path}: a lexicon is a mapping, as in `{example}`; got {shown(body)}.")
    for key in body:
        if key not in keys:
            hint = registry.nearest(str(key), list(keys))
            raise LexiconError(
                f"{path}: the key {shown(key)} is unknown.{hint} Known: {', '.join(keys)}."
            )
    return body
