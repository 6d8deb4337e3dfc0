"""Formats of checkpoints. A new one is one file here and one line below."""

FORMATS = {
    "llama_scope": "saegrid.saes.formats.llama_scope:FORMAT",
    "sae_lens": "saegrid.saes.formats.sae_lens:FORMAT",
}
"""Each is a `saegrid.saes.checkpoint.Format`."""
