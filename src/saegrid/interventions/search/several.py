"""The queries of a study's config: words, prompts and pairs, numbered in this order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.interventions.search import WORD
from saegrid.interventions.search.by_prompt import TOKENS, Outcome, by_prompt
from saegrid.interventions.search.by_word import by_word
from saegrid.interventions.search.files import Cells
from saegrid.interventions.search.ranking import Query, joined


def answered(
    cells: Cells,
    section: Mapping[str, Any],
    memory_mb: int,
    say: Callable[[str], Any],
) -> Outcome:
    """The features that answer all queries. section: words, prompts, pairs and top."""
    words = [Query(word.strip(), by=WORD) for word in section["words"]]
    texts = [Query(text.strip()) for text in section["prompts"]]
    for first, *others in section["pairs"]:
        texts.append(Query(first.strip(), tuple(other.strip() for other in others)))
    table, tokens, unknown = by_word(words, cells, section["top"]), TOKENS.empty_table(), 0
    if texts:
        outcome = by_prompt(texts, cells, section["top"], memory_mb=memory_mb, say=say)
        table = joined([table, _moved(outcome.table, len(words))])
        tokens, unknown = _moved(outcome.tokens, len(words)), outcome.unknown
    return Outcome(table, tokens, unknown)


def _moved(table: pa.Table, n: int) -> pa.Table:
    """A table whose queries are numbered from n on."""
    number: Sequence[int] = table["query"].to_numpy() + np.int32(n)
    place = table.schema.get_field_index("query")
    return table.set_column(place, table.schema.field("query"), pa.array(number, pa.int32()))
