"""The filling of a study, from the files of its stages."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.capture.corpus import MEMORY_MB
from saegrid.codes.sparse import read_features
from saegrid.evidence import CONFIRMATION, DISCOVERY, TEST, parts, texts
from saegrid.evidence.contrast import Unusable
from saegrid.interventions import blanks, filled, raising
from saegrid.interventions.edits import special_ids
from saegrid.interventions.filling import fill_in
from saegrid.interventions.live import InterventionError, Live, live
from saegrid.models import hub
from saegrid.models.check import check
from saegrid.models.load import Loaded, fits, load
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer


class Filling(NamedTuple):
    """The tables of the filling of a study."""

    table: pa.Table
    texts: pa.Table
    facts: dict[str, Any]


def part_of(plan: Mapping[str, Any], named: str | None) -> str:
    """The part whose headlines are filled in: the one that is named, else the test texts, else
    those of confirmation. Unusable for one that was searched, or is none."""
    known = [name for name in plan["parts"] if name != DISCOVERY]
    if named is None:
        return TEST if TEST in known else CONFIRMATION
    if named not in known:
        raise Unusable(
            f"analyses.filling.part: must be a part that was not searched ({', '.join(known)}); "
            f"got {named!r}."
        )
    return named


def study_filling(files: Any, settings: Mapping[str, Any], memory_mb: int = MEMORY_MB) -> Filling:
    """Changes by the confirmed features of a study in what the model fills in.

    files: see the stage `filling`. The model is loaded only where there is a feature to turn up.
    """
    plan, own = io.read_json(files.plan), settings["filling"]
    own = {**own, "part": part_of(plan, own["part"])}
    discoveries = io.read_table(files.discoveries)
    chosen = raising.confirmed(discoveries, settings["cells"], own["n_features"])
    if not chosen:
        return _nothing(own, [])
    corpora = dict(
        zip(
            settings["corpora"],
            zip(files.texts, files.tokens, files.spans, strict=True),
            strict=True,
        )
    )
    searched = _read(corpora[plan["parts"][DISCOVERY]["corpus"]])
    first, corpus, special = searched
    used = parts.chosen(corpus, plan["parts"][DISCOVERY])
    cells = {one.cell: settings["cells"].index(one.cell) for one in chosen}
    features = {cell: read_features(files.features[at]) for cell, at in cells.items()}
    arms, without = raising.arms(
        chosen, features, discoveries, own, (corpus, used, first.edit, special)
    )
    if not arms:
        return _nothing(own, without)
    known = used & (first.edit >= 0)
    grade = blanks.grades_of(corpus, plan["label"])
    grades = blanks.token_grades(first.edit[known], grade[known])
    part = plan["parts"][own["part"]]
    if part["corpus"] != plan["parts"][DISCOVERY]["corpus"]:
        first, corpus, _ = _read(corpora[part["corpus"]])
        grade = blanks.grades_of(corpus, plan["label"])
    of = blanks.blanks(corpus, first, part, grade, own["n_originals"], own["seed"])
    shown = [int(np.argmax(of.original == n)) for n in range(min(own["n_texts"], of.n_originals))]
    shown = of.blank[shown].tolist()
    model = _loaded(settings["model"], memory_mb)

    def opened(cell: str) -> Live:
        folder = Path(files.saes[2 * cells[cell]]).parent
        return live(open_sae(folder), model.device, Cell.parse(cell).site)

    changes = fill_in(model, of, grades, arms, opened, shown)
    drawn = filled.draws_of(of, changes, own["draws"], own["seed"])
    return Filling(
        filled.table(arms, drawn, of.n_originals),
        filled.texts_table(
            arms, of, changes, shown, _strings(settings["model"]), special_ids(model)
        ),
        filled.facts(arms, drawn, of, without, own, changes),
    )


def _read(paths: Sequence[str]) -> tuple[blanks.Firsts, texts.Texts, np.ndarray]:
    """First tokens, texts, and (token,) bool special tokens of a corpus."""
    items, tokens, spans = map(io.read_table, paths)
    corpus = texts.texts(items, tokens, spans)
    special = np.asarray(tokens["special"].to_numpy(zero_copy_only=False), bool)
    return blanks.firsts(corpus, tokens, spans), corpus, special


def _loaded(model: Mapping[str, Any], memory_mb: int) -> Loaded:
    """The whole model: a clamped feature cannot be followed block by block."""
    if not fits(model, memory_mb):
        raise InterventionError(
            f"analyses.filling: {model['path']} does not fit in memory ({memory_mb:,} MB), and "
            "words can be filled in only by a whole model. Raise memory.capture, or take a GPU "
            "that it fits on (model.device)."
        )
    one = load(model)
    check(one)
    return one


def _strings(model: Mapping[str, Any]) -> list[str]:
    """The vocabulary."""
    return tokenizer.strings(tokenizer.load(hub.tokenizer_folder(model), model["bos"]))


def _nothing(settings: Mapping[str, Any], without: Sequence[raising.Chosen]) -> Filling:
    facts = filled.facts([], {}, None, without, settings)
    return Filling(filled.SCHEMA.empty_table(), filled.TEXTS.empty_table(), facts)
