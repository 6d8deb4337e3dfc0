"""The contrasts of a study on the features of a cell, on the texts that are searched."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.evidence.planning import read_all
from saegrid.evidence.search import search, to_tensors

with start(snakemake) as job:
    inputs, names = job.input, job.settings["corpora"]
    plan = io.read_json(inputs.plan)
    features = {n: read_features(p) for n, p in zip(names, inputs.features, strict=True)}
    captured = {name: codes.token for name, codes in features.items()}
    corpora = read_all(names, inputs, captured, plan["seed"])
    result = search(plan, features, corpora)
    print(f"{result.table.num_rows} tests")
    io.write_table(job.output.table, result.table, job.spec)
    io.write_tensors(job.output.maxima, to_tensors(result), job.spec)
