"""Tables of stages, recipes, models, formats and registries, as Markdown."""

import ast
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name

from saegrid.models import FAMILIES
from saegrid.pages.figures import HEALTH_FIGURES, SURVEY_FIGURES
from saegrid.saes.formats import FORMATS
from saegrid.saes.training import RECIPES
from saegrid.stages import ANALYSES, STAGES, load
from saegrid.stages.stage import Figure

REGISTRIES = (
    ("kind of source", "saegrid.text.corpora:CORPORA", "corpora.NAME.source.kind"),
    ("layout of rows", "saegrid.text.layouts:LAYOUTS", "corpora.NAME.layout"),
    ("edit mask", "saegrid.text.masks:MASKS", "corpora.NAME.mask"),
    ("statistic of each feature", "saegrid.features.statistics:STATISTICS", ""),
    ("metric", "saegrid.metrics:METRICS", "metrics"),
    ("baseline", "saegrid.metrics.baselines:BASELINES", "metrics.baselines"),
    ("kind of lexicon", "saegrid.text.lexicons:LEXICONS", "concepts.lexicons"),
    ("word space", "saegrid.meaning.spaces:SPACES", "concepts.space"),
    ("contrast of texts", "saegrid.evidence.contrasts:CONTRASTS", "analyses.tests.contrasts"),
    ("probe", "saegrid.evidence.probes.targets:PROBES", "analyses.probes.probes"),
    (
        "description of texts",
        "saegrid.evidence.probes.representations:REPRESENTATIONS",
        "analyses.probes.representations",
    ),
    ("vector of a text", "saegrid.evidence.probes.conventions:CONVENTIONS", "analyses.readout"),
    ("linear probe", "saegrid.evidence.probes.linear:LINEAR", "analyses.readout.probes.methods"),
    ("namer", "saegrid.meaning.names:NAMERS", "analyses.names.namer"),
    ("method of clustering", "saegrid.evidence.clusters:METHODS", "analyses.clusters.method"),
    ("weights of columns", "saegrid.evidence.clusters:WEIGHTINGS", "analyses.clusters"),
)
"""Registries without a table of their own: what an entry is, the registry, and the key of a config
that names an entry (empty: none)."""


def escaped(text: object) -> str:
    """Text for a cell of a table: in one line, without bars, and nothing in it is markup."""
    plain = " ".join(str(text).split())
    return plain.replace("|", "\\|").replace("<", "&lt;")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table that ends with a line break; cells are written as they are."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(str, cells))} |\n" for cells in lines)


def opening(place: str) -> str:
    """The first paragraph of the docstring of an entry's module, without its full stop.

    The module is read and not imported: some of them import what is slow to load.
    """
    spec = find_spec(place.partition(":")[0])
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8")))
    return escaped(text.partition("\n\n")[0]).rstrip(".")


def stages() -> str:
    """The table of stages: each with what it is, and its files."""
    rows = []
    for stage in load().values():
        paths = [stage.write(name).path.removeprefix("results/{study}/") for name in stage.writes]
        files = ", ".join(f"`{path}`" for path in paths)
        rows.append((f"`{stage.name}`", opening(STAGES[stage.name]), files))
    return table(("stage", "what", "files in `results/{study}/`"), rows)


def analyses() -> str:
    """The table of optional stages: the section of the config that names each, and what it asks."""
    rows = [
        (f"`analyses.{name}`", escaped(resolve_name(place).__doc__.partition("\n\n")[0]))
        for name, place in ANALYSES.items()
    ]
    return table(("section", "what"), rows)


def recipes() -> str:
    """The table of training recipes."""
    rows = [(f"`{name}`", opening(place)) for name, place in RECIPES.items()]
    return table(("recipe", "what"), rows)


def families() -> str:
    """The table of model families: the model_type of config.json and the positions of its sites."""
    rows = []
    for name, place in FAMILIES.items():
        family = resolve_name(place)
        positions = " ".join(position.lower() for position in family.positions)
        kind = "causal" if family.causal else "reads both ways"
        rows.append((f"`{name}`", kind, positions))
    return table(("`model_type`", "attention", "positions"), rows)


def formats() -> str:
    """The table of SAE formats."""
    rows = [(f"`{name}`", opening(place)) for name, place in FORMATS.items()]
    return table(("`format`", "files"), rows)


def examples() -> str:
    """The table of examples of SAE formats: releases, and the settings of one in a config."""
    rows = []
    for name, place in FORMATS.items():
        entry = resolve_name(place)
        rows.append((f"`{name}`", entry.releases, f"`{entry.example}`"))
    return table(("`format`", "SAEs", "for example"), rows)


def registries() -> str:
    """The tables of all registries, each under a heading, with the key that names an entry."""
    parts = []
    for what, place, key in REGISTRIES:
        named = f" Key: `{key}`." if key else ""
        rows = [(f"`{name}`", opening(str(at))) for name, at in resolve_name(place).items()]
        head = f"### {what[0].upper()}{what[1:]}\n\nRegistry: `{place}`.{named}\n\n"
        parts.append(f"{head}{table(('name', 'what'), rows)}")
    return "\n".join(parts)


def figures() -> str:
    """The table of the figures of a study, by name: where it is shown, and the caption."""
    places = [
        *((one.name, one.draw, "index") for stage in load().values() for one in stage.shows
          if isinstance(one, Figure)),
        *((name, draw, "health") for name, draw in HEALTH_FIGURES.items()),
        *((name, draw, "survey") for name, draw in SURVEY_FIGURES.items()),
    ]  # fmt: skip
    rows = [
        (f"`{name}`", f"`{page}.html`", escaped(caption_of(draw)))
        for name, draw, page in sorted(places)
    ]
    return table(("figure", "page", "caption"), rows)


def caption_of(draw: str) -> str:
    """The CAPTION of the module of a figure, which is read and not imported."""
    spec = find_spec(draw.partition(":")[0])
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CAPTION":
            return str(ast.literal_eval(node.value))
    raise ValueError(f"{draw} must be of a module with a CAPTION.")
