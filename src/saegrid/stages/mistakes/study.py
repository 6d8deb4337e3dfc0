"""Mistakes of what is made from a study's cells: metrics, concepts, survey, verification."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pkgutil import resolve_name
from typing import Any

import yaml

from saegrid.base.digest import file_digest
from saegrid.base.paths import PathError, expand, expand_all
from saegrid.base.words import Cell
from saegrid.config.check import Mistake, cells
from saegrid.config.models import Study, TrainedSae
from saegrid.config.references import key_of_sae
from saegrid.meaning.spaces import SPACES
from saegrid.metrics.verify.expected import read as read_expected
from saegrid.saes.training.settings import parse, problems
from saegrid.stages.mistakes.corpora import held_out_is_empty
from saegrid.stages.mistakes.model import Facts
from saegrid.stages.mistakes.names import overridden
from saegrid.stages.mistakes.saes import checkpoint_problem, pages_mistakes
from saegrid.store.texts import names
from saegrid.text.corpora.look import check_file
from saegrid.text.corpora.rows import CorpusError
from saegrid.text.corpora.rows import files as files_of
from saegrid.text.lexicons.lexicon import LexiconError, check_names, read_lexicon, split
from saegrid.text.wordlists import read_lists

FEW = 10_000
"""Texts of which it is worked out which are held out."""


def study_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    """Mistakes of metrics, concepts, survey, verification and of the hub's folder."""
    yield from _metrics_mistakes(study, facts)
    yield from _norm_mistakes(study)
    yield from _lists_mistakes("survey", "survey.lists", study.survey.lists)
    yield from _lexicon_mistakes(study)
    yield from _space_mistakes(study)
    yield from _verify_mistakes(study, facts)
    if study.analyses.published is not None:
        files = study.analyses.published.files
        yield from pages_mistakes("published", "analyses.published.files", files)
    fetched = [s for s in study.saes.values() if s.source == "checkpoint" and not s.path]
    if fetched:
        try:
            expand(study.hub.cache)
        except PathError as problem:
            yield Mistake("hub", f"hub.cache: {problem}", "hub.cache")


def _lists_mistakes(part: str, key: str, path: str | None) -> Iterator[Mistake]:
    if path is None:
        return
    try:
        read_lists(check_file(expand(path)))
    except (CorpusError, PathError, ValueError, yaml.YAMLError) as problem:
        yield Mistake(part, f"{key}: {_one_line(problem)}", key)


def _lexicon_mistakes(study: Study) -> Iterator[Mistake]:
    """Each lexicon that cannot be read; where all can be, two of one name."""
    names, file = study.lexicons, study.topics.lists
    problems, own = [], []
    for name in names:
        key = "topics.lists" if name == f"lists:{file}" else "concepts.lexicons"
        try:
            kind, path = split(name)
            check_file(path)  # of a device nothing may be read
            lexicon = None if kind.fixed else read_lexicon(name, study.concepts.senses)
            own.append(lexicon.name if lexicon else name)
        except (CorpusError, LexiconError, PathError) as problem:
            problems.append((key, problem))
    if not problems:
        try:
            check_names(names, own)
        except LexiconError as problem:
            problems.append(("concepts.lexicons", problem))
    for key, problem in problems:
        yield Mistake("concepts", f"{key}: {_one_line(problem)}", key)


def _space_mistakes(study: Study) -> Iterator[Mistake]:
    """Files of the word space that are not there."""
    key = "concepts.space"
    if study.concepts.space not in SPACES:
        return
    try:
        for path in resolve_name(SPACES[study.concepts.space]).files:
            check_file(expand(path))
    except (CorpusError, PathError) as problem:
        words = f"{key}: {_one_line(problem).rstrip('.')}; or write wordnet, which needs nothing."
        yield Mistake("concepts", words, key)


def _one_line(problem: Exception) -> str:
    return " ".join(str(problem).split())


# --- metrics ----------------------------------------------------------------------------------


def _trained(study: Study) -> Iterator[tuple[Cell, TrainedSae]]:
    """Cells of the grid that are trained here, with their settings."""
    own = dict(overridden(study))
    for cell in cells(study):
        section = own.get(str(cell), study.saes[cell.sae])
        if section.source == "train" and section.corpus in study.corpora:
            yield cell, section


def _metrics_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    """SAEs that would be judged on no token, or on tokens that they learn from."""
    for cell, section in _trained(study):
        key, judged = key_of_sae(study, cell.sae), study.metrics.corpus or section.corpus
        if judged == section.corpus:
            yield from _held_out_mistakes(study, key, section)
        elif judged in study.corpora and (both := shared(study, section.corpus, judged)):
            yield Mistake(
                "metrics",
                f"metrics.corpus: {judged!r} has texts of {section.corpus!r}, from which {key} "
                f"learns: {', '.join(both)}. Name a corpus of other texts, or leave it out: SAEs "
                "are then judged on texts held out of their own corpus.",
                "metrics.corpus",
            )
    if facts.sizes is not None and "nmf" in study.metrics.baselines:
        widths = {facts.width(cell.site) for cell in cells(study)}
        for rank in study.metrics.ranks:
            if widths and rank > min(widths):
                yield Mistake(
                    "metrics",
                    f"metrics.ranks: a site has {min(widths):,} channels, so that a rank is at "
                    f"most that; got {rank:,}.",
                    "metrics.ranks",
                )


def _held_out_mistakes(study: Study, key: str, section: TrainedSae) -> Iterator[Mistake]:
    if problems(section.recipe, section.settings):
        return
    share = parse(section.recipe, section.settings).hold_out
    source = study.corpora[section.corpus].source
    if not share:
        yield Mistake(
            "metrics",
            f"{key}: with hold_out 0 no token of {section.corpus} is left to judge it on. Raise "
            "hold_out, or name another corpus in metrics.corpus.",
            key,
        )
    elif (
        source.kind == "generated"
        and 0 < (source.n or 0) <= FEW
        and held_out_is_empty(source.n, share, section.order_seed)
    ):
        where = f"corpora.{section.corpus}.source.n"
        yield Mistake(
            "metrics",
            f"{where}: of {source.n} texts hold_out {share:g} of {key} leaves none to learn from "
            "or none to judge it on. Raise n, or change hold_out.",
            where,
        )


def shared(study: Study, one: str, other: str) -> list[str]:
    """Sources that two corpora share: files of the same bytes, files of the same repository, or a
    grammar with the same seed."""
    first, second = _texts(study, one), _texts(study, other)
    return sorted(
        label
        for (kind, own), label in first.items()
        for known, theirs in second
        if kind == known and (own == theirs or fnmatch(own, theirs) or fnmatch(theirs, own))
    )


def _texts(study: Study, name: str) -> dict[tuple[str, str], str]:
    """Identities of texts, by origin and name, each with words for a message."""
    source = study.corpora[name].source
    if source.kind == "hub":
        try:
            named = files_of(source.model_dump())
        except CorpusError:
            return {}
        return {(f"hub {source.repo}", path): f"{source.repo}: {path}" for _, path in named}
    if source.kind == "generated":
        known = _digest(source.grammar or "")
        seeded = f"{source.grammar} with seed {source.seed}"
        return {("generated", f"{known} {source.seed}"): seeded} if known else {}
    listed = source.files.values()
    paths = [path for one in listed for path in ([one] if isinstance(one, str) else one)]
    if study.corpora[name].store is not None:
        try:
            paths = names(expand_all(source.model_dump()))
        except (CorpusError, PathError):  # told where its files are
            return {}
    return {("file", known): path for path in paths if (known := _digest(path))}


def _digest(path: str) -> str:
    """The digest of a file; none where it cannot be read, which is told elsewhere."""
    try:
        return file_digest(expand(path))
    except (OSError, ValueError):
        return ""


def _norm_mistakes(study: Study) -> Iterator[Mistake]:
    """SAEs of normed activations do not encode those of the main corpus, which are not."""
    for cell, section in _trained(study):
        corpus = study.corpora[section.corpus]
        if corpus.store is not None and corpus.store.norm != "none":
            key = f"corpora.{section.corpus}.store.norm"
            yield Mistake(
                "cells",
                f"{key}: the SAE of {cell} learns from activations with norm {corpus.store.norm}, "
                "and those of the main corpus have none. Ask for the targets saes and metrics "
                "alone, or set norm: none.",
                key,
            )


# --- verification -----------------------------------------------------------------------------


def _verify_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    path = study.verify.expected
    if path is None:
        return
    try:
        expected: Any = read_expected(check_file(expand(path)))
    except (CorpusError, PathError, ValueError) as problem:
        yield Mistake("verify", f"verify.expected: {_one_line(problem)}", "verify.expected")
        return
    known = {str(cell) for cell in cells(study)}
    for golden in expected.golden if study.verify.golden else ():
        cell = Cell.parse(golden.cell)
        sae = study.saes.get(cell.sae)
        if golden.cell in known or sae is None or sae.source != "checkpoint":
            continue
        key, text = checkpoint_problem(cell.sae, sae, cell, facts)
        if text:
            yield Mistake(
                "verify",
                f"verify.golden: the published sentence needs the SAE of {cell}, which is not on "
                f"the grid. saes.{cell.sae}.{key}: {text} Get it too, or set "
                "`verify: {golden: false}`.",
                "verify.golden",
            )
