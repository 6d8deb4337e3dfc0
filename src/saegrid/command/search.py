"""saegrid search: features by a word, by prompts, by likeness, or the text on which one is largest.

A word is looked up in the stored codes of all cells, which needs no model and no torch; a prompt
runs through the model once, and each encoder is read once for all prompts.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import pyarrow as pa

from saegrid.base.job import spare_pandas
from saegrid.base.progress.words import counted
from saegrid.command.named import add_study
from saegrid.command.saying import refuse
from saegrid.interventions.search import TOP, SearchError


def parser() -> argparse.ArgumentParser:
    """The arguments of the command."""
    out = argparse.ArgumentParser(
        prog="saegrid search",
        description=(
            "Features of a finished study. A single word is looked up in the stored codes of all "
            "cells, by F1 of firing with it; a longer text, or one with --without, runs through "
            "the model, and features are ranked by activation / 99th percentile x idf."
        ),
        epilog=(
            'examples: saegrid search dog --study toy; saegrid search "The dog barks." '
            '--without "The cat purrs." --study toy --page out.html'
        ),
    )
    add = out.add_argument
    add("texts", nargs="*", metavar="TEXT", help="a word or a prompt; several are searched one by "
        "one")  # fmt: skip
    add("--without", action="append", default=[], metavar="TEXT",
        help="a text like TEXT that lacks what is looked for; may be given again")  # fmt: skip
    add_study(out)
    add("--cells", nargs="+", metavar="CELL", help="cells such as L15R-32x (default: all)")
    add("--by", choices=("word", "prompt"), help="how texts are searched, where the usual is wrong")
    add(
        "--top",
        type=int,
        metavar="N",
        help=f"features of a text, over all cells together (default: {TOP}), or with --per-cell of "
        "each cell (default: 1)",
    )
    add("--per-cell", action="store_true", help="list the best feature of each cell, the best cell "
        "first, not the best features of all cells together")  # fmt: skip
    add("--page", metavar="FILE", help="write what was found, and prompts token by token, as one "
        "HTML page")  # fmt: skip
    add("--index", action="store_true",
        help="without TEXT: make an index of each cell, and print its recall; with TEXT: search "
        "through these, which read little of the encoders and miss some features")  # fmt: skip
    add("--near", metavar="CELL#FEATURE", help="features whose decoder directions are nearest, in "
        "its own cell or in --cells")  # fmt: skip
    add("--maximise", metavar="CELL#FEATURE", help="a text on which the feature is as large as "
        "gradients over tokens find, beside its largest on the corpus")  # fmt: skip
    add("--seed", type=int, default=0, help="seed of --maximise (default: 0)")
    return out


def main(arguments: Sequence[str]) -> int:
    """Run the command; its exit status. A mistake is one sentence."""
    options = parser().parse_args(list(arguments))
    spare_pandas()
    from saegrid.study import NotThere, open

    try:
        asked = sum(map(bool, (options.texts, options.near, options.maximise)))
        if asked + (options.index and not options.texts) != 1:
            _wrong("give one of TEXT, --index, --near and --maximise; --help says what each does.")
        if options.per_cell and not options.texts:
            _wrong("--per-cell is for TEXT. Leave it out.")
        if options.top is not None and options.top < 1:
            _wrong(f"--top must be 1 or more; got {options.top}.")
        study = open(options.study, options.results, options.corpus)
        if options.near:
            _near(study, options)
        elif options.maximise:
            _maximise(study, options)
        elif options.texts:
            _search(study, options)
        else:
            from saegrid.interventions.search.indexed import make_indices

            make_indices(study.searched(options.cells), print)
    except (NotThere, SearchError, ValueError, OSError) as mistake:
        return refuse("search", mistake)
    return 0


def _wrong(sentence: str) -> NoReturn:
    raise SearchError(sentence)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _search(study: Any, options: argparse.Namespace) -> None:
    from saegrid.interventions.search.ranking import of_each, queries

    asked = queries(options.texts, options.without, options.by)
    cells = study.searched(options.cells)
    top = of_each(options.top, options.per_cell)
    n, planned = len(cells.places), study.n_planned
    if not options.cells and n < planned:
        _say(f"search: {n} of {planned} cells are there; the study is not finished.")
    tokens = None
    if asked[0].by == "word":
        if options.index:
            _wrong("--index is for prompts; a word is looked up in the stored codes. Leave it out.")
        from saegrid.interventions.search.by_word import by_word

        table = by_word(asked, cells, top, options.per_cell)
    else:
        from saegrid.interventions.search.by_prompt import by_prompt
        from saegrid.interventions.search.known import LEAST

        more: dict[str, Any] = {}
        if options.index:
            from saegrid.interventions.search.indexed import read_indices

            more["indices"] = read_indices(cells, _say)
        else:
            more["say"] = _say
        outcome = by_prompt(asked, cells, top, per_cell=options.per_cell, **more)
        table, tokens = outcome.table, outcome.tokens
        if outcome.unknown:
            _say(
                f"search: {outcome.unknown:,} features fire on these texts and on fewer than "
                f"{LEAST} tokens of the corpus; they have no score."
            )
    for number, query in enumerate(asked):
        others = f"  without: {'; '.join(query.without)}" if query.without else ""
        rows = [row for row in table.to_pylist() if row["query"] == number]
        print(f"{query.text}  ({_kind(query, rows)}){others}")
        _print(rows, ("cell", "feature", "score", *ROWS[query.kind], "specificity", "words"))
        if warning := weakness(query.kind, rows):
            print(f"  {warning}")
        if options.per_cell:
            _print_silent([place.cell for place in cells.places], rows)
    if options.page:
        _write_page(study, options, table, tokens)


def _kind(query: Any, rows: Sequence[dict[str, Any]]) -> str:
    """The kind of a query; of a word with its occurrences in the corpus, and how many of these were
    captured, of which recall is a share."""
    if query.kind != "word" or not rows:
        return str(query.kind)
    n, captured = rows[0]["n_corpus"], rows[0]["n"]
    share = "all captured" if captured == n else f"{captured:,} of them captured"
    return f"word, {counted(n, 'occurrence')} in the corpus, {share}"


RARE = 20
"""Captured occurrences of a word, or fewer, of which a warning is said."""
LOW = 0.3
"""F1 below which the best feature of a word is no detector of it."""


def weakness(kind: str, rows: Sequence[dict[str, Any]]) -> str:
    """One line of why the features of a word say little: it is rare, or none fits well; empty where
    neither is so, and of prompts, whose scores have no such scale."""
    if kind != "word" or not rows:
        return ""
    best, parts = rows[0], []
    if best["n"] < RARE:
        hits = round(best["recall"] * best["n"])
        parts.append(
            f"The word is rare: {counted(best['n'], 'occurrence')} captured, fewer than {RARE}; "
            f"the first feature fires on {hits}, which may be chance."
        )
    if best["score"] < LOW:
        parts.append(
            f"The best score is low: {best['score']:.3f}, below {LOW}; no feature fires on this "
            "word and little else."
        )
    return " ".join(parts)


def _print_silent(cells: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    """A line that names the cells without a row."""
    silent = [cell for cell in cells if cell not in {row["cell"] for row in rows}]
    if silent:
        print(f"  no feature answers in {', '.join(silent)}")


ROWS = {"word": ("precision", "recall", "n_active"), "prompt": ("value", "token"),
        "pair": ("value", "value_without", "token")}  # fmt: skip
FORMS = {"score": "{:.3f}", "cosine": "{:.3f}", "value": "{:.3g}", "value_without": "{:.3g}",
         "precision": "{:.2f}", "recall": "{:.2f}", "specificity": "{:.4f}"}  # fmt: skip

NO_WORDS = (
    "words -: no examples and no page, as of a feature that fires outside of the kept edits or "
    "texts alone."
)
"""The line below a table with a feature that has no words."""


def _print(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> None:
    """Rows as a table of text."""
    lines = [[name.replace("_", " ") for name in names]]
    lines += [
        ["-" if row[n] is None else FORMS.get(n, "{}").format(row[n]).strip() for n in names]
        for row in rows
    ]
    sizes = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  " + "  ".join(map(str.ljust, line, sizes)).rstrip())
    if any(row["words"] is None for row in rows):
        print(f"  {NO_WORDS}")


def _write_page(
    study: Any, options: argparse.Namespace, table: pa.Table, tokens: pa.Table | None
) -> None:
    from saegrid.base import io
    from saegrid.pages.browser.prompted import search_page

    path = Path(options.page)
    base = os.path.relpath(study.folder.resolve(), path.resolve().parent)
    names = ("texts", "without", "by", "cells", "top", "per_cell", "index")
    facts = {
        "study": study.name,
        "model": study.config.get("model", {}).get("path", "no model"),
        "corpus": study.corpus_name,
        "per_cell": options.per_cell,
        "spec": io.canonical({name: getattr(options, name) for name in names}),
    }
    base = quote(Path(base).as_posix())
    io.write_text(path, search_page(facts, table, tokens, f"{base}/"))
    print(f"Open {path}")


def _feature(study: Any, named: str, option: str) -> tuple[Any, int]:
    """The files of the cell and the id of a feature that is written CELL#FEATURE."""
    cell, _, feature = named.partition("#")
    if not feature.isdecimal():
        _wrong(f"{option} must name a feature as CELL#FEATURE, like L15R-32x#1216; got {named!r}.")
    return study.searched([cell]), int(feature)


def _near(study: Any, options: argparse.Namespace) -> None:
    own, feature = _feature(study, options.near, "--near")
    from saegrid.interventions.search.near import near

    (place,) = own.weighed().places
    others = study.searched(options.cells or [place.cell]).weighed()
    rows = near(place, feature, others, options.top or TOP).to_pylist()
    print(f"{place.cell} {feature}: {place.words([feature])[0] or 'no examples'}")
    _print(rows, ("cell", "feature", "cosine", "words"))


def _maximise(study: Any, options: argparse.Namespace) -> None:
    own, feature = _feature(study, options.maximise, "--maximise")
    from saegrid.interventions.search.largest import largest

    for line in largest(own.weighed(), feature, options.seed):
        print(line)
