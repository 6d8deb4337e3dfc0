"""Clusters: planted ones come back, random labels agree by chance alone, and large columns that are
the same everywhere decide nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from threadpoolctl import threadpool_limits

from saegrid.evidence.clusters import METHODS, WEIGHTINGS
from saegrid.evidence.clusters.agreement import agreement, ari, nmi, pair, purity, tables
from saegrid.evidence.clusters.clustering import (
    AS_MANY,
    RAW,
    SPECIFIC,
    WHOLE,
    Rows,
    check,
    clusterings,
    rules_of,
)
from saegrid.evidence.clusters.method import numbered
from saegrid.evidence.clusters.methods import kmeans
from saegrid.evidence.clusters.number import choose, silhouette, subsamples
from saegrid.evidence.clusters.picture import picture
from saegrid.evidence.clusters.reduced import reduced
from saegrid.evidence.clusters.specific import by_cluster, flagged, top_of
from saegrid.evidence.clusters.weighting import deviations, weighted
from saegrid.evidence.contrast import Unusable

QUICK = {
    "method": "kmeans",
    "k": None,
    "least": 5,
    "draws": 20,
    "nulls": 3,
    "stable": 0.6,
    "seed": 42,
}
KS = {"ks": range(2, 7)}
Y = np.repeat(np.arange(4), 15)
N = len(Y)


def planted(massive=False):
    """Sixty rows in four clusters of 32 columns; massive: the first column is 500 or 600 by the
    toss of a coin."""
    rng = np.random.default_rng(5)
    x = 3 * rng.normal(size=(4, 32))[Y] + rng.normal(size=(N, 32))
    if massive:
        x[:, 0] = 500 + 100 * (rng.random(N) > 0.5)
    return x


def clustered(x, weighting="standard", many=None, **more):
    rules = rules_of(QUICK | more, **KS)
    rows = Rows(x, np.arange(100, 100 + x.shape[1]), np.arange(len(x)), weighting)
    return clusterings(rows, rules, 8, 0.1, 0.1, many)


# --- the protocol -----------------------------------------------------------------------------


def test_planted_clusters_come_back_and_their_number_by_the_rule():
    of = clustered(planted()).of[SPECIFIC]
    assert pair(of.labels, Y) == 1.0
    assert of.chosen.best.k == 4 and of.chosen.is_stable and of.chosen.p == 1 / 4
    assert of.chosen.best.stability > 0.99 > of.chosen.stability_null
    assert of.chosen.best.silhouette > 2 * of.chosen.best.silhouette_null


def test_planted_clusters_of_sparse_codes_come_back():
    """Ten features of each cluster fire on its texts, ten on any."""
    rng = np.random.default_rng(1)
    own = (np.arange(40) // 10 == Y[:, None]) & (rng.random((N, 40)) < 0.7)
    codes = np.hstack([own, rng.random((N, 10)) < 0.3]) * rng.exponential(1, (N, 50))
    rows = Rows(sparse.csr_matrix(codes), np.arange(50), np.arange(N), "idf", np.full(50, 0.05))
    of = clusterings(rows, rules_of(QUICK, **KS), 8, 0.1, 0.1).of[SPECIFIC]
    assert of.chosen.best.k == 4 and pair(of.labels, Y) == 1.0


def test_a_massive_dimension_is_flagged_and_would_otherwise_decide():
    x = planted(massive=True)
    coin = (x[:, 0] > 550).astype(int)
    result = clustered(x)
    raw = result.of[RAW]
    assert pair(raw.labels, coin) == 1.0 and abs(pair(raw.labels, Y)) < 0.1
    assert raw.leader == 100 and raw.leader_share > 0.99
    assert result.flags.reasons[0][0] == "massive" and result.flags.norm_share[0] > 0.99
    specific = result.of[SPECIFIC]
    assert pair(specific.labels, Y) == 1.0 and specific.leader != 100
    assert specific.n_columns == 31 and result.kept[0] == 1


def test_as_many_clusters_as_labels():
    of = clustered(planted(), many=3).of
    assert of[AS_MANY].chosen.best.k == 3 and len(of[AS_MANY].chosen.tries) == 1
    assert AS_MANY not in clustered(planted()).of


def test_hdbscan_finds_them_too_and_leaves_strangers_out():
    x = np.vstack([planted(), 40 + 30 * np.random.default_rng(2).normal(size=(3, 32))])
    of = clustered(x, "none", method="hdbscan", many=4).of
    labels = of[WHOLE].labels
    assert pair(labels[:N], Y) > 0.9 and (labels[N:] == -1).all()
    assert AS_MANY not in of, "its number cannot be set"


def test_settings_are_those_of_the_rules():
    rules = rules_of(QUICK | {"k": 7, "nulls": 11, "stable": 0.25, "seed": 3, "least": 9})
    assert (rules.k, rules.nulls, rules.stable, rules.seed, rules.least) == (7, 11, 0.25, 3, 9)
    assert rules.draws == 20 and rules.method.counted


def test_hdbscan_of_noise_may_find_nothing():
    x = np.random.default_rng(3).normal(size=(40, 10))
    of = clustered(x, "none", method="hdbscan").of[WHOLE]
    assert of.chosen.best.k == 0 and (of.labels == -1).all()
    assert of.chosen.p == 1 and np.isnan(of.chosen.best.silhouette) and of.leader_share == 0


def test_rows_without_clusters_are_not_said_to_have_some():
    x = np.random.default_rng(3).normal(size=(N, 12))
    of = clustered(x).of[WHOLE]
    assert of.chosen.p > 0.25
    assert of.chosen.best.silhouette < 1.5 * of.chosen.best.silhouette_null


@pytest.mark.parametrize("method", METHODS)
def test_the_same_bytes_for_any_number_of_threads(method):
    x = planted(massive=True)
    results = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            results.append(clustered(x, method=method, k=4).of)
    for one, other in zip(*(r.values() for r in results), strict=True):
        assert one.rows.tobytes() == other.rows.tobytes()
        assert one.labels.tobytes() == other.labels.tobytes()
        assert one.chosen.best.stability == other.chosen.best.stability
        assert repr(one.chosen.best.silhouette) == repr(other.chosen.best.silhouette)


@pytest.mark.parametrize(
    ("n", "k", "words"),
    [
        (9, None, "analyses.clusters: there are 9 texts to be clustered; at least 10 are needed."),
        (12, 12, "analyses.clusters.k: 12 clusters are more than 12 texts can fill. Set k below"),
    ],
)
def test_too_few_rows_are_one_sentence(n, k, words):
    with pytest.raises(Unusable, match=words.replace("(", r"\(")):
        check(n, k)


def test_rows_that_are_all_the_same_are_one_sentence():
    with pytest.raises(Unusable, match=r"analyses.clusters: all 20 rows are the same"):
        clustered(np.ones((20, 5)))


def test_an_unknown_method_is_told():
    with pytest.raises(ValueError, match=r"analyses.clusters.method: 'kmean' is unknown. Did you"):
        rules_of(QUICK | {"method": "kmean"})


# --- the number of clusters -------------------------------------------------------------------


def test_draws_are_of_whole_originals():
    rules = rules_of(QUICK)
    original = np.repeat(np.arange(10), 3)
    draws = subsamples(original, rules)
    assert len(draws) == 20
    for rows in draws:
        assert len(rows) == 24 and (np.bincount(original[rows], minlength=10) % 3 == 0).all()
    assert len({rows.tobytes() for rows in draws}) > 5


def test_draws_of_a_large_corpus_are_no_larger_than_those_of_a_small_one():
    rules = rules_of(QUICK)
    assert {len(rows) for rows in subsamples(np.arange(5000), rules)} == {1000}
    x = np.random.default_rng(0).normal(size=(1500, 2)) + 9 * (np.arange(1500) % 2)[:, None]
    chosen = choose(x, np.arange(1500), rules_of(QUICK | {"nulls": 1}, ks=[2]))
    assert chosen.best.stability == 1 and np.isfinite(chosen.stability_null)


def test_silhouettes_agree_with_scikit_learn_and_leave_strangers_out():
    x = planted()
    assert silhouette(x, Y, 0) == pytest.approx(silhouette_score(x, Y), abs=1e-12)
    with_none = np.where(np.arange(N) < 4, -1, Y)
    expected = silhouette_score(x[4:], Y[4:])
    assert silhouette(x, with_none, 0) == pytest.approx(expected, abs=1e-12)
    assert np.isnan(silhouette(x, np.zeros(N, int), 0))


def test_the_most_distinct_of_the_stable_numbers_is_chosen():
    chosen = choose(planted(), np.arange(N), rules_of(QUICK | {"stable": 0.0}, **KS))
    assert chosen.best is max(chosen.tries, key=lambda one: one.silhouette)
    none = choose(planted(), np.arange(N), rules_of(QUICK | {"stable": 1.1}, **KS))
    assert not none.is_stable
    assert none.best is max(none.tries, key=lambda one: (one.stability, -one.k))


def test_k_means_leaves_no_larger_sum_of_squares_than_scikit_learn():
    for seed in range(5):
        x, _ = make_blobs(80, 6, centers=5, cluster_std=2.5, random_state=seed)
        labels = kmeans.fit(x, 5, 0, seed)
        means = np.array([x[labels == c].mean(axis=0) for c in range(5)])
        own = np.square(x - means[labels]).sum()
        assert own <= KMeans(5, n_init=10, random_state=seed).fit(x).inertia_ * (1 + 1e-6)


def test_k_means_of_few_different_rows():
    labels = kmeans.fit(np.repeat(np.eye(2), 5, axis=0), 3, 0, 0)
    assert pair(labels, np.repeat([0, 1], 5)) == 1.0


def test_clusters_are_numbered_by_size():
    assert numbered(np.array([7, 7, -1, 2, 2, 2, 5, 5])).tolist() == [1, 1, -1, 0, 0, 0, 2, 2]


# --- agreement with labels --------------------------------------------------------------------

PARTITIONS = st.integers(2, 25).flatmap(
    lambda n: st.tuples(
        *(st.lists(st.integers(0, 3), min_size=n, max_size=n).map(np.array) for _ in "ab")
    )
)


@settings(max_examples=60, deadline=None)
@given(PARTITIONS)
def test_measures_agree_with_scikit_learn(pairs):
    a, b = pairs
    counts = tables(*(np.unique(p, return_inverse=True)[1] for p in pairs))
    assert ari(counts)[0] == pytest.approx(adjusted_rand_score(a, b), abs=1e-12)
    same = len(np.unique(a)) == len(np.unique(b)) == 1
    expected = 1.0 if same else normalized_mutual_info_score(a, b)
    assert nmi(counts)[0] == pytest.approx(expected, abs=1e-9)


def test_measures_by_hand():
    """Clusters aab bb|c: n_ij = [[2, 1], [0, 3]]; C(n, 2): 15, of clusters 6, of labels 1 + 6."""
    counts = tables(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 1]))
    assert counts.tolist() == [[[2, 1], [0, 3]]]
    assert ari(counts)[0] == pytest.approx((4 - 6 * 7 / 15) / (6.5 - 6 * 7 / 15))
    assert purity(counts)[0] == pytest.approx(5 / 6)


def test_random_labels_agree_by_chance_and_the_interval_says_so():
    """Random labels, 60 sets: about 3 have an interval without 0, and 3 a p of at most .05."""
    rng = np.random.default_rng(0)
    missed = significant = 0
    values = []
    for seed in range(60):
        labels, clusters = rng.permutation(np.repeat(np.arange(5), 20)), rng.integers(0, 4, 100)
        one = agreement(clusters, labels, np.arange(100), 100, 99, seed)
        missed += not one["ari"].low <= 0 <= one["ari"].high
        significant += one["ari"].p <= 0.05
        values.append(one["ari"].value)
        assert abs(one["ari"].chance) < 0.01 < one["nmi"].chance < 0.2 < one["purity"].chance
        assert one["nmi"].low <= one["nmi"].value <= one["nmi"].high
    assert abs(np.mean(values)) < 0.01
    assert missed <= 8 and significant <= 9


def test_the_same_labels_agree_in_full():
    one = agreement(Y, (Y + 1) % 4, np.arange(N), 50, 99, 0)
    for name in ("ari", "nmi", "purity"):
        assert one[name][:3] == pytest.approx((1, 1, 1)) and one[name].p == 0.01
    assert one["ari"].chance_top < 0.1 and one["purity"].chance > 0.3


def test_whole_originals_exchange_their_labels():
    """Labels of two originals of equal texts are right or exchanged, and agree in full."""
    original = np.repeat([0, 1], 10)
    one = agreement(original, original, original, 20, 99, 0)["ari"]
    assert one.value == 1 and one.chance == 1 and one.p == 1


# --- columns ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_specificity_by_hand(form):
    """Clusters {1, 3}, {0, 0, 5}; all have mean 1.8; squares around means: 2 and 50 / 3."""
    x = np.array([[1.0, 2], [3, 2], [0, 2], [0, 2], [5, 2]])
    of = by_cluster(form(x), np.array([0, 0, 1, 1, 1]))
    sd = np.sqrt((2 + 50 / 3) / (5 - 2))
    scores = of.specificity()
    assert scores[:, 0] == pytest.approx([(2 - 1.8) / sd, (5 / 3 - 1.8) / sd])
    assert scores[:, 1].tolist() == [0, 0], "a column that never changes has none"
    assert of.between()[0] == pytest.approx(2 * 0.2**2 + 3 * (5 / 3 - 1.8) ** 2)


def test_specificity_does_not_change_with_units_and_rows_in_no_cluster_do_not_count():
    x = planted()
    labels = np.where(np.arange(N) % 7 == 0, -1, Y)
    scores = by_cluster(x, labels).specificity()
    assert by_cluster(1000 * x - 7, labels).specificity() == pytest.approx(scores, abs=1e-9)
    inside = labels >= 0
    means = np.array([x[labels == c].mean(axis=0) for c in range(4)])
    within = np.square(x[inside] - means[labels[inside]]).sum(axis=0)
    sd = np.sqrt(within / (inside.sum() - 4))
    assert scores == pytest.approx((means - x.mean(axis=0)) / sd)


def test_a_perfect_column_is_first():
    x = np.array([[1.0, 0.5], [1, 2], [0, 0], [0, 1]])
    of = by_cluster(x, np.array([0, 0, 1, 1]))
    assert np.isposinf(of.specificity()[0, 0])
    assert top_of(of.specificity(), of.mean, 2).tolist() == [[0, 1], [-1, -1]]


def test_columns_that_are_large_everywhere_are_flagged_with_reasons():
    rng = np.random.default_rng(0)
    x = rng.random((N, 12)) + (np.arange(12) == Y[:, None] + 2) * 5.0
    x[:, 0] += 6  # the largest mean in each cluster, and specific to none
    density = np.full(12, 0.02)
    density[1] = 0.5
    flags = flagged(x, Y, density, 0.1, 0.9, top=2)
    assert [(j, r) for j, r in enumerate(flags.reasons) if r] == [
        (0, ["everywhere"]),
        (1, ["dense"]),
    ]
    assert flags.n_top[0] == 4 and flags.n_top[2] == 1 and flags.largest[2] > 3
    assert flags.norm_share.sum() == pytest.approx(1)
    massive = flagged(x, Y, None, 0.1, 0.3, top=2)
    assert massive.reasons[0] == ["massive", "everywhere"] and not massive.reasons[1]


def test_weights_by_hand():
    """idf: z / max z * ln(1 / density), rows of length one, and 0 where a feature always fires."""
    x = sparse.csr_matrix(np.array([[2.0, 0, 1], [4, 3, 1], [0, 3, 1], [0, 0, 0]]))
    density = np.array([0.1, 0.01, 1.0])
    out = weighted(x, density, WEIGHT["idf"]).toarray()
    second = np.array([np.log(10), np.log(100)])
    assert out[0] == pytest.approx([1, 0, 0])
    assert out[1] == pytest.approx([*(second / np.linalg.norm(second)), 0])
    assert out[3].tolist() == [0, 0, 0]
    dense = x.toarray()
    standard = weighted(x, density, WEIGHT["standard"])
    assert standard.toarray() == pytest.approx(dense / dense.std(axis=0))
    assert deviations(x) == pytest.approx(dense.std(axis=0))
    assert (weighted(x, density, WEIGHT["none"]) != x).nnz == 0


def _weightings():
    from saegrid.base.registry import pick

    return {name: pick(WEIGHTINGS, name, "Weighting") for name in WEIGHTINGS}


WEIGHT = _weightings()


@pytest.mark.parametrize("shape", [(40, 300), (300, 40), (12, 8)])
def test_the_reduction_is_the_svd_of_centred_rows_sparse_or_dense(shape):
    rng = np.random.default_rng(0)
    x = rng.exponential(1, shape) * (rng.random(shape) < 0.2) * (1 + np.arange(shape[1]) % 7)
    u, s, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    expected = np.abs(u[:, :5] * s[:5])
    for columns in (x, sparse.csr_matrix(x)):
        rows = reduced(columns, 5)
        assert np.abs(rows) == pytest.approx(expected, abs=1e-7)
        at = np.abs(rows).argmax(axis=0)
        assert (rows[at, np.arange(5)] > 0).all()


def test_a_picture_has_two_places_of_each_row_and_umap_is_asked_for(monkeypatch):
    assert picture(np.ones((3, 1)), "svd", 0).tolist() == [[1, 0]] * 3
    monkeypatch.setitem(__import__("sys").modules, "umap", None)
    with pytest.raises(Unusable, match="umap-learn, which is not installed"):
        picture(planted(), "umap", 0)
