"""The results of one feature of a cell."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import safetensors

from saegrid.features.histogram import histogram
from saegrid.features.shares import Spelled
from saegrid.study.files import from_one

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for

    from saegrid.study.cell import CellView


class FeatureView:
    """The results of one feature of a cell, those of its page."""

    def __init__(self, cell: CellView, feature: int) -> None:
        self.cell, self.id = cell, feature

    def __repr__(self) -> str:
        row = self.summary
        return (
            f"FeatureView({self.cell.name} {self.id}, density {row['density']:.3%}, "
            f"max {row['max_activation']:.3f})"
        )

    @property
    def summary(self) -> pd.Series:
        """The densities, counts and rank of the feature; the densest has rank 1."""
        return self.cell.features.loc[self.id]

    @property
    def top_tokens(self) -> pd.DataFrame:
        """The top tokens of the feature, the strongest with `example_rank` 1; without rows if its
        density is below the cut."""
        return self._rows("top_tokens")

    @property
    def examples(self) -> pd.DataFrame:
        """The random examples of the feature and those of the fifths, by column `group`."""
        return self._rows("examples")

    @property
    def logits(self) -> pd.DataFrame:
        """The tokens that the feature's direction raises and lowers most, by `side` and `rank`."""
        return self._rows("logit_effects")

    @property
    def concept(self) -> pd.Series:
        """The judgement of the feature; empty where it fires on too few words to be judged."""
        import pandas as pd

        rows = self._rows("concepts")
        return rows.iloc[0] if len(rows) else pd.Series(dtype=object)

    @property
    def encoder(self) -> np.ndarray:
        """(d_model,) float32: its row of W_enc, see `Weights.encoder`."""
        return self.cell.sae.encoder([self.id])[0]

    @property
    def decoder(self) -> np.ndarray:
        """(d_model,) float32: its row of W_dec, see `Weights.decoder`."""
        return self.cell.sae.decoder([self.id])[0]

    @cached_property
    def activations(self) -> pd.Series:
        """The activations of the feature on the counted tokens, float32 by token index. Those on
        all captured tokens are its column of `CellView.z`."""
        import pandas as pd

        with safetensors.safe_open(str(self.cell._sparse), framework="numpy") as file:
            start, stop = file.get_slice("indptr")[self.id : self.id + 2].tolist()
            index = file.get_slice("indices")[start:stop]
            values = file.get_slice("data")[start:stop]
        masked = self.cell._masked[index]
        name = pd.Index(index[masked], name="token_index")
        return pd.Series(values[masked], index=name, name="activation")

    @property
    def tokens(self) -> pd.DataFrame:
        """The tokens that it fires on by their spelling without blanks, the commonest first: count,
        and share of its activations on the counted tokens. The counts add up to n_active."""
        import pandas as pd

        index = self.activations.index.to_numpy()
        spelled = Spelled.of(self.cell.study._tokens["text"].take(pa.array(index)))
        counts = np.bincount(spelled.code, minlength=len(spelled.names))
        table = pd.DataFrame({"token": spelled.names.to_pylist(), "count": counts})
        table = table.sort_values(["count", "token"], ascending=[False, True])
        return table.assign(share=table["count"] / len(index)).set_index("token")

    @property
    def histogram(self) -> pd.DataFrame:
        """A histogram of the feature's activations in fifty bins: left, right, count; the counts
        add up to n_active."""
        import pandas as pd

        edges, counts = histogram(self.activations.to_numpy())
        return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts})

    def _rows(self, name: str) -> pd.DataFrame:
        rows = self.cell._table(name, self.id).drop(columns="feature").reset_index(drop=True)
        return from_one(rows, "rank", "example_rank")
