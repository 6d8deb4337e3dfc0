"""Checkpoints that SAELens loads from others' layouts: see `sae_lens_loaders.py`, which makes them."""

CASES = []
