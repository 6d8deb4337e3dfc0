"""The one view of a sparse autoencoder that inference uses, whatever file it comes from.

Weights stay as they are stored; what a format folds into them (scaling of the input, norms of the
decoder, the decoder's bias) is carried by exact numbers per feature instead. Nothing here needs
torch.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.saes.fronts import Front

BLOCK = 2048
"""Features that are read at a time."""


@dataclass(frozen=True)
class Encoder:
    """The encoder as stored, with exact scalars per feature.

        pre_i = scale_i * (W_i . x) + bias_i
        z_i   = pre_i where the gate is open, else 0

    `x (token, d_model)` are raw activations: the centring by b_dec and every scaling of the input
    are in `bias` and `scale`. Where the SAE is `centred`, x stands for activations less their mean
    over channels, W_i . (x - mean(x)). The gate is one of two:

    - `threshold (feature,)`: open where pre_i > threshold_i, strictly. ReLU is threshold 0.
    - `k`: open for the k largest of max(pre, 0) of a token, ties to the smaller feature id.

    The gate is decided on the float32 value of pre (design, semantics 8), and that is what is kept.
    """

    d_model: int
    d_sae: int
    scale: np.ndarray
    """(feature,) float64."""
    bias: np.ndarray
    """(feature,) float64."""
    threshold: np.ndarray | None
    """(feature,) float64; None where k decides."""
    k: int | None
    """None where the threshold decides."""
    dtype: str
    """Format of the stored rows: float32, float16 or bfloat16."""
    read: Callable[[int, int], np.ndarray] = field(repr=False)
    """Rows of the features start..stop as stored; called by `rows`."""
    fill: Callable[[int, int, np.ndarray], np.ndarray] | None = field(default=None, repr=False)
    """Reads the rows that `read` gives into the head of an array; called by `rows`."""
    centred: bool = False
    """True if each token's mean over channels is subtracted before W."""
    front: Front | None = None
    """Normalisation of each token before W; x then stands for the normalised activations."""

    @property
    def stored(self) -> np.dtype:
        """The numpy dtype of the stored rows; bfloat16 is held as uint16."""
        return np.dtype(np.uint16 if self.dtype == "bfloat16" else self.dtype)

    def rows(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """The stored rows W (feature, d_model) of the features start..stop - 1, nothing else read.

        float32 or float16 as stored, or uint16 with the bits of bfloat16: `widen` makes float32
        of each exactly, and `torch.from_numpy(rows).view(torch.bfloat16)` is the same without a
        copy. The array may be a read-only view and need not be contiguous; with `out`, of at least
        that many rows and the stored dtype, the rows are its head.
        """
        stop = min(stop, self.d_sae)
        if out is not None and self.fill is not None:
            return self.fill(start, stop, out)
        rows = self.read(start, stop)
        if out is None:
            return rows
        np.copyto(out[: len(rows)], rows)
        return out[: len(rows)]


@dataclass(frozen=True)
class Decoder:
    """The decoder: rows as stored, times a factor per feature where the format has one."""

    d_model: int
    """Channels that it writes, d_out of a transcoder."""
    d_sae: int
    read: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    """Features (n,) to their stored rows (n, d_model)."""
    measure: Callable[[], np.ndarray] = field(repr=False)
    """Norms of all rows; called by `norms`."""
    factor: np.ndarray | None = None
    """(feature,) float64 that rows are multiplied with; None: they are as stored."""

    @cached_property
    def norms(self) -> np.ndarray:
        """(feature,) float64 of a float32: norm of each row, measured once or before."""
        return self.measure().astype(np.float32).astype(np.float64)

    def rows(self, features: np.ndarray | list[int]) -> np.ndarray:
        """(n, d_model) float64: the rows of some features."""
        wanted = np.asarray(features, np.int64)
        rows = widen(self.read(wanted)).astype(np.float64)
        return rows if self.factor is None else rows * self.factor[wanted, None]

    def directions(self, features: np.ndarray | list[int]) -> np.ndarray:
        """(n, d_model) float64: the rows of some features at norm one; a zero row stays zero."""
        norms = self.norms[np.asarray(features, np.int64)][:, None]
        return self.rows(features) / np.where(norms > 0, norms, 1.0)


@dataclass(frozen=True)
class SAE:
    """A sparse autoencoder: what encodes, what decodes, and what it is."""

    encoder: Encoder
    decoder: Decoder
    b_dec: np.ndarray
    """(d_out,) float64, in the units of raw activations, or of what a front makes of them."""
    unit: bool
    """True if z multiplies decoder rows of norm one; else the rows as stored."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts of the format for headers: format, hook, dtype, threshold, scaling."""
    site: Site | None = None
    """Site that it reads, as the checkpoint says itself; where it is silent, as the study does."""
    writes: Site | None = None
    """Site that the reconstruction of a transcoder stands for; None: that which the SAE reads."""
    skip: np.ndarray | None = None
    """(d_out, d_model) as stored: a transcoder's W_skip, whose product with what it reads is added
    to the reconstruction; None: it has none."""

    @property
    def gain(self) -> np.ndarray:
        """(feature,) float64: norm of the decoder row that z multiplies."""
        return np.ones(self.decoder.d_sae) if self.unit else self.decoder.norms

    def decoder_rows(self, features: np.ndarray | list[int]) -> np.ndarray:
        """(n, d_model) float64: decoder directions of some features, of norm one."""
        return self.decoder.directions(features)


def blocks(n: int, size: int = BLOCK) -> list[tuple[int, int]]:
    """The ranges that cover 0..n in steps of `size`."""
    return [(start, min(start + size, n)) for start in range(0, n, size)]


def channel_means(x: np.ndarray) -> np.ndarray:
    """(token,) float64: means over channels of stored activations (token, d_model).

    A token's own numbers alone decide on the bits of its mean.
    """
    means = np.empty(len(x))
    with np.errstate(invalid="ignore"):  # infinities of both signs; whoever encodes refuses them
        for start, stop in blocks(len(x), 256):
            part = widen(x[start:stop]).astype(np.float64)
            means[start:stop] = np.add.reduce(part, axis=1) / x.shape[1]
    return means


def as_fed(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """(token, d_model): stored activations, normalised as float32 where the encoder has a front."""
    return x if encoder.front is None else encoder.front.apply(widen(x))


def as_read(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """(token, d_model) float64: activations as the SAE reads them, which is what it reconstructs.

    x: raw activations as numbers. A centred SAE knows them less their mean over channels, so that
    its x_hat is to be held against these; one with a front knows what that makes of them, rounded
    to float32; any other SAE knows them as they are.
    """
    x = np.asarray(x, np.float64)
    if encoder.front:
        return encoder.front.apply(x).astype(np.float64)
    return x - (np.add.reduce(x, axis=1) / x.shape[1])[:, None] if encoder.centred else x


def pre_activations(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """pre (token, feature) float64 of raw activations x (token, d_model): the reference."""
    pre = np.empty((len(x), encoder.d_sae))
    x = as_read(encoder, x)
    for start, stop in blocks(encoder.d_sae):
        pre[:, start:stop] = x @ widen(encoder.rows(start, stop)).astype(np.float64).T
    pre *= encoder.scale
    pre += encoder.bias
    return pre


def gate(encoder: Encoder, pre: np.ndarray) -> np.ndarray:
    """z (token, feature) of pre (token, feature), in its dtype."""
    if encoder.k is None:
        return np.where(pre > encoder.threshold, pre, 0)
    positive = np.maximum(pre, 0)
    last = np.partition(positive, -encoder.k, axis=1)[:, -encoder.k, None]
    ties, above = positive == last, positive > last
    room = encoder.k - above.sum(axis=1, keepdims=True)
    return np.where(above | (ties & (np.cumsum(ties, axis=1) <= room)), positive, 0)


def encode(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """z (token, feature) float64 of raw activations: the reference, for tests and small things."""
    return gate(encoder, pre_activations(encoder, x))


def decode(sae: SAE, z: np.ndarray) -> np.ndarray:
    """x_hat (token, d_out) float64 of z (token, feature); `as_written` finishes it."""
    x_hat = np.tile(sae.b_dec, (len(z), 1))
    for start, stop in blocks(sae.decoder.d_sae):
        features = np.arange(start, stop)
        part = np.asarray(z[:, start:stop], np.float64)
        if part.any():
            rows = sae.decoder_rows(features) if sae.unit else sae.decoder.rows(features)
            x_hat += part @ rows
    return x_hat


def as_written(sae: SAE, x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """(token, d_out) float64: a reconstruction in the units of the model, to be held against
    `as_compared`.

    x: raw activations (token, d_model) as numbers; x_hat (token, d_out): what `decode` gives of
    their codes. The skip of a transcoder is added. A front is undone, but for a transcoder, whose
    output is in the units of another place.
    """
    if sae.skip is not None:
        x_hat = x_hat + as_read(sae.encoder, x) @ widen(sae.skip).astype(np.float64).T
    front = sae.encoder.front if sae.writes is None else None
    return x_hat if front is None else front.undo(x, x_hat)


def as_compared(sae: SAE, x: np.ndarray, y: np.ndarray | None = None) -> np.ndarray:
    """(token, d_out) float64: activations that `as_written` stands for.

    x: raw activations of the site that the SAE reads; y: of the one that a transcoder writes, for
    which they are needed. Of a centred SAE they are less their mean over channels.
    """
    if sae.writes is not None:
        return np.asarray(y, np.float64)
    return np.asarray(x, np.float64) if sae.encoder.front else as_read(sae.encoder, x)


def fold_decoder_norms(sae: SAE) -> SAE:
    """The SAE in the gauge where z multiplies decoder rows of norm one; twice is the same as once.

    z grows by the norm of its decoder row and so does the threshold, so that the reconstruction
    stays. Only where k decides on z of another gauge do other features win.
    """
    if sae.unit:
        return sae
    n, encoder = sae.decoder.norms, sae.encoder
    threshold = None if encoder.threshold is None else encoder.threshold * n
    folded = replace(encoder, scale=encoder.scale * n, bias=encoder.bias * n, threshold=threshold)
    return replace(sae, encoder=folded, unit=True)
