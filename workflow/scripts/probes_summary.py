"""The classifiers of all sites side by side."""

import pyarrow as pa
import pyarrow.compute as pc

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.summing import probes, summary

with start(snakemake) as job:
    inputs, outputs, settings = job.input, job.output, job.settings
    facts = io.read_json(inputs.facts[0])["probes"]
    tables = [io.read_table(path) for path in inputs.summary]
    table = summary(tables, facts)
    tensors = [io.read_tensors(path) for path in inputs.tensors]
    counts = [one.num_rows for one in tables]
    io.write_table(outputs.table, table, job.spec)
    io.write_json(
        outputs.facts, probes(table, facts, tensors, counts, settings["probes"]), job.spec
    )
    folds = pa.concat_tables([io.read_table(path) for path in inputs.folds])
    [
        io.write_table(path, folds.filter(pc.equal(folds["probe"], name)), job.spec)
        for path, name in zip(outputs.folds, settings["names"], strict=True)
    ]
