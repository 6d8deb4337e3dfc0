"""The memory that trainings take. The module imports without torch."""

from collections.abc import Iterable

from saegrid.saes.training.settings import Settings

TORCH = 500 << 20
"""Bytes of a process that has imported torch."""
COPIES = 4
"""Copies of the weights as float32: parameters, gradients and two moments."""
SAMPLE = 1 << 30
"""Most bytes of the sample from which whitening is measured."""


def held(saes: Iterable[tuple[int, int, Settings]]) -> int:
    """The megabytes of a training of several SAEs, each (d_model, d_sae, settings).

    They hold the weights with the arrays of the optimiser, four arrays (token, feature) of a batch,
    and where activations are whitened the larger of the sample and two float64 copies of the
    weights. A soft-frozen decoder has its start beside it.
    """
    total = TORCH
    for d_model, d_sae, settings in saes:
        weights = 2 * d_model * d_sae
        total += COPIES * 4 * weights + 4 * 4 * settings.batch * d_sae
        if settings.freeze == "soft":
            total += 4 * d_model * d_sae
        if settings.whiten != "none":
            total += max(SAMPLE, 2 * 8 * weights)
    return -(-total // 10**6)
