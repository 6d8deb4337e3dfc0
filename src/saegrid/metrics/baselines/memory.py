"""The memory that baselines take. The module imports without scipy."""

NUMPY = 150 << 20
"""Bytes of a process that has imported the library."""
SAMPLE = 16_384
"""Number of tokens of the sample that components are fitted on."""
COMPONENTS = 256
"""Largest number of independent components: the cost of a step grows with its square."""


def held(width: int, d_sae: int) -> int:
    """The megabytes of the baselines of a site, by its channels and the features of all its SAEs.

    They hold a sample with its components six times over, moments, and a random dictionary.
    """
    sample = SAMPLE * (width + min(COMPONENTS, width)) * 8 * 6
    total = NUMPY + sample + 3 * width**2 * 8 + d_sae * width * 4
    return -(-total // 10**6)
