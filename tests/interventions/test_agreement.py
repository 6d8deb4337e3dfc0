"""Agreement with true ablation: statistics, what is ablated, tables, the figure."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

import drawing
from saegrid.interventions.agreement import (
    ALL,
    DRAWN,
    GRADIENT,
    INTEGRATED,
    PREDICTORS,
    SCHEMA,
    SIZE,
    SUMS,
    WITH_TOP,
    ablation_table,
    agreement,
    completeness,
    interval,
    of_activation,
    of_gradient,
    pearson,
    ranked,
    sampled,
    spearman,
    top_share,
    value,
)
from saegrid.interventions.attributed import by_feature, by_prompt, examples
from saegrid.interventions.attribution import Attributed
from saegrid.interventions.differences import Prompts
from saegrid.models.tiles import Rows
from saegrid.pages.browser.attributions import of_features

RNG = np.random.default_rng


def pairs_of(n_prompts=6, n=30, seed=0, noise=0.1):
    """Made-up attributions of n features on each prompt, with effects beside."""
    rng = RNG(seed)
    prompt = np.repeat(np.arange(n_prompts), n)
    feature = np.concatenate([np.sort(rng.choice(90, n, replace=False)) for _ in range(n_prompts)])
    attribution = rng.standard_t(3, len(prompt))
    activation = rng.exponential(size=len(prompt))
    sums = {
        "features": np.bincount(prompt, attribution),
        "error": rng.normal(size=n_prompts),
        "bias": rng.normal(size=n_prompts),
        "difference": rng.normal(size=n_prompts),
    }
    sums["total"] = sums["features"] + sums["error"] + sums["bias"]
    sums["without"] = sums["difference"] - sums["features"]
    sums["integrated"] = sums["features"] * 1.01
    every = np.arange(len(prompt))
    pairs = Attributed(
        *(prompt, feature, activation, attribution, attribution + 1),
        *(np.arange(len(prompt) + 1), every, np.ones(len(prompt)), len(prompt), sums),
    )
    return pairs, attribution + noise * rng.normal(size=len(prompt))


# --- statistics ----------------------------------------------------------------------------------


def test_correlations_are_scipys():
    rng = RNG(0)
    for _ in range(20):
        a, b = rng.integers(0, 6, (2, 25)).astype(float)
        assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b)[0], abs=1e-12)
        assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
    assert np.isnan(pearson(np.ones(9), np.arange(9.0)))
    assert np.isnan(pearson(np.arange(2.0), np.arange(2.0)))
    assert np.isnan(spearman(np.full(9, np.nan), np.arange(9.0)))


def test_ranks_and_top_shares():
    assert ranked(np.array([3.0, 9.0, 3.0, 1.0])).tolist() == [2, 1, 3, 4]
    effect = np.array([5.0, -9, 0.1, 0.2, 0.3, 0.1])
    assert top_share(np.array([9.0, -5, 0, 0, 0, 0]), effect, 2) == 1
    assert top_share(np.array([9.0, 0, 5, 0, 0, 0]), effect, 2) == 0.5
    assert np.isnan(top_share(effect[:3], effect[:3], 2)), "of three any two are nearly all"


def test_completeness_is_relative_to_its_terms():
    sums = {k: np.array([v]) for k, v in (("features", 2.0), ("error", 1.0), ("bias", -1.0))}
    sums |= {"total": np.array([2.0]), "difference": np.array([5.0]), "without": np.array([1.0])}
    sums |= {"integrated": np.array([4.4])}
    shares = {key: float(values[0]) for key, values in completeness(sums).items()}
    assert shares == {
        (GRADIENT, "identity"): 0.0,
        (GRADIENT, "completeness"): 0.5,
        (INTEGRATED, "completeness"): pytest.approx(0.1),
    }
    forgotten = completeness({**sums, "error": np.zeros(1)})
    assert forgotten[GRADIENT, "identity"][0] == pytest.approx(1 / 5)


def test_intervals_are_over_prompts_that_have_a_value():
    mean, low, high, n = interval(np.array([1.0, 2, 3, np.nan]), np.mean, 0)
    assert (mean, n) == (2, 3) and 1 <= low < 2 < high <= 3
    assert interval(np.array([1.0, 2, 3, np.nan]), np.mean, 0) == (mean, low, high, n)
    assert np.isnan(interval(np.array([np.nan]), np.mean, 0)[0])
    rng, covers = RNG(0), 0
    for draw in range(200):
        _, low, high, _ = interval(rng.normal(size=50), np.mean, draw)
        covers += low < 0 < high
    assert 0.88 < covers / 200 < 0.99


# --- what is ablated -----------------------------------------------------------------------------


def test_features_are_drawn_by_prompt_and_seed_and_the_top_ones_are_marked():
    pairs, _ = pairs_of()
    chosen = sampled(pairs, 4, 8, 3, 1, 0)
    of = pairs.prompt[chosen.pair]
    assert (np.diff(chosen.pair) > 0).all()
    assert np.bincount(of, chosen.drawn).tolist() == [8, 8, 8, 8]
    assert np.bincount(of, chosen.top).tolist() == [3, 3, 3, 3]
    assert np.bincount(of)[0] == 30 and (of[chosen.whole] == 0).all()
    for number in range(4):
        own = pairs.of(number)
        best = own[np.argsort(-np.abs(pairs.attribution[own]))[:3]]
        assert set(chosen.pair[chosen.top & (of == number)]) == set(best)
    alone = sampled(pairs, 1, 8, 3, 0, 0)
    assert set(alone.pair[alone.drawn]) == set(chosen.pair[chosen.drawn & (of == 0)])
    other = sampled(pairs, 4, 8, 3, 1, 1)
    assert set(other.pair[other.drawn]) != set(chosen.pair[chosen.drawn])
    every = sampled(pairs, 99, 99, 3, 0, 0)
    assert len(every.pair) == 180 and every.drawn.all()
    assert len(sampled(pairs, 0, 8, 3, 0, 0).pair) == 0


def table_of(n_prompts=6, noise=0.1, **how):
    pairs, effect = pairs_of(n_prompts, noise=noise)
    chosen = sampled(pairs, n_prompts, 12, 5, 3, 0)
    ablations = ablation_table(pairs, chosen, effect[chosen.pair])
    return pairs, chosen, effect, ablations, agreement(ablations, pairs.prompts, **how)


def test_a_row_of_ablations_has_its_ranks_among_the_active_features():
    pairs, chosen, effect, ablations, _ = table_of()
    rows = ablations.to_pandas()
    assert rows.effect_rank.isna().tolist() == (~chosen.whole).tolist()
    for prompt, own in rows[rows.whole].groupby("prompt"):
        assert sorted(own.effect_rank) == list(range(1, 31))
        assert sorted(own.attribution_rank) == list(range(1, 31))
        first = own[own.effect_rank == 1].iloc[0]
        assert abs(first.effect) == np.abs(effect[pairs.of(prompt)]).max()
    top = rows[rows.top]
    assert sorted(set(top.attribution_rank)) == [1, 2, 3, 4, 5]


def test_agreement_is_the_mean_over_prompts_of_correlations_within_them():
    _, _, _, ablations, table = table_of(top=5)
    assert table.schema.equals(SCHEMA)
    rows = ablations.to_pandas()
    drawn = rows[rows.drawn]
    expected = [stats.pearsonr(g.attribution, g.effect)[0] for _, g in drawn.groupby("prompt")]
    assert of_gradient(table) == pytest.approx(np.mean(expected), abs=1e-12)
    expected = [stats.pearsonr(g.activation, g.effect)[0] for _, g in drawn.groupby("prompt")]
    assert of_activation(table) == pytest.approx(np.mean(expected), abs=1e-12)
    assert of_gradient(table) > 0.9 > 0.5 > of_activation(table)
    both = rows[rows.drawn | rows.top]
    expected = [stats.spearmanr(g.attribution, g.effect)[0] for _, g in both.groupby("prompt")]
    assert value(table, WITH_TOP, GRADIENT, "spearman") == pytest.approx(np.mean(expected))
    whole = rows[rows.whole]
    columns = ["attribution", "effect"]
    expected = [top_share(*g[columns].to_numpy().T, 5) for _, g in whole.groupby("prompt")]
    assert value(table, ALL, GRADIENT, "top") == pytest.approx(np.mean(expected))
    sizes = [stats.pearsonr(g.activation, g.effect.abs())[0] for _, g in drawn.groupby("prompt")]
    assert value(table, DRAWN, SIZE, "pearson") == pytest.approx(np.mean(sizes))
    assert value(table, SUMS, INTEGRATED, "completeness") == pytest.approx(0.01)
    assert value(table, SUMS, GRADIENT, "identity") < 1e-15
    numbers = {(r["sample"], r["predictor"]): r["n"] for r in table.to_pylist()}
    assert numbers[DRAWN, GRADIENT] == 6 and numbers[ALL, GRADIENT] == 3


def test_without_ablations_or_steps_there_are_no_numbers_but_a_table():
    pairs, _ = pairs_of()
    pairs.prompts["integrated"][:] = np.nan
    chosen = sampled(pairs, 0, 8, 3, 0, 0)
    table = agreement(ablation_table(pairs, chosen, np.zeros(0)), pairs.prompts)
    assert of_gradient(table) is None
    assert value(table, SUMS, INTEGRATED, "completeness") is None
    assert value(table, SUMS, GRADIENT, "completeness") is not None
    assert table.num_rows == len(PREDICTORS) * 7 + 3
    assert set(table["n"].to_pylist()) == {0, 6}


# --- what is shown -------------------------------------------------------------------------------


def prompts_of(pairs):
    n = len(pairs.prompts["total"])
    ids = np.arange(n, dtype=np.int64) + 3
    rows = Rows(np.arange(n, dtype=np.int64), np.arange(n + 1))
    words = [f"text {i}" for i in range(n)]
    return Prompts(rows, np.zeros(n, bool), ids, ids + 1, np.arange(n) * 10, words)


STRINGS = [f" w{i}" for i in range(99)]


def test_a_feature_counts_over_all_prompts():
    pairs, chosen, effect, _, _ = table_of()
    table = by_feature(pairs, chosen.pair, effect[chosen.pair]).to_pandas()
    assert sorted(table["rank"]) == list(range(1, len(table) + 1))
    for row in table.to_dict("records"):
        own = pairs.feature == row["feature"]
        assert row["attribution"] == pytest.approx(pairs.attribution[own].sum() / 6)
        assert row["size"] == pytest.approx(np.abs(pairs.attribution[own]).sum() / 6)
        assert row["n_prompts"] == own.sum()
        ablated = np.intersect1d(np.flatnonzero(own), chosen.pair)
        assert row["n_ablated"] == len(ablated)
        mean = effect[ablated].mean() if len(ablated) else np.nan
        assert row["effect"] == pytest.approx(mean, nan_ok=True)
    assert table.sort_values("rank")["size"].is_monotonic_decreasing


def test_examples_are_the_largest_and_stand_on_the_page():
    pairs, chosen, effect, _, _ = table_of()
    table = examples(pairs, chosen.pair, effect[chosen.pair], prompts_of(pairs), STRINGS)
    rows = table.to_pandas()
    assert rows.groupby("feature").size().max() == 3
    for feature, own in rows.groupby("feature"):
        every = np.sort(np.abs(pairs.attribution[pairs.feature == feature]))[::-1][:3]
        assert np.abs(own.attribution).tolist() == pytest.approx(every.tolist())
    panel = of_features(table)
    first = rows.iloc[0]
    assert panel[first.feature][0] == {
        "after": f"…text {first.prompt}",
        "token": f" w{first.prompt + 3}",
        "against": f" w{first.prompt + 4}",
        "attribution": round(first.attribution, 3),
        "ablation": None if np.isnan(first.effect) else round(first.effect, 3),
        "activation": round(first.activation, 2),
    }
    assert of_features(table.slice(0, 0)) == {}


def test_a_prompt_has_its_sums():
    pairs, _ = pairs_of()
    table = by_prompt(pairs, prompts_of(pairs), STRINGS)
    assert table["n_features"].to_pylist() == [30] * 6
    assert table["item"].to_pylist() == [0, 10, 20, 30, 40, 50]
    assert table["total"].to_pylist() == pairs.prompts["total"].tolist()
    assert table["token"].to_pylist()[0] == " w3"


def test_the_figure_shows_every_cell_and_what_has_no_number():
    _, _, _, _, table = table_of()
    drawing.check("attribution", table)
    grid = drawing.grid_of(drawing.CELLS, table, "attribution")
    image = drawing.svg("attribution", grid)
    for words in ("A, 8x: Pearson", "R, 32x: Spearman", "one gradient", "integrated gradients"):
        assert words in image, words
    nothing = table.set_column(3, "value", pa.nulls(table.num_rows, pa.float64()))
    assert drawing.svg("attribution", drawing.grid_of(drawing.CELLS, nothing, "attribution"))
