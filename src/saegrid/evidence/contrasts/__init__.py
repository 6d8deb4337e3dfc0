"""Contrasts, one file each; a new one is a file and a line here."""

CONTRASTS: dict[str, str] = {
    "k1": "saegrid.evidence.contrasts.k1:CONTRAST",
    "k2": "saegrid.evidence.contrasts.k2:CONTRAST",
    "k3": "saegrid.evidence.contrasts.k3:CONTRAST",
    "k3g": "saegrid.evidence.contrasts.k3g:CONTRAST",
    "k4": "saegrid.evidence.contrasts.k4:CONTRAST",
    "k5": "saegrid.evidence.contrasts.k5:CONTRAST",
    "k6": "saegrid.evidence.contrasts.k6:CONTRAST",
    "label": "saegrid.evidence.contrasts.label:CONTRAST",
}
"""Contrasts by name; `label` may name its column: `label:clickbait`."""
