"""Probes, one file each; a new one is a file and a line here."""

PROBES: dict[str, str] = {
    "edited": "saegrid.evidence.probes.targets.edited:PROBE",
    "high": "saegrid.evidence.probes.targets.high:PROBE",
    "grade": "saegrid.evidence.probes.targets.grade:PROBE",
    "label": "saegrid.evidence.probes.targets.label:PROBE",
}
"""Probes by name, each a `saegrid.evidence.probes.target.Probe`."""
