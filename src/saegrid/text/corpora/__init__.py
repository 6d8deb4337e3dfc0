"""Corpora: readers of text files, one a kind, and the table of items made from their rows.

A reader is a function `rows(source) -> Iterator[Row]`, see `corpora.rows`. A new kind is a
file here and a line below.
"""

CORPORA = {
    "csv": "saegrid.text.corpora.csv:rows",
    "jsonl": "saegrid.text.corpora.jsonl:rows",
    "parquet": "saegrid.text.corpora.parquet:rows",
    "text": "saegrid.text.corpora.text:rows",
    "hub": "saegrid.text.corpora.hub:rows",
    "generated": "saegrid.text.corpora.sampled:rows",
    "random_edits": "saegrid.text.corpora.random_edits:rows",
    "continued": "saegrid.text.corpora.continued:rows",
    "carried": "saegrid.text.corpora.carried:rows",
}
"""Readers of rows, by the `kind` of a source."""
