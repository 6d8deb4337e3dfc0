"""Queries, and the features of all cells that answer them, the best first."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.interventions.search import PAIR, PROMPT, TOP, WORD
from saegrid.interventions.search.files import Cells

NAME = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema(
    [
        ("query", pa.int32()),
        ("kind", NAME),
        ("text", pa.string()),
        ("without", pa.list_(pa.string())),
        ("rank", pa.int32()),
        ("cell", NAME),
        ("feature", pa.int32()),
        ("score", pa.float64()),
        ("specificity", pa.float64()),
        ("words", pa.string()),
        ("n_active", pa.int64()),
        ("value", pa.float32()),
        ("value_without", pa.float32()),
        ("token", pa.string()),
        ("position", pa.int32()),
        ("p99", pa.float64()),
        ("idf", pa.float64()),
        ("precision", pa.float64()),
        ("recall", pa.float64()),
        ("n", pa.int64()),
        ("n_corpus", pa.int64()),
    ]
)
"""Columns of search.parquet. score: F1 of a word, else activation / p99 x idf (p99: what 99 % of
the feature's activations on the corpus do not exceed; idf: ln of tokens / those on which it fires),
less that of the texts without; value: largest activation on the prompt, at `token`, in its place
`position` of the row; value_without: on those without; n: captured occurrences of the word,
n_corpus: all in the corpus. Null where a kind of query has none."""


class Query(NamedTuple):
    """A text, and texts without what is looked for."""

    text: str
    without: tuple[str, ...] = ()
    by: str = PROMPT
    """word or prompt."""

    @property
    def kind(self) -> str:
        """Its kind, as tables name it."""
        return WORD if self.by == WORD else PAIR if self.without else PROMPT


class Best(NamedTuple):
    """The best features of a query in one cell, the best first."""

    feature: np.ndarray
    score: np.ndarray
    columns: dict[str, np.ndarray | list[Any]]
    """Other columns of the table, by name, one entry a feature."""


def first(score: np.ndarray, feature: np.ndarray, top: int) -> np.ndarray:
    """Places of the largest scores, the largest first; ties by feature. NaN has no place."""
    able = np.flatnonzero(~np.isnan(score))
    if len(able) > 4 * top:  # sorting all would take longer than all else
        least = np.partition(score[able], -top)[-top]
        able = able[score[able] >= least]
    return able[np.lexsort((feature[able], -score[able]))][:top]


def table(
    queries: Sequence[Query],
    cells: Cells,
    best: Sequence[Sequence[Best]],
    top: int = TOP,
    per_cell: bool = False,
) -> pa.Table:
    """search.parquet: the best features of each query over all cells, as in `SCHEMA`.

    best: of each query one for each cell, with `top` features at most. per_cell: all of these, the
    best of each cell. Ties by the order of cells, then by feature.
    """
    rows: list[dict[str, Any]] = []
    for number, (query, of_cells) in enumerate(zip(queries, best, strict=True)):
        score = np.concatenate([one.score for one in of_cells])
        cell = np.repeat(np.arange(len(of_cells)), [len(one.score) for one in of_cells])
        place = np.concatenate([np.arange(len(one.score)) for one in of_cells])
        order = np.lexsort((place, cell, -score))[: None if per_cell else top]
        rows += [
            {
                "query": number,
                "kind": query.kind,
                "text": query.text,
                "without": list(query.without),
                "rank": rank,
                "cell": cells.places[cell[at]].cell,
                "feature": int(of_cells[cell[at]].feature[place[at]]),
                "score": float(score[at]),
                **_columns(of_cells[cell[at]], int(place[at])),
            }
            for rank, at in enumerate(order)
        ]
    return pa.Table.from_pylist(with_words(rows, cells), schema=SCHEMA)


def _columns(best: Best, place: int) -> dict[str, Any]:
    values = {name: column[place] for name, column in best.columns.items()}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}


def with_words(rows: list[dict[str, Any]], cells: Cells) -> list[dict[str, Any]]:
    """The rows with the commonest words of their features; each cell's are read once."""
    by_cell: dict[str, list[int]] = {}
    for row in rows:
        if "cell" in row:
            by_cell.setdefault(row["cell"], []).append(row["feature"])
    places = {place.cell: place for place in cells.places}
    words = {
        (cell, feature): word
        for cell, features in by_cell.items()
        for feature, word in zip(features, places[cell].words(features), strict=True)
    }
    return [{**row, "words": words.get((row.get("cell"), row.get("feature")))} for row in rows]


def of_each(top: int | None, per_cell: bool) -> int:
    """The number of features of a query: as asked for, else 1 of each cell or `TOP` of all."""
    return top if top is not None else 1 if per_cell else TOP


def joined(tables: Iterable[pa.Table]) -> pa.Table:
    """Tables of queries, one behind the other."""
    return pa.concat_tables([SCHEMA.empty_table(), *tables]).unify_dictionaries().combine_chunks()


def queries(
    texts: Sequence[str], without: Sequence[str] = (), by: str | None = None
) -> list[Query]:
    """A query for each text, each against all texts of `without`.

    by: word or prompt; None: a single word by word, whatever is longer or has others by prompt.
    """
    single = not without and all(len(text.split()) == 1 for text in texts)
    chosen = by or (WORD if single else PROMPT)
    return [Query(text.strip(), tuple(one.strip() for one in without), chosen) for text in texts]
