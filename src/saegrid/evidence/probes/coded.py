"""Codes of the vectors of texts by the SAE of a cell, and what it makes of them.

A vector is encoded as it is: of the mean over tokens that is f(mean x), and not mean f(x).
"""

from collections.abc import Mapping

import numpy as np
from scipy import sparse

from saegrid.codes.encode import encode
from saegrid.saes.sae import SAE, as_written, blocks


def coded(
    sae: SAE, tensors: Mapping[str, np.ndarray], memory_mb: int, device: str | None = None
) -> dict[str, np.ndarray]:
    """Codes and reconstructions of vectors.

    tensors: `x/{convention}` (text, channel) float32. Of each convention, codes/{convention}/data,
    indices and indptr of (text, feature) float32 by text, and x_hat/{convention} (text, channel)
    float32 in the units of x; not of a transcoder, which reconstructs another site. d_sae (1,).
    """
    out: dict[str, np.ndarray] = {"d_sae": np.array([sae.encoder.d_sae], np.int64)}
    for key, x in tensors.items():
        name = key.removeprefix("x/")
        codes = codes_of(sae, np.ascontiguousarray(x), memory_mb, device)
        out[f"codes/{name}/data"] = codes.data
        out[f"codes/{name}/indices"] = codes.indices.astype(np.int32)
        out[f"codes/{name}/indptr"] = codes.indptr.astype(np.int64)
        if sae.writes is None:
            out[f"x_hat/{name}"] = reconstructed(sae, x, codes).astype(np.float32)
    return out


def codes_of(
    sae: SAE, x: np.ndarray, memory_mb: int, device: str | None = None
) -> sparse.csr_matrix:
    """(text, feature) float32 codes of x (text, channel) float32."""
    n = len(x)
    features = encode(x, np.arange(n), sae.encoder, memory_mb=memory_mb, device=device)
    by_feature = (features.data, features.indices, features.indptr)
    codes = sparse.csc_matrix(by_feature, shape=(n, sae.encoder.d_sae)).tocsr()
    codes.sort_indices()
    return codes


def reconstructed(sae: SAE, x: np.ndarray, codes: sparse.csr_matrix) -> np.ndarray:
    """x_hat (text, channel) float64 of codes, in the units of x: the mean over channels that a
    centred SAE does not see is x's own."""
    x = x.astype(np.float64)
    x_hat = np.tile(sae.b_dec, (len(x), 1))
    columns = codes.tocsc()
    for start, stop in blocks(columns.shape[1]):
        part = columns[:, start:stop]
        active = np.flatnonzero(np.diff(part.indptr))
        if len(active):
            rows = (sae.decoder_rows if sae.unit else sae.decoder.rows)(active + start)
            x_hat += part[:, active].astype(np.float64) @ rows
    out = as_written(sae, x, x_hat)
    return out + x.mean(axis=1, keepdims=True) if sae.encoder.centred else out
