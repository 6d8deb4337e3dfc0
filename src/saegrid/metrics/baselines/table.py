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
"""Tokens that are described at a time."""
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
    """What the cells of a site are compared with: their L0 at their width, and the ranks.

    metrics: metrics.json of the cells.
    """
    found = set()
    for path in metrics:
        told = read_json(path)
        l0 = round(told["metrics"]["l0"]["value"])
        found |= {Wanted(max(1, k), told["d_sae"]) for k in (l0, *ranks)}
    return sorted(found)


def baselines_of(
    source: Source,
    settings: Mapping[str, Any],
    metrics: Sequence[str | Path],
) -> pa.Table:
    """One row a baseline, what it is to be equal to, and way of holding out; of tokens that do not
    vary no independent components and no parts.

    Columns: method; k (L0 or rank that was asked for); width (directions it chooses from); l0;
    fvu, mse, r2, r2_source, r2_dimensions, cosine, norm_ratio (see `reconstruction`); n (tokens
    measured); n_learned (tokens fitted on); hold_out, order_seed (which those are);
    top_token_share (see `tops`; the two signs of a direction are two features); definition.

    Args:
        source: the corpus at the site.
        settings: `splits` (a list of share and seed), `baselines` (names), `metrics`.
        metrics: metrics.json of the site's cells.
    """
    chosen, found = settings["metrics"], []
    wanted = wanted_of(metrics, chosen["ranks"])
    for split in settings["splits"]:
        given = source.split(split["share"], split["seed"], chosen["tokens"], chosen["fit"])
        learned = at_most(given.learned, chosen["fit"], chosen["seed"])
        measured = at_most(given.measured, chosen["tokens"], chosen["seed"])
        fit = Fit(given.x, learned, chosen["seed"])
        for name in chosen["baselines"]:
            for described in pick(BASELINES, name, "Baseline")(fit, wanted):
                told = numbers(described, given, measured, fit.mean)
                fvu = "none" if told["fvu"] is None else f"{told['fvu']:.4f}"
                print(f"{name} {described.wanted.k}: fvu {fvu}", flush=True)
                more = {"method": name, "definition": described.definition}
                more |= {"k": described.wanted.k, "width": described.width}
                more |= {"n": len(measured), "n_learned": len(learned)}
                more |= {"hold_out": split["share"], "order_seed": split["seed"]}
                found.append({**told, **more})
    return pa.Table.from_pylist(found, SCHEMA)


def numbers(
    described: Described, given: Tokens, measured: np.ndarray, mean: np.ndarray
) -> dict[str, float | None]:
    """How near a baseline comes to the tokens measured, its L0 and its top tokens."""
    errors, active, tops = Errors(mean), 0, Tops(2 * described.width)
    for start, stop in blocks(len(measured), BLOCK):
        x = widened(given.x[measured[start:stop]])
        x_hat, codes = described.describe(x)
        errors.add(x, x_hat)
        token, direction, value = entries(codes)
        active += len(value)
        if given.ids is not None:
            feature = 2 * direction + (value < 0)
            tops.add(feature, np.abs(value), given.ids[measured[start + token]])
    values, shares = errors.values(), tops.shares()
    found = {"l0": active / len(measured)} | {name: values[name].value for name in NUMBERS}
    return found | {"top_token_share": float(shares.mean()) if len(shares) else None}


def entries(codes: np.ndarray | csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Token, direction and value (entry,) of what is not zero in codes (token, direction), by
    token."""
    given = csr_array(codes).tocoo()
    return given.row.astype(np.int64), given.col.astype(np.int64), given.data
