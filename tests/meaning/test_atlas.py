"""The map over all cells, on tables made by hand: chance over the grid, kinds, means, frozen."""

import numpy as np
import pytest
from scipy import stats

from charting import best, charted, judged
from saegrid.meaning import enrichment
from saegrid.meaning.atlas import BY_CELL, KINDS, MAP, atlas, chances_of, level, shown


def rows(table, **where):
    return [
        row for row in table.to_pylist() if all(row[key] == value for key, value in where.items())
    ]


@pytest.fixture
def cells():
    """Two cells and a frozen one, 19 dealt lexicons each, alpha .1 asks for the two smallest."""
    # In the first cell lexicon 0 is lucky, in the second lexicon 1.
    first, second = -np.linspace(1, 2, 19), -np.linspace(1, 2, 19)
    first[0], second[1] = -6.0, -4.0
    return [
        charted(
            "L2R-8x",
            judged(
                {
                    "feature": 1,
                    "kind": "meaning",
                    "concept": "food",
                    "log10_p": -7,
                    "n_concept": 18,
                },
                {
                    "feature": 2,
                    "kind": "meaning",
                    "concept": "food",
                    "log10_p": -5,
                    "n_concept": 12,
                },
                {
                    "feature": 3,
                    "kind": "meaning",
                    "concept": "body",
                    "log10_p": -3,
                    "n_concept": 12,
                },
                {"feature": 4, "kind": "letter", "letter": "c", "n_letter": 20},
                {"feature": 5, "kind": "none", "letter": "c", "n_letter": 9},
            ),
            [best("food", 1, -7, 18, n_meaning=2), best("body", 3, -3, 12, n_meaning=1)],
            second,
        ),
        charted(
            "L1R-8x",
            judged(
                {"feature": 1, "kind": "coherent", "log10_p": -1},
                {"feature": 2, "kind": "ending", "ending": "ing", "n_ending": 20},
                {"feature": 9, "kind": "word", "letter": "c", "n_letter": 5, "n_shown": 5},
                {"feature": 10, "kind": "none", "letter": "c", "n_letter": 16},
            ),
            [best("food", 1, -1, 4), best("body", 10, -8, 3)],
            first,
        ),
        charted(
            "L1R-frozen",
            judged(
                {"feature": 7, "kind": "meaning", "concept": "body", "log10_p": -3, "n_concept": 12}
            ),
            [best("food", 7, -0.5, 2), best("body", 7, -3, 12, n_meaning=1)],
            -np.linspace(1, 2, 19),
            frozen="decoder",
        ),
    ]


def test_p_over_the_grid_counts_lexicons_by_their_luckiest_cell(cells):
    made = atlas(cells, 0.1)
    assert made.map.schema.equals(MAP)
    assert [row["cell"] for row in made.map.to_pylist()] == [
        name for name in ("L1R-8x", "L1R-frozen", "L2R-8x") for _ in range(2)
    ]
    (food,) = rows(made.map, cell="L2R-8x", concept="food")
    (body,) = rows(made.map, cell="L2R-8x", concept="body")
    # -7: no lexicon reaches it; -3: lexicon 0 in one cell and lexicon 1 in the other do.
    assert food["p_grid"] == pytest.approx(1 / 20) and body["p_grid"] == pytest.approx(3 / 20)
    assert food["of_meaning"] and not body["of_meaning"]
    assert (food["feature"], food["layer"], food["position"], food["sae"]) == (1, 2, "R", "8x")
    # A feature that is not of meaning is never outlined, however small its p.
    (none,) = rows(made.map, cell="L1R-8x", concept="body")
    assert none["p_grid"] == pytest.approx(1 / 20) and not none["of_meaning"]


def test_frozen_cells_are_a_family_of_their_own(cells):
    made = atlas(cells, 0.1)
    (body,) = rows(made.map, cell="L1R-frozen", concept="body")
    assert body["p_grid"] == pytest.approx(1 / 20) and body["of_meaning"]
    assert body["frozen"] == "decoder"
    assert shown(made.map) == [("lists", "food")], (
        "what frozen SAEs show is no concept of the study"
    )
    assert made.facts["frozen"]["n_meaning_grid"] == 1
    assert made.facts["result"]["n_cells"] == 2 and made.facts["frozen"]["n_cells"] == 1
    without = atlas(cells[:2], 0.1)
    assert without.facts["frozen"] is None
    assert without.facts["result"] == made.facts["result"]


def test_kinds_are_counted_and_features_of_meaning_at_the_level_of_the_grid(cells):
    made = atlas(cells, 0.1)
    assert made.by_cell.schema.equals(BY_CELL)
    (second,) = rows(made.by_cell, cell="L2R-8x")
    assert (second["n_judged"], second["n_meaning"], second["n_letter"]) == (5, 3, 1)
    # -7 by none, -5 by the lexicon with -6 (p .1), -3 by two (p .15).
    assert second["n_meaning_grid"] == 2
    assert (second["n_concepts"], second["n_concepts_grid"]) == (2, 1)
    (first,) = rows(made.by_cell, cell="L1R-8x")
    assert (first["n_coherent"], first["n_ending"], first["n_word"]) == (1, 1, 1)
    assert first["n_form"] == 2 and first["n_none"] == 1 and first["n_meaning"] == 0
    for row in made.by_cell.to_pylist():
        assert row["n_judged"] == sum(row[f"n_{kind}"] for kind in KINDS)
    result = made.facts["result"]
    assert (result["n_judged"], result["n_meaning"], result["n_meaning_grid"]) == (9, 3, 2)
    assert made.facts["n_concepts"] == 2 and result["n_concepts_grid"] == 1


def test_means_of_best_shares_are_over_the_same_things_in_all_cells(cells):
    by_cell = atlas(cells, 0.1).by_cell
    (first,), (second,) = rows(by_cell, cell="L1R-8x"), rows(by_cell, cell="L2R-8x")
    # Concepts that the grid shows: food alone. Forms: the letter c and the ending -ing.
    assert second["share_concepts"] == pytest.approx(18 / 20)
    assert first["share_concepts"] == pytest.approx(4 / 20)
    assert second["share_forms"] == pytest.approx((20 / 20 + 0) / 2)
    # 16 of 20 is surer than 5 of 5.
    low = [stats.binomtest(k, n).proportion_ci(0.95, "exact").low for k, n in ((16, 20), (5, 5))]
    assert low[0] > low[1]
    assert first["share_forms"] == pytest.approx((16 / 20 + 20 / 20) / 2)


def test_the_level_is_where_the_adjusted_p_passes_alpha():
    rng = np.random.default_rng(0)
    for n in (19, 99, 200):
        smallest = -rng.gamma(3, 1, n)
        for alpha in (0.05, 0.1, 0.5):
            least = level(smallest, alpha)
            assert enrichment.adjusted(np.array([least - 1e-6]), smallest)[0] <= alpha
            assert enrichment.adjusted(np.array([least]), smallest)[0] > alpha
    assert level(np.zeros(18), 0.05) is None


def test_what_chance_gives_is_told(cells):
    result = atlas(cells, 0.1).facts["result"]
    assert result["luckiest"] == -6 and result["n_reached"] == 1
    assert result["level"] == -4, "p = 2 / 20 below it, 3 / 20 at it"


def test_it_agrees_with_every_permutation_counted_by_hand():
    rng = np.random.default_rng(1)
    grid = [
        charted(
            f"L{layer}R-8x",
            judged(*({"feature": f, "kind": "meaning", "concept": "food", "log10_p": p}
                     for f, p in enumerate(-rng.gamma(3, 1, 6)))),
            [best("food", 0, -float(rng.gamma(3, 1)), 12, n_meaning=6)],
            -rng.gamma(3, 1, 99),
        )
        for layer in range(4)
    ]  # fmt: skip
    made = atlas(grid, 0.3)
    for row in made.map.to_pylist():
        reached = sum(
            min(one.smallest[at] for one in grid) <= row["log10_p"] + 1e-9 for at in range(99)
        )
        assert row["p_grid"] == pytest.approx((reached + 1) / 100)
    for one, row in zip(grid, made.by_cell.to_pylist(), strict=True):
        p = enrichment.adjusted(one.concepts["log10_p"].to_numpy(), chances_of(grid)["result"])
        assert row["n_meaning_grid"] == (p <= 0.3).sum()


def test_the_order_of_the_cells_changes_nothing(cells):
    one, other = atlas(cells, 0.1), atlas(cells[::-1], 0.1)
    assert one.map.equals(other.map) and one.by_cell.equals(other.by_cell)
    assert one.facts == other.facts


def test_a_study_without_a_concept_has_a_map_without_rows():
    of_form = {"feature": 4, "kind": "letter", "letter": "c", "n_letter": 20}
    one = charted("L1R-8x", judged(of_form), [], np.zeros(19))
    made = atlas([one], 0.1)
    assert made.map.num_rows == 0 and made.by_cell.to_pylist()[0]["share_concepts"] is None
    assert made.facts["n_concepts"] == 0 and made.facts["result"]["n_meaning_grid"] == 0
    empty = atlas([charted("L1R-8x", judged(), [], np.zeros(19))], 0.1)
    assert empty.facts["result"]["n_judged"] == 0


def test_cells_with_other_lexicons_are_refused(cells):
    other = cells[0]._replace(smallest=np.zeros(5))
    with pytest.raises(ValueError, match="Cell L2R-8x has 5 dealt lexicons, others have 19"):
        atlas([cells[1], other], 0.1)


def test_concepts_of_two_lexicons_may_have_one_name():
    rows_ = [best("food", 1, -7, 18, n_meaning=1), best("food", 2, -1, 4, lexicon="wordnet")]
    of = {"feature": 1, "kind": "meaning", "concept": "food", "log10_p": -7, "n_concept": 18}
    made = atlas([charted("L1R-8x", judged(of), rows_, np.zeros(19))], 0.1)
    assert made.facts["n_concepts"] == 2 and shown(made.map) == [("lists", "food")]
    assert made.by_cell["share_concepts"].to_pylist() == [18 / 20]
