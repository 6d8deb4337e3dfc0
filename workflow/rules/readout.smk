"""
Texts of two classes read out: what vectors of a site and codes of its cells tell, beside nulls.
IN   items, tokens, spans and selection of the main corpus, activations of every site, SAEs of all cells, the model
OUT  {corpus}/readout/: texts.parquet, vectors of each site and codes of each cell, tests of units and localisation
     of each site; probes.html of the study
Made where the config has `analyses: {readout: {...}}`.
"""

for name in (
    "readout_texts",
    "readout_padded",
    "readout_vectors",
    "readout_codes",
    "readout_probes",
    "readout_units",
    "readout_localisation",
    "readout",
):
    bind(PLAN.graph.stages[name])
