"""Corpora whose files, columns, labels or filter cannot be used."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base.paths import PathError, expand, expand_all
from saegrid.config.check import Mistake
from saegrid.config.corpora import Corpus
from saegrid.config.models import Study
from saegrid.store.texts import KINDS, names
from saegrid.text.corpora import CORPORA, hub
from saegrid.text.corpora.carried import problems as carried_problems
from saegrid.text.corpora.continued import problems as continued_problems
from saegrid.text.corpora.form import check_encoding, is_packed
from saegrid.text.corpora.generated import GrammarError, files, load
from saegrid.text.corpora.items import items, problems
from saegrid.text.corpora.look import check_file, check_head, own_columns_problems
from saegrid.text.corpora.random_edits import problems as random_edits_problems
from saegrid.text.corpora.rows import (
    CARRIED,
    CONTINUED,
    DERIVED,
    NO_SPLIT,
    RANDOM_EDITS,
    CorpusError,
    as_read,
)
from saegrid.text.selection import report
from saegrid.text.split import held_out

LOOKED_THROUGH = 2 << 20
"""Bytes up to which the files of a corpus are read whole, so that its rows are checked too."""
PACKED = 50
"""Bytes that a byte of a compressed file may well unpack to."""
HEADS = 20
"""Files of one pattern whose heads are looked at."""
FORMS = {
    "delimiter": ("csv",),
    "quotes": ("csv",),
    "decimal": ("csv",),
    "encoding": ("csv", "jsonl", "text"),
    "compression": ("csv", "jsonl", "text"),
}
"""Settings of how files are written, and the kinds of source that have them."""
MOST_GENERATED = 10**7
"""Texts of a generated corpus: they are held at once."""


def corpora_mistakes(study: Study) -> Iterator[Mistake]:
    """Mistakes of each corpus of the catalogue."""
    for name, corpus in study.corpora.items():
        if corpus.source.kind in (KINDS if corpus.store else CORPORA):
            problems = [*_settings_mistakes(name, corpus), *_files_mistakes(name, corpus)]
            yield from problems or _rows_mistakes(name, corpus)


def _mistake(name: str, key: str, text: str) -> Mistake:
    """A mistake of a corpus; key: within its section."""
    whole = f"corpora.{name}.{key}"
    return Mistake(f"corpus:{name}", f"{whole}: {text}", whole)


def _grades(corpus: Corpus) -> dict[str, Any] | None:
    return corpus.grades.model_dump() if corpus.grades else None


# --- settings ---------------------------------------------------------------------------------


def _settings_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Columns, labels, grades and filter that do not go together; needs no file."""
    source = corpus.source.model_dump()
    for problem in problems(source, corpus.strip, _grades(corpus)):
        head = problem.split(".", 1)[0].split(":", 1)[0].split(" ", 1)[0]
        key = head if head in ("strip", "grades") else f"source.{head}"
        yield Mistake(
            f"corpus:{name}",
            f"corpora.{name}.{'' if key == head else 'source.'}{problem}",
            f"corpora.{name}.{key}",
        )
    kind, plain = corpus.source.kind, as_read(source)["kind"]
    if kind == RANDOM_EDITS:
        yield from _random_edits_mistakes(name, corpus)
    elif kind == CONTINUED:
        yield from _continued_mistakes(name, corpus)
    elif kind == CARRIED:
        yield from _carried_mistakes(name, corpus)
    elif source["of"] is not None:
        yield _mistake(
            name,
            "source.of",
            f"it says what a source of kind {', '.join(DERIVED[:-1])} or {DERIVED[-1]} is made of; "
            f"one of kind {kind} is made of nothing else. Leave it out.",
        )
    for key, kinds in FORMS.items():
        if source[key] is not None and plain not in (*kinds, "hub", None):
            yield _mistake(
                name,
                f"source.{key}",
                f"it says how a source of kind {' or '.join(kinds)} is written; one of kind "
                f"{plain} has none. Leave it out.",
            )
    if source["encoding"] is not None:
        try:
            check_encoding(source["encoding"])
        except CorpusError as problem:
            yield _mistake(name, "source.encoding", str(problem).removeprefix("encoding: "))
    if kind in ("text", "generated") and not corpus.store:
        for problem in own_columns_problems(source):
            yield _mistake(name, "source", problem)
    if kind == "generated":
        for key in ("grammar", "n"):
            if not source[key]:
                yield _mistake(name, f"source.{key}", "a source of kind generated needs it.")
        if (corpus.source.n or 0) > MOST_GENERATED:
            yield _mistake(
                name,
                "source.n",
                f"a generated corpus has at most {MOST_GENERATED:,} texts; got "
                f"{corpus.source.n:,}.",
            )
    elif not any(corpus.source.files.values()):
        yield _mistake(
            name,
            "source.files",
            f"a source of kind {kind} needs a mapping of splits to files, such as "
            "{train: data/train.csv}, or a file; got none.",
        )
    for split, paths in corpus.source.files.items() if any(corpus.source.files.values()) else ():
        if not paths:
            yield _mistake(name, f"source.files.{split}", "at least one file is needed; got none.")
    yield from _filter_mistakes(name, corpus)


def _random_edits_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Settings with which no edit can be replaced, and those that ask for labels."""
    for problem in random_edits_problems(corpus.source.model_dump()):
        key, _, text = problem.partition(": ")
        yield _mistake(name, f"source.{key}", text)
    for key in ("filter", "grades"):
        if getattr(corpus, key) is not None:
            yield _mistake(
                name,
                key,
                "labels of the real edits say nothing of random ones, so that they are not carried "
                "and nothing can ask for them. Leave it out.",
            )


def _continued_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Settings with which no prompt can be continued."""
    for problem in continued_problems(corpus.source.model_dump()):
        key, _, text = problem.partition(": ")
        yield _mistake(name, f"source.{key}", text)
    for key, fits in (("layout", corpus.layout == "headline"), ("chat", corpus.chat is None)):
        if not fits:
            yield _mistake(
                name,
                key,
                "the model continues a prompt as plain text in a row of its own. Leave it out.",
            )


def _carried_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Settings with which no word can be carried."""
    for problem in carried_problems(corpus.source.model_dump()):
        key, _, text = problem.partition(": ")
        yield _mistake(name, f"source.{key}", text)


def _filter_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    chosen, labels = corpus.filter, corpus.source.labels
    if chosen is None or corpus.source.kind == RANDOM_EDITS:
        return
    if labels.get(chosen.column) != "number":
        numbers = [label for label, how in labels.items() if how == "number"]
        what = "is read as text" if chosen.column in labels else "is no label"
        yield _mistake(
            name,
            "filter.column",
            f"{chosen.column!r} {what}; a filter compares a label that is read as number. "
            f"Such labels: {', '.join(numbers) or 'none'}.",
        )
    known = [NO_SPLIT] if corpus.source.kind == "generated" else list(corpus.source.files)
    if corpus.source.split_column is None:
        for split in chosen.splits or ():
            if split not in known:
                yield _mistake(
                    name,
                    "filter.splits",
                    f"the corpus has no split {split!r}; source.files has {', '.join(known)}.",
                )


# --- files ------------------------------------------------------------------------------------


def _files_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Files that are not there, are none, or lack a column."""
    source = corpus.source
    if source.kind == "hub":
        yield from _hub_mistakes(name, corpus)
        return
    if source.kind == "generated":
        if source.grammar:
            yield from _grammar_mistakes(name, source.grammar)
        return
    kind = as_read(source.model_dump())["kind"]
    if kind is None:
        return  # told by its settings
    for split, paths in source.files.items():
        for path in [paths] if isinstance(paths, str) else paths:
            try:
                # Of a stream's thousands of files one may well be empty.
                matches = [check_file(f, "*" in path) for f in _matches(corpus, expand(path))]
                for file in [match for match in matches if match.stat().st_size][:HEADS]:
                    check_head(_wanted(corpus), kind, file)
            except (CorpusError, PathError) as problem:
                if not str(problem).startswith("encoding: "):  # told where settings are
                    yield _mistake(name, f"source.files.{split}", str(problem))


def _wanted(corpus: Corpus) -> dict[str, Any]:
    """The source with the columns that are read of it: of a streamed one its text alone."""
    source = corpus.source.model_dump()
    if corpus.store:
        column = corpus.source.columns.text or "text"
        return source | {"columns": {"text": column}, "labels": {}, "split_column": None}
    if not any(source["columns"][key] for key in ("original", "edit", "edited", "text")):
        source["columns"]["text"] = "text"
    return source


def _matches(corpus: Corpus, path: str) -> list[str]:
    """The files that a path stands for: of a streamed corpus `*` stands for names."""
    if "*" not in path:
        return [path]
    if not corpus.store:
        if Path(path).is_file():
            return [path]
        raise CorpusError(
            f"{path} is not there: * stands for names of files in streamed corpora (store) and on "
            "the hub alone. Name each file."
        )
    source = {"kind": "text", "files": {"all": [path]}}
    try:
        return names(source)
    except CorpusError:
        raise CorpusError(f"no file matches {path}. Check the folder and the pattern.") from None


def _grammar_mistakes(name: str, path: str) -> Iterator[Mistake]:
    key = "source.grammar"
    try:
        grammar = check_file(expand(path))
        for file in files(grammar):
            check_file(file)
        load(grammar)
    except (CorpusError, PathError, GrammarError) as problem:
        yield _mistake(name, key, str(problem))
    except (TypeError, AttributeError, KeyError, ValueError) as problem:
        yield _mistake(name, key, f"{path} cannot be used as a grammar: {problem!r}.")


def _hub_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Mistakes of a corpus on the hub; those of its files only where a local folder replaces it."""
    if not any(corpus.source.files.values()):
        return  # told by its settings
    try:
        source = expand_all(corpus.source.model_dump())
        for path in hub.stand_ins(source):
            check_head(_wanted(corpus), hub.kind_of(path), check_file(path))
        hub.check_named(source)
    except (CorpusError, PathError) as problem:
        yield _mistake(name, "source", str(problem))


# --- rows -------------------------------------------------------------------------------------


def _rows_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    """Mistakes that only the rows of a corpus show, where they are few: none of them can be used,
    an id or a split that is not there, a filter that keeps nothing."""
    source = expand_all(corpus.source.model_dump())
    if corpus.store or source["kind"] == "generated":
        return
    if source["kind"] == "hub":
        paths = hub.stand_ins(source)
    else:
        listed = source["files"].values()
        paths = [path for one in listed for path in ([one] if isinstance(one, str) else one)]
    if not paths or sum(map(_read_size, paths)) > LOOKED_THROUGH:
        return
    try:
        checked = corpus.strip, corpus.keep_space, _grades(corpus), corpus.set_aside
        table = items(source, *checked).table
    except CorpusError as problem:
        head, _, text = str(problem).partition(": ")
        if head in ("keep_space", "set_aside"):
            yield _mistake(name, head, text)
        else:
            yield _mistake(name, "source", str(problem))
        return
    chosen = corpus.filter
    if chosen is not None:
        try:
            report(table, **chosen.model_dump())
        except ValueError as problem:
            key, _, text = str(problem).partition(": ")
            yield _mistake(name, key, text)


def _read_size(path: str) -> int:
    """The bytes of a file, of a compressed one as many as it may well unpack to."""
    return Path(path).stat().st_size * (PACKED if is_packed(Path(path)) else 1)


def held_out_is_empty(n: int, share: float, seed: int) -> bool:
    """Return True if of n texts, a row each, none is held out of a training, or all are."""
    held = held_out(np.arange(n), share, seed)
    return bool(share) and bool(held.all() or not held.any())
