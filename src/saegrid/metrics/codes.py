"""The encoding and decoding of activations, a block of tokens at a time, without a dense array of
tokens x d_sae."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.sparse import csc_array

from saegrid.base.tensors import widen
from saegrid.codes.encode import encode
from saegrid.codes.sparse import Features, from_pairs
from saegrid.saes.sae import (
    SAE,
    Encoder,
    as_written,
    blocks,
    channel_means,
    gate,
    pre_activations,
)

SMALL, ENTRIES = 1 << 21, 1 << 23
"""Numbers of an encoder up to which pre-activations are computed dense, and how many of these are
computed at a time."""
BLOCK = 8192
"""Number of tokens that are encoded at a time."""
DENSE = 1 / 16
"""Share of active entries of a block from which on a dense product is faster."""


class Coder(NamedTuple):
    """An SAE with the settings of its products."""

    sae: SAE
    threads: int = 1
    memory_mb: int = 6000
    device: str | None = None
    name: str = "activations"
    """Name of the activations in messages."""

    def codes(self, x: np.ndarray) -> Features:
        """The codes of stored activations (token, d_model), tokens numbered from 0."""
        encoder = self.sae.encoder
        if encoder.d_sae * encoder.d_model <= SMALL and np.isfinite(widen(x)).all():
            return dense_codes(encoder, x)
        return encode(
            x,
            np.arange(len(x)),
            encoder,
            threads=self.threads,
            memory_mb=self.memory_mb,
            device=self.device,
            name=self.name,
        )

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """The reconstruction x_hat (token, d_out) float64 of stored activations (token, d_model),
        for the model.

        What a centred SAE takes off is added again: x_hat stands in the place of raw activations,
        or of those of the site that a transcoder writes.
        """
        x_hat = np.empty((len(x), len(self.sae.b_dec)))
        restored = self.sae.encoder.centred and self.sae.writes is None
        for start, stop in blocks(len(x), BLOCK):
            part = x[start:stop]
            decoded = decode(self.sae, self.codes(part))
            x_hat[start:stop] = as_written(self.sae, widened(part), decoded)
            if restored:
                x_hat[start:stop] += channel_means(part)[:, None]
        return x_hat


def dense_codes(encoder: Encoder, x: np.ndarray) -> Features:
    """The codes of stored activations (token, d_model), by dense products in float64.

    Pre-activations are rounded to float32 before the gate. For a small encoder this is several
    times as fast as `encode`.
    """
    parts = []
    for start, stop in blocks(len(x), max(1, ENTRIES // encoder.d_sae)):
        z = gate(encoder, pre_activations(encoder, widen(x[start:stop])).astype(np.float32))
        token, feature = np.nonzero(z)
        parts.append((feature, start + token, z[token, feature]))
    columns = (np.concatenate(column) for column in zip(*parts, strict=True))
    return from_pairs(*columns, np.arange(len(x)), encoder.d_sae)


def decode(sae: SAE, z: Features) -> np.ndarray:
    """The reconstruction x_hat (token, d_out) float64 of codes, tokens numbered from 0;
    `as_written` finishes it.

    Decoder rows are read a block at a time, and only those of active features.
    """
    x_hat = np.tile(sae.b_dec, (len(z.token), 1))
    for part, active in active_parts(z):
        rows = sae.decoder_rows(active) if sae.unit else sae.decoder.rows(active)
        dense = part.nnz > DENSE * part.shape[0] * part.shape[1]
        x_hat += part.toarray() @ rows if dense else part.tocsr() @ rows
    return x_hat


def active_parts(z: Features) -> Iterator[tuple[csc_array, np.ndarray]]:
    """The active features, a block at a time: their z (token, n) float64 and their ids (n,)."""
    counts = np.diff(z.indptr)
    for start, stop in blocks(z.d_sae):
        active = start + np.flatnonzero(counts[start:stop])
        if len(active):
            part = z.part(start, stop)
            indptr = np.append(part.indptr[active - start], part.indptr[-1])
            shape = (len(z.token), len(active))
            yield csc_array((part.data.astype(np.float64), part.indices, indptr), shape), active


def widened(x: np.ndarray) -> np.ndarray:
    """Stored activations as float64."""
    return widen(x).astype(np.float64)
