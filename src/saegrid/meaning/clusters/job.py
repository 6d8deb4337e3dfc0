"""The job of a site: files in, tables of clusters out."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.evidence.probes.study import opened
from saegrid.evidence.texts import texts
from saegrid.meaning.clusters import named
from saegrid.meaning.clusters.rows import Cell
from saegrid.meaning.clusters.site import Named, of_site
from saegrid.meaning.clusters.tables import DEFINITIONS, SCHEMAS
from saegrid.meaning.clusters.units import units
from saegrid.text.selection import kept_of


def run(settings: Mapping[str, Any], inputs: Any) -> dict[str, pa.Table]:
    """The tables of a site by name. settings: cells, clusters, namer and answers; inputs: paths."""
    section, tokens = settings["clusters"], io.read_table(inputs.tokens)
    corpus = texts(io.read_table(inputs.texts), tokens, io.read_table(inputs.spans))
    (activations,) = opened([inputs.activations])
    kept = np.asarray(kept_of(inputs.selection), bool)
    of = units(corpus, kept, activations.token, tokens, section["unit"], section["label"])
    names = settings["cells"]
    saes = inputs.saes[::2] or [None] * len(names)
    cells = [
        Cell(name, read_features(path), sae)
        for name, path, sae in zip(names, inputs.features, saes, strict=True)
    ]
    judged = {
        name: {row["feature"]: row for row in io.read_table(path).to_pylist()}
        for name, path in zip(names, inputs.concepts, strict=True)
    }
    by = Named(named.Words.of(tokens), judged, settings["namer"], settings["answers"])
    out = of_site(of, [activations], cells, by, section)
    print(f"{of.n} texts, {of.left_out} without a captured token, {len(out['clusters'])} clusters")
    return {name: pa.Table.from_pylist(rows, SCHEMAS[name]) for name, rows in out.items()}


def write(tables: Mapping[str, pa.Table], output: Any, spec: str) -> None:
    """Write the tables. output: paths by name."""
    for name, table in tables.items():
        known = {key: words for key, words in DEFINITIONS.items() if key in table.schema.names}
        io.write_table(getattr(output, name), table, spec, known)
