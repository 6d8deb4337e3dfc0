"""Kin of each feature: what points the same way, fires on the same tokens or in the same texts."""

from pathlib import Path

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.evidence.texts import texts
from saegrid.job import start
from saegrid.meaning import CELL
from saegrid.meaning.kin import Other, Rules, directions_of, in_order, kin, member
from saegrid.saes.reference import open_sae
from saegrid.text.selection import kept_of

with start(snakemake) as job:
    inputs, rules = job.input, Rules(**job.settings["kin"])
    tokens, spans = io.read_table(inputs.tokens), io.read_table(inputs.spans)
    corpus = texts(io.read_table(inputs.texts, ["group"]), tokens, spans)
    of_corpus = corpus, kept_of(inputs.selection)
    folders = [Path(path).parent for path in inputs.saes[::2]]
    cells = zip(job.settings["cells"], inputs.features, inputs.top, folders, strict=True)
    (name, _, _), codes, top, folder = next(cells)
    own = member(name, read_features(codes), io.read_table(top), *of_corpus)
    with open_sae(folder) as sae:
        directions = directions_of(sae.decoder_rows, own.shown)
        here = Other(CELL, own, sae.decoder_rows, sae.decoder.d_sae)
        tables = [kin(own, directions, here, rules)]
    for (name, place, compares), codes, top, folder in cells:
        its = member(name, read_features(codes), io.read_table(top), *of_corpus)
        with open_sae(folder) as sae:
            read = sae.decoder_rows if compares else None
            there = Other(place, its, read, sae.decoder.d_sae)
            tables.append(kin(own, directions, there, rules))
    table = in_order(tables)
    print(f"{table.num_rows} kin of {len(own.shown)} features in {len(tables)} cells")
    io.write_table(job.output.table, table, job.spec)
