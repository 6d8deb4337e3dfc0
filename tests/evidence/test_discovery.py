"""The tests of a cell: a planted feature first, then numbers by hand and laws."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse, stats

from clustered import PLAN, asked, clusters, codes, grades, kept, sides, texts_of
from saegrid.codes.sparse import from_pairs
from saegrid.evidence import discovery, exchange, maxima, multiplicity
from saegrid.evidence.contrast import PAIRS
from saegrid.evidence.discovery import SCHEMA, Bases, Sides, Words, columns_of, discover, effects
from saegrid.evidence.nuisances import orthonormal, word_codes
from saegrid.evidence.texts import EDITED, View

NAMES = ("k1", "k2", "k3", "k3g", "k4", "label:kind")


@pytest.fixture(scope="module")
def cell():
    """Activations of 60 features on 400 originals. 0 follows the grade, 1 fires on edits alone, 2
    fires where the text has the class a."""
    rng = np.random.default_rng(2)
    cluster = clusters(rng, 400)
    grade = grades(rng, cluster)
    kind = ["a" if rng.random() < 0.4 else "b" for _ in cluster]
    dense = codes(rng, cluster, 60).toarray()
    dense[:, 0] = np.where(grade + rng.standard_normal(len(grade)) * 0.3 > 1.3, 1.5, 0)
    dense[:, 1] = np.where(rng.random(len(grade)) < 0.3, 2, 0)
    dense[:, 2] = np.where((np.array(kind) == "a") & (rng.random(len(grade)) < 0.5), 2, 0)
    other = codes(rng, cluster, 60).toarray()
    other[:, :3] = dense[:, :3] * [1, 0, 1]
    texts = texts_of(cluster, {"grade": grade, "kind": kind})
    return texts, sparse.csc_matrix(dense), sparse.csc_matrix(other)


def questions_of(cell, names=NAMES, permutations=499):
    texts, edited, original = cell
    asked_of = [asked(name, texts, permutations) for name in names]
    pooled = {one.name: sides(edited, one.design, original) for one in asked_of}
    return asked_of, pooled


@pytest.fixture(scope="module")
def result(cell):
    return discover(*questions_of(cell), 10)


def rows(table, contrast):
    return table.filter(pa.compute.equal(table["contrast"], contrast)).to_pydict()


@pytest.mark.parametrize(
    ("contrast", "feature"),
    [("k1", 1), ("k2", 0), ("k3", 0), ("k3g", 0), ("k4", 0), ("label:kind", 2)],
)
def test_what_is_planted_is_the_only_discovery(result, contrast, feature):
    found = rows(result.table, contrast)
    p = maxima.adjusted(np.array(found["statistic"]), result.maxima[contrast])
    assert np.array(found["feature"])[p <= 0.02].tolist() == [feature]
    place = found["feature"].index(feature)
    sign = -1 if contrast == "label:kind" else 1  # class b is the first side
    assert sign * found["statistic"][place] > 0 and sign * found["effect"][place] > 0
    assert sign * (found["auroc"][place] - 0.5) > 0


def test_the_table_has_its_schema_and_the_active_features(cell, result):
    assert result.table.schema == SCHEMA
    assert set(result.maxima) == {name + form for name in NAMES for form in ("", "/magnitude")}
    asked_of, pooled = questions_of(cell, permutations=1)
    for one in asked_of:
        active = np.flatnonzero(pooled[one.name].active() >= 10)
        assert rows(result.table, one.name)["feature"] == active.tolist()


def test_a_feature_that_fires_on_both_sides_is_active_on_one_text():
    a = sparse.csc_matrix(np.array([[1.0, 1], [1, 0], [0, 0]]))
    b = sparse.csc_matrix(np.array([[2.0, 0], [0, 1], [0, 0]]))
    assert Sides(a, b).active().tolist() == [2, 2] and Sides(a, None).active().tolist() == [2, 1]


def test_counts_rates_and_effects_by_hand(cell, result):
    texts, edited, original = cell
    grade, dense = texts.labels["grade"], edited.toarray()
    k2 = rows(result.table, "k2")
    high, low = grade >= PLAN["high"], grade <= PLAN["low"]
    for place in range(0, len(k2["feature"]), 9):
        column = dense[:, k2["feature"][place]]
        fires = column > 0
        expected = (high.sum(), low.sum(), (fires & high).sum(), (fires & low).sum())
        assert tuple(k2[key][place] for key in ("n_a", "n_b", "fire_a", "fire_b")) == expected
        assert k2["effect"][place] == pytest.approx(fires[high].mean() - fires[low].mean())
        pair = column[high].astype(float), column[low].astype(float)
        test = stats.mannwhitneyu(*pair, method="asymptotic")
        assert k2["auroc"][place] == pytest.approx(test.statistic / high.sum() / low.sum())
        assert k2["p_rank"][place] == pytest.approx(test.pvalue)
    k4 = rows(result.table, "k4")
    k1 = rows(result.table, "k1")
    for place in range(4, 50, 9):
        column = dense[:, k4["feature"][place]]
        fires = column > 0
        assert k4["effect"][place] == pytest.approx(stats.spearmanr(column, grade).statistic)
        test = stats.mannwhitneyu(grade[fires], grade[~fires])
        assert k4["auroc"][place] == pytest.approx(test.statistic / fires.sum() / (~fires).sum())
        one = dense[:, k1["feature"][place]] > 0
        other = original.toarray()[:, k1["feature"][place]] > 0
        only = int((one & ~other).sum()), int((other & ~one).sum())
        exact = stats.binomtest(min(only), sum(only)).pvalue
        expected = min(1, exact - stats.binom.pmf(min(only), sum(only), 0.5))
        assert k1["p_firing"][place] == pytest.approx(expected)
        assert k1["effect"][place] == pytest.approx(one.mean() - other.mean())
    assert k4["n_b"] == [None] * len(k4["n_b"]) and k4["p_firing"][0] is None


def test_sides_that_change_places_change_signs(cell):
    (question,), pooled = questions_of(cell, ["k1"])
    few = kept(pooled["k1"])
    one = columns_of(question, few)
    other = columns_of(question, Sides(few.b, few.a))
    assert other == pytest.approx(-one, abs=1e-5)


def test_the_order_of_texts_changes_no_statistic(cell):
    texts, edited, _ = cell
    order = np.random.default_rng(0).permutation(texts.n)
    labels = {
        "grade": texts.labels["grade"][order],
        "kind": [texts.labels["kind"][i] for i in order],
    }
    for name in ("k2", "k3", "k4", "label:kind"):
        one = effects(*both(name, texts, edited))
        other = effects(*both(name, texts_of(texts.cluster[order], labels), edited[order]))
        for key, values in one.items():
            assert other[key] == pytest.approx(values, nan_ok=True), key


def both(name, texts, matrix):
    question = asked(name, texts, 1)
    return question, sides(matrix, question.design)


def test_the_order_of_features_permutes_the_rows_alone(cell):
    texts, edited, original = cell
    order = np.random.default_rng(1).permutation(edited.shape[1])
    one = discover(*questions_of(cell, permutations=99), 10)
    moved = (texts, edited[:, order], original[:, order])
    other = discover(*questions_of(moved, permutations=99), 10)
    for name in NAMES:
        a, b = rows(one.table, name), rows(other.table, name)
        place = np.argsort(order[b["feature"]])
        for key in a:
            values = order[b[key]] if key == "feature" else np.array(b[key], object)
            assert np.array(a[key], object).tolist() == values[place].tolist(), key
    for key, values in one.maxima.items():
        assert values.tobytes() == other.maxima[key].tobytes()


def test_columns_of_a_few_features_are_those_of_the_cell(cell, result):
    asked_of, pooled = questions_of(cell)
    for one in asked_of:
        found = rows(result.table, one.name)
        few = np.array(found["feature"][3:9])
        for variant, column in (("", "statistic"), ("magnitude", "statistic_magnitude")):
            columns = columns_of(one, pooled[one.name].of(few), variant)
            assert columns[:, 0].tolist() == found[column][3:9]


@pytest.mark.parametrize("name", ["k2", "k4", "k3g"])
def test_what_follows_a_nuisance_is_gone_without_it(cell, name):
    texts, edited, _ = cell
    grade = texts.labels["grade"]
    noisy = (grade + np.random.default_rng(3).standard_normal(texts.n) * 0.3)[:, None] > 1.3
    question = asked(name, texts, 299)
    item = question.design.item
    basis = orthonormal({"one": np.ones(len(item)), "z": grade[item]})
    question = question._replace(bases=Bases(nuisances=basis))
    matrix = sparse.hstack([edited, noisy.astype(np.float32)]).tocsc()
    result = discover([question], {name: sides(matrix, question.design)}, 10)
    found = rows(result.table, name)
    place = found["feature"].index(60)
    assert abs(found["statistic"][place]) > 8
    assert abs(found["statistic_nuisances"][place]) < 5
    assert found["statistic_word"] == [None] * len(found["feature"])


def test_scores_of_residuals_have_norm_one_after_projection(cell):
    texts, _, _ = cell
    rng = np.random.default_rng(0)
    for name in NAMES:
        question = asked(name, texts, 20)
        n = len(question.design.item)
        basis = orthonormal({"y": rng.standard_normal(n), "z": rng.standard_normal(n)})
        columns = question.scores(basis).astype(float)
        left = columns - basis @ (basis.T @ columns)
        assert np.sqrt((left**2).sum(axis=0)) == pytest.approx(1, abs=1e-5)
        assert question.scores().shape == (n, 21)


@pytest.mark.parametrize("name", ["k1", "k2", "k4"])
def test_what_nuisances_explain_of_the_labels_alone_is_no_discovery(cell, name):
    texts, edited, original = cell
    question = asked(name, texts, 199)
    basis = orthonormal({"y": question.scores()[:, 0].astype(float)})
    question = question._replace(bases=Bases(nuisances=basis))
    chosen = kept(sides(edited, question.design, original))
    assert np.array_equal(question.scores(basis)[:, 0], np.zeros(len(question.design.item)))
    found = discover([question], {name: chosen}, 10)
    statistic = np.array(rows(found.table, name)["statistic_nuisances"])
    assert (maxima.adjusted(statistic, found.maxima[f"{name}/nuisances"]) > 0.9).all()


def test_a_question_depends_on_seed_and_part_and_not_on_the_cell(cell):
    texts = cell[0]
    one, same = asked("k4", texts, 30), asked("k4", texts, 30)
    assert np.array_equal(one.moved, same.moved)
    assert not np.array_equal(one.moved, asked("k4", texts, 30, seed=1).moved)
    design = one.design
    other = discovery.question("k4", design, Bases(), 30, 0, "confirmation")
    assert not np.array_equal(one.moved, other.moved)


def test_labels_are_moved_with_their_counts(cell):
    for one in questions_of(cell, permutations=30)[0]:
        if one.design.kind != PAIRS:
            columns = np.sort(one.scores(), axis=0)
            assert (columns == columns[:, :1]).all()
        if one.is_classes:
            for side in one.classes():
                assert len(set(side.sum(axis=0))) == 1


def test_sides_are_pooled_from_the_views_of_the_design():
    view = View(np.arange(12, dtype=np.int32), np.arange(12), np.ones(12, bool))
    other = View(np.arange(12, dtype=np.int32), np.arange(12, 24), np.ones(12, bool))
    texts = texts_of(np.arange(12), {})._replace(views={EDITED: view, "original": other})
    token = np.arange(24)
    features = from_pairs(np.zeros(24, int), token, token + 1.0, token, 1)
    question = asked("k1", texts, 1)
    found = discovery.sides(features, texts, question.design)
    assert found.a.toarray().ravel().tolist() == list(range(1, 13))
    assert found.b.toarray().ravel().tolist() == list(range(13, 25))
    control = texts._replace(views={EDITED: other})
    question = asked("k6", texts, 1)
    found = discovery.sides(features, texts, question.design, (features, control))
    assert found.b.toarray().ravel().tolist() == list(range(13, 25))


def test_magnitudes_are_ranks_and_of_pairs_differences():
    a = sparse.csc_matrix(np.array([[0, 2.0], [5, 2], [3, 0], [0, 9]], np.float32))
    assert Sides(a, None).magnitude().toarray().tolist() == [[0, 2.5, 1.5, 0], [1.5, 1.5, 0, 3]]
    b = sparse.csc_matrix(np.array([[1, 2.0], [0, 0], [0, 0], [0, 0]], np.float32))
    assert Sides(a, b).magnitude().toarray().tolist() == [[-1, 5, 3, 0], [0, 2, 0, 9]]
    assert Sides(a, b).firing().toarray().tolist() == [[-1, 1, 1, 0], [0, 1, 0, 1]]


def test_a_cell_without_active_features_has_an_empty_table(cell):
    asked_of, pooled = questions_of(cell, ["k2", "k4"], 9)
    found = discover(asked_of, pooled, 10**6)
    assert found.table.num_rows == 0 and found.table.schema == SCHEMA
    assert found.maxima["k4"].tolist() == [0]


def of_words(question, word, permutations=299, seed=0):
    """The question with the texts of the same words."""
    code = word_codes([str(one) for one in word])
    rng = exchange.generator(seed, "words")
    moved = exchange.exchanged(code, permutations, rng, between=False)
    return question._replace(words=Words(code, moved))


def test_what_follows_the_word_alone_is_not_more_than_the_word(cell):
    """Words of two texts each, and of many: the level holds; an effect within words is seen."""
    texts, edited, _ = cell
    rng = np.random.default_rng(5)
    for n_words in (40, texts.n // 2):
        word = rng.integers(0, n_words, texts.n)
        effect = rng.standard_normal(n_words)
        inside = rng.random(texts.n) < 0.3
        grade = effect[word] + 1.5 * inside + 0.2 * rng.standard_normal(texts.n)
        fires = np.stack([effect[word] > 0.5, inside], axis=1).astype(np.float32)
        named = texts_of(texts.cluster, {"grade": grade})
        question = of_words(asked("k4", named, 299), word)
        matrix = sparse.hstack([edited, fires]).tocsc()
        found = discover([question], {"k4": sides(matrix, question.design)}, 10)
        last = rows(found.table, "k4")
        follows, more = last["statistic_word"][-2:]
        assert last["statistic"][-2] > 10 and follows == pytest.approx(0, abs=1e-6)
        assert more > 6


@pytest.mark.slow
def test_the_level_holds_where_grades_follow_words_of_few_texts():
    """One data set in twenty has a discovery among features that follow the words alone."""
    rng, hits, sets = np.random.default_rng(11), 0, 300
    for number in range(sets):
        cluster = np.arange(400)
        word = rng.integers(0, 150, 400)
        grade = rng.standard_normal(150)[word] + 0.5 * rng.standard_normal(400)
        fires = (rng.standard_normal((150, 60))[word] > 1) ^ (rng.random((400, 60)) < 0.05)
        named = texts_of(cluster, {"grade": grade})
        question = of_words(asked("k4", named, 199), word, 199, number)
        matrix = sparse.csc_matrix(fires.astype(np.float32))
        found = discover([question], {"k4": sides(matrix, question.design)}, 10)
        statistic = found.table["statistic_word"].to_numpy()
        hits += (maxima.adjusted(statistic, found.maxima["k4/word"]) <= 0.05).any()
    assert 0.02 <= hits / sets <= 0.09


@pytest.mark.slow
def test_false_discoveries_stay_below_their_rate():
    """Twenty of 200 features follow the grade, the others nothing (D7 v)."""
    shares, hits = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        cluster = clusters(rng, 300)
        grade = grades(rng, cluster)
        dense = codes(rng, cluster, 200, least=0.03).toarray()
        for feature in range(0, 200, 10):
            level = 0.5 * (grade - grade.mean()) / grade.std() + rng.standard_normal(len(grade))
            dense[:, feature] = np.where(level > 1, 1, 0)
        question = asked("k4", texts_of(cluster, {"grade": grade}), 999, seed)
        matrix = sparse.csc_matrix(dense.astype(np.float32))
        table = discover([question], {"k4": sides(matrix, question.design)}, 10).table
        chosen = multiplicity.adjusted(table["p"].to_numpy()) <= 0.1
        planted = table["feature"].to_numpy() % 10 == 0
        shares.append((chosen & ~planted).sum() / max(chosen.sum(), 1))
        hits.append((chosen & planted).sum() / planted.sum())
    assert np.mean(shares) <= 0.1 + 2 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(hits) > 0.8
