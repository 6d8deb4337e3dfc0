"""Concepts and themes of a study beside its contrasts, from the files of its stages."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.codes.sparse import Features, read_features
from saegrid.evidence import DISCOVERY, parts, planning, questions
from saegrid.evidence.contrast import main_view
from saegrid.evidence.questions import Corpus
from saegrid.meaning import effects, themes, wording
from saegrid.text.lexicons.lexicon import read_lexicons


class Effects(NamedTuple):
    """Tables of things and their effects."""

    things: pa.Table
    tests: pa.Table
    figures: pa.Table


def concept_effects(files: Any, settings: Mapping[str, Any]) -> Effects:
    """The contrasts of a study on the concepts of words. files: see the stage `concept_effects`."""
    plan = io.read_json(files.plan)
    nothing = {name: np.zeros(0, np.int64) for name in settings["corpora"]}
    corpora = planning.read_all(settings["corpora"], files, nothing, plan["seed"])
    lexicons = read_lexicons(settings["lexicons"], settings["senses"])
    of = wording.wording(lexicons, corpora, settings["min_types"])
    things = pa.table(
        {
            "thing": pa.array(range(len(of.concepts)), pa.int32()),
            "concept": [one.name for one in of.concepts],
            "title": [one.title for one in of.concepts],
            "lexicon": [one.lexicon for one in of.concepts],
            "n_types": pa.array(of.n_types, pa.int32()),
        }
    )
    control = plan["control"]

    def sides(question: questions.discovery.Question, part: str) -> Any:
        return wording.sides(question, plan["parts"][part]["corpus"], control, of)

    tests = effects.tests(
        plan, corpora, sides, plan["min_texts"], plan["alpha"], wording.contrasts(plan, corpora)
    )
    view = main_view(corpora[plan["parts"][DISCOVERY]["corpus"]].texts)
    figures = effects.figures(plan, corpora, lambda corpus: of.has[corpus][view])
    return Effects(things, tests, figures)


class Themes(NamedTuple):
    """Tables of the themes of a study."""

    themes: pa.Table
    features: pa.Table
    tests: pa.Table
    figures: pa.Table


def study_themes(files: Any, settings: Mapping[str, Any]) -> Themes:
    """The themes of confirmed features. files: see the stage `themes`."""
    plan = io.read_json(files.plan)
    names, cells = settings["corpora"], settings["cells"]
    places = [(cell, name) for name in names for cell in cells]
    paths = dict(zip(places, files.features, strict=True))

    @lru_cache(maxsize=2)
    def features(cell: str, corpus: str) -> Features:
        return read_features(paths[cell, corpus])

    captured = {name: io.read_tensors(paths[cells[0], name], ["token"])["token"] for name in names}
    corpora = planning.read_all(names, files, captured, plan["seed"])
    labels = _labels(cells, files.concepts)
    return themes_of(plan, corpora, io.read_table(files.discoveries), features, labels)


def themes_of(
    plan: Mapping[str, Any],
    corpora: Mapping[str, Corpus],
    discoveries: pa.Table,
    features: Any,
    labels: Mapping[tuple[str, int], tuple[str | None, str | None]],
) -> Themes:
    """The themes of confirmed features, and their effects. features: function of cell and corpus;
    labels: kind and label by cell and feature."""
    rows = themes.chosen(discoveries)
    asked = questions.ask(plan, DISCOVERY, corpora, sorted(set(rows.contrast)))
    kinds = themes.views_of(asked.questions)
    part = plan["parts"][DISCOVERY]
    texts = corpora[part["corpus"]].texts
    seen = main_view(texts)
    # Figures are of the main view, though no contrast with a confirmed feature may look at it.
    views = sorted({view for pair in kinds.values() for view in pair if view} | {seen})
    on = themes.fires(rows, corpora, features, views)
    used = parts.chosen(texts, part) & texts.views[seen].present
    view = themes.view_of(kinds)
    of = themes.themes(rows, on, part["corpus"], used, view)
    listed, features_of = themes.tables(of, on, plan, corpora, labels, view)

    def sides(question: questions.discovery.Question, name: str) -> Any:
        return themes.sides(question, plan["parts"][name]["corpus"], plan["control"], on, of)

    contrast = np.array(of.contrast, object)
    own = {name: np.flatnonzero(contrast == name) for name in kinds}
    tests = effects.tests(plan, corpora, sides, 1, None, sorted(kinds), own)
    has = {name: of.has(on.on[name, seen]) for name, view in on.on if view == seen}
    figures = (
        effects.figures(plan, corpora, has.__getitem__) if of.n else effects.FIGURES.empty_table()
    )
    return Themes(listed, features_of, tests, figures)


def _labels(
    cells: Sequence[str], paths: Sequence[str]
) -> dict[tuple[str, int], tuple[str | None, str | None]]:
    labels = {}
    for cell, path in zip(cells, paths, strict=True):
        table = io.read_table(path, ["feature", "kind", "label"])
        for row in table.to_pylist():
            labels[cell, row["feature"]] = row["kind"], row["label"]
    return labels
