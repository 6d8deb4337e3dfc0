"""Search by prompts: one forward pass, one reading of each encoder.

A feature's score on a prompt is its largest on a token, see `known`. With texts to be without, the
mean of its scores on them is taken off; it is 0 on a text on which the feature is silent.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.paths import expand_all
from saegrid.base.words import Cell
from saegrid.interventions.search import TOP
from saegrid.interventions.search.encoded import Encoded, encoded
from saegrid.interventions.search.estimate import Cost, size_of
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.index import Index
from saegrid.interventions.search.known import LEAST
from saegrid.interventions.search.prompts import MEMORY_MB, Prompts, activations_of, read_prompts
from saegrid.interventions.search.ranking import NAME, Best, Query, first, table, with_words
from saegrid.models import read_config, sizes_of
from saegrid.models.load import folder_of

EACH = 5
"""Features of a token."""
TOKENS = pa.schema(
    [
        ("query", pa.int32()),
        ("position", pa.int32()),
        ("token", pa.string()),
        ("special", pa.bool_()),
        ("rank", pa.int32()),
        ("cell", NAME),
        ("feature", pa.int32()),
        ("score", pa.float64()),
        ("value", pa.float32()),
        ("words", pa.string()),
    ]
)
"""Columns of search_tokens.parquet: the features of each token of a prompt with the largest scores
over all cells; a token without any has one row without a feature."""


class Outcome(NamedTuple):
    """The outcome of a search by prompts."""

    table: pa.Table
    """The best features of each query, see `ranking.SCHEMA`."""
    tokens: pa.Table
    """The best features of each token, see `TOKENS`."""
    unknown: int
    """Features that fire on the prompts and on too few tokens of the corpus to have a score."""


def by_prompt(
    queries: Sequence[Query],
    cells: Cells,
    top: int = TOP,
    *,
    per_cell: bool = False,
    each: int = EACH,
    memory_mb: int = MEMORY_MB,
    least: int = LEAST,
    indices: Callable[[Place], Index | None] = lambda place: None,
    say: Callable[[str], Any] = lambda line: None,
) -> Outcome:
    """The features of all cells that a text makes fire.

    say: gets a line on what is read, before it is. per_cell: `top` features of each cell, not of
    all together. each: features of a token. least, indices: as of `encoded`. The other queries
    change no byte of a result.
    """
    cells = cells.weighed()
    cells.check_model()
    cells = cells._replace(model=expand_all(cells.model))
    texts = list(dict.fromkeys(t for query in queries for t in (query.text, *query.without)))
    prompts = read_prompts(texts, cells.model, cells.parses)
    widths = sizes_of(read_config(folder_of(cells.model)), cells.model.get("family", "auto"))
    sites = {place.cell: Cell.parse(place.cell).site for place in cells.places}
    saes = [size_of(p, widths.width(sites[p.cell].position)) for p in cells.places]
    say(Cost.of(saes, len(prompts.wanted)).line())
    x = activations_of(prompts, cells.model, sites.values(), memory_mb, cells.threads)
    best: list[list[Best]] = [[] for _ in queries]
    by_token: list[list[_Strongest]] = [[] for _ in queries]
    unknown = 0
    for one in encoded(cells, prompts, x, cells.threads, indices, least):
        unknown += int(np.isnan(one.known.p99).sum())
        largest = [_largest(one, prompts, number) for number in range(len(texts))]
        for number, query in enumerate(queries):
            own = texts.index(query.text)
            others = [largest[texts.index(text)] for text in query.without]
            best[number].append(_best(one, largest[own], others, prompts, top))
            by_token[number].append(_strongest(one, prompts, own, each))
    numbers = [texts.index(query.text) for query in queries]
    return Outcome(
        table(queries, cells, best, top, per_cell),
        _token_table(prompts, numbers, by_token, each, cells),
        unknown,
    )


class _Largest(NamedTuple):
    """The largest score of each feature on a prompt, (feature,) each; 0 and -1 where silent."""

    score: np.ndarray
    z: np.ndarray
    token: np.ndarray


def _largest(one: Encoded, prompts: Prompts, prompt: int) -> _Largest:
    """The largest scores on one prompt; of a tie the earlier token."""
    entry = np.flatnonzero(prompts.prompt[one.token] == prompt)
    place, token, z = one.place[entry], one.token[entry], one.z[entry]
    order = np.lexsort((token, -z, place))  # of a feature the score grows with z
    order = order[np.diff(place[order], prepend=-1) != 0]
    n = len(one.features)
    score, value, at = np.zeros(n), np.zeros(n, np.float32), np.full(n, -1)
    chosen = place[order]
    score[chosen], value[chosen], at[chosen] = one.score[entry][order], z[order], token[order]
    return _Largest(score, value, at)


def _best(
    one: Encoded, own: _Largest, others: Sequence[_Largest], prompts: Prompts, top: int
) -> Best:
    score = np.where(own.token >= 0, own.score, np.nan)
    without = np.zeros(len(score), np.float32)
    if others:
        score = score - np.mean([other.score for other in others], axis=0)
        without = np.max([other.z for other in others], axis=0)
    at = first(score, one.features, top)
    columns: dict[str, Any] = {
        name: getattr(one.known, name)[at] for name in ("n_active", "p99", "idf", "specificity")
    }
    columns["value"] = own.z[at]
    columns["value_without"] = without[at] if others else [None] * len(at)
    columns["token"] = [prompts.text[token] for token in own.token[at]]
    columns["position"] = prompts.position[own.token[at]]
    return Best(one.features[at], score[at], columns)


class _Strongest(NamedTuple):
    """The features with the largest scores on each token of a prompt, in one cell."""

    cell: str
    token: np.ndarray
    feature: np.ndarray
    score: np.ndarray
    z: np.ndarray


def _strongest(one: Encoded, prompts: Prompts, prompt: int, each: int) -> _Strongest:
    score = one.score
    entry = np.flatnonzero((prompts.prompt[one.token] == prompt) & ~np.isnan(score))
    token, feature = one.token[entry], one.features[one.place[entry]]
    order = np.lexsort((feature, -score[entry], token))
    rank = np.arange(len(order)) - np.searchsorted(token[order], token[order])
    order = order[rank < each]
    entry = entry[order]
    return _Strongest(one.cell, token[order], feature[order], score[entry], one.z[entry])


def _token_table(
    prompts: Prompts,
    numbers: Sequence[int],
    by_token: Sequence[Sequence[_Strongest]],
    each: int,
    cells: Cells,
) -> pa.Table:
    rows: list[dict[str, Any]] = []
    for query, (prompt, several) in enumerate(zip(numbers, by_token, strict=True)):
        ranked: dict[int, list[tuple[float, int, int, float]]] = {}
        for cell, one in enumerate(several):
            columns = (one.token, one.score, one.feature, one.z)
            for token, score, feature, z in zip(*(c.tolist() for c in columns), strict=True):
                ranked.setdefault(token, []).append((-score, cell, feature, z))
        for token in np.flatnonzero(prompts.prompt == prompt).tolist():
            head = {
                "query": query,
                "position": int(prompts.position[token]),
                "token": prompts.text[token],
                "special": bool(prompts.special[token]),
            }
            best = sorted(ranked.get(token, []))[:each]
            rows += [
                {**head, "rank": rank, "cell": several[cell].cell, "feature": feature,
                 "score": -score, "value": z}
                for rank, (score, cell, feature, z) in enumerate(best)
            ] or [head]  # fmt: skip
    return pa.Table.from_pylist(with_words(rows, cells), schema=TOKENS)
