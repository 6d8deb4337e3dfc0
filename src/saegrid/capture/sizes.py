"""Sizes of captured activations. Importable without torch."""

from collections.abc import Iterable

HELD = 2 << 30
"""Bytes of activations up to which they are held in memory; more go to files of the store."""
HEADER = 4096
"""Bytes of a file's header, with its spec."""


def activation_bytes(captured: int, widths: Iterable[int], itemsize: int) -> int:
    """Bytes of the files of sites of these widths: x (token, channel) and token indices."""
    return sum(captured * (width * itemsize + 8) + HEADER for width in widths)
