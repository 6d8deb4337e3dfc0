"""The results of one cell."""

from __future__ import annotations

import operator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.codes.sparse import read_features
from saegrid.features.density import counted
from saegrid.meaning.names.kept import read_kept
from saegrid.study.feature import FeatureView
from saegrid.study.files import NotThere, from_one, not_made, read
from saegrid.study.weights import Weights

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for
    from scipy import sparse

    from saegrid.study.study import Study


class CellView:
    """The results of one cell, a site and an SAE."""

    def __init__(self, study: Study, name: str) -> None:
        self.study, self.name = study, name
        self.folder = study.corpus_folder / "cells" / name

    def __repr__(self) -> str:
        return f"CellView({self.study.name} {self.name}, {len(self.features)} active features)"

    @cached_property
    def features(self) -> pd.DataFrame:
        """The active features, one row each, by rank; the index is the feature. The densest has
        rank 1, as on the page."""
        return from_one(self._table("features"), "rank").set_index("feature")

    @property
    def concepts(self) -> pd.DataFrame:
        """The judgement of features: a row for each that fires on words enough."""
        return self._table("concepts").set_index("feature")

    @property
    def names(self) -> pd.DataFrame:
        """The names of features with the scores of how well they tell where these fire."""
        return self._table("names").set_index("feature")

    @property
    def labels(self) -> dict[int, str]:
        """The labels that people gave, by feature: those of `saegrid labels import`, then those of
        the files in `analyses.names.labels`."""
        path = self.folder / "labels.parquet"
        rows = io.read_table(path).to_pylist() if path.is_file() else []
        named = {row["feature"]: row["label"] for row in reversed(rows)}
        return {**named, **read_kept(self.study.corpus_folder, self.name)[0]}

    @cached_property
    def d_sae(self) -> int:
        """The number of features, active or not."""
        return int(io.read_header(self._sparse)["d_sae"])

    @cached_property
    def sae(self) -> Weights:
        """The weights of its SAE; NotThere where it has none here."""
        return Weights(self.study.folder / "saes" / self.name)

    @cached_property
    def captured(self) -> np.ndarray:
        """(captured token,) int64: token indices of the rows of `z`, ascending."""
        return io.read_tensors(self._sparse, ["token"])["token"]

    @property
    def tokens(self) -> pd.DataFrame:
        """The captured tokens, one row each in the order of the rows of `z`, by token index: the
        columns of `Study.token_table`, and `counted`, True where densities count the token."""
        table = self.study._tokens.take(pa.array(self.captured)).to_pandas()
        table.index = self.captured
        table = table.rename_axis("token_index")
        return table.assign(counted=self._masked[self.captured])

    def z(self, form: Literal["csr", "csc"] = "csr") -> sparse.csr_matrix | sparse.csc_matrix:
        """The codes of the cell, scipy sparse (captured token, d_sae) float32, bits as stored.

        Row i is the token of `tokens.iloc[i]` and of token index `captured[i]`: what was captured,
        which may be less than the corpus. An entry that is not stored is 0. It is never dense:
        `z()[rows]` and `z()[:, features]` stay sparse too.

        form: `csr` takes as much memory as it has entries, 8 bytes each; `csc` has its values
        mapped from the file, read-only, and columns are fast to take.
        """
        from scipy import sparse

        features = read_features(self._sparse)
        shape = (len(features.token), features.d_sae)
        rows = np.searchsorted(features.token, features.indices).astype(np.int32)
        wide = np.int32 if len(rows) < np.iinfo(np.int32).max else np.int64
        indptr = features.indptr.astype(wide)
        columns = sparse.csc_matrix((features.data, rows, indptr), shape=shape, copy=False)
        columns.data = features.data  # mapped; scipy copies a part of a larger array
        if form == "csc":
            return columns
        if form != "csr":
            raise ValueError(f"form must be csr or csc; got {form!r}.")
        return columns.tocsr()

    def feature(self, feature: int) -> FeatureView:
        """The view of one feature; NotThere if the SAE has no such feature, or it is not active.
        TypeError for anything but a whole number."""
        try:
            if isinstance(feature, bool):
                raise TypeError
            feature = operator.index(feature)
        except TypeError:
            raise TypeError(
                f"A feature is named by its number, such as feature(12); got {feature!r}."
            ) from None
        known = self.features.index.to_numpy()
        if not 0 <= feature < self.d_sae:
            raise NotThere(f"{self.name} has the features 0 to {self.d_sae - 1}; got {feature}.")
        if feature not in known:
            near = np.sort(known[np.argsort(np.abs(known - feature), kind="stable")[:2]])
            raise NotThere(
                f"Feature {feature} of {self.name} is not active on any counted token of "
                f"{self.study.corpus_name} ({len(known):,} of {self.d_sae:,} features are). "
                f"Nearest active ones: {', '.join(map(str, near)) or 'none'}."
            )
        return FeatureView(self, int(feature))

    @property
    def _sparse(self) -> Path:
        path = self.folder / "features.safetensors"
        return path if path.is_file() else not_made(path)

    def _table(self, name: str, feature: int | None = None) -> pd.DataFrame:
        """A table of the cell, or the rows of one feature."""
        path = self.folder / f"{name}.parquet"
        filters = None if feature is None else [("feature", "==", feature)]
        return read(path, filters).to_pandas()

    @cached_property
    def _masked(self) -> np.ndarray:
        """(token,) bool: True where features are counted."""
        return counted(self.study._tokens, self.study._kept, self.captured).masked
