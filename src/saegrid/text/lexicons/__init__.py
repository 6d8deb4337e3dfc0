"""Lexicons: words and the concepts that they belong to. A new kind is one file and a line here."""

LEXICONS: dict[str, str] = {
    "wordnet": "saegrid.text.lexicons.names:LEXICON",
    "categories": "saegrid.text.lexicons.categories:LEXICON",
    "lists": "saegrid.text.lexicons.lists:LEXICON",
}
"""Kinds of lexicons by name; `lists` may name its file: `lists:my/topics.yaml`."""
