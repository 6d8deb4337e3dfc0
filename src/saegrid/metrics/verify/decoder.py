"""The check of decoder directions against the entries on published pages."""

import numpy as np

from saegrid.metrics.verify import Fact
from saegrid.metrics.verify.expected import Decoder
from saegrid.saes.sae import SAE

DEFINITION = "largest entries of the decoder direction of norm one, by channel"


def check_decoder(expected: Decoder, cell: str, sae: SAE) -> list[Fact]:
    """A fact for each feature of the cell on the published pages."""
    published = expected.value[cell]
    wrong = [f for f in published if f >= sae.decoder.d_sae]
    wide = [c for channels in published.values() for c in channels if c >= sae.decoder.d_model]
    if wrong or wide:
        return [_too_small(expected, cell, sae, max(wrong, default=None))]
    features = sorted(published)
    directions = sae.decoder_rows(features)
    return [
        _fact(expected, cell, feature, row, published[feature])
        for feature, row in zip(features, directions, strict=True)
    ]


def _too_small(expected: Decoder, cell: str, sae: SAE, feature: int | None) -> Fact:
    shape = [sae.decoder.d_sae, sae.decoder.d_model]
    needed = "channels" if feature is None else f"feature {feature}"
    problem = (
        f"{cell}: the decoder must have the {needed} of the published pages; it is "
        f"{shape[0]} x {shape[1]}. The name under `saes` and the checkpoint do not belong together."
    )
    what = "features x channels of the decoder"
    return Fact(f"{cell}: decoder", shape, None, 0, 1, what, expected.source, problem)


def _fact(
    expected: Decoder, cell: str, feature: int, row: np.ndarray, published: dict[int, float]
) -> Fact:
    channels, tolerance = list(published), expected.tolerance
    values = row[channels]
    rest = np.delete(row, channels).max()
    off = np.abs(values - list(published.values())).max()
    problem = ""
    if off > tolerance or rest > values.min() + tolerance:
        largest = np.argsort(-row, kind="stable")[: len(channels)]
        problem = (
            f"{cell}: the largest entries of the decoder direction of feature {feature} must be "
            f"{_list(published)} (within {tolerance:g}); they are "
            f"{_list({int(c): float(row[c]) for c in largest})}. The decoder is another layer's, "
            "position's or release's, or its columns are in another order. Get the checkpoint anew "
            "from its repository."
        )
    value = {str(c): round(float(v), 6) for c, v in zip(channels, values, strict=True)}
    wanted = {str(c): v for c, v in published.items()}
    name, n = f"{cell}: decoder direction {feature}", len(row)
    return Fact(name, value, wanted, tolerance, n, DEFINITION, expected.source, problem)


def _list(entries: dict[int, float]) -> str:
    return ", ".join(f"{channel}: {value:+.3f}" for channel, value in entries.items())
