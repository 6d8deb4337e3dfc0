"""The table of baselines of a site."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from saegrid.base.io import read_json
from saegrid.base.registry import pick
from saegrid.metrics.baselines import BASELINES
from saegrid.metrics.baselines.fit import Described, Fit, Wanted
from saegrid.metrics.codes import widened
from saegrid.metrics.reconstruction import Errors
from saegrid.metrics.sources import Source, Tokens, at_most
from saegrid.metrics.tops import Tops
from saegrid.saes.sae import blocks

BLOCK = 4096
"""Number of tokens that are described at a time."""
NUMBERS = ("fvu", "mse", "r2", "r2_source", "r2_dimensions", "cosine", "norm_ratio")
SCHEMA = pa.schema(
    [
        ("method", pa.string()),
        ("k", pa.int32()),
        ("width", pa.int32()),
        ("l0", pa.float64()),
        *((name, pa.float64()) for name in NUMBERS),
        ("n", pa.int64()),
        ("n_learned", pa.int64()),
        ("hold_out", pa.float64()),
        ("order_seed", pa.int64()),
        ("top_token_share", pa.float64()),
        ("definition", pa.string()),
    ]
)


def wanted_of(metrics: Sequence[str | Path], ranks: Sequence[int]) -> list[Wanted]:
    """The requests of a site: each cell's L0 and each of the ranks, at the cell's width.

    metrics: metrics.json of the cells.
    """
    wanted = set()
    for path in metrics:
        facts = read_json(path)
        l0 = round(facts["metrics"]["l0"]["value"])
        wanted |= {Wanted(max(1, k), facts["d_sae"]) for k in (l0, *ranks)}
    return sorted(wanted)


def baselines_of(
    source: Source,
    settings: Mapping[str, Any],
    metrics: Sequence[str | Path],
) -> pa.Table:
    """The table of baselines: one row a split, baseline and request.

    Tokens that do not vary have no independent components and no non-negative parts.

    Columns: method; k (L0 or rank that was asked for); width (directions it chooses from); l0;
    fvu, mse, r2, r2_source, r2_dimensions, cosine, norm_ratio (see `reconstruction`); n (tokens
    measured); n_learned (tokens fitted on); hold_out, order_seed (the split of these tokens);
    top_token_share (see `tops`; the two signs of a direction are two features); definition.

    Args:
        source: the corpus at the site.
        settings: `splits` (a list of share and seed), `baselines` (names), `metrics`.
        metrics: metrics.json of the site's cells.
    """
    chosen, rows = settings["metrics"], []
    wanted = wanted_of(metrics, chosen["ranks"])
    for split in settings["splits"]:
        tokens = source.split(split["share"], split["seed"], chosen["tokens"], chosen["fit"])
        learned = at_most(tokens.learned, chosen["fit"], chosen["seed"])
        measured = at_most(tokens.measured, chosen["tokens"], chosen["seed"])
        fit = Fit(tokens.x, learned, chosen["seed"])
        for name in chosen["baselines"]:
            for described in pick(BASELINES, name, "Baseline")(fit, wanted):
                values = numbers(described, tokens, measured, fit.mean)
                fvu = "none" if values["fvu"] is None else f"{values['fvu']:.4f}"
                print(f"{name} {described.wanted.k}: fvu {fvu}", flush=True)
                more = {"method": name, "definition": described.definition}
                more |= {"k": described.wanted.k, "width": described.width}
                more |= {"n": len(measured), "n_learned": len(learned)}
                more |= {"hold_out": split["share"], "order_seed": split["seed"]}
                rows.append({**values, **more})
    return pa.Table.from_pylist(rows, SCHEMA)


def numbers(
    described: Described, tokens: Tokens, measured: np.ndarray, mean: np.ndarray
) -> dict[str, float | None]:
    """The errors of a baseline on the tokens measured, its L0 and the share of its top tokens."""
    errors, active, tops = Errors(mean), 0, Tops(2 * described.width)
    for start, stop in blocks(len(measured), BLOCK):
        x = widened(tokens.x[measured[start:stop]])
        x_hat, codes = described.describe(x)
        errors.add(x, x_hat)
        token, direction, value = entries(codes)
        active += len(value)
        if tokens.ids is not None:
            feature = 2 * direction + (value < 0)
            tops.add(feature, np.abs(value), tokens.ids[measured[start + token]])
    values, shares = errors.values(), tops.shares()
    results = {"l0": active / len(measured)} | {name: values[name].value for name in NUMBERS}
    return results | {"top_token_share": float(shares.mean()) if len(shares) else None}


def entries(codes: np.ndarray | csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token, direction and value (entry,) of the entries of codes (token, direction) that are not
    zero, by token."""
    matrix = csr_array(codes).tocoo()
    return matrix.row.astype(np.int64), matrix.col.astype(np.int64), matrix.data
