"""An index of an encoder: a small copy that proposes features, whose exact values are then read.

    C       = mean of x x' over tokens of the corpus, and a thousandth of its mean diagonal on top
    V       = the r eigenvectors of C^1/2 (sum of W_i' W_i) C^1/2 with the largest values, r = d/4
    W_i . x = W_i C^1/2 V V' C^-1/2 x + what is left out, which no other r directions make smaller
              in the mean square over these tokens and all features
    w_i     = W_i C^1/2 V, rounded to 8 bits by the largest number of each row
    guess_i = scale_i (w_i . V' C^-1/2 x) + bias_i

The k features with the largest guess (guess less threshold where one decides) are the candidates of
a token. Their rows alone are read, and their z is that of the codes, to the last bit. What is not
proposed is missed: the recall is measured when an index is made, and told when it is used.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from saegrid.base import io
from saegrid.base.digest import file_digests
from saegrid.base.tensors import widen
from saegrid.codes.encode import encode
from saegrid.codes.exact import dots
from saegrid.codes.sparse import Features, from_pairs
from saegrid.interventions.search import SearchError
from saegrid.interventions.search.files import Place
from saegrid.saes.sae import Encoder, as_fed, blocks, channel_means

CANDIDATES = 200
"""Features that are computed for a token."""
SHARE = 4
"""Channels of a site for one direction of its index."""
RIDGE = 1e-3
FIRST = 5
"""Largest activations of a token of which the recall is told by itself."""


class Index(NamedTuple):
    """An index of one encoder."""

    basis: np.ndarray
    """(d_model, direction) float32: V' C^-1/2, transposed."""
    rows: np.ndarray
    """(feature, direction) int8."""
    step: np.ndarray
    """(feature,) float32: the number that one step of a row stands for."""
    recall: tuple[float, float]
    """Shares of a token's five largest activations, and of all, that are among the candidates."""


def make(encoder: Encoder, x: np.ndarray, rank: int | None = None) -> Index:
    """The index of an encoder, without its recall, which is to be measured on other tokens. Its
    rows are read twice. x: (token, d_model) activations of some tokens of the corpus."""
    rank = rank or max(1, encoder.d_model // SHARE)
    squares = np.zeros((encoder.d_model, encoder.d_model))
    for start, stop in blocks(encoder.d_sae):
        rows = widen(encoder.rows(start, stop)).astype(np.float64)
        squares += rows.T @ rows
    fed = _fed(encoder, x).astype(np.float64)
    spread = fed.T @ fed / len(fed)
    spread += RIDGE * np.trace(spread) / len(spread) * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    root, inverse = ((vectors * values**power) @ vectors.T for power in (0.5, -0.5))
    chosen = np.linalg.eigh(root @ squares @ root)[1][:, ::-1][:, :rank]
    to_rows = (root @ chosen).astype(np.float32)
    small = np.empty((encoder.d_sae, rank), np.int8)
    step = np.empty(encoder.d_sae, np.float32)
    for start, stop in blocks(encoder.d_sae):
        part = widen(encoder.rows(start, stop)) @ to_rows
        largest = np.abs(part).max(axis=1)
        step[start:stop] = np.where(largest > 0, largest, 1) / 127
        small[start:stop] = np.rint(part / step[start:stop, None])
    return Index((inverse @ chosen).astype(np.float32), small, step, (np.nan, np.nan))


def _fed(encoder: Encoder, x: np.ndarray) -> np.ndarray:
    """(token, d_model) float32: activations as the rows of an encoder are multiplied with them."""
    numbers = widen(as_fed(encoder, x))
    return numbers - channel_means(x).astype(np.float32)[:, None] if encoder.centred else numbers


def candidates(index: Index, encoder: Encoder, x: np.ndarray, k: int = CANDIDATES) -> np.ndarray:
    """(token, k) int64: the features with the largest guesses, each token's ascending."""
    short = _fed(encoder, x) @ index.basis
    value, feature = np.empty((len(x), 0)), np.empty((len(x), 0), np.int64)
    add = encoder.bias - (0.0 if encoder.threshold is None else encoder.threshold)
    for start, stop in blocks(encoder.d_sae, 8192):
        guess = (short @ index.rows[start:stop].astype(np.float32).T) * index.step[start:stop]
        guess = guess * encoder.scale[start:stop] + add[start:stop]
        value = np.concatenate([value, guess], axis=1)
        ids = np.broadcast_to(np.arange(start, stop), guess.shape)
        feature = np.concatenate([feature, ids], axis=1)
        # Ties to the smaller feature id, so that blocks decide nothing.
        order = np.argsort(-value, axis=1, kind="stable")[:, :k]
        value, feature = (np.take_along_axis(a, order, axis=1) for a in (value, feature))
    return np.sort(feature, axis=1)


def through(
    index: Index, encoder: Encoder, x: np.ndarray, token: np.ndarray, k: int = CANDIDATES
) -> Features:
    """z of the candidates of each token that pass the gate; of a gate of k, of the k largest."""
    proposed = candidates(index, encoder, x, k)
    ids, place = np.unique(proposed, return_inverse=True)
    rows = _rows(encoder, ids)
    at = np.repeat(np.arange(len(x)), proposed.shape[1])
    fed = as_fed(encoder, x)
    means = channel_means(x) if encoder.centred else None
    exact = dots(rows, widen(fed), place.ravel(), at, fed.dtype == np.uint16, means)
    feature = proposed.ravel()
    z = (encoder.scale[feature] * exact + encoder.bias[feature]).astype(np.float32)
    if encoder.threshold is None:
        order = np.lexsort((feature, -z, at))
        rank = np.arange(len(order)) - at[order] * proposed.shape[1]
        kept = np.sort(order[(rank < encoder.k) & (z[order] > 0)])
    else:
        kept = np.flatnonzero(z > encoder.threshold[feature])
    return from_pairs(feature[kept], token[at[kept]], z[kept], token, encoder.d_sae)


def _rows(encoder: Encoder, ids: np.ndarray) -> np.ndarray:
    """The stored rows of some features, ascending; neighbours in one reading."""
    cuts = np.flatnonzero(np.diff(ids) != 1) + 1
    parts = [encoder.rows(int(run[0]), int(run[-1]) + 1) for run in np.split(ids, cuts)]
    return np.concatenate(parts)


def measured(index: Index, encoder: Encoder, x: np.ndarray, k: int = CANDIDATES) -> Index:
    """The index with its recall on activations x (token, d_model)."""
    exact = encode(x, np.arange(len(x)), encoder)
    owner, token = exact.owners().astype(np.int64), exact.indices
    proposed = candidates(index, encoder, x, k)
    width = np.int64(encoder.d_sae)
    keys = (np.arange(len(x))[:, None] * width + proposed).ravel()
    hit = np.isin(token * width + owner, keys)
    order = np.lexsort((owner, -exact.data, token))
    starts = np.searchsorted(token[order], np.arange(len(x)))
    first = order[np.arange(len(order)) - starts[token[order]] < FIRST]
    recall = tuple(float(part.mean()) if len(part) else np.nan for part in (hit[first], hit))
    return index._replace(recall=recall)


def digest_of(place: Place) -> str:
    """Digest of an SAE as it lies in the study: of all bytes of one trained here, of one elsewhere
    of its reference, which holds the digest of its files."""
    names = ("reference.json", "cfg.json", "sae_weights.safetensors")
    paths = [place.sae / name for name in names if (place.sae / name).is_file()]
    return "-".join(file_digests(paths))


def path_of(place: Place) -> Path:
    """The file of a cell's index, in the folder of the study."""
    return place.sae.parents[1] / "search" / f"{place.cell}.safetensors"


def write(index: Index, place: Place) -> None:
    """Write an index with the digest of its SAE and its recall."""
    header = {"sae": digest_of(place), "recall": " ".join(map(repr, index.recall))}
    tensors = {name: getattr(index, name) for name in ("basis", "rows", "step")}
    io.write_tensors(path_of(place), tensors, header=header)


def recall_of(place: Place) -> tuple[float, float]:
    """The recall of a cell's index, from its header; SearchError where there is no index, or its
    SAE is another by now."""
    path = path_of(place)
    if not path.is_file():
        raise SearchError(f"{path} is not there: make the index with saegrid search --index.")
    header = io.read_header(path)
    if header.get("sae") != digest_of(place):
        raise SearchError(
            f"{path} is an index of another SAE than {place.sae} now holds. Make it again: "
            "saegrid search --index."
        )
    first, every = map(float, header["recall"].split())
    return first, every


def read(place: Place) -> Index:
    """The index of a cell; SearchError as of `recall_of`."""
    recall = recall_of(place)
    tensors = io.read_tensors(path_of(place))
    return Index(tensors["basis"], tensors["rows"], tensors["step"], recall)
