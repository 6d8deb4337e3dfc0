"""The weights of a cell's SAE, read row by row."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from saegrid.base.tensors import widen
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import BLOCK
from saegrid.study.files import NotThere

Features = int | Sequence[int] | np.ndarray
"""Ids of features: one, or several in any order."""


class Weights:
    """The SAE of a cell as numpy arrays; of a matrix only the rows that are asked for are read.

        pre_i = scale_i * (encoder_i . x) + b_enc_i
        z_i   = pre_i where the gate is open, else 0
        x_hat = sum over i of z_i * decoder_i + b_dec

    x (d_model,) are raw activations of the site. The gate is open where pre_i > threshold_i,
    strictly, or of an SAE with `k` for the k largest of max(pre, 0) of a token. A centred SAE reads
    x less its mean over channels (`is_centred`).

    Raises:
        NotThere: the cell has no weights here, as one that is known by published pages.
        CheckpointError: its files are missing, changed or not understood.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        if not any((folder / name).is_file() for name in ("cfg.json", "reference.json")):
            raise NotThere(
                f"{folder} holds no SAE: neither cfg.json nor reference.json is there. Make it "
                "with snakemake's target saes of this study."
            )
        self.name = folder.name
        self._sae = open_sae(folder)  # a checkpoint of the hub stays while this object does

    def __repr__(self) -> str:
        gate = f"k {self.k}" if self.k else f"thresholds {self._span(self.threshold)}"
        return f"Weights({self.name}, d_model {self.d_model}, d_sae {self.d_sae}, {gate})"

    @staticmethod
    def _span(values: np.ndarray | None) -> str:
        low, high = (0.0, 0.0) if values is None else (values.min(), values.max())
        return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"

    @property
    def d_model(self) -> int:
        """The number of channels that the encoder reads."""
        return self._sae.encoder.d_model

    @property
    def d_sae(self) -> int:
        """The number of features."""
        return self._sae.encoder.d_sae

    @property
    def k(self) -> int | None:
        """The number of features that are open a token; None where thresholds decide."""
        return self._sae.encoder.k

    @property
    def threshold(self) -> np.ndarray | None:
        """(d_sae,) float64: what pre must exceed, in units of z; None where k decides."""
        return self._sae.encoder.threshold

    @property
    def scale(self) -> np.ndarray:
        """(d_sae,) float64: factor of each product; holds the scaling of the input and, where the
        format folds it in, the norm of the decoder row."""
        return self._sae.encoder.scale

    @property
    def b_enc(self) -> np.ndarray:
        """(d_sae,) float64: bias of pre; holds the centring by b_dec where the format has it."""
        return self._sae.encoder.bias

    @property
    def b_dec(self) -> np.ndarray:
        """(d_model,) float64, in units of raw activations; (d_out,) of a transcoder."""
        return self._sae.b_dec

    @cached_property
    def norms(self) -> np.ndarray:
        """(d_sae,) float64: norm of each decoder row as stored."""
        return self._sae.decoder.norms

    @property
    def is_unit(self) -> bool:
        """True if `decoder` has rows of norm one, whatever is stored: norms are folded into z."""
        return self._sae.unit

    @property
    def is_centred(self) -> bool:
        """True if each token's mean over channels is taken off before the encoder."""
        return self._sae.encoder.centred

    def encoder(self, features: Features) -> np.ndarray:
        """(feature, d_model) float32: the stored encoder rows of some features, exactly.

        Raises NotThere for an id that the SAE does not have.
        """
        ids = self._ids(features)
        out = np.empty((len(ids), self.d_model), np.float32)
        order = np.argsort(ids, kind="stable")
        for place, start, stop in _runs(ids[order]):
            rows = widen(self._sae.encoder.rows(start, stop))
            out[order[place : place + len(rows)]] = rows
        return out

    def decoder(self, features: Features) -> np.ndarray:
        """(feature, d_model) float32: the rows that z multiplies, computed in float64 and rounded
        once; (feature, d_out) of a transcoder.

        Raises NotThere for an id that the SAE does not have.
        """
        ids = self._ids(features)
        read = self._sae.decoder_rows if self.is_unit else self._sae.decoder.rows
        out = np.empty((len(ids), self._sae.decoder.d_model), np.float32)
        for start in range(0, len(ids), BLOCK):
            out[start : start + BLOCK] = read(ids[start : start + BLOCK])
        return out

    def directions(self, features: Features) -> np.ndarray:
        """(feature, d_model) float64: decoder rows of norm one; a zero row stays zero."""
        return self._sae.decoder_rows(self._ids(features))

    def _ids(self, features: Features) -> np.ndarray:
        ids = np.atleast_1d(np.asarray(features))
        if ids.dtype.kind not in "iu" and len(ids):
            raise TypeError(f"Features are named by their numbers, such as 12; got {features!r}.")
        ids = ids.astype(np.int64)
        outside = ids[(ids < 0) | (ids >= self.d_sae)]
        if len(outside):
            raise NotThere(f"{self.name} has the features 0 to {self.d_sae - 1}; got {outside[0]}.")
        return ids


def _runs(ids: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Place, first id and the id behind the last of each run of consecutive ids (ascending), of at
    most a block; an id that stands twice begins a run."""
    begin = np.flatnonzero(np.diff(ids, prepend=-2) != 1)
    for start, stop in zip(begin, np.append(begin[1:], len(ids)), strict=len(ids) > 0):
        for place in range(start, stop, BLOCK):
            last = min(place + BLOCK, stop)
            yield place, int(ids[place]), int(ids[last - 1]) + 1
