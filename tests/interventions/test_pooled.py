"""Choices over cells: means and differences by hand, and intervals that keep features whole."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.interventions import choice, dose
from saegrid.interventions.pooled import DEFINITIONS, SCHEMA, by_choice, units, weights

ARMS = ("feature", "control", "means", "prompt")


def cell(gains, groups, broken=()):
    """Tables of a cell: gains of each feature's arms at dose 1; `broken` have no sound one."""
    choices = [
        dict.fromkeys(choice.SCHEMA.names) | {"feature": f, "groups": groups[f]} for f in gains
    ]
    rows = [
        dict.fromkeys(dose.SCHEMA.names, 0.0)
        | {
            "part": part, "feature": f, "arm": arm, "dose": 0.0 if arm == "prompt" else 1.0,
            "n_texts": 8, "n_with": 0, "gain": gain, "delta_target": 10 * gain, "rep3": 0.05,
            "surprisal": 9.0 if f in broken else 2.5, "surprisal_plain": 2.0, "norm_share": 0.5,
        }
        for part in ("dose", "report")
        for f, of in gains.items()
        for arm, gain in zip(ARMS, of, strict=True)
    ]  # fmt: skip
    return pa.Table.from_pylist(choices, choice.SCHEMA), pa.Table.from_pylist(rows, dose.SCHEMA)


def pooled(*cells, seed=0):
    return by_choice(*zip(*cells, strict=True), seed)


def row(table, name, arm="feature", less=(None, None)):
    key = (name, arm, *less)
    (one,) = [
        r
        for r in table.to_pylist()
        if (r["choice"], r["arm"], r["less_choice"], r["less_arm"]) == key
    ]
    return one


ONE = cell(
    {3: (0.5, 0.125, 0.25, 0.75), 4: (0.25, 0.0, 0.25, 0.5), 9: (0.125, 0.0, 0.0, 0.5)},
    {3: ["own", "lens"], 4: ["own"], 9: ["meaning"]},
)
TWO = cell(
    {3: (0.25, 0.0, 0.5, 0.5), 5: (0.5, 0.0, 0.0, 1.0), 6: (0.0, 0.0, 0.0, 0.0)},
    {3: ["own"], 5: ["meaning"], 6: []},
)


def test_means_and_differences_are_those_by_hand():
    table = pooled(ONE, TWO)
    assert table.schema == SCHEMA and set(DEFINITIONS) < set(SCHEMA.names)
    own = row(table, "own")
    # Features 3 and 4 of the first cell and 3 of the second.
    assert own["gain"] == pytest.approx((0.5 + 0.25 + 0.25) / 3)
    assert (own["n_cells"], own["n_features"], own["n_sound"], own["n_above"]) == (2, 3, 3, 2)
    assert own["delta_target"] == pytest.approx(10 * own["gain"])
    assert (own["surprisal_more"], own["rep3"]) == (pytest.approx(0.5), pytest.approx(0.05))
    assert own["low"] <= own["gain"] <= own["high"]
    less = row(table, "own", less=("meaning", "feature"))
    assert less["gain"] == pytest.approx(1 / 3 - (0.125 + 0.5) / 2)
    # Above in the first cell (.375 against .125), below in the second (.25 against .5).
    assert (less["n_cells"], less["n_above"], less["surprisal_more"]) == (2, 1, None)
    means = row(table, "own", less=("own", "means"))
    assert means["gain"] == pytest.approx((0.25 + 0.0 - 0.25) / 3)
    # The logit lens chose in one cell alone; nothing was drawn.
    assert row(table, "own", less=("lens", "feature"))["n_cells"] == 1
    assert "random" not in set(table["choice"].to_pylist() + table["less_choice"].to_pylist())


def test_a_feature_without_a_sound_dose_gains_nothing():
    table = pooled(cell({1: (0.5,) * 4, 2: (0.5,) * 4}, {1: ["own"], 2: ["own"]}, broken={2}))
    own = row(table, "own")
    assert (own["gain"], own["n_features"], own["n_sound"]) == (0.25, 2, 1)
    assert own["surprisal_more"] == pytest.approx(0.5)


def test_features_are_drawn_whole():
    gains = {f: (f / 10, 0.0, f / 10 - 0.2, 0.0) for f in range(1, 8)}
    table = pooled(cell(gains, {f: ["own", "meaning"] for f in gains}))
    same = row(table, "own", less=("meaning", "feature"))
    assert same["gain"] == same["low"] == same["high"] == 0.0
    # Gain and difference of means are .2 apart in each feature: paired, there is no doubt.
    paired = row(table, "own", less=("own", "means"))
    assert [paired[n] for n in ("gain", "low", "high")] == pytest.approx([0.2] * 3)
    alone = row(table, "own")
    assert alone["high"] - alone["low"] > 0.1


def test_cells_are_drawn_and_then_features():
    of = np.repeat([0, 1, 2], [5, 5, 2])
    drawn = weights(of, 0)
    assert (drawn[:, 0] == 1).all()
    # Cells alone differ, features within them do not: what is left is the doubt of three cells.
    four = range(4)
    apart = [
        cell(dict.fromkeys(four, (gain,) * 4), {f: ["own"] for f in four}) for gain in (0, 0.3, 0.6)
    ]
    own = row(pooled(*apart), "own")
    assert (own["low"], own["high"]) == pytest.approx((0.0, 0.6))
    assert own["n_above"] == 2
    # Each cell's features are as many as before, times how often the cell is drawn.
    sums = np.array([drawn[of == n].sum(0) for n in range(3)])
    assert set(sums[0] % 5) == {0.0} and set(sums[2] % 2) == {0.0}
    assert (sums.sum(0)[1:] != 12).any() and ((sums / [[5], [5], [2]]).sum(0) == 3).all()


def test_the_same_tables_give_the_same_numbers_and_none_give_none():
    assert pooled(ONE, TWO).equals(pooled(ONE, TWO))
    nothing = cell({1: (0.0,) * 4}, {1: []})
    assert pooled(nothing).num_rows == 0 and not units(*zip(nothing, strict=True)).rows
