"""Search by words: stored codes of all cells, no model."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.base.errors import shown
from saegrid.codes.sparse import Features
from saegrid.interventions.search import TOP, SearchError
from saegrid.interventions.search.files import Cells
from saegrid.interventions.search.occurring import Firing, Occurring, Text, firing, occurring
from saegrid.interventions.search.ranking import Best, Query, first, table


def by_word(
    queries: Sequence[Query], cells: Cells, top: int = TOP, per_cell: bool = False
) -> pa.Table:
    """The features of all cells whose firing tells best where a word stands, by F1.

    Of a query with other words, the mean F1 with these is taken off. per_cell: `top` features of
    each cell, not of all together. SearchError where no text has the word.
    """
    if not queries:
        return table((), cells, (), top)
    text = Text.of(io.read_table(cells.tokens, ["row", "item", "special", "text"]))
    words = {
        word: occurring(text, word) for query in queries for word in (query.text, *query.without)
    }
    for word, places in words.items():
        if not places.n:
            raise SearchError(
                f"No text of the corpus has the word {shown(word)}. Take another one, or search "
                "by prompt, through the model: --by prompt."
            )
    best: list[list[Best]] = [[] for _ in queries]
    for place in cells.places:
        codes = place.features()
        firings = {word: firing(codes, places) for word, places in words.items()}
        for number, query in enumerate(queries):
            best[number].append(_best(query, codes, firings, words[query.text].n, top))
    for query, of_cells in zip(queries, best, strict=True):
        if not any(one.columns["n"][:1] for one in of_cells):
            _unseen(query.text, words[query.text])
    return table(queries, cells, best, top, per_cell)


def _best(
    query: Query, codes: Features, firings: dict[str, Firing], n_corpus: int, top: int
) -> Best:
    own = firings[query.text]
    score = own.f1
    if query.without:
        score = score - np.mean([firings[word].f1 for word in query.without], axis=0)
    score = np.where(own.f1 > 0, score, np.nan)
    chosen = first(score, np.arange(codes.d_sae), top)
    columns = {
        name: getattr(own, name)[chosen]
        for name in ("specificity", "n_active", "precision", "recall")
    }
    numbers = {"n": [own.n] * len(chosen), "n_corpus": [n_corpus] * len(chosen)}
    return Best(chosen, score[chosen], {**columns, **numbers})


def _unseen(word: str, places: Occurring) -> None:
    raise SearchError(
        f"No feature fires on the word {shown(word)}: of its {places.n} occurrences in the corpus "
        "none was captured, or all features are silent there. Search by prompt: --by prompt."
    )
