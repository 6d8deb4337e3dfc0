"""The mean over all positions of a padded row, as a published study of gendered words has it."""

from saegrid.evidence.probes.convention import Convention, means

CONVENTION = Convention(
    "mean over all positions of a row: the text without BOS, filled up at its right with the "
    "end-of-text token to the length of the longest text, and these counted like the text's own; "
    "so the number of its tokens is part of every channel",
    means,
    padded=True,
)
