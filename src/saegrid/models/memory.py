"""The memory that a model takes. Importable without torch."""

ROOM, WORKING = 1_000_000_000, 1.1
"""Bytes beside the weights, and the share of the weights with what a forward pass holds."""


def needed(stored: int) -> float:
    """Bytes that a pass of a whole model needs whose files have so many."""
    return ROOM + WORKING * stored
