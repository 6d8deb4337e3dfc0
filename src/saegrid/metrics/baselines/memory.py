"""The memory that baselines take. Importable without scipy."""

NUMPY = 150 << 20
"""Bytes of a process that has imported the library."""
SAMPLE = 16_384
"""Tokens of the sample on which components are found."""
COMPONENTS = 256
"""Independent components that are found at most: the cost of a step grows with their square."""


def held(width: int, d_sae: int) -> int:
    """Megabytes of the baselines of a site of so many channels, and of so many features of all its
    SAEs: a sample with its components six times over, moments, a random dictionary."""
    sample = SAMPLE * (width + min(COMPONENTS, width)) * 8 * 6
    total = NUMPY + sample + 3 * width**2 * 8 + d_sae * width * 4
    return -(-total // 10**6)
