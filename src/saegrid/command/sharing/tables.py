"""All tables of a study in one zip file, with a data sheet and digests; the same bytes each time.

Entries stand in the order of their names, with one fixed time and mode, stored as they are (parquet
is compressed already) or deflated (text).
"""

import hashlib
import io as streams
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from saegrid.base import io
from saegrid.base.errors import ConfigError
from saegrid.base.recorded import recorded_spec
from saegrid.command.sharing.kinds import Table
from saegrid.command.sharing.sheet import Sources, sheet
from saegrid.config.models import Study
from saegrid.stages import targets
from saegrid.stages.plan import Plan

WHEN = (1980, 1, 1, 0, 0, 0)
"""Time of every entry: the first that a zip file can hold."""
STORE = ("saes", "store")
"""Folder of the trainings that cells have links to."""
SAMPLED = 1000
"""Rows of a group of rows by which the size of a table as CSV is known."""
SHEET, SUMS, CONFIG = "README.md", "SHA256SUMS", "config.json"


def tables_of(folder: Path) -> list[Table]:
    """The tables of a study, by path; those of trainings in the store of SAEs are the same files as
    those of their cells, and stand there alone."""
    out = []
    for path in sorted(folder.rglob("*.parquet")):
        inner = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inner.parts)
        if not hidden and inner.parts[:2] != STORE:
            facts = pq.read_metadata(path)
            name = inner.as_posix()
            spec = recorded_spec(path) or ""
            schema = facts.schema.to_arrow_schema().remove_metadata()
            out.append(Table(name, facts.num_rows, path.stat().st_size, schema, spec))
    return out


def model_digest(folder: Path) -> str | None:
    """The digest of the model's files that a capture recorded; None where there is no capture."""
    for path in sorted(folder.glob("*/activations/*/*.safetensors")):
        spec = recorded_spec(path)
        if spec and (identity := json.loads(spec).get("identity")):
            return str(identity)
    return None


def checkpoint_digests(folder: Path) -> dict[str, str]:
    """The digests of the checkpoints' files, by cell; SAEs that the study trained have none."""
    references = sorted(folder.glob("saes/*/reference.json"))
    return {path.parent.name: str(io.read_json(path)["content"]) for path in references}


def metric_definitions(folder: Path) -> dict[str, str]:
    """The definitions of the metrics of the cells, by name."""
    known: dict[str, str] = {}
    for path in sorted(folder.glob("*/cells/*/metrics.json")):
        for name, one in io.read_json(path).get("metrics", {}).items():
            known.setdefault(name, " ".join(str(one["definition"]).split()))
    return known


def config_of(folder: Path) -> dict[str, Any]:
    """The content of a study's config.json; {} where there is none, as before its first run.

    Raises:
        ConfigError: the file is damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        config = io.read_json(path)
        parts = [config, config.get("corpora", {}), *config.get("corpora", {}).values()]
    except (ValueError, TypeError, AttributeError):
        parts = [None]
    if not all(isinstance(part, dict) for part in parts):
        raise ConfigError(
            f"{path} is damaged; expected the settings of a study. Remove it: the next run with "
            "jobs writes it anew."
        )
    return config


def planned(folder: Path) -> dict[str, str]:
    """The stages by the tables that a finished study has, below its folder; empty where its plan
    cannot be made here from its config.json, as without its model."""
    config = config_of(folder)
    passing = ("versions", "python", "commit", "machine")
    settings = {name: part for name, part in config.items() if name not in passing}
    try:
        graph = Plan(Study.model_validate(settings), "workflow/scripts").graph
        jobs = graph.jobs(targets.ends(graph, ["all"]), [])
        paths = {p: job.stage.name for job in jobs for p in graph.outputs(job.stage, job.at)}
    except (ValueError, LookupError, OSError):
        return {}
    head = f"results/{config['study']}/"
    return {p.removeprefix(head): s for p, s in paths.items() if p.endswith(".parquet")}


def as_csv(table: pa.Table) -> bytes:
    """A table as CSV: numbers as they are, dictionaries as text, lists as JSON, null empty."""
    columns = []
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_nested(field.type):
            texts = [None if v is None else _json(v) for v in column.to_pylist()]
            column = pa.array(texts, pa.string())
        elif pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        columns.append(column)
    buffer = streams.BytesIO()
    pyarrow.csv.write_csv(pa.Table.from_arrays(columns, table.column_names), buffer)
    return buffer.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class CsvSize(NamedTuple):
    """The size of tables as CSV, by a sample of their rows."""

    text: int
    """Bytes of the CSV files."""
    zipped: int
    """Bytes of these in a zip."""


def csv_size(folder: Path, tables: list[Table]) -> CsvSize:
    """The size that tables have as CSV: of each the bytes of a sample of its rows x rows / sampled
    rows, and those of the head, which is there once."""
    text = zipped = 0.0
    for table in tables:
        sample = _sample(folder / table.path)
        content, head = as_csv(sample), as_csv(sample.slice(0, 0))
        times = table.rows / max(1, sample.num_rows)
        body = times * (len(content) - len(head))
        text += len(head) + body
        zipped += (len(head) + body) * len(zlib.compress(content)) / max(1, len(content))
    return CsvSize(round(text), round(zipped))


def _sample(path: Path) -> pa.Table:
    """The first rows of a table's first, middle and last group of rows."""
    file = pq.ParquetFile(path)
    last = file.num_row_groups - 1
    batches = [
        next(file.iter_batches(SAMPLED, row_groups=[group]), None)
        for group in sorted({0, last // 2, last} if last >= 0 else ())
    ]
    schema = file.schema_arrow
    return pa.Table.from_batches([one for one in batches if one is not None], schema)


def entries(
    folder: Path, tables: list[Table], licence: str | None, csv: bool
) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files of a zip, SHA256SUMS last."""
    config: Mapping[str, Any] = config_of(folder) or {"study": folder.name}
    sums: dict[str, str] = {}

    def added(name: str, content: bytes) -> tuple[str, bytes]:
        sums[name] = hashlib.sha256(content).hexdigest()
        return name, content

    if (folder / CONFIG).is_file():
        yield added(CONFIG, (folder / CONFIG).read_bytes())
    sources = Sources(
        model_digest(folder),
        checkpoint_digests(folder),
        metric_definitions(folder),
        planned(folder),
    )
    yield added(SHEET, sheet(config, tables, sources, licence, csv).encode())
    for table in tables:
        path = folder / table.path
        if csv:
            yield added(f"{table.path.removesuffix('.parquet')}.csv", as_csv(io.read_table(path)))
        else:
            yield added(table.path, path.read_bytes())
    yield SUMS, "".join(f"{sums[name]}  {name}\n" for name in sorted(sums)).encode()


def write_zip(
    out: Path,
    folder: Path,
    tables: list[Table],
    licence: str | None = None,
    csv: bool = False,
    wrote: Callable[[str], Any] = lambda name: None,
) -> int:
    """Write the zip of a study's tables; the number of its bytes.

    folder: of the study, whose name is the folder in the zip. wrote: gets the name of each file
    that has been written.
    """
    with io.atomic(out) as temporary, zipfile.ZipFile(temporary, "w") as file:
        for name, content in entries(folder, tables, licence, csv):
            info = zipfile.ZipInfo(f"{folder.name}/{name}", WHEN)
            info.external_attr, info.create_system = 0o100644 << 16, 3
            stored = name.endswith(".parquet")
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            file.writestr(info, content)
            wrote(name)
    return out.stat().st_size
