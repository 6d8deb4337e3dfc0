"""Classifiers of the texts alone, by words and their frequency."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.study import of_texts, read, vectors, write

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    study = read(settings, inputs)
    embedded = vectors(settings["model"], study, inputs.tokens) if settings["vectors"] else ()
    answer, facts = of_texts(study, settings["grades"], embedded)
    write(answer, study, job.output, job.spec)
    io.write_json(job.output.facts, {"probes": facts}, job.spec)
