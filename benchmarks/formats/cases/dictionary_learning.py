"""Checkpoints of dictionary_learning: all are made by the library, see `dictionary_learning.py`."""

CASES = []
