"""Checkpoints of circuit-tracer: all are made by the library, see `circuit_tracer.py`."""

CASES = []
