"""The table of health: one row a cell, with the settings of its SAE, its metrics and its lights."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.features.summary import check_specs

BESIDE = ("pca", "random")
"""Baselines whose FVU stands beside an SAE's, at its own L0."""
WHERE = ("path", "repo", "folder", "revision")
"""Settings that locate a checkpoint, and do not describe its SAE."""
READINGS = {"by_number": "light_", "by_shape": "shape_", "targets": "target_"}
"""Prefixes of the columns of lights, by reading."""


def flat_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an SAE in one flat mapping, without those that locate a checkpoint.

    The settings of its recipe stand beside the others.
    """
    plain = {
        key: value
        for key, value in settings.items()
        if not isinstance(value, Mapping) and key not in WHERE
    }
    return plain | dict(settings.get("settings", {}))


def varying(rows: Sequence[Mapping[str, Any]], always: Sequence[str] = ()) -> list[str]:
    """Names of the settings that differ between rows, and of those in `always`, in order of first
    appearance."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    many = [key for key in names if len({str(row.get(key)) for row in rows}) > 1]
    return [key for key in names if key in many or key in always]


def health(
    files: Mapping[str, Path],
    expected: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    baselines: Sequence[str | Path] = (),
) -> pa.Table:
    """The table of health: one row a cell, by layer, position and SAE.

    Columns: cell, layer, position, sae; the settings that differ between cells, and recipe and
    expansion (`set_{name}`, text); corpus, hold_out, order_seed (seed of the held-out texts),
    d_model, d_sae, n_tokens; every metric under its name; {baseline}_fvu of the baselines pca
    and random at the L0 of the cell; light_{metric} and shape_{metric}, the colours by the limits
    on numbers and on shapes, and target_{metric}, that by the targets of a sweep.

    Args:
        files: metrics.json by cell.
        expected: digest of the spec that the file of each cell must record.
        settings: settings of the SAE of each cell, from the config.
        baselines: tables of baselines of the sites.

    Raises:
        StaleCell: a file records another spec.
    """
    ordered = sorted(files, key=Cell.parse)
    for cell in ordered:
        check_specs(files[cell].parent, {files[cell].name: expected[cell]})
    flat = {cell: flat_settings(settings[cell]) for cell in ordered}
    shown = varying(list(flat.values()), ("recipe", "expansion", "format"))
    beside = _beside(baselines)
    rows = []
    for cell in ordered:
        facts = io.read_json(files[cell])
        chosen = {f"set_{key}": _text(flat[cell].get(key)) for key in shown}
        rows.append(_row(cell, facts) | chosen | _fvu(beside, cell, facts))
    return _table(rows)


def definitions(files: Mapping[str, Path]) -> dict[str, str]:
    """The definition of each metric, from the files of the cells."""
    texts: dict[str, str] = {}
    for path in files.values():
        for name, entry in io.read_json(path)["metrics"].items():
            texts.setdefault(name, entry["definition"])
    return texts


def reasons(path: str | Path) -> dict[str, str]:
    """The reason of each of a cell's metrics that have no value."""
    metrics = io.read_json(path)["metrics"]
    return {name: entry["because"] for name, entry in metrics.items() if entry.get("because")}


def advice(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The lights of a cell by reading: name, metric, value, state, colour, words, advice."""
    return io.read_json(path)["lights"]


def _text(value: Any) -> str | None:
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _row(cell: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a cell: the numbers and colours of its file."""
    site, sae = Cell.parse(cell)
    row = {"cell": cell, "layer": site.layer, "position": site.position, "sae": sae}
    row |= {name: facts[name] for name in ("corpus", "d_model", "d_sae")}
    tokens = facts["tokens"]
    row |= {"hold_out": tokens["share"], "order_seed": tokens["seed"], "n_tokens": tokens["n"]}
    row |= {name: entry["value"] for name, entry in facts["metrics"].items()}
    for reading, start in READINGS.items():
        row |= {f"{start}{light['metric']}": light["colour"] for light in facts["lights"][reading]}
    return row


def _beside(paths: Sequence[str | Path]) -> dict[tuple[Any, ...], float]:
    """The FVU of the baselines, by site, folder of the corpus, split, method, k and width."""
    by_key = {}
    for path in map(Path, paths):
        for row in io.read_table(path).to_pylist():
            key = (path.stem, path.parts[-3], row["hold_out"], row["order_seed"], row["method"])
            by_key[*key, row["k"], row["width"]] = row["fvu"]
    return by_key


def _fvu(
    beside: Mapping[tuple[Any, ...], float], cell: str, facts: Mapping[str, Any]
) -> dict[str, float | None]:
    """The FVU of the baselines at the L0 and width of a cell; None for one without a row."""
    if not beside:
        return {}
    if "writes" in facts:  # no baseline writes another site
        return {f"{method}_fvu": None for method in BESIDE}
    k = max(1, round(facts["metrics"]["l0"]["value"]))
    tokens = facts["tokens"]
    where = (str(Cell.parse(cell).site), facts["corpus"], tokens["share"], tokens["seed"])
    widths = {key[-1] for key in beside}
    return {
        f"{method}_fvu": next(
            (
                beside[*where, method, k, width]
                for width in (facts["d_sae"], *sorted(widths))
                if (*where, method, k, width) in beside
            ),
            None,
        )
        for method in BESIDE
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table of rows: columns are text, int64, or float64 even where no row has a value."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    whole = {"layer", "d_model", "d_sae", "n_tokens", "order_seed"}
    text = ("cell", "position", "sae", "corpus")
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        coloured = name.startswith((*READINGS.values(), "set_"))
        kind = pa.string() if name in text or coloured else pa.float64()
        columns[name] = pa.array(values, pa.int64() if name in whole else kind)
    return pa.table(columns)
