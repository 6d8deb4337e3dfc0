"""Names in a config that lead nowhere, and settings that do not go together."""

import re
from collections.abc import Collection, Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

from saegrid.base.errors import ConfigError, shown
from saegrid.base.registry import nearest
from saegrid.base.words import Cell
from saegrid.config.cells import STAGES, blocks, cell_section, cells
from saegrid.config.checkpoints import FILLED, PLACEHOLDERS
from saegrid.config.corpora import Corpus
from saegrid.config.messages import Mistake
from saegrid.config.models import Study

OF_TABLES = {
    *("layout", "row_length", "mask", "tokens", "keep_space", "grades", "labels", "split_column"),
    *("original", "edit", "edited"),
}
"""Settings of a corpus, its source and columns that only one in tables has."""
RESERVED = ("saes", "figures", "survey", "store", "effects", "logs", "hooks")
"""Folders of a study's results that are no corpus."""
LONGEST = 100
"""Letters of a name: it becomes the name of a file."""
MOST_CELLS = 100_000
NEVER = {"holdout": "what is held out", "control": "what others are compared with"}
"""Roles of corpora that no SAE learns from, and their texts in words."""


def names_mistakes(study: Study) -> Iterator[Mistake]:
    """Names that would be no good names of files, or take those of other results."""
    for name in study.corpora:
        if name.lower() in RESERVED:
            yield _mistake(
                f"corpora.{name}",
                f"a corpus may not be named {name}, since results/{study.study}/{name.lower()} "
                "holds other results. Rename it.",
            )
    catalogues = {"corpora": study.corpora, "saes": study.saes, "sweeps": study.sweeps}
    for catalogue, names in {**catalogues, "grids": study.grids}.items():
        for name in names:
            if len(name) > LONGEST:
                yield _mistake(
                    f"{catalogue}.{name[:40]}...",
                    f"a name may have {LONGEST} letters; this one has {len(name)}. Shorten it.",
                )


def _mistake(key: str, text: str) -> Mistake:
    return Mistake("config", f"{key}: {text}", key)


def references_mistakes(study: Study, lost: Collection[str] = ()) -> Iterator[Mistake]:
    """Names that lead nowhere, and settings that do not go together.

    lost: corpora and SAEs that have mistakes of their own; who names them is not wrong.
    """
    yield from _corpora_mistakes(study, lost)
    yield from _saes_mistakes(study, lost)
    yield from _grid_mistakes(study, lost)
    named = {"metrics.corpus": [study.metrics.corpus], "survey.corpora": study.survey.corpora}
    for key, names in named.items():
        for name in names:
            if name is not None and name not in study.corpora and name not in lost:
                hint = nearest(name, list(study.corpora))
                yield Mistake(
                    "config",
                    f"{key} must name one of the corpora; got {shown(name)}.{hint}",
                    key,
                )
    cuts = study.pages.cuts
    for cut in sorted({cut for cut in cuts if cuts.count(cut) > 1}):
        yield _mistake("pages.cuts", f"{cut} stands twice. Leave one out.")
    yield from _overrides_mistakes(study, lost)


def _corpora_mistakes(study: Study, lost: Collection[str]) -> Iterator[Mistake]:
    mains = [name for name, corpus in study.corpora.items() if corpus.role == "main"]
    if len(mains) > 1 or (not mains and not lost):
        yield _mistake(
            "corpora", f"exactly one must have the role main; got {', '.join(mains) or 'none'}."
        )
    learned = _learned(study)
    for name, corpus in study.corpora.items():
        yield from _corpus_mistakes(name, corpus, name in learned)


def key_of_sae(study: Study, name: str) -> str:
    """The key under which an SAE stands in the config: its own, or its sweep's."""
    sweep = next((sweep for sweep in study.sweeps if name.startswith(f"{sweep}.")), None)
    return f"saes.{name}" if sweep is None else f"sweeps.{sweep}"


def _is_lost(name: str, lost: Collection[str]) -> bool:
    """Return True if an SAE, or the sweep that it comes from, is in `lost`."""
    return name in lost or any(name.startswith(f"{sweep}.") for sweep in lost)


def _saes_mistakes(study: Study, lost: Collection[str]) -> Iterator[Mistake]:
    for name, sae in study.saes.items():
        if _is_lost(name, lost):
            continue
        if sae.source == "train":
            yield from _learned_mistakes(
                study, f"{key_of_sae(study, name)}.corpus", sae.corpus, lost
            )
        elif sae.source == "dashboards":
            continue
        elif sae.path is None and sae.repo is None:
            yield _mistake(f"saes.{name}", "give path (of local copies) or repo (on the hub).")
        else:
            for key in FILLED:
                yield from _placeholder_mistakes(f"saes.{name}.{key}", getattr(sae, key) or "")


def _placeholder_mistakes(key: str, text: str) -> Iterator[Mistake]:
    """Placeholders may stand in the path of an SAE, ${VARIABLE} too, and no other."""
    for known in PLACEHOLDERS:
        text = text.replace(known, "")
    rest = re.sub(r"\$\{\w+\}", "", text)
    if "{" in rest or "}" in rest:
        yield _mistake(
            key,
            f"{shown(rest[rest.find('{') if '{' in rest else 0 :])} is no placeholder; known: "
            f"{', '.join(PLACEHOLDERS)} and ${{VARIABLE}}.",
        )


def _learned_mistakes(
    study: Study, key: str, name: str, lost: Collection[str]
) -> Iterator[Mistake]:
    """SAEs learn from any corpus but a holdout or a control."""
    if name in lost:
        return
    roles = {corpus: entry.role for corpus, entry in study.corpora.items()}
    if name not in roles:
        hint = nearest(name, [corpus for corpus, role in roles.items() if role not in NEVER])
        yield _mistake_of(
            key, f" must name a corpus of role train, main or reference; got {shown(name)}.{hint}"
        )
    elif roles[name] in NEVER:
        yield _mistake_of(
            key,
            f": {name} has the role {roles[name]}, and {NEVER[roles[name]]} is not learned from. "
            "Name another corpus, or give this one the role train.",
        )


def _mistake_of(key: str, text: str) -> Mistake:
    return Mistake("config", f"{key}{text}", key)


def _learned(study: Study) -> set[str]:
    """Names of the corpora that SAEs of the catalogue, or single cells, learn from."""
    named = [sae.corpus for sae in study.saes.values() if sae.source == "train"]
    own = [stages.get("train", {}).get("corpus") for stages in study.overrides.values()]
    return {name for name in [*named, *own] if isinstance(name, str)}


def _corpus_mistakes(name: str, corpus: Corpus, learned: bool) -> Iterator[Mistake]:
    """A streamed corpus, one that SAEs learn from, and one on which features are counted, cannot
    have all settings."""
    key, chosen = f"corpora.{name}", corpus.tokens
    if corpus.store:
        yield from _store_mistakes(name, corpus)
    elif not (chosen.edited or chosen.original or chosen.context):
        yield _mistake(
            f"{key}.tokens",
            "no token would be captured: edited and original are false and context is 0. Set one.",
        )
    paired = corpus.source.columns.original is not None
    if (learned or corpus.role == "train") and corpus.layout == "packed" and paired:
        yield _mistake(
            f"{key}.layout",
            "packed rows mix pairs, so that none can be held out of a training with its siblings. "
            "Take layout headline, or a column `text` alone.",
        )
    if not corpus.store and not paired and not chosen.context:
        yield _mistake(
            f"{key}.tokens.context",
            "texts without pairs have no edits, so that 0 context tokens are none. Raise it, or "
            "take all.",
        )
    if corpus.role != "train" and paired and not chosen.edited:
        yield _mistake(
            f"{key}.tokens.edited",
            f"features of the {corpus.role} corpus are counted on its edits; false leaves none to "
            "count. Set it to true.",
        )


def _store_mistakes(name: str, corpus: Corpus) -> Iterator[Mistake]:
    key = f"corpora.{name}"
    if corpus.role != "train" or corpus.shards > 1 or corpus.filter:
        yield _mistake(
            f"{key}.store",
            "a streamed corpus has the role train, no filter and no shards of its own; got role "
            f"{corpus.role}, shards {corpus.shards}.",
        )
    parts = (corpus, corpus.source, corpus.source.columns)
    named = {key for part in parts for key in part.model_dump(exclude_defaults=True)}
    if named & OF_TABLES:
        yield Mistake(
            "config",
            f"{key}: a streamed corpus has plain texts, one after another, and no "
            f"{', '.join(sorted(named & OF_TABLES))}. Leave that out, or leave out `store`.",
            f"{key}.store",
        )


def _grid_mistakes(study: Study, lost: Collection[str]) -> Iterator[Mistake]:
    if isinstance(study.grid, str) and study.grid not in study.grids:
        known = sorted(study.grids)
        yield _mistake(
            "grid",
            f"{shown(study.grid)} is not among grids.{nearest(study.grid, known)} "
            f"Known: {', '.join(known) or 'none'}.",
        )
    # The other grids of the catalogue may well be those of a study that this one is laid over.
    key = f"grids.{study.grid}" if isinstance(study.grid, str) else "grid"
    several = blocks(study)
    if several:
        count = sum(len(b.layers) * len(b.positions) * len(b.saes) for b in several)
        if count > MOST_CELLS:
            yield _mistake(key, f"a grid has at most {MOST_CELLS:,} cells; got {count:,}.")
        for sae in dict.fromkeys(sae for block in several for sae in block.saes):
            if sae not in study.saes and sae not in lost:
                known = sorted(study.saes)
                listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
                yield _mistake(
                    key,
                    f"SAE {shown(sae)} is not among saes.{nearest(sae, known)} "
                    f"Known: {listed or 'none'}.",
                )


# --- overrides --------------------------------------------------------------------------------


def _overrides_mistakes(study: Study, lost: Collection[str]) -> Iterator[Mistake]:
    known = {str(cell) for cell in cells(study)} if study.overrides else set()
    for cell, stages in study.overrides.items():
        key, sae = f"overrides.{cell}", cell.partition("-")[2]
        if _is_lost(sae, lost):
            continue
        if cell not in known:
            text = f"{key} is not a cell of the grid.{nearest(cell, sorted(known))}"
            yield Mistake("config", text, key)
            continue
        for stage, values in stages.items():
            of_cells, of_study = _analyses(study)
            known = [*STAGES, *of_cells]
            if stage not in known:
                what = (
                    "is of the whole study: a cell cannot override it."
                    if stage in of_study
                    else f"is not a stage.{nearest(stage, known)}"
                )
                text = f"{key}.{stage} {what} Known: {', '.join(known)}."
                yield Mistake("config", text, f"{key}.{stage}")
            else:
                yield from _override_mistakes(study, cell, stage, values, lost)


def _analyses(study: Study) -> tuple[list[str], list[str]]:
    """Names of the study's analyses: those with jobs of cells, and those of the whole study."""
    named = [name for name, section in study.analyses if section is not None]
    stages = resolve_name(LOAD)() if named else {}  # they stand above
    of_cells = [name for name in named if "cell" in stages[name].wildcards]
    return of_cells, [name for name in named if name not in of_cells]


LOAD = "saegrid.stages:load"
"""The function that gives all stages by name."""


def _override_mistakes(
    study: Study, cell: str, stage: str, values: Mapping[str, Any], lost: Collection[str]
) -> Iterator[Mistake]:
    key, named = f"overrides.{cell}.{stage}", Cell.parse(cell)
    try:
        section = cell_section(study, named, stage, values)
        if stage == "train" and section.source == "train":
            yield from _learned_mistakes(study, f"{key}.corpus", section.corpus, lost)
    except ConfigError as problem:
        for line in str(problem).splitlines():
            yield Mistake("config", line, key)
