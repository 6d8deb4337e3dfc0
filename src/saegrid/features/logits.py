"""Logit effects: the tokens that a feature's direction raises and lowers most.

A direction is a feature's row of W_dec. In place of the whole model after it stands only the linear
path: direction, gain of the final norm, unembedding.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from saegrid.models import family_of, read_config, unembedding_names
from saegrid.models.tensors import tensor_files, tensor_rows

SIDES = ("top", "bottom")
ADDED = "AM"
"""Positions that are added to the residual stream."""
STREAM = ADDED + "BHR"
"""Positions with a linear path to the logits."""
SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("side", pa.dictionary(pa.int8(), pa.string())),
        ("rank", pa.int32()),
        ("token", pa.string()),
        ("token_id", pa.int32()),
        ("effect", pa.float32()),
    ]
)
"""Columns of logit_effects.parquet."""
_GATHER = 4096  # candidates that are computed exactly in one go
_UNIT = 2.0**-24  # largest relative error of one float32 rounding


class Matrix(Protocol):
    """A matrix that is read by rows: an array, or a `rows.Rows`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(row, column)."""

    def __getitem__(self, rows: slice, /) -> np.ndarray:
        """The rows (row, column)."""


def logit_effects(
    directions: np.ndarray,
    unembedding: Matrix,
    norm_weight: np.ndarray | None,
    features: Sequence[int] | np.ndarray,
    token_strings: Sequence[str],
    n: int = 10,
    centre: bool = False,
    block: tuple[int, int] = (1024, 4096),
) -> pa.Table:
    """The `n` tokens that each direction raises most (top) and lowers most (bottom), see `SCHEMA`.

    effect[feature, token] = sum over d_model of direction * norm_weight * W_U[token]

    The gain of the final norm is folded in; its own scaling (which depends on the input), its bias
    and the mean over the vocabulary are left out: none of the three changes the order of the tokens
    along one direction. A final norm that takes off the mean of the residual stream takes it off
    the direction too: `centre`.

    directions: (feature, d_model) float32, one a feature of `features`. unembedding: (vocab,
    d_model), read in blocks of rows. norm_weight: (d_model,), or None for a norm without a gain.
    token_strings: by token id; a token beyond them is shown as its id. rank counts from 0, ties go
    by token id. block: features and tokens in one product.

    The same bytes for any `block`: float32 products only screen; every token within the bound on
    their error is computed again in float64, and rounded to float32 once. Raises ValueError for
    shapes that do not fit and for values that are not finite.
    """
    ids = np.asarray(features, dtype=np.int64)
    folded = _folded(directions, unembedding, norm_weight, ids, centre)
    n = min(n, unembedding.shape[0])
    parts = []
    for start in range(0, len(ids) if n else 0, block[0]):
        part = folded[start : start + block[0]]
        candidates = _candidates(part, unembedding, n, block[1])
        for sign, (owner, token, *_) in zip((1, -1), candidates, strict=True):
            effect = _exact(part, unembedding, owner, token)
            order = np.lexsort((token, -sign * effect, owner))
            rank = np.arange(len(order)) - np.searchsorted(owner[order], owner[order])
            order, rank = order[rank < n], rank[rank < n]
            side = np.full(len(order), sign < 0)
            parts.append((owner[order] + start, side, rank, token[order], effect[order]))
    nothing = (*(np.zeros(0, np.int64) for _ in range(4)), np.zeros(0, np.float32))
    columns = [np.concatenate(c) for c in zip(*(parts or [nothing]), strict=True)]
    order = np.lexsort((columns[2], columns[1], columns[0]))
    owner, side, rank, token, effect = (column[order] for column in columns)
    beyond = range(len(token_strings), unembedding.shape[0])
    texts = pa.array([*token_strings, *(f"#{i}" for i in beyond)], pa.string())
    sides = pa.DictionaryArray.from_arrays(pa.array(side, pa.int8()), pa.array(SIDES))
    return pa.Table.from_arrays(
        [
            pa.array(ids[owner], pa.int32()),
            sides,
            pa.array(rank, pa.int32()),
            texts.take(pa.array(token)),
            pa.array(token, pa.int32()),
            pa.array(effect, pa.float32()),
        ],
        schema=SCHEMA,
    )


def model_logit_effects(
    directions: np.ndarray,
    features: Sequence[int] | np.ndarray,
    folder: str | os.PathLike[str],
    token_strings: Sequence[str],
    n: int = 10,
    family: str = "auto",
    drawn: Mapping[str, np.ndarray] | None = None,
    position: str = "R",
) -> pa.Table:
    """`logit_effects` of directions at a position of the model in `folder`.

    Factors of the logits, and of what is added to the stream, count; a bound of the logits does
    not, as it leaves their order, nor does their bias.

    drawn: tensors by name that take the place of the checkpoint's: those of an untrained model.
    position: where the directions are written.

    Empty where there is no linear path to the logits: for a model without a linear unembedding
    (BERT), and at positions that are not of the residual stream or added to it (N, Z, I). Raises
    ValueError as `logit_effects` does, and for a checkpoint that lacks a tensor.
    """
    config, files = read_config(folder), tensor_files(folder) if drawn is None else {}
    available = files if drawn is None else drawn
    names, kind = unembedding_names(config, available, family), family_of(config, family)
    if names is None or position not in STREAM or not n:
        return SCHEMA.empty_table()

    def rows(name: str) -> Matrix:
        return tensor_rows(files, name) if drawn is None else drawn[name]

    factor = names.scale * (kind.factor(config) if position in ADDED else 1.0)
    gain = np.full(np.shape(directions)[1:], factor)
    if names.norm_weight is not None:
        gain = factor * (np.asarray(rows(names.norm_weight)[:], np.float64) + names.plus)
    centre, matrix = names.kind == "layer", rows(names.unembed)
    if names.project is not None:
        outwards = np.asarray(rows(names.project)[:], np.float64)
        directions = _scaled(np.asarray(directions, np.float64), gain, centre) @ outwards.T
        gain, centre = np.ones(len(outwards)), False
    return logit_effects(directions, matrix, gain, features, token_strings, n, centre)


class _Found(NamedTuple):
    """Tokens that may be among the largest of a feature, as screened; few are more than asked."""

    owner: np.ndarray  # (candidate,) place of the feature
    token: np.ndarray  # (candidate,) token id
    score: np.ndarray  # (candidate,) float32
    last: np.ndarray  # (feature,) score of the last one asked for; -inf until there are enough

    @classmethod
    def nothing(cls, count: int) -> "_Found":
        """No candidates of `count` features."""
        none = np.zeros(0, np.int64)
        return cls(none, none, np.zeros(0, np.float32), np.full(count, -np.inf, np.float32))

    def merge(self, score: np.ndarray, start: int, n: int, slack: np.ndarray) -> "_Found":
        """With scores (feature, token) of the tokens from `start`; slack: (feature,)."""
        last = self.last
        if not len(self.owner) and score.shape[1] >= n:  # spares sorting a whole block
            last = np.partition(score, -n, axis=1)[:, -n]
        owner, token = np.nonzero(score >= (last - slack)[:, None])
        score = np.concatenate([self.score, score[owner, token]])
        owner = np.concatenate([self.owner, owner])
        token = np.concatenate([self.token, token + start])
        order = np.lexsort((token, -score, owner))
        owner, token, score = owner[order], token[order], score[order]
        place = np.arange(len(owner)) - np.searchsorted(owner, owner)
        last = last.copy()
        last[owner[place == n - 1]] = score[place == n - 1]
        kept = score >= (last - slack)[owner]
        return _Found(owner[kept], token[kept], score[kept], last)


def _folded(
    directions: np.ndarray,
    unembedding: Matrix,
    norm_weight: np.ndarray | None,
    ids: np.ndarray,
    centre: bool,
) -> np.ndarray:
    """Directions (feature, d_model) float64 with the norm folded in; shapes and values checked."""
    directions = np.asarray(directions)
    if directions.ndim != 2 or len(directions) != len(ids):
        raise ValueError(
            f"directions must be (feature, d_model) for {len(ids)} features; "
            f"got {directions.shape}."
        )
    d_model = directions.shape[1]
    if len(unembedding.shape) != 2 or unembedding.shape[1] != d_model:
        raise ValueError(
            f"unembedding must be (vocab, {d_model}), as wide as the directions; "
            f"got {tuple(unembedding.shape)}."
        )
    gain = np.ones(d_model) if norm_weight is None else np.asarray(norm_weight, np.float64)
    if gain.shape != (d_model,):
        raise ValueError(f"norm_weight must be ({d_model},); got {gain.shape}.")
    folded = _scaled(directions.astype(np.float64), gain, centre)
    if len(bad := ids[~np.isfinite(folded).all(axis=1)]):
        raise ValueError(f"The direction of feature {bad[0]} times the gain is not finite.")
    return folded


def _scaled(directions: np.ndarray, gain: np.ndarray, centre: bool) -> np.ndarray:
    """Directions (feature, d_model) as a final norm scales them, less their mean for `centre`."""
    if centre:
        directions = directions - directions.mean(axis=1, keepdims=True)
    return directions * gain


def _candidates(
    folded: np.ndarray, unembedding: Matrix, n: int, block: int
) -> tuple[_Found, _Found]:
    """All that may be among the `n` largest, and among the `n` smallest, of a feature."""
    screen = folded.astype(np.float32)
    vocab, d_model = unembedding.shape
    # Products, sums, and the rounding of the folded direction and of the exact result.
    bound = (d_model + 4) * _UNIT * np.linalg.norm(folded, axis=1)
    candidates = [_Found.nothing(len(folded)), _Found.nothing(len(folded))]
    widest = 0.0
    for start in range(0, vocab, block):
        rows = np.asarray(unembedding[start : start + block], np.float32)
        # A norm in float32 is off by less than a thousandth.
        widest = max(widest, 1.001 * float(np.sqrt(np.einsum("td,td->t", rows, rows).max())))
        if not np.isfinite(widest):
            stop = start + len(rows)
            raise ValueError(f"The unembedding of tokens {start} to {stop} must be finite.")
        score = screen @ rows.T
        for side, signed in enumerate((score, -score)):
            candidates[side] = candidates[side].merge(signed, start, n, 2 * bound * widest)
    return candidates[0], candidates[1]


def _exact(
    folded: np.ndarray, unembedding: Matrix, owner: np.ndarray, token: np.ndarray
) -> np.ndarray:
    """Effects (candidate,): float64 sums in a fixed order, rounded to float32."""
    effect = np.empty(len(owner), np.float32)
    order = np.argsort(token, kind="stable")
    for start in range(0, len(order), _GATHER):
        part = order[start : start + _GATHER]
        rows = np.asarray(unembedding[token[part]], np.float64)
        effect[part] = (folded[owner[part]] * rows).sum(axis=1)
    return effect
