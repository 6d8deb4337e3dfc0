"""Sparse feature activations of one cell, kept by feature (CSC), and their file."""

import os
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from saegrid.base import io
from saegrid.base.tensors import open_tensors

ENTRIES = 1 << 22
"""Entries that are worked on at a time where features are taken in ranges."""


class Features(NamedTuple):
    """z (token, d_sae) of the captured tokens without its zeros; entries stand by feature."""

    data: np.ndarray
    """(entry,) float32 activations, all above zero."""
    indices: np.ndarray
    """(entry,) int32 token indices, ascending within a feature."""
    indptr: np.ndarray
    """(d_sae + 1,) int64: feature f owns the entries indptr[f] to indptr[f + 1]."""
    token: np.ndarray
    """(captured token,) int64 token indices, ascending: what was encoded, active or not."""

    @property
    def d_sae(self) -> int:
        """Number of features, active or not."""
        return len(self.indptr) - 1

    def of(self, feature: int) -> tuple[np.ndarray, np.ndarray]:
        """Token indices and activations of one feature."""
        part = slice(self.indptr[feature], self.indptr[feature + 1])
        return self.indices[part], self.data[part]

    def part(self, start: int, stop: int) -> "Features":
        """The features start to stop, numbered from 0."""
        first, last = self.indptr[start], self.indptr[stop]
        indptr = self.indptr[start : stop + 1] - first
        return Features(self.data[first:last], self.indices[first:last], indptr, self.token)

    def select(self, features: np.ndarray) -> "Features":
        """Some features, numbered from 0 in the order of their ids. features: (chosen,) ids."""
        counts = np.diff(self.indptr)[features]
        indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        place = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - self.indptr[features], counts)
        return Features(self.data[place], self.indices[place], indptr, self.token)

    def owners(self) -> np.ndarray:
        """(entry,) int32: the feature of every entry."""
        return np.repeat(np.arange(self.d_sae, dtype=np.int32), np.diff(self.indptr))


def from_pairs(
    feature: np.ndarray, token: np.ndarray, value: np.ndarray, captured: np.ndarray, d_sae: int
) -> Features:
    """Features from (entry,) triplets in any order; `captured` as in `Features.token`."""
    place = feature.astype(np.int64) * (int(captured[-1]) + 1 if len(captured) else 1) + token
    order = np.argsort(place, kind="stable")
    counts = np.bincount(feature, minlength=d_sae)
    return Features(
        np.ascontiguousarray(value[order], dtype=np.float32),
        token[order].astype(np.int32),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.ascontiguousarray(captured, dtype=np.int64),
    )


def select(features: Features, keep: np.ndarray) -> Features:
    """The entries with keep (entry,) bool; the captured tokens stay."""
    kept = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    return features._replace(
        data=features.data[keep], indices=features.indices[keep], indptr=kept[features.indptr]
    )


def feature_ranges(indptr: np.ndarray, entries: int | None = None) -> list[tuple[int, int]]:
    """Ranges that cover all features, of at most so many entries (`ENTRIES`) or of one feature.

    Reading a range at a time, what a stage holds does not grow with the corpus.
    """
    entries = ENTRIES if entries is None else entries
    n, stops = len(indptr) - 1, [0]
    while stops[-1] < n:
        fits = int(np.searchsorted(indptr, indptr[stops[-1]] + entries, side="right")) - 1
        stops.append(min(max(fits, stops[-1] + 1), n))
    return list(pairwise(stops))


def find(features: Features, feature: np.ndarray, token: np.ndarray) -> np.ndarray:
    """(pair,) int64: the first entry of each feature at its token index or a later one."""
    place = np.empty(len(feature), np.int64)
    order, ranges = np.argsort(feature, kind="stable"), feature_ranges(features.indptr)
    ends = np.searchsorted(feature[order], [stop for _, stop in ranges])
    for (start, stop), pairs in zip(ranges, np.split(order, ends[:-1]), strict=True):
        if len(pairs):
            part = features.part(start, stop)
            width = np.int64(max(part.indices.max(initial=0), token[pairs].max()) + 1)
            keys = part.owners() * width + part.indices
            wanted = (feature[pairs] - np.int64(start)) * width + token[pairs]
            place[pairs] = features.indptr[start] + np.searchsorted(keys, wanted)
    return place


def features_header(d_sae: int, n_tokens: int) -> dict[str, str]:
    """The shape (token, d_sae), as it stands in the header of features.safetensors."""
    return {"d_sae": str(d_sae), "n_tokens": str(n_tokens)}


def write_features(path: str | os.PathLike[str], features: Features, spec: str = "") -> None:
    """Write features.safetensors; the shape (token, d_sae) stands in the header."""
    header = features_header(features.d_sae, len(features.token))
    io.write_tensors(path, features._asdict(), spec, header)


def read_features(path: str | os.PathLike[str]) -> Features:
    """The features in a features.safetensors file, mapped into memory: read as they are used.

    Raises ValueError where the header and the tensors disagree.
    """
    arrays = open_tensors(path).arrays
    features = Features(*(arrays[name] for name in Features._fields))
    header = io.read_header(path)
    actual = features_header(features.d_sae, len(features.token))
    wrong = [name for name, value in actual.items() if header.get(name) != value]
    if wrong or features.indptr[-1] != len(features.data):
        raise ValueError(
            f"{path}: the header says {header.get('n_tokens')} tokens x {header.get('d_sae')} "
            f"features, the tensors hold {actual['n_tokens']} x {actual['d_sae']}; "
            "delete the file and let the cell be encoded again."
        )
    return features
