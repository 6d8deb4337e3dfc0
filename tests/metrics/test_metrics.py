"""Metrics of SAEs: known answers (D13), laws, and the one pass over held-out tokens."""

import json
from itertools import combinations

import numpy as np
import pyarrow as pa
import pytest

from checkpoints import to_bits
from saegrid.base.words import Site
from saegrid.capture import activations
from saegrid.metrics.codes import BLOCK, Coder, decode
from saegrid.metrics.decoder import all_pairs, cosines, index_of_p95, random_pairs, random_rows
from saegrid.metrics.latents import bins_of, edges
from saegrid.metrics.lights import EXPOSURE, READINGS, lights
from saegrid.metrics.measure import measure, metrics_of
from saegrid.metrics.metric import NO_ROWS, MetricsError, Subject
from saegrid.metrics.sources import Captured, at_most
from saegrid.metrics.sparsity import gini, silent_share
from saegrid.saes import sae as reference
from saegrid.text.split import held_out
from subjects import RNG, ROW, TOKENS, X, identity_sae, random_sae, sae_of, written, zero_sae


def values_of(sae, x, mean=None, size=BLOCK, ids=None):
    """The values of all metrics on x (token, d_model)."""
    mean = np.zeros(x.shape[1]) if mean is None else mean
    coder = Coder(sae)
    subject = Subject(sae, mean, coder.reconstruct, Site(0, "R"), ids=ids)
    parts = (x[a:b] for a, b in reference.blocks(len(x), size))
    return measure(subject, coder, parts).values


def plain(found):
    return {name: value.value for name, value in found.items()}


# --- reconstruction ----------------------------------------------------------------------------


def test_an_identity_leaves_nothing():
    found = plain(values_of(identity_sae(16), X, X.mean(axis=0, dtype=np.float64)))
    assert found["mse"] == found["fvu"] == 0
    assert found["r2"] == found["r2_source"] == found["r2_dimensions"] == 1
    assert found["cosine"] == pytest.approx(1, abs=1e-12)
    assert found["norm_ratio"] == pytest.approx(1, abs=1e-12)


def test_zero_explains_nothing():
    centred = (X - X.mean(axis=0)).astype(np.float32)
    found = plain(values_of(zero_sae(16), centred))
    assert found["r2_source"] == pytest.approx(0, abs=1e-12)
    assert found["fvu"] == pytest.approx(1, abs=1e-6)
    assert found["norm_ratio"] == found["cosine"] == found["l0"] == 0
    assert found["dead_rate"] == 1


def test_the_formulas():
    """Against plain sums over a dense reconstruction."""
    sae, mean = random_sae(), RNG(3).normal(size=16)
    found = plain(values_of(sae, X, mean))
    x = X.astype(np.float64)
    z = reference.encode(sae.encoder, x)
    x_hat = reference.decode(sae, z)
    mse = np.square(x_hat - x).mean()
    spread = np.square(x - x.mean(axis=0)).sum(axis=0)
    norm, norm_hat = np.linalg.norm(x, axis=1), np.linalg.norm(x_hat, axis=1)
    expected = {
        "mse": mse,
        "fvu": np.square(x_hat - x).sum() / spread.sum(),
        "r2_source": max(0, 1 - mse / (np.square(x - mean).mean() + 1e-12)),
        "r2_dimensions": (1 - np.square(x_hat - x).sum(axis=0) / spread).mean(),
        "mean_square": np.square(x - mean).mean(),
        "cosine": ((x * x_hat).sum(axis=1) / norm / norm_hat).mean(),
        "norm_ratio": (norm_hat / norm).mean(),
        "l0": (z > 0).sum(axis=1).mean(),
        "density": (z > 0).mean(),
        "dead_rate": ((z > 0).sum(axis=0) == 0).mean(),
        "gini": gini(z.sum(axis=0)),
        "gini_counts": gini((z > 0).sum(axis=0)),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
    assert found["r2"] == 1 - found["fvu"]
    assert found["mse"] / (1 - found["r2_source"]) == pytest.approx(found["mean_square"])


def test_one_pass_in_any_blocks():
    sae = random_sae()
    whole, pieces = (plain(values_of(sae, X, size=size)) for size in (BLOCK, 100))
    assert {n: v for n, v in whole.items() if v is not None} == pytest.approx(
        {n: v for n, v in pieces.items() if v is not None}, rel=1e-12
    )
    assert [n for n in whole if whole[n] is None] == [n for n in pieces if pieces[n] is None]
    assert whole == plain(values_of(sae, X)), "the same bits for the same blocks"


def test_the_order_of_the_tokens_does_not_count():
    sae = random_sae()
    one, other = (plain(values_of(sae, x)) for x in (X, X[RNG(0).permutation(len(X))]))
    assert one.pop("ce_recovered") is other.pop("ce_recovered") is None
    numbers = {name: value for name, value in one.items() if value is not None}
    assert numbers == pytest.approx({name: other[name] for name in numbers}, rel=1e-9)


def test_constant_tokens_have_no_fvu():
    found = values_of(random_sae(), np.ones((9, 16), np.float32))
    assert found["fvu"].value is None
    assert found["fvu"].because == "x does not vary"


# --- decoding ----------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize(("k", "threshold"), [(3, 0.0), (None, 0.0), (None, 2.0)])
def test_decoding_from_sparse_codes_is_decoding(unit, k, threshold):
    """Dense blocks (ReLU) and sparse ones (k = 3 of 2,500) alike."""
    rng = RNG(1)
    W = rng.normal(size=(2500, 16))
    sae = sae_of(W, rng.normal(size=2500), W, rng.normal(size=16), k, threshold, unit)
    z = Coder(sae).codes(X)
    dense = np.zeros((len(X), 2500))
    dense[z.indices, z.owners()] = z.data
    np.testing.assert_allclose(decode(sae, z), reference.decode(sae, dense), atol=1e-9)


@pytest.mark.parametrize("bits", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(("k", "threshold"), [(3, 0.0), (None, 0.0), (None, 2.0)])
def test_both_ways_to_encode_agree(monkeypatch, k, threshold, bits):
    rng = RNG(1)
    W = rng.normal(size=(200, 16))
    sae = sae_of(W, rng.normal(size=200), W, rng.normal(size=16), k, threshold)
    x = to_bits(X) if bits else X
    monkeypatch.setattr("saegrid.metrics.codes.ENTRIES", 20_000)
    dense = Coder(sae).codes(x)
    monkeypatch.setattr("saegrid.metrics.codes.SMALL", 0)
    for one, other in zip(dense, Coder(sae).codes(x), strict=True):
        np.testing.assert_array_equal(one, other)


def test_activations_that_are_not_finite_are_named():
    x = X.copy()
    x[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"here: x must be finite; row 7 \(token 7\)"):
        Coder(random_sae(), name="here").codes(x)


def test_reconstruction_in_blocks(monkeypatch):
    coder = Coder(random_sae())
    whole = coder.reconstruct(X)
    monkeypatch.setattr("saegrid.metrics.codes.BLOCK", 77)
    np.testing.assert_allclose(coder.reconstruct(X), whole, rtol=1e-12)


# --- sparsity (D13) ----------------------------------------------------------------------------


def test_gini_of_known_usage():
    assert gini(np.full(5, 3.0)) == pytest.approx(0, abs=1e-12)
    assert gini(np.eye(8)[3]) == pytest.approx(0.875)
    assert gini(np.array([4, 1, 3, 2])) == pytest.approx(0.25)
    assert gini(np.zeros(4)) == 0


def test_shares_and_counts_belong_together():
    sae = random_sae(m=64, k=3)
    found = plain(values_of(sae, X))
    assert found["density"] * 64 == pytest.approx(found["l0"])
    assert found["dead_rate"] * 64 == round(found["dead_rate"] * 64)


def test_features_silent_at_some_of_the_tokens():
    """Rarefaction: against all ways of drawing 2 of 5 tokens."""
    active = RNG(0).random((5, 40)) < 0.3
    ways = [(active[list(chosen)].sum(axis=0) == 0).mean() for chosen in combinations(range(5), 2)]
    assert silent_share(active.sum(axis=0), 5, 2) == pytest.approx(np.mean(ways))
    assert silent_share(active.sum(axis=0), 5, 5) == (active.sum(axis=0) == 0).mean()


def test_a_dead_rate_at_more_tokens_than_there_are_is_none():
    found = values_of(random_sae(m=64, k=3), X)["dead_rate_at_exposure"]
    assert found.value is None
    needed = round(EXPOSURE * 64 / plain(values_of(random_sae(m=64, k=3), X))["l0"])
    assert found.because == f"{needed:,} tokens are needed; 600 were measured"
    enough = values_of(random_sae(m=16, k=5), X)["dead_rate_at_exposure"]
    assert enough.n == pytest.approx(EXPOSURE * 16 / 5, abs=5) and 0 <= enough.value < 1


# --- the decoder -------------------------------------------------------------------------------


def sorted_cosines(rows):
    rows = rows.astype(np.float64)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.sort((rows @ rows.T)[np.triu_indices(len(rows), 1)])


@pytest.mark.parametrize("m", [2, 3, 300, 1500])
def test_cosines_of_all_pairs(m):
    """Tiles of 1,024 and bins of the percentile, against sorting all pairs."""
    rows = random_rows(m, 24, seed=3)
    expected, found = sorted_cosines(rows), all_pairs(rows)
    n = m * (m - 1) // 2
    assert found.n == len(expected) == n
    assert found.mean == pytest.approx(expected.mean(), abs=1e-7)
    assert found.p95 == pytest.approx(expected[index_of_p95(n)], abs=1.5e-6)
    assert found.max == pytest.approx(expected[-1], abs=1e-7)
    table = rows.astype(np.float64) @ rows.T.astype(np.float64)
    np.fill_diagonal(table, -2)
    assert found.mean_max == pytest.approx(table.max(axis=1).mean(), abs=1e-6)


def test_the_order_of_the_features_does_not_count():
    rows = random_rows(1300, 24, seed=3)
    one, other = all_pairs(rows), all_pairs(rows[RNG(0).permutation(1300)])
    assert one == pytest.approx(other, abs=1e-6)


def test_duplicates_have_cosine_one():
    rows = random_rows(1100, 24, seed=0)
    rows[1090] = rows[7]
    assert all_pairs(rows).max == pytest.approx(1, abs=1e-12)
    assert all_pairs(random_rows(1100, 24, seed=0)).max < 0.95


def test_orthogonal_directions():
    found = all_pairs(np.eye(8, dtype=np.float32))
    assert (found.mean, found.max, found.mean_max) == (0, 0, 0)
    assert found.p95 == pytest.approx(0, abs=2e-6)


def test_the_index_of_the_percentile_is_the_sources():
    assert [index_of_p95(n) for n in (1, 2, 20, 2000)] == [0, 0, 18, 1899]


def test_random_directions_are_as_the_theory_says():
    """The null of the source's shape (C2): sd .0395, p95 .065, all-pairs max ~ .20, best ~ .14."""
    rows = random_rows(2560, 640, seed=0)
    found, (mean, p95, largest, n) = all_pairs(rows), random_pairs(rows, seed=0)
    assert found.mean == pytest.approx(0, abs=5e-5)
    assert found.p95 == pytest.approx(1.645 / np.sqrt(640), abs=5e-4)
    assert found.max == pytest.approx(0.20, abs=0.02)
    assert found.mean_max == pytest.approx(0.14, abs=0.01)
    assert (n, mean, p95, largest) == (
        2000,
        pytest.approx(0, abs=3e-3),
        pytest.approx(0.065, abs=6e-3),
        pytest.approx(0.14, abs=0.03),
    )


def test_random_pairs_never_pair_a_feature_with_itself():
    rows = np.eye(2, dtype=np.float32)
    assert random_pairs(rows, seed=0) == (0, 0, 0, 2000)


def test_a_random_decoder_is_its_own_null():
    W = random_rows(200, 24, seed=0)
    found = plain(
        values_of(sae_of(W, np.zeros(200), W, np.zeros(24)), RNG(0).random((9, 24), "f4"))
    )
    for name in ("mean", "p95", "max", "mean_max", "seed_mean", "seed_p95", "seed_max"):
        assert found[f"decoder_cosine_{name}"] == pytest.approx(
            found[f"null_cosine_{name}"], abs=3e-6
        )
    assert found["decoder_cosine_mean_max_above_null"] == pytest.approx(0, abs=1e-6)
    assert found["decoder_cosine_p95_above_null"] == pytest.approx(0, abs=1e-5)
    assert found["null_cosine_sd"] == 1 / np.sqrt(24)


def test_zero_rows_have_no_direction():
    W = random_rows(20, 24, seed=1)
    W[3] = 0
    found = values_of(sae_of(W, np.zeros(20), W, np.zeros(24)), RNG(0).random((9, 24), "f4"))
    assert found["decoder_cosine_mean"].n == 19 * 18 // 2
    W[1:] = 0
    found = values_of(sae_of(W, np.zeros(20), W, np.zeros(24)), RNG(0).random((9, 24), "f4"))
    assert found["decoder_cosine_mean"].because == "fewer than two decoder rows are not zero"


def test_pages_of_definitions():
    for name, value in values_of(random_sae(), X).items():
        assert value.definition and (value.value is None) == bool(value.because), name
    assert all(
        "of the decoder" in v.definition
        for v in cosines(random_rows(5, 4, 0), "decoder", "of the decoder", 0).values()
    )


# --- tokens ------------------------------------------------------------------------------------


SETTINGS = {
    "cell": "L0R-8x",
    "corpus": "generated",
    "split": {"share": 0.3, "seed": 5},
    "metrics": {"tokens": 10_000, "rows": 0, "seed": 0},
    "model": {},
    "threads": 1,
}


@pytest.fixture
def captured(tmp_path):
    token = np.flatnonzero(~TOKENS["special"].to_numpy())
    return Captured(written(tmp_path, X[:, :16].repeat(1, axis=0), token, parts=3), TOKENS)


def test_whole_rows_are_held_out(captured):
    given = captured.split(0.3, 5, 1, 1)
    token = np.flatnonzero(~TOKENS["special"].to_numpy())
    apart = held_out(ROW[token], 0.3, 5)
    assert given.measured.tolist() == np.flatnonzero(apart).tolist()
    assert given.learned.tolist() == np.flatnonzero(~apart).tolist()
    assert not set(ROW[token[given.measured]]) & set(ROW[token[given.learned]])
    assert 0.2 < len(given.measured) / 600 < 0.4


def test_nothing_held_out_is_told(captured):
    with pytest.raises(MetricsError) as error:
        captured.split(0.0, 5, 1, 1)
    assert "of 600 tokens 0 are held out where 0 of the rows are" in str(error.value)


def test_facts_of_a_cell(captured):
    sae = random_sae()
    facts = metrics_of(sae, captured, SETTINGS, 2000)
    assert facts == json.loads(json.dumps(facts, allow_nan=False))
    given = captured.split(0.3, 5, 1, 1)
    mean = X[given.learned].mean(axis=0, dtype=np.float64)
    ids = TOKENS["token_id"].to_numpy()[~TOKENS["special"].to_numpy()][given.measured]
    direct = values_of(sae, X[given.measured], mean, ids=ids)
    told = {name: entry["value"] for name, entry in facts["metrics"].items()}
    assert told == plain(direct)
    assert facts["tokens"] == {
        "n": len(given.measured),
        "held_out": len(given.measured),
        **SETTINGS["split"],
    }
    assert (facts["d_model"], facts["d_sae"], facts["cell"]) == (16, 64, "L0R-8x")
    assert [len(facts["lights"][name]) for name in READINGS] == [6, 6, 3]


def test_a_sample_of_the_tokens_is_seeded(captured):
    few = {**SETTINGS, "metrics": {"tokens": 50, "rows": 0, "seed": 1}}
    one, other = (metrics_of(random_sae(), captured, few, 2000) for _ in range(2))
    assert one == other
    assert one["tokens"]["n"] == one["metrics"]["l0"]["n"] == 50
    assert at_most(np.arange(9), 9, 0).tolist() == list(range(9))
    assert at_most(np.arange(100), 9, 0).tolist() == sorted(set(at_most(np.arange(100), 9, 0)))


def test_bins_of_codes_are_told_by_their_bits():
    """Against numpy's search over the edges, at the edges and just below them."""
    at = edges().astype(np.float32)
    assert len(at) == 101 and (at[0], at[-1]) == (2.0**-15, 2.0**10)
    assert (at.astype(np.float64) == edges()).all()
    below = np.nextafter(at, np.float32(0))
    values = np.concatenate([at, below, RNG(0).lognormal(0, 4, 5000).astype(np.float32)])
    expected = np.clip(np.searchsorted(at, values, side="right") - 1, 0, 99)
    assert bins_of(values).tolist() == expected.tolist()


def test_zeros_and_sizes_of_codes():
    found = values_of(identity_sae(16), X)
    assert found["zeros"].value == pytest.approx(0.5, abs=1e-3), "of x and -x one is zero"
    assert found["zeros"].value == pytest.approx(1 - found["density"].value)
    assert found["largest"].value == np.abs(X).max()
    assert found["mean_active"].value == pytest.approx(np.abs(X.astype(np.float64)).mean())
    dead = values_of(zero_sae(16), X)
    assert (dead["zeros"].value, dead["mean_active"].value) == (1.0, None)


def test_where_every_feature_is_dead_none_is_used_alike():
    """The formula gives 0, whose light would say to make fewer active."""
    dead = values_of(zero_sae(16), X)
    for name in ("gini", "gini_counts", "gini_of_active"):
        assert (dead[name].value, dead[name].because) == (None, "every feature is dead")
    by_name = {light.name: light for light in lights({n: v.value for n, v in dead.items()})}
    assert by_name["Gini"].state == "unknown" and not by_name["Gini"].advice
    assert by_name["density"].state == "low" and "lower the weight" in by_name["density"].advice


def test_the_histogram_counts_every_code(captured):
    facts = metrics_of(random_sae(), captured, SETTINGS, 2000)
    counts, d_sae, n = facts["latents"]["counts"], facts["d_sae"], facts["tokens"]["n"]
    assert sum(counts) == round(facts["metrics"]["l0"]["value"] * n)
    assert 1 - sum(counts) / (n * d_sae) == pytest.approx(facts["metrics"]["zeros"]["value"])


def test_an_edit_is_not_judged_where_its_original_was_learned_from(captured):
    """Rows in pairs of a group: both sides of a pair are measured, or none."""
    pairs = TOKENS.set_column(1, "group", pa.array(ROW // 2, pa.int32()))
    source = Captured(captured.paths, pairs)
    token = np.concatenate([activations.read(path)[1] for path in captured.paths])
    given = source.split(0.3, 5, 0, 0)
    measured, learned = (set(ROW[token[rows]] // 2) for rows in (given.measured, given.learned))
    assert measured and learned and not measured & learned
    chosen = source.text(0.3, 5, 1000, 0, {}).chosen
    assert set(chosen // 2) == measured
    assert len(chosen) == 2 * len(measured)


def test_rows_for_the_model_are_held_out_ones():
    text = Captured([""], TOKENS).text(0.3, 5, 20, 0, {})
    assert len(text.chosen) == 20
    assert held_out(text.chosen, 0.3, 5).all()
    assert text.starts.tolist() == list(range(0, 801, 4))
    assert text.special.tolist() == TOKENS["special"].to_pylist()
    assert Captured([""], TOKENS).text(0.3, 5, 0, 0, {}) == NO_ROWS
    alone = {"row": [0, 1], "group": [0, 1], "token_id": [1, 1], "special": [False, False]}
    single = pa.table(alone)
    found = Captured([""], single).text(0.9, 0, 5, 0, {})
    assert found == NO_ROWS, "nothing to predict in rows of one token"
