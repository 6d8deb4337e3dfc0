"""Confirmation by hand, planted effects over two parts, and intervals that cover."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse, stats

from clustered import asked, clusters, codes, grades, kept, sides, texts_of
from saegrid.evidence import intervals, maxima
from saegrid.evidence.confirmation import (
    CELL_SCHEMA,
    Checked,
    Family,
    checked,
    discovered,
    drawn_intervals,
    family,
    rates,
    shrinkage,
    table_of_cell,
    together,
)
from saegrid.evidence.discovery import SCHEMA, Sides, columns_of, discover, effects


def of(largest, statistic):
    return Checked({}, np.array(statistic, float), np.zeros(0), np.array(largest, np.float32))


def test_the_largest_over_all_that_was_discovered_by_hand():
    # Data 3, permutations 1, 2.5, 2, 0 in one cell; data 2, permutations 2.2, 1, 0, 0.5 in another:
    # together 3, 2.2, 2.5, 2, 0.5.
    found = together([of([3, 1, 2.5, 2, 0], [3, -1]), of([2, 2.2, 1, 0, 0.5], [2])])
    assert [one.tolist() for one in found] == [[0.2, 1.0], [0.8]]
    assert together([]) == []


def test_a_family_is_the_largest_of_its_cells():
    cells = [
        {
            "k4": np.array([1, 5, 2.0]),
            "k4/word": np.array([1.0, 1, 1]),
            "k2": np.array([9.0, 9, 9]),
        },
        {"k4": np.array([3, 1, 2.5])},
        {"k4": np.zeros(1)},
    ]
    found = family(cells, "k4")
    assert {key: values.tolist() for key, values in found.maxima.items()} == {
        "": [3, 5, 2.5],
        "word": [1, 1, 1],
    }
    assert found.adjusted("", np.array([4, -2.6, 1])).tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert np.isnan(found.adjusted("nuisances", np.array([4.0]))).all()


def table(contrast, statistic, p):
    n = len(statistic)
    columns = {name: pa.array([None] * n, SCHEMA.field(name).type) for name in SCHEMA.names}
    columns["contrast"] = pa.array([contrast] * n)
    columns["feature"] = pa.array(range(n), pa.int32())
    columns["statistic"], columns["p"] = pa.array(statistic), pa.array(p)
    columns["statistic_word"] = pa.array([None, *statistic[1:]], pa.float64())
    return pa.table(columns, schema=SCHEMA)


def test_columns_of_discovery_by_hand():
    largest = {"": np.array([6, 4, 3, 2.0]), "word": np.array([5, 5, 1, 1.0])}
    found = discovered(
        pa.concat_tables(
            [table("k4", [6.0, -3.5, 1], [0.001, 0.01, 0.5]), table("k9", [1.0], [1.0])]
        ),
        {"k4": Family(largest)},
        {"k4": np.array([6, 3, 2, 1.0])},
        0.25,
    )
    assert found["p_maxt"][:3].tolist() == [0.25, 0.5, 1] and np.isnan(found["p_maxt"][3])
    assert found["p_maxt_cell"][:3].tolist() == [0.25, 0.25, 1]
    assert found["discovered"].tolist() == [True, False, False, False]
    assert found["q"][:3] == pytest.approx([0.003, 0.015, 0.5])
    assert np.isnan(found["p_maxt_word"][0]) and found["p_maxt_word"][1:3].tolist() == [0.5, 1]
    assert np.isnan(found["p_maxt_nuisances"]).all()
    whole = table_of_cell(
        table("k4", [6.0, -3.5, 1], [0.001, 0.01, 0.5]), {k: v[:3] for k, v in found.items()}
    )
    assert whole.schema == CELL_SCHEMA and whole["confirmed"].null_count == 3


def part(seed, n=500, slope=0.5):
    """Texts whose grade feature 0 follows upwards and 1 downwards; 2 to 29 follow nothing."""
    rng = np.random.default_rng(seed)
    cluster = clusters(rng, n)
    grade = grades(rng, cluster)
    dense = codes(rng, cluster, 30, least=0.05).toarray()
    for column, sign in ((0, 1), (1, -1)):
        noise = rng.standard_normal(len(grade))
        dense[:, column] = sign * slope * (grade - 0.9) + noise > 0.8
    return texts_of(cluster, {"grade": grade}), sparse.csc_matrix(dense)


@pytest.mark.parametrize("name", ["k2", "k4", "k3g"])
def test_what_is_planted_is_confirmed_and_chance_is_not(name):
    texts, matrix = part(0, slope=0.9)
    question = asked(name, texts, 499)
    table = discover([question], {name: sides(matrix, question.design)}, 10)
    families = {name: family([table.maxima], name)}
    columns = discovered(table.table, families, table.maxima, 0.05)
    feature = table.table["feature"].to_numpy()[columns["discovered"]]
    assert {0, 1} <= set(feature)
    other, matrix = part(1, slope=0.9)
    again = asked(name, other, 499)
    chosen = np.array([0, 1, 2, 3])
    found = checked(again, sides(matrix, again.design).of(chosen), np.array([1, -1, 1, -1]))
    (p,) = together([found])
    assert (p[:2] <= 0.01).all() and (p[2:] > 0.05).all()
    assert (found.single[:2] <= 0.01).all() and (found.statistic[:2] > 3).all()
    assert found.effects["effect"][0] > 0 > found.effects["effect"][1]


def test_signs_are_those_of_discovery():
    texts, matrix = part(2)
    question = asked("k4", texts, 199)
    few = sides(matrix, question.design).of(np.arange(5))
    columns = columns_of(question, few)
    one = checked(question, few, np.ones(5))
    other = checked(question, few, -np.ones(5))
    assert np.array_equal(one.statistic, -other.statistic)
    assert one.single + other.single == pytest.approx(1, abs=0.02)
    assert np.array_equal(one.largest, columns.max(axis=0))
    shuffled = checked(question, few, np.ones(5), column=7)
    assert np.array_equal(shuffled.statistic, columns[:, 7].astype(float))
    none = checked(question, few.of(np.arange(0)), np.ones(0))
    assert len(together([none, one])[0]) == 0
    assert np.array_equal(together([none, one])[1], together([one])[0])


def test_shrinkage_by_hand():
    assert shrinkage(np.array([1.0, 2, np.nan]), np.array([0.5, 1.5, 3])) == pytest.approx(3.5 / 5)
    assert shrinkage(np.array([np.nan]), np.array([1.0])) is None


def test_rates_of_high_labels_by_hand():
    fires = np.array([[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0], [0] * 6, [1] * 6], np.float32).T
    label = np.array([3.0, 2, 1, 0, 1, 2])
    weights = intervals.resampled(np.arange(6), 200, np.random.default_rng(0))
    found = rates(Sides(sparse.csc_matrix(fires), None), label, 2, weights)
    assert found.base == pytest.approx(0.5)
    assert found.n_fires.tolist() == [3, 2, 0, 6] and found.n_high_fires.tolist() == [2, 0, 0, 3]
    assert found.high_given_fires[[0, 1, 3]] == pytest.approx([2 / 3, 0, 0.5])
    assert np.isnan(found.high_given_fires[2])
    assert found.fires_given_high == pytest.approx([2 / 3, 0, 0, 1])
    assert found.difference[:2] == pytest.approx([2 - 1, 0.5 - 2])
    assert np.isnan(found.difference[2:]).all()
    exact = stats.binomtest(2, 3).proportion_ci(0.95, "exact")
    assert (found.low[0], found.high[0]) == pytest.approx((exact.low, exact.high))
    # A bootstrap of nothing would be from 0 to 0.
    assert np.isnan(found.low_cluster[1]) and found.high[1] == pytest.approx(0.8418861)


@pytest.mark.parametrize("name", ["k1", "k2", "k4"])
def test_intervals_hold_the_effect_and_are_those_of_the_data(name):
    texts, matrix = part(3)
    other = codes(np.random.default_rng(8), texts.cluster, 30)
    question = asked(name, texts, 1)
    few = sides(matrix, question.design, other)
    weights = intervals.resampled(question.design.cluster, 400, np.random.default_rng(1))
    low, high, *lifts = drawn_intervals(question, few, weights)
    effect = checked(question, few, np.ones(30)).effects["effect"]
    assert ((low < effect) & (effect < high)).all()
    # The half width is near that of the textbook where texts share nothing.
    if name == "k2":
        rate = np.diff(few.a.indptr) / len(texts.cluster)
        n_a, n_b = question.design.n_a, question.design.n_b
        half = 1.96 * np.sqrt(rate * (1 - rate) * (1 / n_a + 1 / n_b))
        assert np.median((high - low) / 2 / half) == pytest.approx(1, abs=0.15)
        of_class = (question.design.score[:, None] == [1, -1]).T.astype(int)
        fires = of_class @ (few.a.toarray() > 0) + 0.5
        half = 1.96 * np.sqrt((1 / fires - 1 / np.array([[n_a], [n_b]])).sum(axis=0))
        wide = np.log(lifts[1] / lifts[0]) / 2
        assert np.median(wide / half) == pytest.approx(1, abs=0.15)


def test_the_effect_of_column_zero_is_the_effect():
    texts, matrix = part(4)
    question = asked("k4", texts, 1)
    few = kept(sides(matrix, question.design))
    same = np.ones((texts.n, 3), np.float32)
    low, high, *_ = drawn_intervals(question, few, same)
    effect = checked(question, few, np.ones(30)).effects["effect"]
    assert low == pytest.approx(effect) and high == pytest.approx(effect)


@pytest.mark.parametrize("name", ["k1", "k2"])
def test_the_lift_of_column_zero_is_the_ratio_of_rates_with_half_a_text_more(name):
    texts, matrix = part(4)
    other = codes(np.random.default_rng(8), texts.cluster, 30)
    question = asked(name, texts, 1)
    few = kept(sides(matrix, question.design, other))
    drawn = drawn_intervals(question, few, np.ones((len(question.design.item), 3), np.float32))
    known = effects(question, few)
    rates = [(known[f"fire_{side}"] + 0.5) / (known[f"n_{side}"] + 1) for side in ("a", "b")]
    assert drawn.lift_low == pytest.approx(rates[0] / rates[1], rel=1e-6)
    assert drawn.lift_high == pytest.approx(drawn.lift_low)


def test_p_of_ties_counts_both_orders():
    assert maxima.reached(np.array([2.0]), np.array([2 * (1 - 1e-6), 1, 3])).tolist() == [2 / 3]
