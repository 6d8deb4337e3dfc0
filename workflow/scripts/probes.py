"""Classifiers of a site and its cells."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.evidence.probes.study import counted, of_site, read, write

with start(snakemake) as job:
    inputs, settings = job.input, job.settings
    study, names = read(settings, inputs), settings["cells"]
    answer = of_site(
        study,
        io.read_tensors(inputs.base),
        settings["site"],
        counted(inputs.activations, settings["shards"]),
        counted(inputs.neurons, settings["neurons"]),
        dict(zip(names, counted(inputs.features, [len(study.corpora)] * len(names)), strict=True)),
    )
    write(answer, study, job.output, job.spec)
