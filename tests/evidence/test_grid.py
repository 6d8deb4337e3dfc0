"""Tests of all cells together: a planted feature over two cells, nulls of one kind and another."""

import numpy as np
import pyarrow as pa
import pytest

from clustered import clusters, codes, grades, texts_of
from saegrid.codes.sparse import from_pairs
from saegrid.evidence import grid, search
from saegrid.evidence.nuisances import Numbers
from saegrid.evidence.planning import checked_plan
from saegrid.evidence.questions import Corpus
from saegrid.evidence.records import Beside, Inputs, Searched
from saegrid.evidence.texts import View
from saegrid.pages.browser.findings import findings_page

TESTS = {
    **dict.fromkeys(["label", "control", "confirmation", "test", "primary", "discovery"]),
    **dict.fromkeys(["same_high", "same_low"]),
    "contrasts": ["k1", "k2", "k4"],
    "classes": [],
    "high": 1.4,
    "low": 0.4,
    "beyond": [],
    "share": 0.5,
    "permutations": 99,
    "alpha": 0.05,
    "q": 0.05,
    "min_texts": 10,
    "nuisances": [],
    "frequency": "corpus",
    "bootstrap": 50,
    "seed": 0,
}
HEAD = {
    "study": "made",
    "model": "m",
    "corpus": "main",
    "plan_changes": [],
    "plan_digest": "",
    "label": "grade",
    "high": 1.4,
    "low": 0.4,
    "nuisances": {"groups": [], "frequency_source": "", "surprisal": ""},
    "reference": None,
}


def outcome(planted, seed=0, n_cells=2):
    """The tests of made cells; in `planted` feature 0 follows the grade."""
    rng = np.random.default_rng(seed)
    cluster = clusters(rng, 500)
    grade = grades(rng, cluster)
    texts = texts_of(cluster, {"grade": grade, "split": ["all"] * len(cluster)})
    n = texts.n
    words = [f"w{i % 60}" for i in range(n)]
    numbers = Numbers(*(np.zeros(n) for _ in range(6)), np.zeros(n, int))
    texts = texts._replace(
        labels={
            **texts.labels,
            "id": [str(i) for i in range(n)],
            "original": ["a b c"] * n,
            "edited": [f"a {word} c" for word in words],
        }
    )
    # One token a text, whose index is that of the text.
    token = View(np.arange(n, dtype=np.int32), np.arange(n), np.ones(n, bool))
    texts = texts._replace(views=dict.fromkeys(texts.views, token))
    corpus = Corpus(texts, {"edited": numbers, "original": numbers}, {"edited": words})
    settings = {"names": ["main"], "main": "main", "holdouts": [], "grade": "grade"}
    plan = checked_plan({**settings, "tests": TESTS}, [texts]) | {"changes": []}
    cells = {}
    for k in range(n_cells):
        dense = codes(rng, cluster, 40).toarray()
        if f"L{k}R-8x" in planted:
            dense[:, 0] = np.where(grade + 0.3 * rng.standard_normal(n) > 1.2, 1.0, 0)
        item, feature = np.nonzero(dense)
        values = dense[item, feature]
        cells[f"L{k}R-8x"] = from_pairs(feature, item, values, np.arange(n), dense.shape[1])
    searched = []
    for number, (cell, features) in enumerate(cells.items()):
        found = search.search(plan, {"main": features}, {"main": corpus})
        kind = "decoder" if number == 2 else "none"
        searched.append(Searched(cell, kind, found.table, found.maxima, found.tails))
    densities = pa.table({"feature": range(40)}).append_column("density", pa.array([0.1] * 40))
    for name in ("density_in_edit", "density_context"):
        densities = densities.append_column(name, pa.array([0.1] * 40))
    beside = Beside(densities, pa.table({"feature": [0], "word": ["w"]}), None)
    parts = {name: {**part, "n": plan["counts"][name]} for name, part in plan["parts"].items()}
    inputs = Inputs(
        plan,
        {"main": corpus},
        searched,
        lambda cell, name: cells[cell],
        lambda cell: beside,
        {**HEAD, "plan": plan, "parts": parts},
        {},
    )
    return grid.test_grid(inputs)


def page_of(made):
    facts = {"study": "made", "title": "", "model": "m", "spec": ""}
    return findings_page(facts, made.facts, made.summary, made.discoveries, made.examples)


def test_a_planted_feature_is_found_and_confirmed_in_its_cell():
    made = outcome({"L0R-8x"})
    table = made.discoveries.to_pandas()
    for name in ("k2", "k4"):
        own = table[table.contrast == name]
        assert ("L0R-8x", 0) in set(zip(own.cell, own.feature, strict=True))
        row = own[(own.cell == "L0R-8x") & (own.feature == 0)].iloc[0]
        assert row.confirmed and row.sign == 1 and row.low > 0 and row.low_confirm > 0
        assert row.high_given_fires > 0.6
    facts = {one["name"]: one for one in made.facts["contrasts"]}
    assert facts["k4"]["n_confirmed"] == int(
        (made.cells["L0R-8x"].to_pandas().query("contrast == 'k4'").confirmed == True).sum()  # noqa: E712
        + (made.cells["L1R-8x"].to_pandas().query("contrast == 'k4'").confirmed == True).sum()  # noqa: E712
    )
    # Pairs have no label to compare among the texts of a word; the others do.
    assert [one["n_word"] is None for one in facts.values()] == [True, False, False]
    kinds = made.examples.to_pandas().query("contrast == 'k4' and feature == 0").kind
    assert set(kinds) == {"strongest", "random", "miss"}
    assert "k4" in page_of(made)


def test_where_nothing_is_found_tables_are_empty_and_the_page_says_so():
    for seed in range(20):
        made = outcome(set(), seed, 1)
        if not made.discoveries.num_rows:
            break
    else:
        pytest.fail("a null without a discovery is the rule")
    assert "effect_confirm" in made.discoveries.column_names
    assert "No feature was seen to tell" in page_of(made)


def test_frozen_cells_are_a_family_of_their_own():
    """Its features decide no threshold of the others, and stand in no count of theirs."""
    with_null, without = outcome({"L2R-8x"}, 3, 3), outcome(set(), 3, 2)
    for one, other in zip(with_null.facts["contrasts"], without.facts["contrasts"], strict=True):
        same = ("threshold", "n_tested", "n_discovered", "n_confirmed", "shuffled")
        assert [one[key] for key in same] == [other[key] for key in same]
        assert one["frozen"]["n_confirmed"] >= (one["kind"] != "pairs") and other["frozen"] is None
    assert with_null.facts["frozen_cells"] == ["L2R-8x"]
