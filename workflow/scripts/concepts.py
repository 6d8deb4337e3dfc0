"""Judgement of each feature: a concept, coherent words, one word or piece, or a form."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.codes.sparse import read_features
from saegrid.meaning.cell import about
from saegrid.meaning.concepts import Rule
from saegrid.meaning.vocabulary import from_files

with start(snakemake) as job:
    settings, inputs = job.settings, job.input
    files = io.read_table(inputs.occurrences), io.read_table(inputs.types)
    of, words = from_files(*files, io.read_tensors(inputs.tensors), io.read_json(inputs.facts))
    text = io.read_table(inputs.tokens, ["text"])["text"].to_pylist()
    rules = {key: settings[key] for key in ("least", "permutations", "seed")}
    judged = about(
        read_features(inputs.features), of, words, text, Rule(**settings["rule"]), **rules
    )
    print(f"{judged.concepts.num_rows} features judged")
    io.write_table(job.output.table, judged.concepts, job.spec)
    io.write_table(job.output.combinations, judged.combinations, job.spec)
    io.write_table(job.output.best, judged.best, job.spec)
    io.write_table(job.output.chance, judged.chance(), job.spec)
