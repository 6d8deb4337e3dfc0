"""Evidence that features tell labelled texts apart: contrasts, permutations, classifiers.

The unit is the text and its cluster the original headline; tokens of a text are pooled first. All
of it works on the nonzeros of the codes.
"""

DISCOVERY, CONFIRMATION, TEST = "discovery", "confirmation", "test"
"""Names of the parts of the texts: one that is searched, one that confirms, one looked at once."""
USUAL = {DISCOVERY: "train", CONFIRMATION: "dev", TEST: "test"}
"""Splits that are taken where the config names none and the texts have the first two."""
