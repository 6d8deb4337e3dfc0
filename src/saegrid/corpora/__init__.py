"""Corpora: readers of text files, one a kind, and the table of items made from their rows.

A reader is a function `rows(source) -> Iterator[Row]`, see `saegrid.corpora.rows`. A new kind is a
file here and a line below.
"""

CORPORA = {
    "csv": "saegrid.corpora.csv:rows",
    "jsonl": "saegrid.corpora.jsonl:rows",
    "parquet": "saegrid.corpora.parquet:rows",
    "text": "saegrid.corpora.text:rows",
    "hub": "saegrid.corpora.hub:rows",
    "generated": "saegrid.corpora.sampled:rows",
}
"""Where rows come from, by the `kind` of a source."""
