"""Checkpoints of Llamascopium: all are made by the library, see `llamascopium.py`."""

CASES = []
