"""The mean over the real tokens of a text."""

from saegrid.evidence.probes.convention import Convention, means

CONVENTION = Convention(
    "mean over the tokens of the text; BOS and other special tokens are read before it and not "
    "counted",
    means,
)
