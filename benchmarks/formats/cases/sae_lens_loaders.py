"""Checkpoints in layouts that SAELens loads: `sae_lens_loaders.py` makes them."""

CASES = []
