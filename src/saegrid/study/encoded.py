"""Own texts in one cell: tokens and sparse codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saegrid.base.paths import expand_all
from saegrid.base.words import Cell

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for
    from scipy import sparse

    from saegrid.study.cell import CellView


class EncodedTexts(NamedTuple):
    """The tokens of some texts and their codes; row i of `z` is that of `tokens.iloc[i]`."""

    tokens: pd.DataFrame
    """One row a token that is not special: text (its number), position (in its row of model input,
    from 0), token."""
    z: sparse.csr_matrix
    """(token, d_sae) float32."""

    def features(self, top: int = 10) -> pd.DataFrame:
        """The features with the largest activations, the largest first: feature, activation (its
        largest), text, position, token (where that is)."""
        import pandas as pd

        largest = self.z.max(axis=0).toarray().ravel()
        active = np.flatnonzero(largest)
        chosen = active[np.lexsort((active, -largest[active]))][:top]
        where = np.asarray(self.z[:, chosen].argmax(axis=0)).ravel()
        rows = self.tokens.iloc[where].reset_index(drop=True)
        return pd.DataFrame({"feature": chosen, "activation": largest[chosen]}).join(rows)


def encode(cell: CellView, texts: Sequence[str]) -> EncodedTexts:
    """The codes of texts in a cell; errors as of `Study.encode`."""
    import pandas as pd
    from scipy import sparse

    from saegrid.codes.encode import encode as codes_of
    from saegrid.interventions.search.prompts import activations_of, read_prompts
    from saegrid.saes.reference import open_sae

    cells = cell.study.searched([cell.name]).weighed()
    cells.check_model()
    model, site = expand_all(cells.model), Cell.parse(cell.name).site
    prompts = read_prompts(texts, model, cells.parses)
    x = activations_of(prompts, model, [site], threads=cells.threads)[site]
    with open_sae(cells.places[0].sae) as sae:
        codes = codes_of(x, prompts.wanted, sae.encoder, threads=cells.threads, name=cell.name)
    rows = np.searchsorted(prompts.wanted, codes.indices)
    shape = (len(prompts.wanted), codes.d_sae)
    z = sparse.csc_matrix((codes.data, rows, codes.indptr), shape=shape).tocsr()
    tokens = pd.DataFrame(
        {
            "text": prompts.prompt[prompts.wanted],
            "position": prompts.position[prompts.wanted],
            "token": [prompts.text[token] for token in prompts.wanted],
        }
    )
    return EncodedTexts(tokens, z)
