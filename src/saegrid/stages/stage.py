"""A stage: its inputs, outputs, settings, needs, and what it shows, without any study."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from saegrid.base.errors import ConfigError
from saegrid.base.paths import expand
from saegrid.base.section import Strict
from saegrid.base.words import Cell

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes
else:  # they stand above
    Plan = Sizes = Any

RESERVED = {
    *("append", "clear", "copy", "count", "extend", "get", "insert", "items", "keys", "pop"),
    *("remove", "reverse", "size", "update"),
}
"""Methods of Snakemake's lists of files: no input or output can have such a name."""

RECORDING = (".json", ".parquet", ".safetensors", ".html", ".svg")
"""Endings of files that can hold the spec of the job that wrote them."""
STUDY = "results/{study}/"
CORPUS = STUDY + "{corpus}/"
CELL = CORPUS + "cells/{cell}/"
SAE = STUDY + "saes/{cell}/"

NOTHING = "(?!)"
"""A pattern that nothing matches."""

Settings = dict[str, Any]


class At(NamedTuple):
    """The place of a job: the wildcards of its files. An empty shard is the whole of a corpus."""

    corpus: str = ""
    cell: str = ""
    shard: str = ""
    site: str = ""
    together: str = ""

    @classmethod
    def of(cls, wildcards: Mapping[str, str]) -> "At":
        """The place of a job with these wildcards; its site is that of its cell, if it has one."""
        names = wildcards.keys()  # `in` asks Snakemake's wildcards for a value
        place = cls(**{name: wildcards[name] for name in cls._fields if name in names})
        return place._replace(site=str(Cell.parse(place.cell).site)) if place.cell else place


class Source(NamedTuple):
    """An output of a stage (`encode.features`) at a place."""

    output: str
    at: At

    @property
    def stage(self) -> str:
        """The stage that makes it."""
        return self.output.partition(".")[0]


@dataclass(frozen=True)
class Read:
    """An input. A plain `stage.output` in the place of one reads that output at the job's place."""

    of: Callable[[Plan, At], Any]
    """Function of the plan and the job's place."""
    ancient: bool = False
    """Newer files are no reason to run: their content is in the settings, or decides nothing."""
    settled: bool | Callable[[Plan, At], bool] = False
    """`ancient` on a condition. True: while all files of the job's cell record their present specs;
    a function: while it returns True."""
    decides: bool = True
    """The spec of what is read is part of the job's own; False where a job only waits for it."""
    counted: bool = True
    """Its bytes are read whole; False where `weighs` says what is read of it."""


class One(Read):
    """One file: `of` gives a Source, or None where this job has no such input."""


class Many(Read):
    """A list of files: `of` gives Sources, and paths of files that no stage makes."""


class Write(NamedTuple):
    """An output with conditions; a plain path needs none."""

    path: str
    each: Mapping[str, Callable[[Plan], Iterable[Any]]] = {}
    """Wildcards that the job fills itself: a file for each value."""
    records: bool = True
    """Holds the spec of the job that wrote it, if its kind of file can."""
    report: tuple[str, str] | None = None
    """Caption file and category in Snakemake's report."""
    beside: Callable[[str], list[str]] | None = None
    """The files that a path stands for, which no stage has as outputs."""

    @property
    def is_recording(self) -> bool:
        """True if its files hold the spec of the job that wrote them."""
        return self.records and self.path.endswith(RECORDING)


Amount = int | str | Callable[[Plan, At], int]
"""A number, the name of an entry of the config's `memory` or `threads`, or a function of a job."""


class Needs(NamedTuple):
    """The resources that a job asks for."""

    memory: Amount = 2000
    """Megabytes, and as many again at each attempt."""
    minutes: int = 10
    """Minutes, and as many again at each attempt."""
    threads: Amount = 1
    gpu: bool | Callable[[Plan, At], int] = False
    hub: bool | Callable[[Plan, At], int] = False
    """Reads the cell's checkpoint, which may have to be fetched; a function where it is others."""
    priority: int = 0
    """Jobs with a larger one come first. The first pages can be read while the run goes on: 1 has
    what they wait for of a corpus, 2 the codes of a cell, from 3 on what its page waits for."""
    filling: Callable[[Plan, At], tuple[int, int]] | None = None
    """Megabytes and threads of a filling beside a training; they are part of the two above."""
    group: str = ""
    """Name of the group whose jobs SLURM starts as one."""


class Weight(NamedTuple):
    """Bytes that a job moves beside its inputs."""

    write: int = 0
    """Bytes that stay on disk."""
    read: int = 0
    """Bytes of files that are no inputs."""
    passing: int = 0
    """Bytes on disk beside `write` while the job runs."""


class Column(NamedTuple):
    """A number of each cell, in the summary and on the index page."""

    name: str
    heading: str
    form: str
    """Format of the number: {:.2f}."""
    words: str
    """Definition."""
    of: str
    """Function `package.module:name` from the table of one cell to its number."""
    table: str
    """The output that it is read from, one in the folder of a cell: `density.table`."""


class Figure(NamedTuple):
    """A figure of a study; the module of `draw` holds its CAPTION, which ends with a full stop."""

    name: str
    draw: str
    """Function `package.module:name` from a `figures.grid.Grid` to a matplotlib figure."""
    table: str = ""
    """The output of each cell that it is drawn from: `grid.tables["probe.table"][str(cell)]` is the
    table of a cell; empty: densities alone."""
    of_edits: bool = False
    """Drawn where the texts of the main corpus have edits."""


class Panel(NamedTuple):
    """A table on a page. The path of what it is read from decides which: where the stage writes
    tables into the folders of cells, one for each feature on its page; else one on the index."""

    name: str
    heading: str
    words: str
    """Definition, shown below the heading."""
    of: str
    """Function `package.module:name` from the table to rows, or to {feature: rows} of a cell; see
    `pages.browser.panels`."""
    table: str
    """The output that it is read from."""

    @property
    def stage(self) -> str:
        """The stage that makes the table."""
        return self.table.partition(".")[0]


def no_settings(plan: Plan, at: At) -> dict[str, Any]:
    """No settings beside those of the config's sections."""
    return {}


def no_code(plan: Plan, at: At) -> Iterable[str]:
    """No code but what the script imports."""
    return ()


class Upstream(ValueError):
    """A mistake in what a job reads, which is told of the job that makes it."""


def local_file(key: str, path: str) -> Path:
    """The file that the config names under `key`; ConfigError where it is missing."""
    file = Path(expand(path))
    if not file.is_file():
        raise ConfigError(
            f"{key}: the file {file} is not there. "
            "Paths are relative to the folder in which snakemake runs."
        )
    return file


@dataclass(frozen=True, eq=False)
class Stage:
    """A rule with all that belongs to it. Paths, specs, jobs, targets, estimate and SLURM group
    follow from it (`graph`), its rule is bound from it (`workflow/rules`)."""

    name: str
    reads: Mapping[str, str | Read]
    """Inputs by the names under which the script has them."""
    writes: Mapping[str, str | Write]
    """Outputs likewise. The first one's wildcards are those of the rule."""
    sections: tuple[str, ...] = ()
    """Sections of the config that decide the result; a cell may override them by these names. An
    analysis has its own whatever stands here: else a change of its settings would run nothing."""
    settings: Callable[[Plan, At], dict[str, Any]] = no_settings
    """Further settings that decide the result."""
    code: Callable[[Plan, At], Iterable[str]] = no_code
    """Modules that the script reaches through registries."""
    needs: Needs = Needs()
    weighs: Callable[[Sizes, At], Weight] = lambda sizes, at: Weight(write=100_000)
    """Bytes that a job moves; `Unknown` where they are not known before the run."""
    parts: Mapping[str, Callable[[Plan, At], str]] = field(default_factory=dict)
    """Parts of its paths that are computed, as the digest under which a capture lies."""
    only: Mapping[str, Callable[[Plan], str]] = field(default_factory=dict)
    """Patterns of wildcards, where the rule is not for all of their values."""
    whole: str = ""
    """The stage that makes its output of a corpus in shards from those of the shards."""
    displayed: str = ""
    """The stage that makes its outputs of a cell of which published pages are all that is known."""
    like: str = ""
    """The stage whose spec it has: another file that stands for the same."""
    config: type[Strict] | None = None
    """Section of an analysis under `analyses`, which `ANALYSES` has too: the stage runs where a
    study has one. A cell may override it where the jobs are those of cells."""
    ends: Callable[[Plan], Iterable[At]] | None = None
    """The jobs of an analysis; jobs of other stages follow from what is read of them."""
    part_of: str = ""
    """The analysis that it belongs to: it is there where a study names that one, and its own `ends`
    are made with it."""
    everywhere: bool = False
    """Runs for every cell on each corpus of the roles main, holdout and reference; False: on the
    main one, elsewhere where something asks for it."""
    shows: tuple[Column | Figure | Panel, ...] = ()

    def __post_init__(self) -> None:
        bad = sorted(RESERVED & {*self.reads, *self.writes})
        if bad:
            raise ValueError(f"Stage {self.name}: Snakemake has its own {bad[0]!r}; rename it.")
        if bool(self.config) != bool(self.ends) and not (self.ends and self.part_of):
            raise ValueError(f"Stage {self.name}: an analysis has both `config` and `ends`.")
        if self.config and self.name not in self.sections:
            object.__setattr__(self, "sections", (self.name, *self.sections))

    def read(self, name: str) -> Read:
        """An input with its conditions."""
        reads = self.reads[name]
        if isinstance(reads, Read):
            return reads
        return One(lambda plan, at: Source(reads, at))

    def write(self, name: str) -> Write:
        """An output with its conditions; KeyError names the stage where it has none such."""
        if name not in self.writes:
            raise KeyError(f"stage {self.name} has no output {name!r}")
        writes = self.writes[name]
        return writes if isinstance(writes, Write) else Write(writes)

    @cached_property
    def wildcards(self) -> tuple[str, ...]:
        """Wildcards of its files but those that it fills itself."""
        write = self.write(next(iter(self.writes)))
        names = re.findall(r"{(\w+)}", write.path)
        return tuple(name for name in names if name not in write.each)

    @cached_property
    def is_of_cells(self) -> bool:
        """True if all its outputs are tables or tensors in the folder of a cell."""
        paths = [self.write(name).path for name in self.writes]
        return all(p.startswith(CELL) and p.endswith((".parquet", ".safetensors")) for p in paths)

    def log(self, ending: str = ".log") -> str:
        """Path of its log: folders by corpus and cell, then its name and what else tells jobs
        apart."""
        names = self.wildcards
        folders = "".join(f"{{{name}}}/" for name in ("study", "corpus", "cell") if name in names)
        rest = [n for n in names if n not in ("study", "corpus", "cell", "shard")]
        shard = "{shard}" if "shard" in names else ""
        return f"logs/{folders}{self.name}{''.join(f'-{{{n}}}' for n in rest)}{shard}{ending}"


Shown = TypeVar("Shown", Column, Figure, Panel)


def shown(plan: Plan, kind: type[Shown]) -> list[Shown]:
    """All columns, figures or panels of the stages of a study."""
    return [one for stage in plan.graph.present for one in stage.shows if isinstance(one, kind)]
