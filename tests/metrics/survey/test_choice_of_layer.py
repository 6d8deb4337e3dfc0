"""The choice of a layer, by hand."""

import pytest

from saegrid.metrics.survey.choice import ChoiceError, cell_of, choice, norm_of


def rows(*similar, corpus="written", position="R"):
    """Rows of a survey: a site a layer, with the mean cosine of two tokens of each."""
    return [
        {
            **{"corpus": corpus, "site": f"L{layer}{position}", "position": position},
            **{"layer": layer, "tokens": tokens, "n": n, "sum": 6.0 * n, "max": 4.0},
            **{"average": 2.0, "norm": 5.0, "anisotropy": value if n > 1 else float("nan")},
        }
        for layer, value in enumerate(similar)
        for tokens, n in (("one", 1), ("all", 10))
    ]


def taken(table, name="chosen"):
    return [row["site"] for row in table.to_pylist() if row[name]]


def test_the_least_similar_of_the_middle_half_is_taken():
    """The middle half of eight layers is 1 to 5; 0 and 6 are out, however low."""
    layers = rows(0.0, 0.5, 0.4, 0.2, 0.3, 0.6, 0.1, 0.1)
    table = choice(layers, "written", 8, [f"L{n}R-8x" for n in range(8)])
    assert taken(table) == taken(table, "best") == ["L3R"]
    assert taken(table, "middle") == ["L1R", "L2R", "L3R", "L4R", "L5R"]


def test_only_a_layer_with_an_sae_can_be_taken_and_it_is_told_where_the_rule_would():
    layers = rows(0.0, 0.5, 0.4, 0.2, 0.3, 0.6, 0.1, 0.1)
    table = choice(layers, "written", 8, ["L2R-8x", "L4R-8x", "L6R-8x"])
    assert (taken(table), taken(table, "best")) == (["L4R"], ["L3R"])
    assert cell_of(table, ["L2R-8x", "L4R-4x", "L4R-8x"]) == 1 and norm_of(table) == 5.0
    assert taken(choice(layers, "written", 8, ["L6R-8x", "L7R-8x"])) == ["L6R"], (
        "none in the middle"
    )
    tied = rows(0.5, 0.3, 0.3, 0.5)
    assert taken(choice(tied, "written", 4, ["L1R-8x", "L2R-8x"])) == ["L1R"]


def test_sums_of_one_token_stand_beside_those_of_all():
    (row, *_) = choice(rows(0.1, 0.2), "written", 2, ["L0R-8x"]).to_pylist()
    assert (row["sum"], row["one_sum"]) == (60.0, 6.0)
    assert (row["sum"] / row["average"], row["one_sum"] / row["one_average"]) == (30, 3)


def test_other_corpora_and_positions_do_not_count():
    layers = rows(0.1, 0.2, 0.3, 0.4) + rows(0, 0, 0, 0, corpus="x") + rows(0, 0, position="A")
    assert choice(layers, "written", 4, ["L2R-8x"]).num_rows == 4
    with pytest.raises(ChoiceError, match="no residual stream of written has an SAE"):
        choice(layers, "written", 4, ["L1A-8x"])
