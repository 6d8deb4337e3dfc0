"""Effects of words of concepts on labels: by hand, by planting, and under chance."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse, stats

from clustered import PLAN, clusters, grades, texts_of
from saegrid.codes.sparse import from_pairs
from saegrid.evidence.nuisances import Numbers
from saegrid.evidence.questions import Corpus
from saegrid.evidence.texts import View
from saegrid.meaning import effects, wording
from saegrid.meaning.effects import commonest, figures
from saegrid.meaning.study import themes_of
from saegrid.text.lexicons.lexicon import Concept, Lexicon

WORDS = {
    "food": ["cake", "pies", "soup", "bread", "pizza", "tacos", "bacon", "cheese"],
    "animals": ["dogs", "cat", "hen", "goat", "mice", "pig", "duck", "wolves"],
    "none": ["vote", "law", "bank", "talk", "deal", "plan", "bill", "news"],
}
PARTS = {
    "discovery": {"corpus": "main", "split": "train"},
    "confirmation": {"corpus": "main", "split": "dev"},
}
LEXICON = Lexicon(
    "mine",
    "By hand.",
    (
        Concept("food", "food", tuple(WORDS["food"])),
        Concept("animals", "animals", tuple(WORDS["animals"])),
    ),
)


def plan(**more):
    rest = {
        "control": None,
        "nuisances": [],
        "permutations": 199,
        "bootstrap": 200,
        "seed": 0,
        "alpha": 0.05,
        "min_texts": 10,
        "parts": PARTS,
        "contrasts": ["k2", "k4", "k1"],
    }
    return {**PLAN, **rest, **more}


def unknown(n):
    return Numbers(*(np.full(n, np.nan) for _ in Numbers._fields[:-1]), np.zeros(n, int))


def corpus(seed, n=300, effect=0.0):
    """Edits whose words are of food, animals or neither; those of food are graded higher."""
    rng = np.random.default_rng(seed)
    cluster = clusters(rng, n)
    kind = rng.choice(list(WORDS), len(cluster), p=[0.2, 0.2, 0.6])
    words = [str(rng.choice(WORDS[one])) for one in kind]
    grade = np.clip(grades(rng, cluster) + effect * (kind == "food"), 0, 3)
    size = int(cluster.max()) + 1
    split = np.where(rng.random(size) < 0.6, "train", "dev")[cluster].tolist()
    labels = {"grade": grade, "split": split, "id": [str(i) for i in range(len(cluster))]}
    texts = texts_of(cluster, labels)
    number = unknown(len(cluster))
    news = [str(rng.choice(WORDS["none"])) for _ in cluster]
    sides = {"edited": words, "original": news}
    return Corpus(texts, {"edited": number, "original": number}, sides), kind


def effects_of(one, **more):
    corpora, own = {"main": one}, plan(**more)
    of = wording.wording([LEXICON], corpora, 2)
    names = wording.contrasts(own, corpora)

    def sides(question, part):
        return wording.sides(question, "main", None, of)

    return of, effects.tests(own, corpora, sides, 10, own["alpha"], names).to_pandas()


def test_the_texts_of_a_concept_are_those_with_its_words():
    one, kind = corpus(1)
    of = wording.wording([LEXICON], {"main": one}, 2)
    assert [concept.name for concept in of.concepts] == ["food", "animals"]
    edited = of.has["main"]["edited"].toarray()
    assert (edited[:, 0] == (kind == "food")).all() and (edited[:, 1] == (kind == "animals")).all()
    assert of.has["main"]["original"].nnz == 0
    assert wording.wording([LEXICON], {"main": one}, 9).concepts == []


def test_an_unpaired_text_has_the_concepts_of_all_of_its_words():
    texts = texts_of(np.arange(3), {"edited": ["Big dogs eat cake", "A law", None]}, paired=False)
    of = wording.wording([LEXICON], {"main": Corpus(texts, {}, {})}, 1)
    assert of.has["main"]["text"].toarray().tolist() == [[1, 1], [0, 0], [0, 0]]


def test_a_planted_effect_is_discovered_and_confirmed():
    one, _ = corpus(2, effect=0.7)
    _, table = effects_of(one)
    for name in ("k2", "k4"):
        own = table[table.contrast == name]
        first = own[own.part == "discovery"].set_index("thing")
        assert first.p_maxt[0] == 1 / 200
        # What is not of food lies below the mean that food has raised.
        assert first.statistic[1] < 0 < first.statistic[0]
        assert first.low[0] > 0 and first.low[0] < first.effect[0] < first.high[0]
        again = own[own.part == "confirmation"].set_index("thing")
        assert again.p_maxt[0] <= 0.05 and again.effect[0] > 0
    # Edits add both: no original has such a word.
    pairs = table[(table.contrast == "k1") & (table.part == "discovery")]
    assert (pairs.p_maxt == 1 / 200).all() and (pairs.effect > 0).all()


def test_the_rates_of_a_concept_are_those_of_its_texts():
    one, kind = corpus(3)
    grade, train = one.texts.labels["grade"], np.array(one.texts.labels["split"]) == "train"
    _, table = effects_of(one)
    row = table[(table.contrast == "k2") & (table.part == "discovery") & (table.thing == 0)].iloc[0]
    food, high, low = kind == "food", grade >= PLAN["high"], grade <= PLAN["low"]
    assert row.fire_a == (food & high & train).sum() and row.n_a == (high & train).sum()
    assert row.fire_b == (food & low & train).sum()
    assert row.effect == pytest.approx(food[high & train].mean() - food[low & train].mean())


def test_figures_by_hand():
    # Two originals: grades 0, 2, 1 and 3, 1; a fifth text alone.
    cluster = np.array([0, 0, 0, 1, 1, 2])
    labels = {"grade": np.array([0, 2, 1, 3, 1, 2.0]), "split": ["train"] * 6}
    words = ["law", "cake", "cake", "soup", "law", "soup"]
    one = Corpus(texts_of(cluster, labels), {}, {"edited": words, "original": words})
    has = sparse.csc_matrix(np.array([[0, 1, 1, 1, 0, 1], [1, 0, 0, 0, 0, 0]], float).T)
    rows = figures(
        plan(high=2.0, parts={"discovery": PARTS["discovery"]}), {"main": one}, lambda _: has
    )
    first, other, without = (
        row for row in rows.to_pylist() if row["thing"] == 0 or row["without"] is None
    )
    assert (first["n_texts"], first["n_high"], first["share_high"]) == (4, 3, 0.75)
    assert first["base"] == 0.5
    exact = stats.binomtest(3, 4).proportion_ci(0.95, "exact")
    assert (first["share_low_end"], first["share_high_end"]) == pytest.approx(
        (exact.low, exact.high)
    )
    # 2 - (0 + 1) / 2, 1 - (0 + 2) / 2, 3 - 1; the last has no other.
    assert first["n_inside"] == 3 and first["inside"] == pytest.approx((1.5 + 0 + 2) / 3)
    assert (other["n_high"], other["share_high"], other["cluster_low"]) == (0, 0, None)
    # Cake and soup are as common: the first of the alphabet is left out.
    assert (without["without"], without["n_texts"], without["share_high"]) == ("cake", 2, 1)
    assert without["inside"] == pytest.approx(2)


def test_the_commonest_word():
    assert commonest(["b", "a", "b", "a", "c"]) == "a"


def test_the_bootstrap_interval_is_that_of_the_textbook_where_texts_share_nothing():
    rng = np.random.default_rng(5)
    n = 2000
    labels = {"grade": (rng.random(n) < 0.3) * 1.0, "split": ["train"] * n}
    words = rng.choice(["a", "b", "c"], n).tolist()
    one = Corpus(texts_of(np.arange(n), labels), {}, {"edited": words, "original": words})
    has = sparse.csc_matrix((rng.random((n, 1)) < 0.5).astype(float))
    settings = plan(high=1.0, bootstrap=1000, parts={"discovery": PARTS["discovery"]})
    row = figures(settings, {"main": one}, lambda _: has).to_pylist()[0]
    half = 1.96 * np.sqrt(row["share_high"] * (1 - row["share_high"]) / row["n_texts"])
    assert (row["cluster_high"] - row["cluster_low"]) / 2 == pytest.approx(half, rel=0.1)
    assert row["n_inside"] == 0 and row["inside"] is None


@pytest.mark.slow
def test_without_an_effect_one_study_in_twenty_has_a_concept():
    hits = []
    for seed in range(150):
        one, _ = corpus(1000 + seed, n=150)
        _, table = effects_of(one, contrasts=["k2"], permutations=99, bootstrap=20)
        hits.append((table[table.part == "discovery"].p_maxt <= 0.05).any())
    assert 0.01 < np.mean(hits) < 0.1


def test_themes_of_tokens_alone_have_figures_of_whole_edits():
    """A study that confirms nothing but a token of the edit against one of its context."""
    one, kind = corpus(3)
    n, food, split = one.texts.n, np.flatnonzero(kind == "food"), one.texts.labels["split"]
    item = np.arange(n, dtype=np.int32)
    views = {
        name: View(item, item.astype(np.int64) + at * n, np.ones(n, bool))
        for at, name in enumerate(one.texts.views)
    }
    corpora = {"main": one._replace(texts=one.texts._replace(views=views))}
    fires = np.concatenate([food, food + list(views).index("edit_token") * n])
    none = np.zeros(len(fires), np.int64)
    codes = from_pairs(none, fires, np.ones(len(fires), np.float32), np.arange(5 * n), 1)
    row = {"contrast": "k5", "cell": "L1R-8x", "feature": 0, "sign": 1, "statistic": 9.0}
    rows = pa.Table.from_pylist([{**row, "frozen": "none", "confirmed": True}])
    of = themes_of(plan(contrasts=["k5"]), corpora, rows, lambda *_: codes, {})
    assert of.tests["part"].to_pylist() == list(PARTS)
    assert of.themes["n_texts"].to_pylist() == [(kind[np.array(split) == "train"] == "food").sum()]
    assert of.figures.num_rows
