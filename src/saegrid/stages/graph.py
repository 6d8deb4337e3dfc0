"""The files, jobs and specs of a study. All of it follows from its stages."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from saegrid.base.digest import digest
from saegrid.base.errors import ConfigError
from saegrid.base.fingerprint import fingerprint
from saegrid.base.io import canonical
from saegrid.base.paths import PathError
from saegrid.base.words import Cell
from saegrid.stages.stage import At, Column, Figure, Many, Panel, Plan, Read, Source, Stage

Shown = TypeVar("Shown", Column, Figure, Panel)


class Job(NamedTuple):
    """A job of a stage."""

    stage: Stage
    at: At

    def __str__(self) -> str:
        names = [self.at.cell or self.at.site, self.at.corpus, self.at.shard.strip("/")]
        return " ".join([self.stage.name, *filter(None, names)])


class Graph:
    """Stages bound to a plan."""

    def __init__(self, plan: Plan, stages: Mapping[str, Stage], scripts: Path) -> None:
        self.plan, self.stages, self._scripts = plan, stages, scripts
        analyses = plan.study.analyses
        self.analyses = [
            stage for stage in stages.values() if stage.config and getattr(analyses, stage.name)
        ]
        self.settled: dict[str, bool] = {}
        """Whether the files of a cell record their present specs, as far as it was asked."""
        self._reads = {s.name: {name: s.read(name) for name in s.reads} for s in stages.values()}
        self._own = {s.name: frozenset(s.wildcards) & {*At._fields} for s in stages.values()}
        self._parts: dict[tuple[str, str], dict[str, str]] = {}
        self._places: dict[tuple[str, At], At] = {}
        self._sources: dict[tuple[str, str, At], Source | list[Source | str] | None] = {}
        self._paths: dict[Source, list[str]] = {}
        self._specs: dict[tuple[str, At], str] = {}
        self._digests: dict[tuple[str, At], str] = {}
        self._codes: dict[tuple[str, ...], str] = {}

    # --- files -----------------------------------------------------------------------------

    def paths(self, source: Source) -> list[str]:
        """The files of an output; of one with a file for each of something, the one that the place
        names, else all."""
        if source not in self._paths:
            self._paths[source] = self._files(source)
        return self._paths[source]

    def _files(self, source: Source) -> list[str]:
        stage, at = self.stages[source.stage], source.at
        write = stage.write(source.output.partition(".")[2])
        names = {**at._asdict(), "study": self.plan.study.study, **self.parts(stage, at.corpus)}
        several = [names]
        for wildcard, values in write.each.items():
            if not names.get(wildcard):
                every = [str(value) for value in values(self.plan)]
                several = [{**one, wildcard: value} for one in several for value in every]
        return [write.path.format(**one) for one in several]

    def parts(self, stage: Stage, corpus: str) -> dict[str, str]:
        """The parts of a stage's paths on a corpus that are computed."""
        key = (stage.name, corpus)
        if key not in self._parts:
            values = {part: of(self.plan, At(corpus)) for part, of in stage.parts.items()}
            self._parts[key] = values
        return self._parts[key]

    def sources(self, stage: Stage, name: str, at: At) -> Source | list[Source | str] | None:
        """The outputs that an input of a job is: one, none, or a list."""
        key = (stage.name, name, at)
        if key not in self._sources:
            read = self._reads[stage.name][name]
            source = read.of(self.plan, at)
            self._sources[key] = list(source) if isinstance(read, Many) else source
        return self._sources[key]

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

    # --- specs -----------------------------------------------------------------------------

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

    def spec(self, name: str, at: At) -> str:
        """The spec of a job: canonical JSON of its code, its settings, and the digests of the specs
        of what it reads.

        What is read is taken as of the job's own shard: results do not depend on how a corpus is
        cut, so that what follows on all shards has the spec of the whole among its inputs.
        """
        at = self.place(name, at)
        key = (name, at)
        if key not in self._specs:
            stage = self.stages[name]
            self._specs[key] = self.spec(stage.like, at) if stage.like else self._spec(stage, at)
        return self._specs[key]

    def _spec(self, stage: Stage, at: At) -> str:
        # Before what is read: their messages name the key of the config.
        settings = {section: self.plan.settings(at.cell, section) for section in stage.sections}
        settings |= stage.settings(self.plan, at)
        places: dict[tuple[str, At], None] = {}
        for name, read in self._reads[stage.name].items():
            if read.decides:
                for source in listed(self.sources(stage, name, at)):
                    where = self.place(source.stage, source.at._replace(shard=at.shard))
                    places[source.stage, where] = None
        inputs = dict.fromkeys(self.digest(*place) for place in places)
        head = {"stage": stage.name, "code": self.code(stage, at), "inputs": list(inputs)}
        return canonical({**head, **settings})

    def digest(self, name: str, at: At) -> str:
        """The digest that stands for a spec."""
        key = (name, self.place(name, at))
        if key not in self._digests:
            self._digests[key] = digest(self.spec(name, at))
        return self._digests[key]

    def code(self, stage: Stage, at: At) -> str:
        """Fingerprint of a stage's script and of the modules that it reaches through registries."""
        key = (stage.name, *stage.code(self.plan, at))
        if key not in self._codes:
            script = self._scripts / f"{stage.name}.py"
            self._codes[key] = fingerprint(*key[1:], script=script)
        return self._codes[key]

    # --- jobs ------------------------------------------------------------------------------

    def jobs(self, ends: Iterable[Source], mistakes: list[str] | None = None) -> list[Job]:
        """The jobs that these outputs need, in the order of the stages.

        mistakes: what is wrong with jobs is added here, a sentence each, and these are left out;
        None: the first mistake is raised.
        """
        todo = [self.maker(source) for source in ends]
        seen: dict[tuple[str, At], None] = dict.fromkeys(todo)
        while todo:
            name, at = todo.pop()
            stage = self.stages[name]
            for read in stage.reads:
                for source in listed(self._asked(stage, read, at, mistakes)):
                    job = self.maker(source)
                    if job not in seen:
                        seen[job] = None
                        todo.append(job)
        order = {name: number for number, name in enumerate(self.stages)}
        return [
            Job(self.stages[n], at) for n, at in sorted(seen, key=lambda j: (order[j[0]], j[1]))
        ]

    def _asked(
        self, stage: Stage, name: str, at: At, mistakes: list[str] | None
    ) -> Source | list[Source | str] | None:
        try:
            return self.sources(stage, name, at)
        except Exception as problem:
            if mistakes is None:
                raise
            mistakes.append(sentence(Job(stage, at), problem))
            return None

    def maker(self, source: Source) -> tuple[str, At]:
        """The stage and place of the job that makes an output."""
        stage = self.stages[source.stage]
        if stage.whole and not source.at.shard and self.plan.corpora[source.at.corpus].shards[0]:
            stage = self.stages[stage.whole]
        return stage.name, self.place(stage.name, source.at)

    def check(self, ends: Iterable[Source]) -> list[str]:
        """Mistakes of a study, a sentence each: every reference, input, spec and need of the jobs
        that these outputs need is made once, and kept.

        Snakemake drops a job in silence where one of its functions raises and its files exist.
        """
        mistakes: list[str] = []
        for job in self.jobs(ends, mistakes):
            try:
                self.spec(job.stage.name, job.at)
                self.outputs(*job)
                for name in job.stage.reads:
                    self.inputs(job.stage, name, job.at)
                for ask in (self.needs, self.ancient_inputs):
                    ask(*job)
            except Exception as problem:
                mistakes.append(sentence(job, problem))
        return list(dict.fromkeys(mistakes))

    def needs(self, stage: Stage, at: At) -> dict[str, int]:
        """What a job asks for: threads, megabytes, GPUs."""
        needs, plan = stage.needs, self.plan

        def amount(needed: Any, section: str) -> int:
            if isinstance(needed, str):
                return getattr(getattr(plan.study, section), needed)
            return needed(plan, at) if callable(needed) else needed

        gpu = needs.gpu(plan, at) if callable(needs.gpu) else plan.gpu() * needs.gpu
        filling = needs.filling(plan, at) if needs.filling else (0, 0)
        return {
            "threads": amount(needs.threads, "threads"),
            "memory": amount(needs.memory, "memory"),
            "gpu": gpu,
            "hub": int(needs.hub and plan.saes.from_hub(at.cell)),
            "filling_memory": filling[0],
            "filling_threads": filling[1],
        }

    def ancient_inputs(self, stage: Stage, at: At) -> set[str]:
        """Inputs of a job whose dates count for nothing."""
        return {
            name
            for name, read in self._reads[stage.name].items()
            if read.ancient or (read.settled and self._settled(read, at))
        }

    def _settled(self, read: Read, at: At) -> bool:
        from saegrid.stages.settled import is_settled

        return read.settled(self.plan, at) if callable(read.settled) else is_settled(self, at.cell)

    @cached_property
    def of_cells(self) -> list[str]:
        """The outputs of single cells that record their spec."""
        return [
            f"{stage.name}.{name}"
            for stage in self._present()
            for name in stage.writes
            if "cell" in stage.wildcards and stage.write(name).is_recording
        ]

    # --- what stages show ------------------------------------------------------------------

    def shown(self, kind: type[Shown]) -> list[Shown]:
        """All columns, figures or panels of the stages of this study."""
        return [one for stage in self._present() for one in stage.shows if isinstance(one, kind)]

    def _present(self) -> list[Stage]:
        """The stages of this study: analyses that it does not name are left out."""
        return [s for s in self.stages.values() if not s.config or s in self.analyses]


def listed(source: Source | list[Source | str] | None) -> Iterator[Source]:
    """The sources of an input that stages make."""
    if isinstance(source, Source):
        yield source
    elif source is not None:
        yield from (one for one in source if isinstance(one, Source))


def sentence(job: Job, problem: Exception) -> str:
    """A mistake as one sentence: a mistake of the config as it stands, any other with its stage."""
    if isinstance(problem, ConfigError | PathError):
        return str(problem)
    kind = "" if type(problem) is ValueError else f"{type(problem).__name__}: "
    return f"stage {job}: {kind}{problem}"
