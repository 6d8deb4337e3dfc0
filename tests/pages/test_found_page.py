"""The page of a search: facts that may be left out, and how often a word occurs."""

import pyarrow as pa
import pytest

from saegrid.interventions.search.ranking import SCHEMA
from saegrid.pages.browser.prompted import search_page

FACTS = {"study": "s", "model": "m", "corpus": "c", "spec": "{}"}
ROW = {
    "query": 0, "kind": "word", "text": "dog", "without": [], "rank": 0, "cell": "L1R-a",
    "feature": 3, "score": 0.5, "specificity": 0.9, "n_active": 3, "precision": 0.5,
    "recall": 0.5, "words": "dog",
}  # fmt: skip


@pytest.mark.parametrize(
    ("n", "n_corpus", "words"),
    [
        (1, 1, "1 occurrence in the texts, all captured"),
        (12, 1234, "1,234 occurrences in the texts, 12 captured"),
    ],
)
def test_occurrences_of_a_word(n, n_corpus, words):
    table = pa.Table.from_pylist([{**ROW, "n": n, "n_corpus": n_corpus}], SCHEMA)
    assert f"of the corpus: {words}</p>" in search_page(FACTS, table)


@pytest.mark.parametrize(
    ("facts", "words"),
    [({}, "over all cells"), ({"per_cell": False}, "over all cells"),
     ({"per_cell": True}, "of each cell")],
)  # fmt: skip
def test_which_features_are_listed(facts, words):
    table = pa.Table.from_pylist([{**ROW, "n": 1, "n_corpus": 1}], SCHEMA)
    assert f"The best features {words};" in search_page({**FACTS, **facts}, table)
