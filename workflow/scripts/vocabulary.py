"""Word types of a corpus, the concepts that they belong to, and their places in a word space."""

from saegrid.base import io
from saegrid.base.job import start
from saegrid.meaning.vocabulary import occurrences_of, to_files, vocabulary
from saegrid.text.lexicons.lexicon import read_lexicons
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    settings, inputs = job.settings, job.input
    items, kept = io.read_table(inputs.texts), kept_of(inputs.selection)
    of = occurrences_of(io.read_table(inputs.tokens), items, kept, settings["layout"])
    lexicons = read_lexicons(settings["lexicons"], settings["senses"])
    words, types = vocabulary(of, lexicons, settings["min_types"], settings["space"])
    rows, listed, tensors, facts = to_files(of, words, types, lexicons)
    print(f"{of.n} occurrences, {words.n} word types, {len(words.concepts)} concepts")
    io.write_table(job.output.occurrences, rows, job.spec)
    io.write_table(job.output.types, listed, job.spec)
    io.write_tensors(job.output.tensors, tensors, job.spec)
    io.write_json(job.output.facts, facts, job.spec)
