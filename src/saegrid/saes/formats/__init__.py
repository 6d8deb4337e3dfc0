"""Formats of checkpoints. A new one is one file here and one line below."""

FORMATS = {
    "circuit_tracer": "saegrid.saes.formats.circuit_tracer:FORMAT",
    "dictionary_learning": "saegrid.saes.formats.dictionary_learning:FORMAT",
    "gemma_scope": "saegrid.saes.formats.gemma_scope:FORMAT",
    "gemma_scope_2": "saegrid.saes.formats.gemma_scope_2:FORMAT",
    "llama_scope": "saegrid.saes.formats.llama_scope:FORMAT",
    "llamascopium": "saegrid.saes.formats.llamascopium:FORMAT",
    "mwhanna_transcoder": "saegrid.saes.formats.circuit_tracer:ALONE",
    "qwen_scope": "saegrid.saes.formats.qwen_scope:FORMAT",
    "sae_lens": "saegrid.saes.formats.sae_lens:FORMAT",
    "sparsify": "saegrid.saes.formats.sparsify:FORMAT",
}
"""Each is a `saegrid.saes.checkpoint.Format`."""
