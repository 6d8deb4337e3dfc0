"""The data sheet of a study's tables: their origin, each table and column, digests, settings."""

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.base.digest import digest
from saegrid.base.errors import size
from saegrid.base.io import canonical
from saegrid.command.sharing.columns import Words
from saegrid.command.sharing.kinds import Kind, Table, kind_of, notes_of, said_of, short

ASKED: Mapping[str, str] = MappingProxyType(
    {
        "k1": "edited words against the words that they replaced, text by text",
        "k2": "texts with a high label against those with a low one",
        "k3": "the same for edits of one original, which have topic and context in common",
        "k3g": "likewise with the graded label",
        "k4": "the graded label over all texts",
        "k5": "edited word against another word of its text",
        "k6": "edit against a random word of its form in its place",
        "label": "any label of texts, two classes or a number; label:column names it",
    }
)
"""Contrasts in words, by code."""
CITED = (
    "the saegrid developers. saegrid: sparse-autoencoder experiments over a grid of layers, "
    "positions and expansions."
)
"""Authors and title of CITATION.cff."""


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
    plain = text.replace("|", r"\|")
    return f"| `{field.name}` | {form.split(', ordered')[0]} | {unit} | {plain} |"


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
        "Not said: name one before you pass the tables on, with --licence, or as `licence: ...` in "
        "the config, which is read here from config.json after the next `snakemake`."
    )
    named = {
        name: " ".join(one["licence"].split())
        for name, one in config.get("corpora", {}).items()
        if one.get("licence")
    }
    own = " ".join((licence or config.get("licence") or "").split())
    return [
        "## Licence",
        "",
        f"{own.rstrip('.') + '.' if own else unsaid} Texts, "
        "labels, tokens and windows are the source's own, whose licences hold for them, as those "
        "of the model and of the SAEs hold for what is computed with these.",
        "",
        *(f"- texts of {name}: {text}" for name, text in named.items()),
        *([""] if named else []),
    ]


def contrasts() -> list[str]:
    """The lines of the sheet about the codes of the column `contrast`."""
    return [
        "## Contrasts",
        "",
        "Questions that texts are held against each other for, side a against side b:",
        "",
        *(f"- `{code}`: {text}" for code, text in ASKED.items()),
        "",
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
    asked = any("contrast" in table.schema.names for table in tables)
    lines = [*(contrasts() if asked else []), "## Tables", ""]
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
