"""Names of registered code that are unknown, and settings that their code does not take."""

from collections.abc import Iterator, Mapping
from typing import Any

from saegrid.base.registry import entry
from saegrid.base.words import Cell
from saegrid.config.check import ConfigError, Mistake, cell_section, cells
from saegrid.config.models import Study, TrainedSae
from saegrid.config.references import key_of_sae
from saegrid.meaning.spaces import NO_SPACE, SPACES
from saegrid.metrics.baselines import BASELINES
from saegrid.models import FAMILIES
from saegrid.saes.formats import FORMATS
from saegrid.saes.training.settings import parse, problems
from saegrid.store.texts import KINDS
from saegrid.text.corpora import CORPORA
from saegrid.text.layouts import LAYOUTS
from saegrid.text.masks import MASKS


def names_mistakes(study: Study) -> Iterator[Mistake]:
    """Mistakes that no file is looked at for; all keep anything from being made."""
    if study.model.family != "auto":
        yield from _unknown(FAMILIES, study.model.family, "model.family")
    for name, corpus in study.corpora.items():
        key = f"corpora.{name}"
        kinds = KINDS if corpus.store else CORPORA
        yield from _unknown(kinds, corpus.source.kind, f"{key}.source.kind")
        yield from _unknown(LAYOUTS, corpus.layout, f"{key}.layout")
        yield from _unknown(MASKS, corpus.mask, f"{key}.mask")
    for method in study.metrics.baselines:
        yield from _unknown(BASELINES, method, "metrics.baselines:")
    yield from _unknown({**SPACES, NO_SPACE: ""}, study.concepts.space, "concepts.space")
    for name, sae in study.saes.items():
        if sae.source == "checkpoint":
            yield from _unknown(FORMATS, sae.format, f"saes.{name}.format")
        elif sae.source == "train":
            yield from settings_mistakes(key_of_sae(study, name), sae.recipe, sae.settings)
    for cell, section in overridden(study):
        key = f"overrides.{cell}.train"
        yield from settings_mistakes(key, section.recipe, section.settings)
    yield from _together_mistakes(study)


def _unknown(registry: Mapping[str, str], name: str, key: str) -> Iterator[Mistake]:
    try:
        entry(registry, name, key)
    except ValueError as problem:
        yield Mistake("config", str(problem), key.rstrip(":"))


def settings_mistakes(key: str, recipe: str, settings: Mapping[str, Any]) -> Iterator[Mistake]:
    """Mistakes of settings that a recipe does not accept; key: the recipe's place in the config."""
    for problem in problems(recipe, settings):
        yield Mistake("config", f"{key}: {problem}", key)


def overridden(study: Study) -> Iterator[tuple[str, TrainedSae]]:
    """Cells of the grid with trainings of their own settings, and these; broken ones left out."""
    known = {str(cell) for cell in cells(study)} if study.overrides else set()
    for cell, stages in study.overrides.items():
        if cell in known and "train" in stages:
            try:
                section = cell_section(study, Cell.parse(cell), "train")
            except ConfigError:  # told by the reading of the config
                continue
            if section.source == "train":
                yield cell, section


def _together_mistakes(study: Study) -> Iterator[Mistake]:
    """SAEs of a site that are trained together must learn from the same batches."""
    own = dict(overridden(study))
    first: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    for cell in cells(study):
        section = own.get(str(cell), study.saes[cell.sae])
        if section.source != "train" or section.together is None:
            continue
        if problems(section.recipe, section.settings):
            continue
        settings = parse(section.recipe, section.settings)
        shared = {"corpus": section.corpus, "order_seed": section.order_seed}
        shared |= {"batch": settings.batch, "hold_out": settings.hold_out}
        place = (str(cell.site), section.together)
        leader, expected = first.setdefault(place, (cell.sae, shared))
        for key, value in shared.items():
            if value != expected[key]:
                where = key_of_sae(study, cell.sae)
                yield Mistake(
                    "config",
                    f"{where}: together {section.together!r} needs one {key}; got {value!r}, and "
                    f"{expected[key]!r} in {leader}.",
                    where,
                )
