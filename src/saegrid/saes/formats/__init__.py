"""Formats of checkpoints. A new one is one file here and one line below."""

FORMATS = {
    "gemma_scope": "saegrid.saes.formats.gemma_scope:FORMAT",
    "gemma_scope_2": "saegrid.saes.formats.gemma_scope_2:FORMAT",
    "llama_scope": "saegrid.saes.formats.llama_scope:FORMAT",
    "sae_lens": "saegrid.saes.formats.sae_lens:FORMAT",
}
"""Each is a `saegrid.saes.checkpoint.Format`."""
