"""The files, jobs and specs of a study. All of it follows from its stages."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from saegrid.base.errors import ConfigError
from saegrid.base.paths import PathError
from saegrid.base.words import Cell
from saegrid.stages.settled import ancient_inputs
from saegrid.stages.stage import (
    At,
    Many,
    Needs,
    Plan,
    Source,
    Stage,
    Upstream,
    Write,
)


class Job(NamedTuple):
    """A job of a stage."""

    stage: Stage
    at: At

    def __str__(self) -> str:
        names = [self.at.cell or self.at.site, self.at.corpus, self.at.shard.strip("/")]
        return " ".join([self.stage.name, *filter(None, names)])

    def mistake(self, problem: Exception) -> str:
        """A mistake in one of its functions as one sentence: of the config as it stands, any other
        with the stage's name."""
        if isinstance(problem, ConfigError | PathError):
            return str(problem)
        kind = "" if type(problem) is ValueError else f"{type(problem).__name__}: "
        return f"stage {self}: {kind}{problem}"


def _section(plan: Plan, stage: Stage) -> Any:
    """The section of an analysis in the config; ValueError where no config can have one."""
    if stage.name not in type(plan.study.analyses).model_fields:
        raise ValueError(
            f"Stage {stage.name} has a section: it wants a line in ANALYSES of "
            "saegrid/stages/__init__.py."
        )
    return getattr(plan.study.analyses, stage.name)


class Graph:
    """Stages bound to a plan."""

    def __init__(self, plan: Plan, stages: Mapping[str, Stage]) -> None:
        self.plan, self.stages = plan, stages
        self.analyses = [s for s in stages.values() if s.config and _section(plan, s)]
        named = {stage.name for stage in self.analyses}
        self.present = [
            s
            for s in stages.values()
            if (s.name in named if s.config else not s.part_of or s.part_of in named)
        ]
        """The stages of this study: analyses that it does not name are left out."""
        self.settled: dict[tuple[str, bool, tuple[str, ...]], bool] = {}
        """Answers of `is_settled` by its arguments."""
        self.reads = {s.name: {name: s.read(name) for name in s.reads} for s in stages.values()}
        self._own = {s.name: frozenset(s.wildcards) & {*At._fields} for s in stages.values()}
        self._parts: dict[tuple[str, str], dict[str, str]] = {}
        self._places: dict[tuple[str, At], At] = {}
        self._sources: dict[tuple[str, str, At], Source | list[Source | str] | None] = {}
        self._paths: dict[Source, list[str]] = {}
        self._jobs: dict[tuple[Source, ...], tuple[list[Job], list[tuple[Job, Exception]]]] = {}
        self.needs: dict[tuple[str, At], dict[str, int]] = {}
        """Resources of jobs, as far as they were asked (`needs`)."""

    # --- files -----------------------------------------------------------------------------

    def paths(self, source: Source) -> list[str]:
        """The files of an output; of one with a file for each of something, the one that the place
        names, else all."""
        if source not in self._paths:
            self._paths[source] = self._files(source)
        return self._paths[source]

    def _files(self, source: Source) -> list[str]:
        stage, at, write = self.stages[source.stage], source.at, self.write(source)
        names = {**at._asdict(), "study": self.plan.study.study, **self.parts(stage, at.corpus)}
        several = [names]
        for wildcard, values in write.each.items():
            if not names.get(wildcard):
                every = [str(value) for value in values(self.plan)]
                several = [{**one, wildcard: value} for one in several for value in every]
        return [write.path.format(**one) for one in several]

    def write(self, source: Source) -> Write:
        """An output with its conditions."""
        return self.stages[source.stage].write(source.output.partition(".")[2])

    def parts(self, stage: Stage, corpus: str) -> dict[str, str]:
        """The parts of a stage's paths on a corpus that are computed."""
        key = (stage.name, corpus)
        if key not in self._parts:
            try:
                values = {part: of(self.plan, At(corpus)) for part, of in stage.parts.items()}
            except Exception as problem:
                raise Upstream(str(problem)) from problem
            self._parts[key] = values
        return self._parts[key]

    def sources(self, stage: Stage, name: str, at: At) -> Source | list[Source | str] | None:
        """The outputs that an input of a job is: one, none, or a list."""
        key = (stage.name, name, at)
        if key not in self._sources:
            read = self.reads[stage.name][name]
            source = read.of(self.plan, at)
            self._sources[key] = list(source) if isinstance(read, Many) else source
        return self._sources[key]

    def listed(self, stage: Stage, name: str, at: At) -> list[Source]:
        """The outputs of stages that an input is, one or several."""
        source = self.sources(stage, name, at)
        several = source if isinstance(source, list) else [source]
        return [one for one in several if isinstance(one, Source)]

    def inputs(self, stage: Stage, name: str, at: At) -> str | list[str]:
        """The file of an input; a list of files where the stage says `Many`, or has none."""
        source = self.sources(stage, name, at)
        if source is None:
            return []
        if isinstance(source, Source):
            (path,) = self.paths(source)
            return path
        return [p for one in source for p in ([one] if isinstance(one, str) else self.paths(one))]

    def outputs(self, stage: Stage, at: At) -> list[str]:
        """The files that a job writes."""
        names = (Source(f"{stage.name}.{name}", at) for name in stage.writes)
        return [path for source in names for path in self.paths(source)]

    def place(self, name: str, at: At) -> At:
        """The place of a job of a stage: its own wildcards, and the site of its cell."""
        key = (name, at)
        if key not in self._places:
            own = self._own[name]
            values = {k: v if k in own else "" for k, v in at._asdict().items()}
            if "cell" in own and not values["site"]:
                values["site"] = str(Cell.parse(at.cell).site)
            self._places[key] = At(**values)
        return self._places[key]

    # --- jobs ------------------------------------------------------------------------------

    def jobs(self, ends: Iterable[Source], mistakes: list[str] | None = None) -> list[Job]:
        """The jobs that these outputs need, in the order of the stages.

        mistakes: what is wrong with jobs is added here, a sentence each, and these are left out;
        None: the first mistake is raised.
        """
        key = tuple(ends)
        if key not in self._jobs:
            self._jobs[key] = self._walk(key)
        jobs, problems = self._jobs[key]
        if problems and mistakes is None:
            raise problems[0][1]
        if mistakes is not None:
            mistakes += [job.mistake(problem) for job, problem in problems]
        return jobs

    def _walk(self, ends: Iterable[Source]) -> tuple[list[Job], list[tuple[Job, Exception]]]:
        """The jobs behind some outputs, and what is wrong with their inputs."""
        problems: list[tuple[Job, Exception]] = []
        todo = [self.maker(source) for source in ends]
        seen: dict[tuple[str, At], None] = dict.fromkeys(todo)
        while todo:
            name, at = todo.pop()
            stage = self.stages[name]
            for read in stage.reads:
                try:
                    sources = self.listed(stage, read, at)
                    for source in sources:
                        self._check(stage, self.stages[source.stage])
                except Exception as problem:
                    problems.append((Job(stage, at), problem))
                    continue
                for job in map(self.maker, sources):
                    if job not in seen:
                        seen[job] = None
                        todo.append(job)
        order = {name: number for number, name in enumerate(self.stages)}
        ordered = sorted(seen, key=lambda job: (order[job[0]], job[1]))
        return [Job(self.stages[name], at) for name, at in ordered], problems

    def _check(self, stage: Stage, read: Stage) -> None:
        """ConfigError where a stage reads an analysis that the study does not name."""
        if read.config and read not in self.analyses:
            key = f"analyses.{stage.name}" if stage.config else f"stage {stage.name}"
            raise ConfigError(
                f"{key} needs what analyses.{read.name} makes, which the study does not name: add "
                f"`analyses: {{{read.name}: {{...}}}}` to its config."
            )

    def stand_in(self, name: str, cell: str) -> str:
        """The stage that makes the outputs of a stage for a cell: another one where published pages
        are all that is known of the cell."""
        other = self.stages[name].displayed
        return other if other and cell and self.plan.saes.is_displayed(cell) else name

    def makes(self, stage: Stage, cell: str) -> bool:
        """Return True if a stage makes outputs of a cell itself."""
        of = stage.only.get("cell")
        return of is None or re.fullmatch(of(self.plan), cell) is not None

    def maker(self, source: Source) -> tuple[str, At]:
        """The stage and place of the job that makes an output."""
        stage = self.stages[self.stand_in(source.stage, source.at.cell)]
        if stage.whole and not source.at.shard and self.plan.corpora[source.at.corpus].shards[0]:
            stage = self.stages[stage.whole]
        return stage.name, self.place(stage.name, source.at)


def template(graph: Graph, stage: Stage, name: str) -> str | None:
    """The path of an input as a function of the stage's own wildcards; None where it takes more
    than these to know it."""
    read = stage.reads[name]
    if not isinstance(read, str):
        return None
    source = Source(read, At())
    write, parts = graph.write(source), graph.stages[source.stage].parts
    path = write.path if "shard" in stage.wildcards else write.path.replace("{shard}", "")
    own = {"study", *stage.wildcards}
    return None if write.each or parts or {*re.findall(r"{(\w+)}", path)} - own else path


def check(graph: Graph, ends: Iterable[Source]) -> list[str]:
    """Mistakes of a study, a sentence each: every reference, input, spec and need of the jobs that
    these outputs need is made once, and kept.

    Snakemake drops a job in silence where one of its functions raises and its files exist.
    """
    mistakes: list[str] = []
    upstream: list[str] = []
    for job in graph.jobs(ends, mistakes):
        try:
            graph.plan.specs.spec(job.stage.name, job.at)
            graph.outputs(*job)
            for name in job.stage.reads:
                graph.inputs(job.stage, name, job.at)
            for ask in (needs, ancient_inputs):
                ask(graph, *job)
        except Upstream as problem:
            upstream.append(job.mistake(problem))
        except Exception as problem:
            mistakes.append(job.mistake(problem))
    return list(dict.fromkeys(mistakes or upstream))


def needs(graph: Graph, stage: Stage, at: At) -> dict[str, int]:
    """The resources that a job asks for: threads, megabytes, GPUs. Not to be changed."""
    key = (stage.name, at)
    if key not in graph.needs:
        graph.needs[key] = _needs(graph.plan, stage.needs, at)
    return graph.needs[key]


def _needs(plan: Plan, wanted: Needs, at: At) -> dict[str, int]:
    def amount(value: Any, section: str) -> int:
        if isinstance(value, str):
            return getattr(getattr(plan.study, section), value)
        return value(plan, at) if callable(value) else value

    gpu = wanted.gpu(plan, at) if callable(wanted.gpu) else plan.gpu() * wanted.gpu
    hub = (
        wanted.hub(plan, at) if callable(wanted.hub) else wanted.hub and plan.saes.from_hub(at.cell)
    )
    filling = wanted.filling(plan, at) if wanted.filling else (0, 0)
    return {
        "threads": amount(wanted.threads, "threads"),
        "memory": amount(wanted.memory, "memory"),
        "gpu": gpu,
        "hub": int(hub),
        "filling_memory": filling[0],
        "filling_threads": filling[1],
    }
