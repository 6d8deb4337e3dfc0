"""Sizes of captured activations. The module imports without torch."""

from collections.abc import Iterable

HELD = 2 << 30
"""Largest size in bytes at which activations are held in memory; larger ones go to files."""
HEADER = 4096
"""Approximate bytes of a file's header, with its spec."""


def activation_bytes(captured: int, widths: Iterable[int], itemsize: int) -> int:
    """The bytes of the files of sites of some widths: x (token, channel) and token indices."""
    return sum(captured * (width * itemsize + 8) + HEADER for width in widths)
