"""One row a cell: what its SAE was told, the numbers it reached, and its health."""

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
"""Settings of a checkpoint that say where it is, and nothing of what it is like."""
READINGS = {"by_number": "light_", "by_shape": "shape_", "targets": "target_"}
"""What the columns of lights begin with."""


def told(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an SAE without sections: those of its recipe stand beside the others, and
    where a checkpoint lies is left out."""
    plain = {
        key: value
        for key, value in settings.items()
        if not isinstance(value, Mapping) and key not in WHERE
    }
    return plain | dict(settings.get("settings", {}))


def varying(rows: Sequence[Mapping[str, Any]], always: Sequence[str] = ()) -> list[str]:
    """Settings, in order of first appearance, that differ between rows, and those always told."""
    names = list(dict.fromkeys(key for row in rows for key in row))
    many = [key for key in names if len({str(row.get(key)) for row in rows}) > 1]
    return [key for key in names if key in many or key in always]


def health(
    files: Mapping[str, Path],
    expected: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    baselines: Sequence[str | Path] = (),
) -> pa.Table:
    """One row a cell, by layer, position and SAE.

    Columns: cell, layer, position, sae; the settings that differ between cells, and recipe and
    expansion (`set_{name}`, text); corpus, hold_out, order_seed (which texts of it are held out),
    d_model, d_sae, n_tokens; every metric under its name; {baseline}_fvu of the baselines `BESIDE`
    at the L0 of the cell; light_{metric} and shape_{metric}, the colours of the two readings of
    S2.9, and target_{metric}, of S3.6 (see `metrics.lights`).

    Args:
        files: metrics.json by cell.
        expected: of each cell, the digest of the spec that its file must record.
        settings: of each cell, what the config says of its SAE.
        baselines: tables of baselines of the sites.

    Raises:
        StaleCell: where a file records another spec.
    """
    ordered = sorted(files, key=Cell.parse)
    for cell in ordered:
        check_specs(files[cell].parent, {files[cell].name: expected[cell]})
    given = {cell: told(settings[cell]) for cell in ordered}
    shown = varying(list(given.values()), ("recipe", "expansion", "format"))
    beside = _beside(baselines)
    rows = []
    for cell in ordered:
        facts = io.read_json(files[cell])
        chosen = {f"set_{key}": _text(given[cell].get(key)) for key in shown}
        rows.append(_row(cell, facts) | chosen | _fvu(beside, cell, facts))
    return _table(rows)


def definitions(files: Mapping[str, Path]) -> dict[str, str]:
    """What each metric means, as the files say."""
    found: dict[str, str] = {}
    for path in files.values():
        for name, entry in io.read_json(path)["metrics"].items():
            found.setdefault(name, entry["definition"])
    return found


def reasons(path: str | Path) -> dict[str, str]:
    """Of a cell's metrics without a value why there is none."""
    metrics = io.read_json(path)["metrics"]
    return {name: entry["because"] for name, entry in metrics.items() if entry.get("because")}


def advice(path: str | Path) -> dict[str, list[dict[str, Any]]]:
    """The lights of a cell by reading: name, metric, value, state, colour, words, advice."""
    return io.read_json(path)["lights"]


def _text(value: Any) -> str | None:
    return None if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _row(cell: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of one file."""
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
    """FVU of the baselines, by site, corpus' folder, split, method, k and width."""
    found = {}
    for path in map(Path, paths):
        for row in io.read_table(path).to_pylist():
            key = (path.stem, path.parts[-3], row["hold_out"], row["order_seed"], row["method"])
            found[*key, row["k"], row["width"]] = row["fvu"]
    return found


def _fvu(
    beside: Mapping[tuple[Any, ...], float], cell: str, facts: Mapping[str, Any]
) -> dict[str, float | None]:
    """FVU of the baselines at the L0 and width of a cell; none where it has none."""
    if not beside:
        return {}
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
    """Rows as columns: text, whole numbers, else float64 even where none has a value."""
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
