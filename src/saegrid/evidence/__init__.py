"""Evidence that features tell labelled texts apart: contrasts, permutations, classifiers.

The unit is the text and its cluster the original headline; tokens of a text are pooled first. All
of it works on the nonzeros of the codes.
"""
