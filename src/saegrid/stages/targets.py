"""Targets that can be asked for by name, as lists of outputs; jobs follow from what these read."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from saegrid.base.errors import ConfigError
from saegrid.base.words import Cell
from saegrid.stages.places import all_activations, cells, cells_on_each, sae, together
from saegrid.stages.stage import At, Plan, Source, Stage

if TYPE_CHECKING:
    from saegrid.stages.graph import Graph, Job

Target = Callable[[Plan], Iterator[Source]]


def corpus(plan: Plan) -> Iterator[Source]:
    """Tables of every corpus in use."""
    for name in plan.used_corpora():
        if not plan.corpora[name].is_streamed:
            yield Source("selection.selection", At(name))
            yield Source("tokens.tokens", At(name))


def activations(plan: Plan) -> Iterator[Source]:
    """Activations of every corpus in use."""
    for name in plan.used_corpora():
        for site in plan.sites:
            yield from all_activations(plan, At(name, site=str(site)))


def saes(plan: Plan) -> Iterator[Source]:
    """SAEs of the grid."""
    yield from together(plan)
    for place in cells(plan):
        yield from sae(plan, place)


def tables(plan: Plan) -> Iterator[Source]:
    """Tables of all cells on each corpus, and all that they come from."""
    yield from corpus(plan)
    yield from activations(plan)
    yield from saes(plan)
    for place in cells(plan):
        if not plan.saes.is_displayed(place.cell):
            yield Source("logit_effects.effects", place)
    for stage in plan.graph.present:
        if stage.everywhere:
            for place in cells_on_each(plan):
                if plan.graph.makes(stage, place.cell):
                    yield Source(f"{stage.name}.{next(iter(stage.writes))}", place)
    if plan.verified.imported:
        yield Source("verify_checkpoint.facts", At())


def pages(plan: Plan) -> Iterator[Source]:
    """Feature browsers, the map and the index."""
    yield from together(plan)
    for place in cells(plan):
        yield Source("page.page", place)
    yield Source("map.page", At())
    yield Source("index.page", At())


def figures(plan: Plan) -> Iterator[Source]:
    """Figures."""
    yield from together(plan)
    yield Source("plot.figures", At())


def metrics(plan: Plan) -> Iterator[Source]:
    """Numbers of every cell, baselines of every site, all of them judged."""
    yield from together(plan)
    yield Source("health.table", At())


def layers(plan: Plan) -> Iterator[Source]:
    """Survey of the layers."""
    yield Source("survey_page.page", At())


def everything(plan: Plan) -> Iterator[Source]:
    """All that the study names."""
    for target in (tables, pages, figures):
        yield from target(plan)
    if plan.study.metrics.all:
        yield from metrics(plan)
    for target in analyses(plan.graph).values():
        yield from target(plan)


def analysis(stage: Stage) -> Target:
    """The target of an analysis: all of its jobs, and those of stages that belong to it."""

    def target(plan: Plan) -> Iterator[Source]:
        for one in plan.graph.present:
            if one.ends and stage.name in (one.name, one.part_of):
                output = next(iter(one.writes))
                yield from (Source(f"{one.name}.{output}", at) for at in one.ends(plan))

    return target


TARGETS: dict[str, Target] = {
    "corpus": corpus,
    "activations": activations,
    "saes": saes,
    "cells": tables,
    "metrics": metrics,
    "pages": pages,
    "figures": figures,
    "layers": layers,
    "all": everything,
}


PREFIX = "all_"
"""Beginning of the target of an analysis: the name of its stage alone is that of a rule."""


def analyses(graph: "Graph") -> dict[str, Target]:
    """The targets of the analyses that a study names."""
    return {PREFIX + stage.name: analysis(stage) for stage in graph.analyses}


def names(graph: "Graph") -> list[str]:
    """All targets of a study."""
    return [*TARGETS, *analyses(graph)]


def ends(graph: "Graph", names: Iterable[str]) -> list[Source]:
    """The outputs behind what is asked of Snakemake: targets, analyses, paths of files.

    Raises:
        ConfigError: what is asked for is of an analysis that the study does not name, or is the
            name of its stage, which is no target.
    """
    unique: dict[Source, None] = {}
    known = TARGETS | analyses(graph)
    for name in names:
        sources = known[name](graph.plan) if name in known else made_by(graph, name)
        unique.update(dict.fromkeys(sources))
        if name not in known:
            _check(graph, name)
    return list(unique)


def _check(graph: "Graph", name: str) -> None:
    """ConfigError where what is asked for by this name is of an analysis and cannot be made."""
    stages = {stage.name: stage for stage in graph.stages.values() if stage.config}
    if name in stages:
        target = PREFIX + name
        more = "" if stages[name] in graph.analyses else f" {_unnamed(name)}"
        raise ConfigError(f"{name} is a stage and no target: ask for {target}.{more}")
    asked = {name.removeprefix(PREFIX)} if name.startswith(PREFIX) else set()
    asked |= {source.stage for source in made_by(graph, name)}
    for stage in stages.values():
        if stage.name in asked and stage not in graph.analyses:
            raise ConfigError(f"{name} is of an analysis. {_unnamed(stage.name)}")


def _unnamed(name: str) -> str:
    return (
        f"The study does not name the analysis {name}: "
        f"add `analyses: {{{name}: {{...}}}}` to its config."
    )


PARTS = {
    "model": {
        "capture",
        "surprisal",
        "continuations",
        "fill_store",
        "begin_store",
        "measure",
        "logit_effects",
    },
    "grid": {"capture", "fill_store", "begin_store", "summary", "health", "survey"},
    "tokenizer": {"continuations", "tokens", "fill_store", "begin_store", "logit_effects"},
    "cells": {"encode", "summary"},
    "concepts": {"vocabulary", "base_rates"},
    "metrics": {"measure", "baselines"},
    "survey": {"survey", "base_rates"},
    "verify": {"verify_checkpoint"},
    "published": {"published"},
    "hub": {"import_sae"},
}
"""Stages that a part of a study with a mistake keeps from being made: see `stages.mistakes`."""


def parts(jobs: Iterable["Job"]) -> set[str]:
    """The parts of a study that these jobs need: a mistake in another one is of no concern."""
    needed: set[str] = set()
    for stage, at in jobs:
        needed |= {part for part, stages in PARTS.items() if stage.name in stages}
        needed |= {f"corpus:{at.corpus}"} if at.corpus else set()
        needed |= {f"sae:{Cell.parse(at.cell).sae}"} if at.cell else set()
        needed |= {f"tokenizer:{at.corpus}"} if stage.name in PARTS["tokenizer"] else set()
    return needed


def files(graph: "Graph", name: str) -> list[str]:
    """The files of a target: every file of every job that it needs, so that a lost or failed one is
    made again."""
    jobs = graph.jobs(ends(graph, [name]))
    return [path for job in jobs for path in graph.outputs(*job)]


def made_by(graph: "Graph", path: str) -> Iterator[Source]:
    """The outputs that lie at a path; none where no stage of the study makes it."""
    for stage in graph.stages.values():
        for name in stage.writes:
            match = re.fullmatch(pattern_of(stage.write(name).path), path)
            if match and match["study"] == graph.plan.study.study:
                source = Source(f"{stage.name}.{name}", At.of(match.groupdict(default="")))
                if _has(graph, source, path):
                    yield source


def pattern_of(path: str) -> str:
    """Regular expression of the paths that a path with wildcards stands for."""
    seen: set[str] = set()
    pattern = ""
    for number, part in enumerate(re.split(r"{(\w+)}", path)):
        if number % 2 == 0:
            pattern += re.escape(part)
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            pattern += f"(?P<{part}>{'.*?' if part == 'shard' else '[^/]+'})"
            seen.add(part)
    return pattern


def _has(graph: "Graph", source: Source, path: str) -> bool:
    """Return True if the study has this output: a path may name a corpus or cell that it lacks."""
    at, plan, stage = source.at, graph.plan, graph.stages[source.stage]
    cells = {*map(str, plan.cells), *plan.verified.cells}
    if (at.corpus and at.corpus not in plan.study.corpora) or (at.cell and at.cell not in cells):
        return False
    if any(not re.fullmatch(of(plan), getattr(at, key)) for key, of in stage.only.items()):
        return False
    try:
        return path in graph.paths(source)
    except (KeyError, ValueError):
        return False
