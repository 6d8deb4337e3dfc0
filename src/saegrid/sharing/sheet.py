"""The data sheet of a study's tables: what they are of, each table, each column, digests, settings.

What a table is comes from the stage that made it. A column is said by `own`, which knows it in
this table, then by `columns`, which has names that mean the same in every table, else by the notes
beside the table's schema in the library; of one that none of them says nothing is said.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.digest import digest
from saegrid.base.errors import size
from saegrid.base.io import canonical
from saegrid.features.statistics import registered
from saegrid.sharing.columns import COLUMNS, Words
from saegrid.sharing.noted import notes
from saegrid.sharing.own import BY_PART, OWN
from saegrid.stages import STAGES, load
from saegrid.stages.stage import Column

CITED = (
    "the saegrid developers. saegrid: sparse-autoencoder experiments over a grid of layers, "
    "positions and expansions."
)
"""Authors and title of CITATION.cff."""
SPAN = re.compile(r"{\w+}")


class Table(NamedTuple):
    """A table of a study."""

    path: str
    """Below the folder of the study."""
    rows: int
    bytes: int
    schema: pa.Schema
    spec: str
    """Spec of the job that made it; empty where none is recorded."""


class Kind(NamedTuple):
    """Tables of one output of a stage, whatever their cell or corpus."""

    pattern: str
    """Path below the folder of the study, wildcards in it."""
    stage: str
    words: str
    """The opening of the stage's docstring."""


@cache
def kinds() -> list[tuple[re.Pattern[str], Kind]]:
    """The tables that stages make, each with a pattern of its paths."""
    known = []
    for stage in load().values():
        place = STAGES[stage.name].partition(":")[0]
        words = str(import_module(place).__doc__).partition("\n\n")[0].replace("\n", " ")
        for name in stage.writes:
            path = stage.write(name).path.removeprefix("results/{study}/")
            if path.endswith(".parquet"):
                parts = map(re.escape, SPAN.split(path))
                known.append((re.compile("[^/]+".join(parts)), Kind(path, stage.name, words)))
    # A plain name is nearer than one with a wildcard: probes/texts.parquet.
    return sorted(known, key=lambda one: (one[1].pattern.count("{"), one[1].pattern))


def kind_of(path: str, spec: str = "") -> Kind:
    """The kind of a table; one that no stage makes is of a kind of its own.

    spec: of the job that made it, which names its stage where several make such a file.
    """
    able = [kind for pattern, kind in kinds() if pattern.fullmatch(path)]
    maker = json.loads(spec).get("stage") if spec else None
    for kind in able:
        if kind.stage == maker:
            return kind
    if able:
        return able[0]
    return Kind(path, "", "A file that no stage of this version makes.")


def short(pattern: str) -> str:
    """The name of a kind of table: its path below the corpus and the cell, without the ending."""
    name = pattern.removesuffix(".parquet")
    bare = name.removeprefix("{corpus}/").removeprefix("cells/{cell}/")
    # Of a name that the study itself has a table of, such as tests, the whole path.
    return bare if bare == name or not _of_study(bare) else name


@cache
def _of_study(name: str) -> bool:
    return any(kind.pattern == f"{name}.parquet" for _, kind in kinds())


def notes_of(kind: Kind) -> str:
    """The notes on a table; empty without any."""
    name = short(kind.pattern)
    return notes().get(name) or notes().get(name.rpartition("-")[2]) or ""


@cache
def shown() -> dict[str, Words]:
    """Columns that stages show in the summary, and statistics of features, by name."""
    columns = {
        one.name: Words("number", one.words)
        for stage in load().values()
        for one in stage.shows
        if isinstance(one, Column)
    }
    return columns | {one.name: Words(one.form, one.words) for one in registered()}


def said_of(name: str, kind: Kind) -> Words | None:
    """A column of a table in words; None where it is not known. `held_*` is the same of held-out
    tokens."""
    bare, table = name.removeprefix("held_"), short(kind.pattern)
    known = OWN.get(table, {}).get(bare) or COLUMNS.get(bare)
    if known is None and table in ("summary", "summary_by_corpus", "features"):
        known = shown().get(bare)
    if known is None and table.startswith(("discoveries", "probes")):
        known = by_part(name, table)
    if known is None and re.search(rf"\b{re.escape(name)}\b", notes_of(kind)):
        return Words("", "see the notes")
    if known and bare != name:
        return Words(known.unit, f"{known.words}; of held-out tokens")
    return known


def by_part(name: str, table: str) -> Words | None:
    """A column that another one is said of for a further part of the texts; None where it is not
    such a one."""
    for base in BY_PART:
        known = OWN.get(table, {}).get(base)
        if known and name.startswith(f"{base}_"):
            return Words(known.unit, f"{base} on the part {name.removeprefix(base + '_')}")
    return None


Said = Mapping[str, str]
"""Texts by the name of a column."""


def column_line(field: pa.Field, kind: Kind, labels: Said, metrics: Said) -> str:
    """A line of the sheet about a column. labels: kinds of the texts' labels; metrics: definitions
    of the metrics."""
    said = said_of(field.name, kind)
    if field.name in metrics:
        said = Words(said.unit if said else "number", metrics[field.name])
    elif field.name in labels and short(kind.pattern) == "items":
        said = Words(labels[field.name], "label of the text, from its source")
    form = str(field.type).replace("dictionary<values=string, indices=", "string, dictionary of ")
    unit, text = said or Words("", "")
    return f"| `{field.name}` | {form.split(', ordered')[0]} | {unit} | {text} |"


def table_section(
    kind: Kind, tables: Sequence[Table], labels: Said, metrics: Said, ending: str = ".parquet"
) -> list[str]:
    """The lines of the sheet about the tables of one kind."""
    rows = sum(table.rows for table in tables)
    fields: dict[str, pa.Field] = {}
    for table in tables:
        for field in table.schema:
            fields.setdefault(field.name, field)
    said = notes_of(kind)
    head = f"{len(tables)} file{'s' * (len(tables) > 1)}, {rows:,} rows"
    maker = f" Made by the stage `{kind.stage}`." if kind.stage else ""
    return [
        f"### `{kind.pattern.removesuffix('.parquet')}{ending}`",
        "",
        f"{kind.words} {head}.{maker}",
        "",
        *([f"Notes: {said}", ""] if said else []),
        "| column | type | unit | what |",
        "|---|---|---|---|",
        *(column_line(field, kind, labels, metrics) for field in fields.values()),
        "",
    ]


def origin(section: Mapping[str, Any]) -> str:
    """The source of a model, an SAE or a corpus, in words."""
    keys = ("kind", "source", "recipe", "format", "repo", "path", "folder", "revision", "files")
    said = {key: section[key] for key in keys if section.get(key)}
    parts = [
        f"{key} {json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value}"
        for key, value in said.items()
    ]
    return ", ".join(parts) or "not said"


def identities(tables: Iterable[Table]) -> dict[str, str]:
    """Digests of the files that corpora were read from, by corpus."""
    known = {}
    for table in tables:
        corpus, _, name = table.path.partition("/")
        if name == "items.parquet" and table.spec:
            content = json.loads(table.spec).get("content") or []
            if content:
                known[corpus] = ", ".join(map(str, content))
    return known


def missing_of(planned: Said, tables: Iterable[Table]) -> list[str]:
    """The lines of the sheet about the tables that an unfinished study lacks; none of a whole one.

    planned: stages by the path of the tables that the finished study has.
    """
    present = {table.path for table in tables}
    lacking = sorted(planned.keys() - present)
    if not lacking:
        return []
    stages = ", ".join(sorted({f"`{planned[path]}`" for path in lacking}))
    n = len(planned.keys() & present)
    return [
        f"The study is not finished: {n} of {len(planned)} tables are there. Stages that "
        f"have not made all of theirs: {stages}.",
        "",
    ]


NONE: Said = MappingProxyType({})
PASSING = ("versions", "python", "commit", "machine", "licence")
"""Entries of config.json that change when the results do not."""


class Sources(NamedTuple):
    """The records of where a study is from, beside its config."""

    model: str | None = None
    """Digest of the model's files."""
    saes: Said = NONE
    """Digests of checkpoints by cell."""
    metrics: Said = NONE
    """Definitions of the metrics by name."""
    planned: Said = NONE
    """Stages by the path of the tables that the finished study has; empty where not known."""


def sheet(
    config: Mapping[str, Any],
    tables: Sequence[Table],
    sources: Sources | None = None,
    licence: str | None = None,
    csv: bool = False,
) -> str:
    """The text of README.md beside the tables of a study; the same arguments give the same text.

    config: config.json. licence: of the tables, in the place of the config's.
    """
    known = sources or Sources()
    lines = [
        *opening(config, tables, csv),
        *missing_of(known.planned, tables),
        *origins(config, tables, known),
        *licences(config, licence),
        "## Citation",
        "",
        f"Cite as: {CITED} Version {version('saegrid')}. Cite the sources of the model, the SAEs "
        "and the texts too.",
        "",
        *sections(config, tables, known.metrics, csv),
    ]
    return "\n".join(lines)


def opening(config: Mapping[str, Any], tables: Sequence[Table], csv: bool) -> list[str]:
    """The head of the sheet: number, form and size of the tables, and the ids that join them."""
    total = sum(table.bytes for table in tables)
    form = "CSV in UTF-8; lists are JSON" if csv else "Parquet"
    return [
        f"# Tables of the study {config.get('study', '')}",
        "",
        f"{len(tables)} tables of a study by saegrid: features of sparse autoencoders and the "
        f"texts on which they fire. {form}; {size(total)} in the study. `config.json` has all "
        "settings, `SHA256SUMS` the digest of each file here. Ids join: `item`, `token_index` (row "
        f"of tokens{'.csv' if csv else '.parquet'}), `cell` (the folder of a table), `feature`. "
        "Ranks count from 0.",
        "",
    ]


def origins(config: Mapping[str, Any], tables: Sequence[Table], sources: Sources) -> list[str]:
    """The lines of the sheet about model, corpora, SAEs, settings and versions."""
    read_from = identities(tables)
    versions = config.get("versions") or {}
    return [
        "## Where it is from",
        "",
        f"- model: {origin(config.get('model') or {})}; digest {sources.model or 'not recorded'}",
        *(
            f"- corpus {name} ({one.get('role')}): {origin(one.get('source') or {})}; digest "
            f"{read_from.get(name, 'not recorded')}"
            for name, one in config.get("corpora", {}).items()
        ),
        *(f"- SAE {name}: {origin(one)}" for name, one in (config.get("saes") or {}).items()),
        *(f"- checkpoint of {cell}: digest {content}" for cell, content in sources.saes.items()),
        f"- settings: digest {digest(_settings(config))} of config.json without versions, commit, "
        "machine and licences",
        f"- commit: {config.get('commit') or 'not recorded'}; Python {config.get('python', '')}",
        f"- versions: {', '.join(f'{n} {v}' for n, v in versions.items() if v) or 'not recorded'}",
        "",
    ]


def licences(config: Mapping[str, Any], licence: str | None) -> list[str]:
    """The lines of the sheet about licences: that of the tables, and those of the texts in them."""
    unsaid = (
        "Not said: name one, `licence: ...` in the config or --licence, before you pass the tables "
        "on."
    )
    named = {
        name: one["licence"]
        for name, one in config.get("corpora", {}).items()
        if one.get("licence")
    }
    return [
        "## Licence",
        "",
        f"{licence or config.get('licence') or unsaid} Texts, "
        "labels, tokens and windows are the source's own, whose licences hold for them, as those "
        "of the model and of the SAEs hold for what is computed with these.",
        "",
        *(f"- texts of {name}: {text}" for name, text in named.items()),
        *([""] if named else []),
    ]


def sections(
    config: Mapping[str, Any], tables: Sequence[Table], metrics: Said, csv: bool
) -> list[str]:
    """The lines of the sheet about all tables, kind by kind."""
    labels = {
        name: kind
        for corpus in config.get("corpora", {}).values()
        for name, kind in (corpus.get("source", {}).get("labels") or {}).items()
    }
    by_kind: dict[Kind, list[Table]] = {}
    for table in tables:
        by_kind.setdefault(kind_of(table.path, table.spec), []).append(table)
    lines = ["## Tables", ""]
    for kind, members in sorted(by_kind.items()):
        measured = metrics if kind.stage in ("health", "baselines") else {}
        lines += table_section(kind, members, labels, measured, ".csv" if csv else ".parquet")
    return lines


def _settings(config: Mapping[str, Any]) -> str:
    """The settings of a config.json as text, without what changes when the results do not."""
    kept = {name: part for name, part in config.items() if name not in PASSING}
    corpora = kept.get("corpora", {}).items()
    bare = {n: {k: v for k, v in one.items() if k != "licence"} for n, one in corpora}
    return canonical({**kept, "corpora": bare})
