"""Judged SAEs as files: three cells, one of them without any active feature."""

import pyarrow as pa

from saegrid.base import io
from saegrid.base.digest import digest
from saegrid.metrics.health import advice, definitions, health, reasons
from saegrid.metrics.latents import edges
from saegrid.metrics.lights import READINGS, lights
from saegrid.pages.browser.health import health_page
from saegrid.pages.figures import HEALTH_FIGURES, captions
from saegrid.pages.figures.judged import read_judged

SPEC = "s"
SAES = {
    "L1R-8x.k_8": {"recipe": "topk", "expansion": 8, "seed": 0, "settings": {"k": 8, "lr": 1e-4}},
    "L1R-8x.k_2": {"recipe": "topk", "expansion": 8, "seed": 0, "settings": {"k": 2, "lr": 3e-5}},
    "L0A-tied": {"recipe": "tied", "expansion": 8, "seed": 0, "settings": {"lr": 0.5}},
}
L0 = {"L1R-8x.k_8": 7.6, "L1R-8x.k_2": 2.0, "L0A-tied": 0.0}


def metrics(cell):
    """What metrics.json holds."""
    values = {"l0": L0[cell], "fvu": 0.25, "mse": 0.5, "dead_rate": 0.4, "gini": 0.3, "kl": None}
    values |= {"density": L0[cell] / 64, "decoder_cosine_mean": 0.0}
    return {
        "cell": cell,
        "corpus": "stories",
        "d_model": 8,
        "d_sae": 64,
        "tokens": {"n": 900, "held_out": 950, "share": 0.1, "seed": 3},
        "metrics": {
            name: {"value": value, "n": 900, "definition": f"what {name} & <b>such</b> is"}
            | ({"because": f"no {name} & <b>why</b>"} if value is None else {})
            for name, value in values.items()
        },
        "latents": {
            "edges": edges().tolist(),
            "counts": [0] * 50 + [round(L0[cell] * 900)] + [0] * 49,
        },
        "lights": {
            name: [light._asdict() for light in lights(values, table)]
            for name, table in READINGS.items()
        },
    }


def write_metrics(folder):
    """metrics.json by cell."""
    found = {}
    for cell in SAES:
        found[cell] = folder / "stories/cells" / cell / "metrics.json"
        io.write_json(found[cell], metrics(cell), SPEC)
    return found


def write_baselines(folder):
    """The table of baselines of one site."""
    where = {"hold_out": 0.1, "order_seed": 3, "cosine": 0.9, "r2_source": 0.5, "mse": 1.0}
    where |= {"top_token_share": 0.25}
    rows = [
        {"method": method, "k": k, "width": width, "l0": float(k), "fvu": fvu, "definition": "d"}
        for method, k, width, fvu in (
            ("pca", 8, 8, 0.31),
            ("pca", 2, 2, 0.62),
            ("random", 8, 32, 9.0),
            ("random", 8, 64, 0.7),
            ("ica", 8, 8, 0.1),
        )
    ]
    path = folder / "stories/baselines/L1R.parquet"
    io.write_table(path, pa.Table.from_pylist([row | where for row in rows]))
    return [path]


def table_of(files, baselines=()):
    """The table of these files."""
    return health(files, dict.fromkeys(files, digest(SPEC)), SAES, baselines)


def page_of(files, baselines):
    """The page of these files."""
    table = table_of(files, baselines)
    return health_page(
        {"study": "st<udy", "model": "m", "spec": '{"a": "<b>"}'},
        table,
        {cell: advice(path) for cell, path in files.items()},
        {cell: reasons(path) for cell, path in files.items()},
        definitions(files),
        read_judged(table, baselines, []).named_baselines(),
        captions(HEALTH_FIGURES),
    )
