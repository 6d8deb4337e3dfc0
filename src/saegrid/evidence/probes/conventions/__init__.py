"""Conventions of the vector of a text, one file each; a new one is a file and a line here."""

CONVENTIONS: dict[str, str] = {
    "mean": "saegrid.evidence.probes.conventions.mean:CONVENTION",
    "last": "saegrid.evidence.probes.conventions.last:CONVENTION",
    "padded": "saegrid.evidence.probes.conventions.padded:CONVENTION",
}
"""Conventions by name, each a `saegrid.evidence.probes.convention.Convention`."""
PADDED = ("padded",)
"""Names of those that read texts in rows of one length."""
