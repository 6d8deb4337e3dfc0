"""The whitening of activations by their mean and covariance.

    C = U diag(l) U',  r = ridge * mean(l)
    ZCA:  x' = U diag((l + r)^-1/2) U' (x - mean)     as near to x as can be
    PCA:  x' =   diag((l + r)^-1/2) U' (x - mean)     along the principal axes, the largest first

Kessy, Lewin and Strimmer (2018) compare the two. Without ridge the covariance of x' is the
identity. An SAE of x' becomes one of x by `fold_affine`.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Self

import numpy as np

from saegrid.saes.sae import blocks
from saegrid.saes.training.stream import BLOCK, Stream

SAMPLE = 100_000
"""Largest number of training tokens that a whitening is computed from."""
BYTES = 1 << 30
"""Most bytes of these tokens."""


class Moments(NamedTuple):
    """Number, mean and scatter of some tokens, in float64."""

    n: int
    mean: np.ndarray
    """(channel,): mean of the tokens."""
    scatter: np.ndarray
    """(channel, channel): sum of the products of the differences from the mean."""

    @classmethod
    def of(cls, x: np.ndarray) -> Self:
        """The moments of a block x (token, channel)."""
        x = x.astype(np.float64)
        mean = x.mean(axis=0) if len(x) else np.zeros(x.shape[1])
        centred = x - mean
        return cls(len(x), mean, centred.T @ centred)

    def merge(self, other: Self) -> Self:
        """The moments of both sets of tokens together (Chan, Golub and LeVeque 1979)."""
        n = self.n + other.n
        if not n:
            return self
        apart = other.mean - self.mean
        scatter = self.scatter + other.scatter
        scatter += np.outer(apart, apart) * (self.n * other.n / n)
        return type(self)(n, self.mean + apart * (other.n / n), scatter)

    @property
    def covariance(self) -> np.ndarray:
        """The covariance (channel, channel): scatter / n."""
        return self.scatter / self.n


def moments_of(blocks: Iterable[np.ndarray], d_model: int) -> Moments:
    """The moments of all blocks (token, channel) together."""
    moments = Moments(0, np.zeros(d_model), np.zeros((d_model, d_model)))
    for block in blocks:
        moments = moments.merge(Moments.of(block))
    return moments


class Affine(NamedTuple):
    """An affine map x' = A (x - mean), in float64."""

    A: np.ndarray
    """(channel, channel): the matrix of the map."""
    mean: np.ndarray
    """(channel,): the mean that is taken off."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """The image x' (token, channel) float32 of x (token, channel)."""
        return (x - self.mean.astype(np.float32)) @ self.A.T.astype(np.float32)


def whitening(moments: Moments, kind: str = "zca", ridge: float = 1e-6) -> Affine:
    """The whitening, by `zca` or `pca`, of tokens with some moments; see above.

    Raises:
        ValueError: the kind is neither zca nor pca, the ridge is below zero, or the covariance has
            no inverse and there is no ridge.
    """
    if kind not in ("zca", "pca") or ridge < 0:
        raise ValueError(f"whiten: expected zca or pca and a ridge >= 0; got {kind}, {ridge}.")
    values, vectors = np.linalg.eigh(moments.covariance)
    values, vectors = values[::-1].clip(0) + ridge * values.mean(), vectors[:, ::-1]
    if not values[-1] > 0:
        raise ValueError(
            f"whiten: {moments.n:,} tokens of {len(values)} channels do not fill their space. Set "
            "ridge above 0 (1e-6), or take more tokens."
        )
    # The sign of an eigenvector is arbitrary: its largest number is made positive.
    largest = np.abs(vectors).argmax(axis=0)
    vectors = vectors * np.sign(vectors[largest, np.arange(len(values))])
    A = vectors.T / np.sqrt(values)[:, None]
    if kind == "zca":
        A = vectors @ A
    return Affine(A, moments.mean)


def whitening_of(stream: Stream, kind: str) -> tuple[Affine, float, float]:
    """The whitening of a stream's training tokens, and the mean norm and the variance of x'."""
    x = stream.sample(min(SAMPLE, BYTES // (4 * stream.d_model)), 0)
    parts = [x[start:stop] for start, stop in blocks(len(x), BLOCK)]
    moments = moments_of(parts, stream.d_model)
    affine = whitening(moments, kind)
    norms = np.concatenate([np.linalg.norm(affine(part), axis=1) for part in parts])
    variance = (affine.A @ moments.covariance * affine.A).sum()
    return affine, float(norms.mean(dtype=np.float64)), float(variance)


def fold_affine(
    tensors: Mapping[str, np.ndarray],
    affine: Affine,
    apply_b_dec_to_input: bool,
    unit: bool = False,
) -> dict[str, np.ndarray]:
    """The tensors of an SAE of x' = A (x - mean) as those of an SAE of x, with the same codes.

    With W_enc (d_model, feature) and W_dec (feature, d_model) as SAELens has them:

        W_enc <- A' W_enc    W_dec <- W_dec A'^-1    b_dec <- A^-1 b_dec + mean
        b_enc <- b_enc - mean A' W_enc, but as it is where b_dec is taken off the input

    Gates decide on the same pre-activations, so thresholds stay. Decoder norms change: an SAE
    whose gate depends on them (TopK rescaled by decoder norms) must have them folded before.

    Args:
        tensors: tensors of the SAE; others than these stay as they are. The result has their
            dtypes; it is computed in float64.
        affine: the whitening.
        apply_b_dec_to_input: True where the encoder takes b_dec off its input.
        unit: scale decoder rows to norm one; their norms move to W_enc, b_enc and threshold, and so
            to the codes. Not for TopK, where other features would then be the largest.
    """
    new = {name: value.astype(np.float64) for name, value in tensors.items()}
    new["W_enc"] = affine.A.T @ new["W_enc"]
    new["W_dec"] = np.linalg.solve(affine.A, new["W_dec"].T).T
    new["b_dec"] = np.linalg.solve(affine.A, new["b_dec"]) + affine.mean
    if not apply_b_dec_to_input:
        new["b_enc"] = new["b_enc"] - affine.mean @ new["W_enc"]
    if unit:
        norms = np.linalg.norm(new["W_dec"], axis=1)
        norms[norms == 0] = 1.0
        new["W_dec"] /= norms[:, None]
        for name in new.keys() & {"W_enc", "b_enc", "threshold"}:
            new[name] *= norms
    return {name: np.ascontiguousarray(v.astype(tensors[name].dtype)) for name, v in new.items()}
