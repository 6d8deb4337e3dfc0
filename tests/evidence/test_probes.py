"""Classifiers: known answers first, then laws, then agreement with scikit-learn."""

import numpy as np
import pytest
from scipy import sparse, stats

from saegrid.evidence.contrast import Unusable
from saegrid.evidence.exchange import BETWEEN, FLIPS
from saegrid.evidence.probes import ceiling, fits, scores, study, summing, table
from saegrid.evidence.probes.classify import ALL, DIFFERENCE, SPARSE, classify
from saegrid.evidence.probes.material import Activations, Material
from saegrid.evidence.probes.problem import Corpus, Problem, folds, problem
from saegrid.evidence.probes.representations import REPRESENTATIONS, pca
from saegrid.evidence.probes.selection import strengths, strongest
from saegrid.evidence.probes.target import CLASSES, NUMBER
from saegrid.evidence.probes.targets import PROBES
from saegrid.evidence.texts import Texts, View
from saegrid.stages.probes import Settings as Probes
from saegrid.stages.tests import Settings as OfTests

SETTINGS = {"ks": [1, 5], "l2": [1e-3], "shuffles": 1, "draws": 100, "seed": 0, "folds": 5}


def made_problem(y, cluster, kind=CLASSES, n_folds=5, scheme=BETWEEN, later=0):
    """A problem of some labels; the last `later` rows are another part."""
    n = len(y) - later
    part = np.repeat([0, 1], [n, later])
    fold = np.full(len(y), -1)
    fold[:n] = folds(cluster[:n], y[:n], n_folds, 0, "test")
    item = np.arange(len(y))
    zeros = np.zeros(len(y), int)
    names = ["discovery", "confirmation"][: 1 + bool(later)]
    return Problem(
        "test", kind, y, item, zeros, zeros, ["text"], cluster, part, names, fold, scheme, "", {}
    )  # fmt: skip


def planted(n=400, d=32, d_sae=128, seed=0):
    """Sparse codes of texts, activations made of them, and a label that one code decides."""
    rng = np.random.default_rng(seed)
    z = rng.random((n, d_sae)) * (rng.random((n, d_sae)) < 0.1)
    z[:, 7] = rng.random(n) * (rng.random(n) < 0.4) + 0.0
    decoder = rng.standard_normal((d_sae, d))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    return sparse.csc_matrix(z), z @ decoder, (z[:, 7] > 0).astype(float)


def by_method(results):
    return {(r.method.name, r.method.k): r for r in results}


def mean_score(of, result):
    rows = of.searched
    ones = np.ones((len(rows), 1))
    return scores.by_folds(result.prediction[rows], of.y[rows], of.fold[rows], ones, of.kind)[0]


def answered(of, columns, ks=(1,), penalties=(1e-3,), **more):
    nothing = np.empty((len(of.y), 0))
    return by_method(classify(of, columns, ks, penalties, more.pop("shuffled", nothing), **more))


def test_a_label_of_one_planted_latent_is_told_by_one_feature_and_not_by_one_component():
    """D14 i."""
    z, x, y = planted()
    of = made_problem(y, np.arange(len(y)) // 2)
    codes = answered(of, z)
    assert mean_score(of, codes[SPARSE, 1]) == 1
    assert all(list(chosen) == [7] for chosen in codes[SPARSE, 1].chosen)
    material = Material([], [Activations(x, np.arange(len(y)))])
    material.mean = lambda problem, activations: x - x.mean(axis=0)
    components = answered(of, pca.build(material, of))
    assert mean_score(of, components[SPARSE, 1]) < 0.95


def test_features_chosen_in_the_folds_find_nothing_in_random_labels_those_outside_do():
    """D14 ii, with the trap: N = 100, 20,000 features."""
    inside, outside = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        x = (rng.random((100, 20_000)) < 0.2) * rng.random((100, 20_000))
        y = rng.permutation(np.repeat([0.0, 1.0], 50))
        of = made_problem(y, np.arange(100))
        z = sparse.csc_matrix(x)
        inside.append(mean_score(of, answered(of, z, (10,))[SPARSE, 10]))
        whole = strongest(strengths(z, y[:, None], np.ones((100, 1), bool))[:, 0], 10)
        outside.append(mean_score(of, answered(of, z[:, whole], (10,))[SPARSE, 10]))
    assert abs(np.mean(inside) - 0.5) < 3 * np.std(inside, ddof=1) / np.sqrt(5) + 0.02
    assert np.mean(outside) > 0.6 < min(outside)


def test_random_labels_are_predicted_by_chance_and_intervals_on_other_texts_say_so():
    """The intervals of folds are too narrow for that, .77 to .83 of data sets in place of .95: the
    classifiers, which share texts, are not fitted again. On another part they are right."""
    values, held = [], {"": [], "_confirmation": []}
    for seed in range(80):
        rng = np.random.default_rng(seed)
        y, cluster = (rng.random(300) < 0.5) * 1.0, np.arange(300) // 2
        of = made_problem(y, cluster, later=100)
        z = sparse.csc_matrix((rng.random((300, 100)) < 0.1) * 1.0)
        result = answered(of, z, (5,), methods=(SPARSE,))[SPARSE, 5]
        row = table._summary(of, result, table.draws(of, 200, 0), None)
        assert row["n_clusters"] == 100
        values.append(row["score"])
        for part, of_part in held.items():
            of_part.append(row[f"low{part}"] <= 0.5 <= row[f"high{part}"])
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(80)
    assert np.mean(held["_confirmation"]) > 0.88
    assert np.mean(held[""]) > 0.7


def test_an_original_lies_in_one_fold_and_folds_are_alike():
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 400, 1000)
    y = (rng.random(1000) < 0.1) * 1.0
    fold = folds(cluster, y, 5, 0, "test")
    assert all(len(np.unique(fold[cluster == one])) == 1 for one in np.unique(cluster))
    sizes, means = np.bincount(fold), [y[fold == one].mean() for one in range(5)]
    assert sizes.min() > 190
    assert max(means) - min(means) < 0.03
    assert np.array_equal(fold, folds(cluster, y, 5, 0, "test"))
    assert not np.array_equal(fold, folds(cluster, y, 5, 1, "test"))
    order = rng.permutation(1000)
    assert np.array_equal(folds(cluster[order], y[order], 5, 0, "test"), fold[order])


def test_the_order_of_features_changes_no_byte():
    z, _, y = planted(seed=3)
    y = np.where(np.random.default_rng(0).random(len(y)) < 0.3, 1 - y, y)
    of = made_problem(y, np.arange(len(y)) // 2)
    order = np.random.default_rng(1).permutation(z.shape[1])
    one, other = answered(of, z, (1, 5, 20)), answered(of, z[:, order], (1, 5, 20))
    for k in (1, 5, 20):
        a, b = one[SPARSE, k], other[SPARSE, k]
        assert a.prediction.tobytes() == b.prediction.tobytes()
        assert all(np.array_equal(m, order[n]) for m, n in zip(a.chosen, b.chosen, strict=True))


def test_dense_and_sparse_columns_have_the_same_strengths_and_fits():
    z, _, y = planted()
    of = made_problem(y, np.arange(len(y)))
    train = np.arange(len(y))[:, None] % 3 > 0
    assert np.allclose(
        strengths(z, y[:, None], train), strengths(z.toarray(), y[:, None], train), atol=1e-12
    )
    a, b = answered(of, z, (5,)), answered(of, z.toarray(), (5,))
    assert np.allclose(a[SPARSE, 5].prediction, b[SPARSE, 5].prediction)


def test_strength_orders_features_as_the_difference_of_means_in_pooled_deviations():
    z, _, y = planted()
    dense = z.toarray() + np.where(y > 0, 0.1, 0)[:, None] * np.arange(z.shape[1]) / 100
    a, b = dense[y > 0], dense[y == 0]
    pooled = np.sqrt((a.var(axis=0) * len(a) + b.var(axis=0) * len(b)) / len(y))
    d = np.abs(a.mean(axis=0) - b.mean(axis=0)) / pooled
    r = strengths(dense, y[:, None], np.ones((len(y), 1), bool))[:, 0]
    p = y.mean()
    assert np.allclose(r, d / np.sqrt(d**2 + 1 / (p * (1 - p))))


def test_ties_go_to_the_smaller_index_and_features_that_do_not_vary_are_not_chosen():
    assert list(strongest(np.array([0, 2.0, 1, 2, 0]), 2)) == [1, 3]
    assert list(strongest(np.array([0, 2.0, 1, 2, 0]), 1)) == [1]
    assert list(strongest(np.array([0, 2.0, 1, 2, 0]), 9)) == [1, 3, 2]
    assert list(strongest(np.zeros(4), 2)) == []


def test_texts_that_are_not_learned_from_change_no_classifier():
    z, _, y = planted()
    of = made_problem(y, np.arange(len(y)), later=100)
    one = answered(of, z, (3,))
    flipped = of._replace(y=np.where(of.part == 1, 1 - y, y))
    for key, other in answered(flipped, z, (3,)).items():
        assert np.array_equal(one[key].prediction, other.prediction)


def test_a_gain_is_none_where_the_baseline_knows_all_and_some_where_it_knows_nothing():
    z, _, y = planted(600)
    noisy = np.where(np.random.default_rng(0).random(len(y)) < 0.2, 1 - y, y)
    of = made_problem(noisy, np.arange(len(y)))
    settings = {**SETTINGS, "ks": [1]}
    drawn = table.draws(of, 100, 0)
    rng = np.random.default_rng(1)
    for knows, low, high in ((True, -0.02, 0.02), (False, 0.2, 0.4)):
        known = (2 * y - 1) * 1.4 if knows else rng.standard_normal(len(y)) * 0.1
        base = table.Base("words", np.tile(known, (6, 1)), known)
        result = answered(of, z, (1,), offset=base.offset)[SPARSE, 1]
        before = table._by_folds(of, known, of.searched, drawn.weights[0])
        row = table._summary(of, result, drawn, before)
        assert low < row["gain"] < high
        assert row["gain_low"] <= row["gain"] <= row["gain_high"]
    assert settings["ks"] == [1]


def test_the_baseline_of_a_text_has_not_learned_from_it():
    """Random labels: a fit on a text tells its label, a fit on others does not."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0.0, 1.0], 100))
    of = made_problem(y, np.arange(200), later=50)
    x = rng.standard_normal((200, 300))
    offset = table._offsets(of, x, SETTINGS)
    assert offset.shape == (6, 200)
    ones = np.ones((150, 1))
    for split in offset:
        assert 0.3 < scores.auc(split[:150], y[:150], ones)[0] < 0.7
    whole = fits.wide(x, y, CLASSES, 1e-3)
    assert scores.auc(fits.predicted(whole, x), y, np.ones((200, 1)))[0] > 0.95


@pytest.mark.parametrize("scheme", [BETWEEN, FLIPS])
def test_labels_are_shuffled_between_whole_originals(scheme):
    cluster = np.repeat(np.arange(100), 2)
    y = np.tile([1.0, 0.0], 100) if scheme == FLIPS else np.repeat([1.0, 0.0], 100)
    of = made_problem(y, cluster, scheme=scheme)
    moved = of.shuffled(20, 0)
    assert np.array_equal(moved, of.shuffled(20, 0))
    assert np.allclose(moved.mean(axis=0), 0.5)
    pairs = moved.reshape(100, 2, 20)
    same = pairs[:, 0] == pairs[:, 1]
    assert not same.any() if scheme == FLIPS else same.all()
    assert 0.3 < (moved != y[:, None]).mean() < 0.7


# --- scores ---------------------------------------------------------------------------------


def test_scores_are_those_of_scipy_and_scikit_learn_and_count_draws():
    from sklearn import metrics

    rng = np.random.default_rng(0)
    y = (rng.random(200) < 0.3) * 1.0
    guess = np.round(rng.standard_normal(200) + y, 1)
    number = np.round(guess + rng.standard_normal(200), 1)
    ones = np.ones((200, 1))
    assert scores.auc(guess, y, ones)[0] == pytest.approx(metrics.roc_auc_score(y, guess))
    assert scores.spearman(guess, number, ones)[0] == pytest.approx(
        stats.spearmanr(guess, number).statistic
    )
    assert scores.average_precision(guess, y) == pytest.approx(
        metrics.average_precision_score(y, guess)
    )
    counts = rng.integers(0, 3, (200, 4))
    for draw, weight in enumerate(counts.T):
        again = np.repeat(np.arange(200), weight)
        assert scores.auc(guess, y, counts)[draw] == pytest.approx(
            metrics.roc_auc_score(y[again], guess[again])
        )
        assert scores.spearman(guess, number, counts)[draw] == pytest.approx(
            stats.spearmanr(guess[again], number[again]).statistic
        )


def test_a_draw_without_a_class_has_no_auc():
    y, guess = np.array([1.0, 0, 0]), np.array([3.0, 2, 1])
    assert np.isnan(scores.auc(guess, y, np.array([[0], [1], [1]]))[0])
    assert np.isnan(scores.auc(np.empty(0), np.empty(0), np.ones((0, 1)))[0])


# --- fits -----------------------------------------------------------------------------------


def test_fits_are_those_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression, Ridge

    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 8))
    y = (x[:, 0] + rng.standard_normal(300) > 0) * 1.0
    theirs = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(x, y)
    ours = fits.narrow(x, y, CLASSES)
    assert np.allclose(ours, [*theirs.intercept_, *theirs.coef_[0]], atol=1e-5)
    ridge = Ridge(1.0).fit(x, x[:, 1] + y)
    ours = fits.narrow(x, x[:, 1] + y, NUMBER)
    assert np.allclose(ours, [ridge.intercept_, *ridge.coef_])
    for columns in (x, sparse.csr_matrix(np.where(np.abs(x) > 1, x, 0))):
        theirs = LogisticRegression(C=1 / (0.01 * 300), tol=1e-10, max_iter=5000).fit(columns, y)
        wide = fits.wide(columns, y, CLASSES, 0.01)
        assert np.allclose([*wide.b, *wide.w], [*theirs.intercept_, *theirs.coef_[0]], atol=1e-4)
        ridge = Ridge(0.01 * 300, solver="sparse_cg", tol=1e-12).fit(columns, x[:, 1] + y)
        wide = fits.wide(columns, x[:, 1] + y, NUMBER, 0.01)
        assert np.allclose([*wide.b, *wide.w], [ridge.intercept_, *ridge.coef_], atol=1e-4)


def test_a_start_changes_no_fit():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 8))
    y = (x[:, 0] + rng.standard_normal(300) > 0) * 1.0
    start = rng.standard_normal(9)
    assert np.allclose(fits.narrow(x, y, CLASSES, start), fits.narrow(x, y, CLASSES), atol=1e-6)


def test_separable_classes_have_a_fit():
    y = np.repeat([0.0, 1.0], 50)
    for fit in (fits.narrow(y[:, None] * 5, y, CLASSES), fits.wide(y[:, None], y, CLASSES, 1e-4).w):
        assert np.isfinite(fit).all()


# --- ceiling --------------------------------------------------------------------------------


def test_the_ceiling_is_what_a_perfect_reader_gets():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal(40_000)
    grades = np.clip(np.round(1.5 + 0.5 * truth[:, None] + rng.standard_normal((40_000, 5))), 0, 9)
    digits = ["".join(str(int(g)) for g in sorted(row, reverse=True)) for row in grades]
    mean = grades.mean(axis=1)
    rho = ceiling.reliability(digits)
    first, second = grades[:, :2].mean(axis=1), grades[:, 2:4].mean(axis=1)
    half = np.corrcoef(first, second)[0, 1]
    single = half / (2 - half)
    assert rho == pytest.approx(5 * single / (1 + 4 * single), abs=0.02)
    y = np.where(mean >= 2.2, 1, np.where(mean <= 1.2, 0, np.nan))
    assert ceiling.ceiling(rho, NUMBER, mean, y) == pytest.approx(
        np.corrcoef(truth, mean)[0, 1], abs=0.01
    )
    kept = ~np.isnan(y)
    best = scores.auc(truth[kept], y[kept], np.ones((kept.sum(), 1)))[0]
    assert ceiling.ceiling(rho, CLASSES, mean, y) == pytest.approx(best, abs=0.015)


def test_ceilings_at_the_ends():
    label, y = np.array([0.0, 1, 2, 3]), np.array([0.0, 0, 1, 1])
    assert ceiling.reliability(["000", "111", "222", "333"]) == 1
    assert [ceiling.ceiling(rho, CLASSES, label, y) for rho in (1.0, 0.0)] == [1, 0.5]
    assert ceiling.reliability([None, "1", ""]) is None
    assert ceiling.ceiling(None, NUMBER, label, y) is None


# --- texts ----------------------------------------------------------------------------------


def made_texts(n=60, paired=True, **labels):
    """Texts of three items an original; item i has the tokens 2 i, and 2 i + 1 as its original."""
    item = np.arange(n, dtype=np.int32)
    every = np.ones(n, bool)
    views = (
        {"edited": View(item, 2 * item.astype(int), every),
         "original": View(item, 2 * item.astype(int) + 1, every)}
        if paired
        else {"text": View(item, item.astype(int), every)}
    )  # fmt: skip
    split = ["train" if i < 0.8 * n else "dev" for i in range(n)]
    return Texts({"split": split, **labels}, item // 3, views, {})


PARTS = {
    "discovery": {"corpus": "main", "split": "train"},
    "confirmation": {"corpus": "main", "split": "dev"},
}
LABELS = {"label": "grade", "high": 2.0, "low": 1.0, "classes": [], "folds": 5, "seed": 0}


def asked(name, texts, **settings):
    return problem(name, {"main": Corpus(texts)}, PARTS, {**LABELS, **settings})


def test_both_spans_of_a_pair_are_texts_of_one_original():
    of = asked("edited", made_texts(120))
    assert (len(of.y), of.views) == (2 * 120, ["edited", "original"])
    assert np.array_equal(of.y, 1 - of.view)
    for one in np.unique(of.cluster):
        assert len(np.unique(of.fold[of.cluster == one])) == 1
    assert of.parts == ["discovery", "confirmation"]
    assert (of.fold[of.part == 1] == -1).all()


def test_classes_are_those_at_least_high_and_at_most_low():
    grade = np.tile([0.0, 1, 1.5, 2, 3], 40)
    of = asked("high", made_texts(200, grade=grade))
    assert set(grade[of.item[of.y == 1]]) == {2, 3}
    assert set(grade[of.item[of.y == 0]]) == {0, 1}
    assert len(asked("grade", made_texts(200, grade=grade)).y) == 200


@pytest.mark.parametrize(
    ("name", "labels", "words"),
    [
        ("high", {}, "analyses.tests.label: the items have no column 'grade'; they have split. "),
        ("high", {"grade": np.full(60, np.nan)}, "'grade' is missing in all of 48 texts. "),
        ("high", {"grade": np.full(60, 3.0)}, "high has 0 texts with grade <= 1; at least 10 are "),
        ("grade", {"grade": np.full(60, 3.0)}, "grade has grade = 3 in all 48 texts: "),
        ("grade", {"grade": ["a"] * 60}, "'grade' holds texts, where numbers are needed. "),
        ("label", {"grade": ["a"] * 60}, "must have two classes, or be a number; it has 1: 'a'. "),
        ("label", {"grade": ["a", "b"] + ["a"] * 58}, "label has 1 texts with grade 'b'; "),
    ],
)
def test_what_cannot_be_predicted_is_told_in_one_sentence(name, labels, words):
    with pytest.raises(Unusable) as error:
        asked(name, made_texts(60, **labels))
    assert words in str(error.value)
    # The label is that of the tests, and a message names a key that there is.
    _, analysis, key = str(error.value).partition(":")[0].split(".")
    sections = {"tests": OfTests, "probes": Probes}
    assert key in sections[analysis].model_fields


def test_unpaired_texts_have_no_edits():
    with pytest.raises(Unusable, match="edited needs texts that are edits of originals"):
        asked("edited", made_texts(paired=False))


def test_a_part_without_a_class_is_left_out_and_told():
    grade = np.where(np.arange(200) < 160, np.tile([0.0, 3], 100), 3.0)
    of = asked("high", made_texts(200, grade=grade))
    assert of.parts == ["discovery"]
    assert "high has 0 texts with grade <= 1" in of.left_out["confirmation"]


def test_few_originals_have_no_folds():
    with pytest.raises(Unusable, match="test has 4 originals; at least 10 are needed"):
        folds(np.arange(40) // 10, np.tile([0.0, 1], 20), 5, 0, "test")


def test_activations_are_averaged_over_the_tokens_of_a_text():
    texts = made_texts(60)
    token = np.arange(0, 118)  # the last pair was not captured
    x = np.stack([token, token**2], axis=1).astype(np.float32)
    of = asked("edited", texts, folds=2)
    material = Material([Corpus(texts)], [Activations(x, token)])
    mean = material.mean(of, material.activations)
    at = 2 * of.item + (of.view == 1)
    known = at < 118
    wanted = x[at[known]] - x[at[known]].mean(axis=0)
    assert np.allclose(mean[known], wanted)
    assert (mean[~known] == 0).all()


def test_registries_hold_what_they_name():
    from saegrid.base.registry import pick

    for name in PROBES:
        probe = pick(PROBES, name, "Probe")
        assert probe.title and probe.question.endswith("?")
    for name in REPRESENTATIONS:
        representation = pick(REPRESENTATIONS, name, "Representation")
        assert representation.of in ("texts", "site", "cell")
        assert representation.definition
        assert set(representation.methods) <= {SPARSE, ALL, DIFFERENCE}


# --- a study --------------------------------------------------------------------------------


def test_the_words_of_a_pair_are_those_that_differ():
    of = made_texts(2, original=["A big deal", "No wars"], edited=["A fat lie", "No cats"])
    assert study.spoken(of) == {"edited": ["fat lie", "cats"], "original": ["big deal", "wars"]}
    plain = made_texts(1, paired=False, edited=["All of it"])
    assert study.spoken(plain) == {"text": ["All of it"]}


def test_files_are_taken_in_lists_of_given_lengths():
    assert study.counted(["a", "b", "c"], [2, 1]) == [["a", "b"], ["c"]]
    assert study.counted([], []) == []


def quiver_of(good, confirmed=True):
    """The quiver of two classifiers, one of them of a cell; good: how well this one tells."""
    rng = np.random.default_rng(0)
    y = np.tile([0.0, 1.0], 200)
    guess = {0: y + 2 * rng.standard_normal(400), 1: good * y + rng.standard_normal(400)}
    part = np.repeat([0, 1], 200)
    rows = [
        {"representation": name, "site": "L1R", "cell": cell, "method": ALL, "k": None,
         "score": scores.auc(guess[n][:200], y[:200], np.ones((200, 1)))[0],
         "low": None, "high": None}
        for n, (name, cell) in enumerate([("x", None), ("codes", "L1R-8x")])
    ]  # fmt: skip
    parts = {"discovery": 200, **({"confirmation": 200} if confirmed else {})}
    facts = {"name": "a", "kind": CLASSES, "parts": parts}
    texts = {"a/y": y, "a/part": part, "a/cluster": np.arange(400) // 2}
    return summing.quiver(rows, [0, 1], guess, facts, texts, {"seed": 0, "draws": 100})


def test_a_set_of_classifiers_gains_by_one_that_is_better_on_discovery_and_by_no_other():
    one = quiver_of(good=3)
    assert one["gain"] == pytest.approx(one["with"] - one["without"])
    assert 0.1 < one["low"] < one["gain"] < one["high"]
    assert one["with_method"]["cell"] == "L1R-8x"
    other = quiver_of(good=0)
    assert (other["gain"], other["low"], other["high"]) == (0, 0, 0)
    assert other["with_method"] == other["without_method"]
    assert quiver_of(good=3, confirmed=False) is None


@pytest.mark.parametrize(
    ("deviation", "kept"), [([9.0, 3.0, 0.3], 2), ([5.0, 5.0, 5.0], 3), ([9.0, 0.1, 0.1], 1)]
)
def test_components_of_hardly_any_variance_are_left_out(deviation, kept):
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    x = rng.standard_normal((4000, 3)) * deviation @ axes
    found = pca.components(x, np.arange(4000))
    assert found.shape == (4000, kept)
    assert found.std(axis=0) == pytest.approx(sorted(deviation, reverse=True)[:kept], rel=0.05)
