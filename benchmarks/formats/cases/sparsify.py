"""Checkpoints of sparsify: all are made by the library, see `sparsify.py`."""

CASES = []
