"""The search for features: by a word over stored codes, by prompts through the model, by likeness,
and by the text on which a feature is largest.

A room of its own in that of interventions: it changes nothing in the model, and a search by words
must not even load torch. It knows files of cells and no study; where they lie is told by
`files.Cells`.
"""

WORD, PROMPT, PAIR = KINDS = ("word", "prompt", "pair")
"""Kinds of queries: a word in the texts of the corpus, a prompt, and prompts against others."""
TOP = 10
"""Features that a query has by default."""


class SearchError(LookupError):
    """A search that cannot be made; the message says how to mend it."""
