"""Representations of texts, one file each; a new one is a file and a line here."""

REPRESENTATIONS: dict[str, str] = {
    "words": "saegrid.evidence.probes.representations.words:REPRESENTATION",
    "word_vectors": "saegrid.evidence.probes.representations.word_vectors:REPRESENTATION",
    "frequency_surprisal": (
        "saegrid.evidence.probes.representations.frequency_surprisal:REPRESENTATION"
    ),
    "combined": "saegrid.evidence.probes.representations.combined:REPRESENTATION",
    "x": "saegrid.evidence.probes.representations.x:REPRESENTATION",
    "neurons": "saegrid.evidence.probes.representations.neurons:REPRESENTATION",
    "pca": "saegrid.evidence.probes.representations.pca:REPRESENTATION",
    "codes": "saegrid.evidence.probes.representations.codes:REPRESENTATION",
    "binary": "saegrid.evidence.probes.representations.binary:REPRESENTATION",
    "random": "saegrid.evidence.probes.representations.random:REPRESENTATION",
}
"""Representations by name, each a `saegrid.evidence.probes.material.Representation`."""
BASELINES = ("words", "frequency_surprisal", "combined")
"""Representations of the texts alone, the best of which others are to beat."""
