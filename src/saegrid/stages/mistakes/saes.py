"""SAEs that cannot be trained as they are set, and checkpoints that cannot be read."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from saegrid.base.errors import CheckpointError
from saegrid.base.paths import PathError, expand
from saegrid.base.words import Cell
from saegrid.config.check import Mistake, cells
from saegrid.config.checkpoints import FILLED, PLACEHOLDERS, location
from saegrid.config.models import CheckpointSae, Study, TrainedSae
from saegrid.config.references import key_of_sae
from saegrid.saes.formats import FORMATS
from saegrid.saes.fronts import GEMMA_EPS, RMS_NORM
from saegrid.saes.hooks import GEMMA
from saegrid.saes.reference import look
from saegrid.saes.training.settings import check_width, parse, problems
from saegrid.stages.mistakes.model import Facts
from saegrid.stages.mistakes.names import overridden


def saes_mistakes(study: Study, facts: Facts) -> Iterator[Mistake]:
    """Mistakes of the SAEs of the grid, one a sentence for all cells that share it."""
    by_sae: dict[str, list[Cell]] = {}
    for cell in cells(study):
        by_sae.setdefault(cell.sae, []).append(cell)
    own = dict(overridden(study))
    for name, several in by_sae.items():
        sae = study.saes[name]
        if sae.source == "checkpoint":
            yield from _checkpoint_mistakes(study, name, sae, several, facts)
        elif sae.source == "dashboards":
            yield from pages_mistakes(f"sae:{name}", f"saes.{name}.files", sae.files)
        else:
            yield from _widths_mistakes(study, name, sae, several, own, facts)


def pages_mistakes(part: str, key: str, files: Iterable[str]) -> Iterator[Mistake]:
    """Files of published pages that are not there."""
    for path in files:
        try:
            file = Path(expand(path))
        except PathError as problem:
            yield Mistake(part, f"{key}: {problem}", key)
            continue
        if not file.is_file():
            text = f"{key}: {file} is not there. Name the files of published pages, JSON lines."
            yield Mistake(part, text, key)


# --- trained ----------------------------------------------------------------------------------


def _widths_mistakes(
    study: Study,
    name: str,
    sae: TrainedSae,
    several: list[Cell],
    own: dict[str, TrainedSae],
    facts: Facts,
) -> Iterator[Mistake]:
    """Recipes in which more features are to be active than there are."""
    for cell in several:
        section, width = own.get(str(cell), sae), facts.width(cell.site)
        if not width or problems(section.recipe, section.settings):
            continue
        key = f"overrides.{cell}.train" if str(cell) in own else key_of_sae(study, name)
        try:
            settings = parse(section.recipe, section.settings)
            check_width(section.recipe, settings, section.expansion * width)
        except ValueError as problem:
            yield Mistake(f"sae:{name}", f"{key}: {problem}", key)


# --- checkpoints ------------------------------------------------------------------------------


def checkpoint_problem(name: str, sae: CheckpointSae, cell: Cell, facts: Facts) -> tuple[str, str]:
    """The key and the sentence of what keeps a cell's checkpoint from being read; empty: nothing.

    The key stands within the SAE's section.
    """
    where = location(sae, cell)
    if not where["path"]:
        if where["revision"]:
            return "", ""
        return "revision", (
            f"name the commit of {where['repo']} (position {cell.site.position}) on the hub, so "
            "that the results can be repeated. `python -m saegrid.saes.pin` looks up the present "
            "ones, see its help."
        )
    try:
        folder = Path(expand(where["path"]))
    except PathError as problem:
        return "path", str(problem)
    if not folder.is_dir():
        what = "; that is no folder" if folder.exists() else ""
        return "path", f"no checkpoint of {cell} at {folder}{what}."
    try:
        checkpoint = look(where, str(cell))
    except CheckpointError as problem:
        return "path", str(problem)
    except Exception as problem:  # whatever stands in the files: a format may not foresee it
        return "path", (
            f"{folder}: this is no checkpoint of the format {sae.format}: "
            f"{type(problem).__name__}: {problem}."
        )
    if checkpoint.encoder.front is RMS_NORM and (other := _other_norm(facts)):
        return "path", (
            f"{folder}: the SAE reads {cell.site} as the norms of Gemma divide it, by sqrt(mean "
            f"square + {GEMMA_EPS:g}), and the model {other}. Take an SAE of this model."
        )
    width = facts.width(cell.site)
    if width and checkpoint.encoder.d_model != width:
        return "path", (
            f"{folder}: the SAE reads {checkpoint.encoder.d_model:,} channels, and {cell.site} of "
            f"the model has {width:,}. Take an SAE of this model."
        )
    writes = checkpoint.writes or cell.site
    width = facts.width(writes)
    if width and checkpoint.decoder.d_model != width:
        return "path", (
            f"{folder}: the SAE writes {checkpoint.decoder.d_model:,} channels, and {writes} of "
            f"the model has {width:,}. Take an SAE of this model."
        )
    return "", ""


def _other_norm(facts: Facts) -> str:
    """The fact by which a model has other norms than Gemma; empty where it has those, or nobody
    knows."""
    if facts.config is None:
        return ""
    config = facts.config.get("text_config", facts.config)
    kind, eps = str(config.get("model_type")), config.get("rms_norm_eps", GEMMA_EPS)
    if not GEMMA.match(kind):
        return f"has model_type {kind!r}"
    return "" if eps == GEMMA_EPS else f"has rms_norm_eps {eps!r}"


def _checkpoint_mistakes(
    study: Study, name: str, sae: CheckpointSae, several: list[Cell], facts: Facts
) -> Iterator[Mistake]:
    if sae.format not in FORMATS or _has_other_placeholders(sae):
        return  # told where names are
    by_problem: dict[tuple[str, str], list[Cell]] = {}
    for cell in several:
        key, text = checkpoint_problem(name, sae, cell, facts)
        if text:
            by_problem.setdefault((key, _kind_of(text)), []).append(cell)
    for (key, _), alike in by_problem.items():
        _, text = checkpoint_problem(name, sae, alike[0], facts)
        n = len(alike) - 1
        more = f" The same holds for {n} more cell{'s' * (n > 1)}." if n else ""
        whole = f"saes.{name}.{key}"
        yield Mistake(f"sae:{name}", f"{whole}: {text}{more}", whole)


def _kind_of(text: str) -> str:
    """A sentence without what differs between cells."""
    return re.sub(r"\d+[A-Z]?|\b[A-Z]\b", "", text)


def _has_other_placeholders(sae: CheckpointSae) -> bool:
    rest = " ".join(getattr(sae, key) or "" for key in FILLED)
    for placeholder in PLACEHOLDERS:
        rest = rest.replace(placeholder, "")
    rest = re.sub(r"\$\{\w+\}", "", rest)
    return "{" in rest or "}" in rest
