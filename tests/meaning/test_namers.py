"""Names and their scores: planted words, namers that know or guess, halves that never meet."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score

from naming import TOPICS, WORDS, Knowing, corpus, draws, material
from saegrid.base.errors import ConfigError
from saegrid.meaning.names import contexts
from saegrid.meaning.names.cell import name_cell, searched
from saegrid.meaning.names.chosen import chosen, donors
from saegrid.meaning.names.contexts import FORM, MEANING, RANDOM, spelled
from saegrid.meaning.names.lexical import Lexical, commonest, of_concept
from saegrid.meaning.names.namer import Answer, Case, Context, Subject
from saegrid.meaning.names.prompts import clean, marked, read_list, read_name
from saegrid.meaning.names.run import median_of, rows_of_features, run
from saegrid.meaning.names.scores import score
from saegrid.meaning.names.words import stem, stems, topic_of, types, word_lists
from saegrid.stages.names import Settings


@pytest.fixture(scope="module")
def of():
    return material()


def outcome(drawn, namer=None, **more):
    return run(drawn, donors(np.arange(len(drawn))), namer or Knowing(), "made", print, **more)


# --- scores -----------------------------------------------------------------------------------


def test_a_namer_that_knows_scores_one_and_names_of_others_a_half(of):
    """The null judges all contexts of a feature by the words of another topic: none fires, which is
    right for the silent half and wrong for the other; but for the few silent words of that
    topic."""
    names = outcome(draws(of)).names.to_pydict()
    assert names["name"] == TOPICS
    assert names["detection"] == names["fuzzing"] == [1.0] * 4
    assert names["detection_random"] == names["detection_form"] == [1.0] * 4
    assert names["detection_strong"] == [1.0] * 4
    assert names["null_fuzzing"] == [0.5] * 4
    assert np.mean(names["null_detection"]) == pytest.approx(0.5, abs=0.2)
    assert max(names["null_detection"]) <= 0.5
    assert all(donor != feature for feature, donor in zip(range(4), names["donor"], strict=True))


def test_a_namer_that_guesses_scores_a_half(of):
    """Verdicts by coin over 40 seeds of draws: mean 0.5 within three standard errors."""

    class Guess(Knowing):
        rng = np.random.default_rng(3)

        def judge(self, cases):
            return [[Answer(bool(self.rng.random() < 0.5)) for _ in c.contexts] for c in cases]

    values = []
    for seed in range(10):
        table = outcome(draws(of, seed=seed), Guess()).names
        for name in ("detection", "fuzzing", "null_detection", "null_fuzzing"):
            values += [v for v in table[name].to_pylist() if v is not None]
    assert len(values) == 160
    assert np.mean(values) == pytest.approx(0.5, abs=3 * np.std(values) / len(values) ** 0.5)


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_other_libraries(seed):
    rng = np.random.default_rng(seed)
    truth, verdict = rng.random(40) < 0.4, (rng.random(40) < 0.6).astype(float)
    result = score(truth, verdict)
    assert result.value == pytest.approx(balanced_accuracy_score(truth, verdict))
    ends = []
    for one, right in ((True, 1.0), (False, 0.0)):
        hits = int((verdict[truth == one] == right).sum())
        limits = binomtest(hits, int((truth == one).sum())).proportion_ci(0.95**0.5, "exact")
        ends.append((limits.low, limits.high))
    assert (result.low, result.high) == pytest.approx(tuple(np.mean(ends, axis=0)))


def test_a_score_by_hand():
    truth = np.array([True] * 4 + [False] * 5)
    verdict = np.array([1, 1, 1, np.nan, 1, 0, 0, 0, np.nan])
    result = score(truth, verdict)
    assert (result.n_yes, result.n_no) == (3, 4)
    assert (result.sensitivity, result.specificity, result.value) == (1.0, 0.75, 0.875)
    assert result.low < 0.875 < result.high < 1
    for alone in (truth, ~truth):
        assert np.isnan(score(alone[alone], np.ones(alone.sum())).value)


def test_the_interval_holds_what_it_says():
    """2,000 experiments of 12 and 9 contexts: it holds the true value in 95 % or more."""
    rng = np.random.default_rng(0)
    truth = np.array([True] * 12 + [False] * 9)
    chance = np.where(truth, 0.7, 0.2)
    results = [score(truth, (rng.random(21) < chance).astype(float)) for _ in range(2000)]
    assert np.mean([r.low <= 0.75 <= r.high for r in results]) >= 0.95


def test_parts_of_a_score_are_those_of_their_contexts(of):
    """A namer who knows the weak half of each topic alone, against scores by hand."""

    class Weak(Knowing):
        def judge(self, cases):
            return [[Answer(c.marked in WORDS[k.name][:6]) for c in k.contexts] for k in cases]

    result = outcome(draws(of, n_scored=15), Weak())
    rows = result.contexts.to_pandas()
    for row in result.names.to_pylist():
        mine = rows[(rows.feature == row["feature"]) & (rows.use == "detection")]
        yes, no = mine[mine.truth], mine[~mine.truth]
        right = 1 - no.verdict.astype(float).mean()
        strong = yes[yes.kind == "q5"].verdict.astype(float).mean()
        assert row["detection"] == pytest.approx((yes.verdict.astype(float).mean() + right) / 2)
        assert row["detection_strong"] == pytest.approx((strong + right) / 2)
        assert row["detection_strong"] < row["detection"] < 1
        for kind in (RANDOM, FORM):
            some = 1 - no[no.kind == kind].verdict.astype(float).mean()
            assert row[f"detection_{kind}"] == pytest.approx(
                (yes.verdict.astype(float).mean() + some) / 2
            )


# --- contexts ---------------------------------------------------------------------------------


@pytest.mark.parametrize("paired", [True, False])
def test_contexts_tell_the_truth_and_halves_never_meet(paired):
    tokens, features, _ = corpus(paired=paired)
    drawn = draws(material(paired=paired))
    fires = [set(features.of(f)[0].tolist()) for f in range(4)]
    captured = set(features.token.tolist())
    text = [word.strip() for word in tokens["text"].to_pylist()]
    items = {"shown": set(), "detection": set(), "fuzzing": set()}
    for feature, several in drawn.items():
        for one in several:
            assert one.truth == (one.token_index in fires[feature])
            assert one.truth == (one.activation > 0)
            assert one.token_index in captured
            assert one.context.marked == text[one.token_index]
            assert one.context.text.split() == text[8 * one.item + 1 : 8 * one.item + 8]
            items[one.use].add(one.item)
        kinds = [one.kind for one in several if one.use == "detection"]
        assert len(kinds) == len({one.item for one in several if one.use == "detection"})
        assert sum(kind[0] == "q" for kind in kinds) == 12
        assert {kind: kinds.count(kind) for kind in (RANDOM, FORM)} == {RANDOM: 4, FORM: 4}
        marks = [one.kind for one in several if one.use == "fuzzing"]
        assert marks.count("right") == marks.count("wrong") == 6
        assert {one.kind for one in several if one.use == "shown"} == {f"q{i}" for i in range(1, 6)}
    assert not items["shown"] & (items["detection"] | items["fuzzing"])


def test_positives_are_spread_over_the_range(of):
    for several in draws(of, n_scored=15).values():
        kinds = [one.kind for one in several if one.use == "detection" and one.truth]
        assert {kinds.count(f"q{i}") for i in range(1, 6)} == {3}


def test_negatives_of_form_and_meaning_are_what_they_are_called(of):
    """Clothes and tools as the list of a wider concept: tools are near in meaning to clothes."""
    lists = {"things": stems(WORDS["clothes"] + WORDS["tools"])}
    how = contexts.Settings(n_scored=12)
    row = {"feature": 2, "kind": "meaning", "concept": "things"}
    for concept in (None, row):
        several = contexts.draw(of, 2, lists, how, concept)
        negatives = [one for one in several if one.use == "detection" and not one.truth]
        near = {one.context.marked for one in negatives if one.kind == MEANING}
        assert near and near <= set(WORDS["tools"])
        shown = {one.context.marked for one in several if one.use == "shown"}
        first = [word[0] for word in sorted(shown)]
        last = [word[-2:] for word in sorted(shown)]
        for one in negatives:
            if one.kind == FORM:
                assert one.context.marked[0] == max(first, key=first.count) or one.context.marked[
                    -2:
                ] == max(last, key=last.count)


def test_draws_depend_on_seed_and_feature_alone(of):
    assert draws(of) == draws(material())
    assert draws(of, n=2)[1] == draws(of)[1]
    assert draws(of, seed=1)[1] != draws(of)[1]


def test_a_feature_that_fires_nowhere_has_reasons_for_all_that_is_missing(of):
    how = contexts.Settings(n_scored=12)
    drawn = {**draws(of), 4: contexts.draw(of, 4, {}, how)}
    row = outcome(drawn).names.to_pylist()[4]
    assert row["name"] is None and row["why"] == "it fires on no text of the half for names"
    assert row["detection"] is row["fuzzing"] is None
    assert row["why_detection"] == row["why_fuzzing"] == "it has no name"


@pytest.mark.parametrize(
    ("parts", "text", "mark"),
    [
        (("the ", "cat", " sat"), "the cat sat", "cat"),
        (("marsh", "mallow", ", he"), "marshmallow, he", "marshmallow"),
        ((" “", "Oh", "!” she"), "“Oh!” she", "Oh"),
        (("a", " ,", " b"), "a , b", ","),
        (("", " two words", "."), "two words.", "two words"),
    ],
)
def test_marks_are_whole_words(parts, text, mark):
    context = spelled(*parts)
    assert (context.text, context.marked) == (text, mark)


# --- which features ---------------------------------------------------------------------------


def test_features_are_tested_ones_then_all_densities():
    n_texts = np.arange(1000)
    ids = chosen(100, n_texts, [7, 500, 30, 500], least=20)
    assert 500 in ids and 30 in ids and 7 not in ids and len(ids) == 100
    tenths = np.histogram(ids, bins=10, range=(20, 1000))[0]
    assert tenths.min() >= 9 and (np.diff(ids) > 0).all()
    assert chosen(2, n_texts, [500, 400, 30]).tolist() == [400, 500]
    assert not np.array_equal(chosen(50, n_texts), chosen(50, n_texts, seed=1))
    assert chosen([5, 3], n_texts).tolist() == [3, 5]
    with pytest.raises(ConfigError, match=r"features: 1000 is no feature of the cell, which has 0"):
        chosen([1000], n_texts)
    with pytest.raises(ConfigError, match=r"features: 5 stands there twice"):
        chosen([5, 5], n_texts)


def test_tested_features_are_those_of_the_smallest_p():
    """Two contrasts of 4 and 2 tests: p times these at most 0.05."""
    rows = [("k1", 5, 0.0125), ("k1", 6, 0.013), ("k1", 7, 1e-9), ("k1", 8, None)]
    rows += [("k4", 6, 0.02), ("k4", 5, 1e-4)]
    columns = dict(zip(("contrast", "feature", "p"), zip(*rows, strict=True), strict=True))
    assert searched(pa.table({k: list(v) for k, v in columns.items()})) == [7, 5, 6]
    assert searched(None) == []


def test_donors_are_one_cycle():
    of = donors(np.array([2, 3, 5, 7, 11]))
    seen, at = [], 2
    for _ in range(5):
        seen.append(at)
        at = of[at]
    assert at == 2 and sorted(seen) == [2, 3, 5, 7, 11]
    assert donors(np.array([4])) == {}


# --- the lexical namer ------------------------------------------------------------------------


def at(*words):
    return [Context(f"a {word} b", 2, 2 + len(word)) for word in words]


def test_a_feature_is_called_after_its_concept_its_form_or_its_words():
    row = {"concept": "food", "letter": "t", "ending": "-ity", "token": " chi"}
    assert of_concept({**row, "kind": "meaning"}) == "food"
    assert of_concept({**row, "kind": "letter"}) == "words that begin with t"
    assert of_concept({**row, "kind": "ending"}) == "words that end in -ity"
    assert of_concept({**row, "kind": "token"}) == "words that contain chi"
    for kind in ("coherent", "word", "position", "none"):
        assert of_concept({**row, "kind": kind}) is None
    assert commonest(at("Wig", "hair", "hairs", "toupee")) == "hair, wig, toupee"
    assert commonest([]) is None


def test_it_judges_by_the_words_of_a_name():
    namer = Lexical({"food": stems(["pie", "cake"])})

    def verdicts(name, *words):
        return [a.value for a in namer.judge([Case(name, "detection", at(*words))])[0]]

    assert verdicts("food", "pies", "Cake", "pied", "hat") == [True, True, False, False]
    assert verdicts("hair, wig", "hairs", "wig", "chair") == [True, True, False]
    assert verdicts("words that begin with t", "Tree", "art") == [True, False]
    assert verdicts("words that end in -ity", "city", "cities") == [True, False]
    assert verdicts("words that contain chi", "kitchin", "cat") == [True, False]
    (answer,) = namer.judge([Case("noun.unknown", "detection", at("pie"))])[0]
    assert answer == Answer(None, "no list has the words of noun.unknown")
    shown = Subject(0, at("pie"), [1.0], {"kind": "meaning", "concept": "food"})
    assert namer.name([shown]) == [Answer("food")] and namer.calls([shown], []).n == 0


def test_it_tells_planted_topics_from_others():
    tokens, features, edits = corpus()
    items = pa.table({"edit": edits})
    kept = np.ones(len(edits), bool)
    settings = Settings(features=[0, 1, 2, 3], n_shown=60, n_scored=12).model_dump()
    lines = []
    result = name_cell(features, tokens, kept, items, settings, say=lines.extend)
    names = result.names.to_pydict()
    for feature, name in zip(names["feature"], names["name"], strict=True):
        assert set(name.split(", ")) <= set(WORDS[TOPICS[feature]])
    assert min(names["detection"]) == min(names["fuzzing"]) == 1.0
    assert max(names["null_detection"]) <= 0.5
    assert lines == ["names: 0 calls to lexical at most"] and result.missing == {}
    assert result.contexts.num_rows == sum(names["n_shown"]) + 4 * (12 + 8 + 12)


def test_concepts_name_features_where_there_is_a_table():
    tokens, features, edits = corpus()
    concept = {"feature": 1, "kind": "letter", "concept": None, "letter": "b", "ending": None}
    table = pa.Table.from_pylist([{**concept, "token": None}])
    settings = Settings(features=[0, 1], n_scored=12).model_dump()
    result = name_cell(
        features,
        tokens,
        np.ones(len(edits), bool),
        pa.table({"edit": edits}),
        settings,
        concepts=table,
    )
    name = result.names["name"].to_pylist()[1]
    assert name == "words that begin with b"
    assert 0.5 < result.names["detection"].to_pylist()[1] < 1


def test_words_of_one_stem_are_one():
    same = [("hairs", "hair"), ("cities", "city"), ("Trump's", "trump"), ("boxes", "box")]
    same += [("baking", "bake"), ("hugged", "hug"), ("kissing", "kiss"), ("hoping", "hoped")]
    same += [("cakes", "cake"), ("movies", "movie"), ("cried", "cry"), ("churches", "church")]
    assert all(stem(a) == stem(b) for a, b in same)
    assert (
        len({stem(w) for w in ("bus", "glass", "thing", "red", "bed", "ring", "news", "gas")}) == 8
    )
    assert types("Well-known pies!") == ["well-known", "pie", "well", "known"]
    lists = {"a": stems(["pie", "cake"]), "b": stems(["hat"])}
    assert (
        topic_of(map(stem, ["pie", "cake", "hat"]), lists) == "a"
        and topic_of(["hat"], lists) is None
    )
    table = pa.Table.from_pylist(
        [
            {"type": "athlete", "words": "athlete, athletes", "concepts": ["sports", "people"]},
            {"type": "law", "words": "law", "concepts": []},
        ]
    )
    assert word_lists(table) == dict.fromkeys(("sports", "people"), frozenset({"athlet"}))


# --- questions and answers --------------------------------------------------------------------


def test_marks_in_a_text_are_no_marks():
    assert marked(Context("a << b >> cat", 10, 13)) == "a < b > <<cat>>"
    assert marked(Context("a\ncat", 2, 5)) == "a <<cat>>"


def test_answers_are_read_whatever_stands_around_them():
    assert read_name('Sure! {"name": "hair <b>"} Done.') == "hair <b>"
    assert read_name('{"x": 1} {"name": "\\u001b[31mred\\nhair"}') == "[31mred hair"
    assert read_list("```json\n[1, 0, true]\n```", 3) == [True, False, True]
    for bad in ("", "hair", '{"name": 3}', '{"name": ""}', "<html>", '{"name": '):
        with pytest.raises(ValueError):
            read_name(bad)
    for bad in ("", "[1, 0]", "[1, 0, 2]", "[1, 0, 0.5]", "1, 0, 1", "[[1, 0, 1"):
        with pytest.raises(ValueError):
            read_list(bad, 3)
    assert len(clean("x" * 1000)) == 200


def test_a_name_with_markup_stays_text(of):
    class Hostile(Knowing):
        def name(self, subjects):
            return [Answer(f"<script>{s.feature}</script>") for s in subjects]

        def judge(self, cases):
            return [[Answer(False)] * len(case.contexts) for case in cases]

    result = outcome(draws(of), Hostile())
    rows = rows_of_features(result.names)
    assert rows[1][0] == {"": "name", "its own": "<script>1</script>", "of another": "–"}
    assert [row[""] for row in rows[1]][1::5] == ["detection", "fuzzing"]
    assert rows[1][1]["its own"].startswith("0.50 (") and rows[1][1]["of another"] == "0.50"
    assert median_of(result.names, "detection") == 0.5


def test_a_run_of_too_many_calls_is_refused_before_anything_is_asked(of):
    class Dear(Knowing):
        def calls(self, subjects, cases):
            from saegrid.meaning.names.namer import Calls

            n = len([*subjects, *cases])
            return Calls(n, 1000 * n, 10 * n)

        def name(self, subjects):
            raise AssertionError

    lines = []
    with pytest.raises(ConfigError) as error:
        run(
            draws(of),
            donors(np.arange(4)),
            Dear(),
            "dear",
            lines.extend,
            most_calls=19,
            price=[2, 5],
        )
    assert lines == [
        "names: 20 calls to dear at most, about 20,000 tokens in, at most 200 out, about 0.04 of "
        "the currency of `price`"
    ]
    assert "most_calls: at most 19 calls may be made, and 20 would be." in str(error.value)
