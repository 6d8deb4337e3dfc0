"""The last real token of a text."""

from saegrid.evidence.probes.convention import Convention, lasts

CONVENTION = Convention("last token of the text, no special one", lasts)
