"""Subjects of features, on words made by hand: meaning, pieces, words, forms, and chance."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from saegrid.codes.sparse import from_pairs
from saegrid.meaning import concepts, enrichment
from saegrid.meaning.cell import about
from saegrid.meaning.concepts import Rule, judge
from saegrid.meaning.occurrences import Fired, Occurrences
from saegrid.meaning.rows import entropy
from saegrid.meaning.vocabulary import (
    Concept,
    Vocabulary,
    from_files,
    occurrences_of,
    to_files,
    vocabulary,
)
from saegrid.text.lexicons import lexicon
from saegrid.text.lexicons.lexicon import Lexicon, read_lexicons

FOOD = ["pie", "soup", "bread", "ham", "rice", "taco", "cake", "pancake", "cupcake", "apple"]
ANIMAL = ["hamster", "cow", "dog", "cat", "hen", "owl", "goat", "pig"]
OTHER = [f"{a}{b}{a}{'xyzvo'[i]}q" for a in "bcdfgklmnpqrtvz" for i, b in enumerate("aeiou")]
LETTER = [f"w{a}{a}o" for a in "abcdefghijkl"]
ING = ["going", "making", "telling", "seeing", "having", "asking", "hoping", "reading"]
EVERY = [*FOOD, *ANIMAL, *OTHER, *LETTER, *ING]
PLACE = {word: number for number, word in enumerate(EVERY)}
CONCEPTS = [Concept("food", "food", "lists"), Concept("animals", "animals", "lists")]


def known(member=True):
    both = np.array([[word in FOOD, word in ANIMAL] for word in EVERY]) & member
    category = np.where(both[:, 0], 0, np.where(both[:, 1], 1, -1))
    near = np.array([[word.isalpha()] for word in EVERY], np.float32)  # all words are near
    return Vocabulary(np.zeros(0, int), EVERY, CONCEPTS, both, category, near)


def world(*features, pieces=None):
    """Features that fire on these words in turn, strongest first: the arguments of `judge`.
    pieces: the strongest token of a word, by feature and word."""
    said = [word for words in features for word in words]
    n = len(said)
    never = np.zeros(n, bool)
    of = Occurrences(np.arange(n), np.arange(n), said, never, never)
    feature = np.repeat(np.arange(len(features)), [len(words) for words in features])
    value = np.concatenate([np.arange(len(words), 0, -1.0) for words in features])
    fires = Fired(feature, np.arange(n), value.astype(np.float32), np.arange(n))
    words = known()._replace(type=np.array([PLACE[word] for word in said], np.int32))
    text = [(pieces or {}).get((f, w), w) for f, w in zip(feature.tolist(), said, strict=True)]
    return fires, of, words, text


def rows(*features, rule=None, pieces=None, coherent=None, permutations=199):
    fires, of, words, text = world(*features, pieces=pieces)
    dealt = enrichment.deals(words.n, permutations, seed=0)
    return judge(fires, of, words, text, dealt, rule or Rule(), coherent)


def noise(seed, n=20):
    return np.random.default_rng(seed).choice(OTHER, n).tolist()


def test_a_feature_of_food_is_named_and_its_other_rows_are_counted():
    words = [*FOOD[:8], "apple", *noise(1, 3)]
    (row,) = rows(words).concepts.to_pylist()
    assert row["kind"] == "meaning" and row["label"] == row["concept"] == "food"
    assert (row["n_shown"], row["n_concept"], row["n_concept_types"]) == (12, 9, 9)
    assert row["share"] == 0.75 and row["base"] == pytest.approx(10 / len(EVERY))
    exact = stats.binomtest(9, 12).proportion_ci(0.95, "exact")
    assert (row["share_low"], row["share_high"]) == pytest.approx((exact.low, exact.high))
    assert row["n_prefix"] == row["k_prefix"] == 8
    law = stats.hypergeom(len(EVERY), 10, 8)
    assert row["log10_p"] == pytest.approx(law.logsf(7) / np.log(10))
    assert row["p_maxt"] == 1 / 200
    assert set(row["off_words"].split(", ")) == set(words[-3:])


def test_one_word_many_times_is_a_word_and_no_concept():
    (row,) = rows(["pie"] * 17 + ["soup", "rice", "ham"]).concepts.to_pylist()
    assert row["kind"] == "word" and row["label"] == 'the word "pie"'
    # Types count: four of food are less than the 20 rows would be.
    assert row["n_types"] == 4 and row["n_concept"] == 20


def test_inflections_are_one_word():
    """A word with its plural, which a word space finds near to all that it lists behind them."""
    words = ["pie"] * 11 + ["soup"] * 9
    fires, of, words, text = world(words, [*noise(11, 20)])
    as_one = np.where(words.type == PLACE["soup"], PLACE["pie"], words.type)
    words, near = words._replace(type=as_one), (np.array([9.0, 0.1]), np.array([0.01, 0.9]))
    dealt = enrichment.deals(words.n, 19, seed=0)
    row = judge(fires, of, words, text, dealt, Rule(), near).concepts.to_pylist()[0]
    assert (row["kind"], row["label"], row["n_word"]) == ("word", 'the word "pie"', 20)


def test_words_of_one_family_are_one_type_of_a_concept():
    """Three listed words, of which two begin with the same four letters, are too few."""
    fires, of, words, text = world([*["pie", "soup", "ham"] * 5, *noise(3, 5)])
    dealt = enrichment.deals(words.n, 19, seed=0)
    apart = judge(fires, of, words, text, dealt, Rule(alpha=1.0)).concepts.to_pylist()[0]
    assert (apart["kind"], apart["n_concept"], apart["n_concept_types"]) == ("meaning", 15, 3)
    names = [{"soup": "hamsoup", "ham": "hamster"}.get(name, name) for name in words.names]
    words = words._replace(names=names)
    near = judge(fires, of, words, text, dealt, Rule(alpha=1.0)).concepts.to_pylist()[0]
    assert (near["kind"], near["n_concept"], near["n_concept_types"]) == ("none", 15, 2)


def test_rows_of_a_piece_that_begins_other_words_too_are_no_evidence():
    """Twelve of twenty rows are food; after the `b` of another word those of bread say nothing."""
    words = [*["bread", "soup", "rice", "taco"] * 3, OTHER[0], *noise(5, 7)]
    whole, seen = (
        rows(words, rule=Rule(alpha=1.0), pieces=pieces).concepts.to_pylist()[0]
        for pieces in (None, {(0, "bread"): "b", (0, OTHER[0]): "b"})
    )
    assert (whole["kind"], whole["n_concept"], whole["n_piece"]) == ("meaning", 12, 0)
    assert (seen["kind"], seen["n_concept"], seen["n_piece"]) == ("none", 12, 3)
    assert whole["share"] == seen["share"] == 0.6


def test_near_words_of_one_ending_are_a_form():
    z, p = np.array([5.0]), np.array([0.01])
    half = rows([*ING[:6], *noise(12, 6)], coherent=(z, p)).concepts.to_pylist()[0]
    assert (half["kind"], half["label"]) == ("ending", 'ends with "ing"')
    less = rows([*ING[:5], *noise(12, 7)], coherent=(z, p)).concepts.to_pylist()[0]
    assert less["kind"] == "coherent"


def test_one_piece_in_several_words_is_a_piece():
    words = ["pie", "soup", "bread", "ham", "rice", "taco", "apple", "hamster"]
    every = {(0, word): " ur" for word in words}
    (row,) = rows(words, pieces=every).concepts.to_pylist()
    assert row["kind"] == "token" and row["label"] == 'the piece "ur"'
    assert (row["n_token"], row["n_token_types"]) == (8, 8)
    assert row["concept"] == "food", "what it would have been stays in the table"


def test_the_piece_of_compounds_that_is_itself_a_word_of_the_concept_is_none():
    words = ["cake", "pancake", "cupcake", "cake", "pancake", "cupcake", "pie", "cake"]
    every = {(0, word): "cake" for word in words if word != "pie"}
    (row,) = rows(words, rule=Rule(alpha=0.2), pieces=every).concepts.to_pylist()
    assert row["n_token"] == 7 and row["kind"] == "meaning"


def test_an_ending_is_a_form_even_where_words_share_a_concept():
    words = known()
    member = words.member.copy()
    member[[PLACE[word] for word in ING], 0] = True
    fires, of, words, text = world(ING)
    words = words._replace(member=member)
    dealt = enrichment.deals(words.n, 199, seed=0)
    (row,) = judge(fires, of, words, text, dealt, Rule()).concepts.to_pylist()
    assert row["p_maxt"] <= 0.05 and row["n_concept"] == 8
    assert row["kind"] == "ending" and row["label"] == 'ends with "ing"'


def test_a_first_letter_and_a_place_are_forms():
    (row,) = rows(LETTER).concepts.to_pylist()
    assert row["kind"] == "letter" and row["label"] == 'starts with "w"'
    fires, of, words, text = world(noise(2), noise(3))
    first = np.arange(of.n) < 20
    dealt = enrichment.deals(words.n, 19, seed=0)
    every = judge(fires, of._replace(start=first), words, text, dealt, Rule())
    found = every.concepts.to_pylist()
    assert (found[0]["kind"], found[0]["n_start"], found[1]["n_start"]) == ("position", 20, 0)


def test_too_few_types_or_rows_are_no_concept():
    few = ["pie", "soup"] * 5
    off = [*FOOD[:6], *noise(4, 9)]
    table = rows(few, off).concepts.to_pylist()
    assert [row["kind"] for row in table] == ["none", "none"]
    assert table[1]["p_maxt"] <= 0.05 and table[1]["share"] == 0.4
    assert rows(off, rule=Rule(share=0.4)).concepts["kind"].to_pylist() == ["meaning"]
    wide = Rule(wide=["food"], wide_share=0.8)
    assert rows([*FOOD[:9], *noise(5, 4)], rule=wide).concepts["kind"].to_pylist() == ["none"]


def test_coherent_words_are_three_different_ones():
    """Two words may be near one another, and are no theme."""
    z, p = np.full(2, 5.0), np.full(2, 0.005)
    two = [*["going"] * 10, *["reading"] * 10]
    table = rows(two, [*two[:-1], "telling"], coherent=(z, p)).concepts
    assert table["kind"].to_pylist() == ["none", "coherent"]


def test_coherent_words_without_a_name_are_of_meaning_too():
    z, p = np.array([5.0, 0.1]), np.array([0.01, 0.8])
    table = rows(noise(6), noise(7), coherent=(z, p)).concepts
    assert table["kind"].to_pylist() == ["coherent", "none"]
    assert table["label"].to_pylist() == [None, None]


def test_a_feature_of_marks_is_not_coherent_for_the_few_words_beside_them(monkeypatch):
    """A word space knows words alone: 13 words of 20 are enough, 10 are not."""
    marks = ["!" * n for n in range(1, 12)]
    for number, mark in enumerate(marks):
        monkeypatch.setitem(PLACE, mark, len(EVERY) + number)
    monkeypatch.setitem(globals(), "EVERY", [*EVERY, *marks])
    z, p = np.array([5.0, 5.0]), np.array([0.01, 0.01])
    half, less = [*noise(6, 10), *marks[:10]], [*noise(7, 13), *marks[:7]]
    table = rows(half, less, coherent=(z, p)).concepts
    assert table["kind"].to_pylist() == ["none", "coherent"]


def test_two_concepts_of_a_feature_are_a_combination():
    both = [word for pair in zip(FOOD, ANIMAL, strict=False) for word in pair]
    out = rows(both)
    (line,) = out.combinations.to_pylist()
    assert {line["concept_a"], line["concept_b"]} == {"food", "animals"}
    assert line["n_a"] == line["n_b"] == 8 and line["n_both"] == line["n_neither"] == 0
    assert out.concepts["entropy_shown"][0].as_py() == pytest.approx(1.0)
    assert out.concepts["n_categories"][0].as_py() == 2
    assert rows(FOOD).combinations.num_rows == 0


def test_the_best_feature_of_each_concept():
    best = rows(FOOD[:5] + noise(8, 4), FOOD[:9], ANIMAL[:6] + noise(9, 3)).best.to_pylist()
    by_name = {row["concept"]: row for row in best}
    assert by_name["food"]["feature"] == 1 and by_name["food"]["n_meaning"] == 2
    assert by_name["animals"]["feature"] == 2 and by_name["animals"]["n_types"] == 8


def test_without_lexicons_forms_and_words_are_left():
    fires, of, words, text = world(ING, FOOD)
    nothing = words._replace(concepts=[], member=np.zeros((words.n, 0), bool))
    out = judge(fires, of, nothing, text, enrichment.deals(words.n, 19, 0), Rule())
    assert out.concepts["kind"].to_pylist() == ["ending", "none"]
    assert out.concepts["concept"].to_pylist() == [None, None]
    assert out.best.num_rows == 0 and out.combinations.num_rows == 0


def test_a_cell_without_features_has_empty_tables():
    fires, of, words, text = world(FOOD)
    nothing = fires.take(np.zeros(0, int))
    out = judge(nothing, of, words, text, enrichment.deals(words.n, 19, 0), Rule())
    assert out.concepts.num_rows == out.combinations.num_rows == out.best.num_rows == 0
    assert out.concepts.schema == concepts.SCHEMA


def test_entropy_in_bits():
    assert entropy(np.array([[2, 2], [4, 0], [1, 3], [0, 0]])) == pytest.approx(
        [1, 0, stats.entropy([1, 3], base=2), 0]
    )


def test_marks_after_nouns_are_of_no_concept_and_of_no_form():
    """Tokens of plain text: a mark is a word of its own, and never the noun before it."""
    nouns = ["dogs", "cats", "cows", "pigs", "hens", "owls", "goats", "hamsters"] * 3
    texts = [(noun, at) for at, noun in enumerate(nouns)]
    rows = [
        {"row": at, "position": place, "item": at, "side": "plain", "special": False, "text": text}
        for noun, at in texts
        for place, text in enumerate(["the", f" {noun}", ",", " too"])
    ]
    tokens = pa.Table.from_pylist([{**row, "in_edit": False} for row in rows])
    tokens = tokens.set_column(0, "row", tokens["row"].cast(pa.int32()))
    items = pa.table({"edit": pa.nulls(len(nouns), pa.string())})
    of = occurrences_of(tokens, items, np.ones(len(nouns), bool))
    animals = Lexicon("lists", "", (lexicon.Concept("animals", "animals", tuple(ANIMAL)),))
    words, types = vocabulary(of, [animals], 5, "none")
    assert [one.lemma for one in types] == [*sorted(ANIMAL), "the", "too", ","]
    text = [row["text"] for row in rows]
    at = np.arange(len(nouns)) * 4
    codes = from_pairs(
        np.repeat([0, 1], len(nouns)), np.concatenate([at + 1, at + 2]), 1.0 + np.arange(48.0),
        np.arange(len(text)), 2,
    )  # fmt: skip
    noun, mark = about(codes, of, words, text, Rule(), 5, 199, 0).concepts.to_pylist()
    assert (noun["kind"], noun["label"], noun["n_concept"]) == ("meaning", "animals", 20)
    assert (mark["kind"], mark["label"], mark["n_shown"]) == ("none", None, 20)
    assert [mark[name] for name in ("n_concept", "letter", "ending", "form")] == [
        0,
        None,
        None,
        None,
    ]


def test_of_fewer_word_types_than_a_prefix_chance_is_counted_as_of_many():
    """24 types of three concepts: no prefix of 30 or 50 of them can be looked at."""
    lists = {name: [k + name for k in "abcdefgh"] for name in ("ij", "kl", "mn")}
    every = [word for words in lists.values() for word in words]
    rng = np.random.default_rng(0)
    features = [rng.permutation(every).tolist() for _ in range(30)] + [lists["kl"]]
    said = [word for words in features for word in words]
    never = np.zeros(len(said), bool)
    of = Occurrences(np.arange(len(said)), np.arange(len(said)), said, never, never)
    sizes = [len(words) for words in features]
    value = np.concatenate([np.arange(n, 0, -1.0) for n in sizes]).astype(np.float32)
    fires = Fired(
        np.repeat(np.arange(31), sizes), np.arange(len(said)), value, np.arange(len(said))
    )
    member = np.array([[word in words for words in lists.values()] for word in every])
    names = [Concept(name, name, "own") for name in lists]
    type_ = np.array([every.index(word) for word in said], np.int32)
    words = Vocabulary(type_, every, names, member, member.argmax(axis=1), None)
    out = judge(fires, of, words, said, enrichment.deals(24, 199, 0), Rule())
    assert np.isfinite(out.smallest).all() and out.smallest.max() < 0
    table = out.concepts.to_pylist()
    assert (table[-1]["kind"], table[-1]["concept"], table[-1]["p_maxt"]) == (
        "meaning",
        "kl",
        0.005,
    )
    assert sum(row["p_maxt"] <= 0.05 for row in table[:-1]) <= 1


def test_a_corpus_without_occurrences_has_empty_tables():
    tokens = pa.table({"row": np.int32([0, 0]), "position": np.int32([0, 1]), "item": [0, 0]})
    for name, column in (("side", ["edited"] * 2), ("special", [True, False]),
                         ("in_edit", [False, False]), ("text", ["[", "a"])):  # fmt: skip
        tokens = tokens.append_column(name, [column])
    of = occurrences_of(tokens, pa.table({"edit": [""]}), np.ones(1, bool))
    for lexicons, space in (([], "none"), (read_lexicons(["lists", "wordnet"]), "wordnet")):
        words, types = vocabulary(of, lexicons, 5, space)
        files = to_files(of, words, types, lexicons)
        assert of.n == words.n == files[3]["n_occurrences"] == 0
        again = from_files(*files)
        codes = from_pairs(np.array([1]), np.array([1]), np.array([1.0]), np.arange(2), 3)
        out = about(codes, *again, ["[", "a"], Rule(), 5, 19, 0)
        assert out.concepts.num_rows == out.combinations.num_rows == out.best.num_rows == 0
        assert out.chance()["log10_p"].to_pylist() == [0.0] * 19


def test_the_label_of_a_word_is_a_word():
    """Ham of hamsters is none; dance, which some of the rows say, is one."""
    words = ["hamster"] * 17 + ["ham", "pie", "soup"]
    (row,) = rows(words, pieces={(0, "hamster"): "ham"}).concepts.to_pylist()
    assert (row["n_word"], row["n_token"], row["n_token_types"]) == (17, 18, 2)
    assert row["kind"] == "word" and row["label"] == 'the word "ham"'
    only = {(0, "hamster"): "ham", (0, "soup"): "ham"}
    words = ["hamster"] * 17 + ["soup", "pie", "rice"]
    (row,) = rows(words, pieces=only).concepts.to_pylist()
    assert (row["token"], row["n_token"], row["n_word"]) == ("ham", 18, 17)
    assert row["kind"] == "word" and row["label"] == 'the word "hamster"'


def test_the_commonest_words_are_listed_with_their_numbers():
    """Words come by number, then by the alphabet; those off the concept stand apart."""
    words = ["pie", "Pie", "soup", "ham", "dog", "dog", "pie", "cat", "rice", "taco", "bread"]
    (row,) = rows([word.lower() for word in words]).concepts.to_pylist()
    assert row["words"] == "pie 3, dog 2, bread, cat, ham, rice"
    assert row["off_words"] == "dog 2, cat"
    (row,) = rows(FOOD).concepts.to_pylist()
    assert row["off_words"] == ""


def test_a_wide_concept_asks_for_near_words_too():
    """Words of a wide concept are no theme where no two are near; words of another concept are."""
    fires, of, words, text = world(FOOD)
    drawn = np.random.default_rng(0).normal(size=(words.n, 40)).astype(np.float32)
    apart = words._replace(vectors=drawn / np.linalg.norm(drawn, axis=1, keepdims=True))
    dealt, none = enrichment.deals(words.n, 199, seed=0), (np.zeros(1), np.ones(1))
    for wide, vectors, kind in (
        (["food"], apart, "none"), (["food"], words, "meaning"), ([], apart, "meaning"),
    ):  # fmt: skip
        rule = Rule(wide=wide)
        table = judge(fires, of, vectors, text, dealt, rule, none).concepts
        assert table["kind"].to_pylist() == [kind]
    (row,) = judge(fires, of, words, text, dealt, Rule(wide=["food"]), none).concepts.to_pylist()
    assert (row["n_near"], row["n_near_types"], row["near_rest"]) == (10, 10, 1.0)


def test_a_wide_concept_of_one_feature_has_its_near_words_looked_at(monkeypatch):
    """The rate q is -log(1 - p) where R is 1: above the level at a p just below it."""
    fires, of, words, text = world(FOOD)
    dealt, none = enrichment.deals(words.n, 199, seed=0), (np.zeros(1), np.ones(1))
    monkeypatch.setattr(concepts.enrichment, "adjusted", lambda p, _: np.full(np.shape(p), 0.0498))
    (row,) = judge(fires, of, words, text, dealt, Rule(wide=["food"]), none).concepts.to_pylist()
    assert row["p_maxt"] <= 0.05 < row["q"]
    assert (row["kind"], row["n_near"]) == ("meaning", 10)


def test_beside_many_of_meaning_weaker_evidence_counts_where_the_common_word_is_not_all():
    """At a family-wise level neither of two weak features is of food; at the false discovery rate
    the one is that has food without its commonest word as well."""
    strong = [FOOD[at:] + FOOD[:at] for at in range(10)] * 6
    one, two, three, four = OTHER[:4]
    weak = [one, "pie", "soup", "ham", two, three, "soup", "ham", "pie"]
    single = [one, "pie", "soup", "ham", two, three, four, "pie", "pie", "pie"]
    table = rows(*strong, weak, single, rule=Rule(alpha=0.02)).concepts.to_pylist()
    for row, kind in zip(table[-2:], ("meaning", "none"), strict=True):
        assert row["n_concept_types"] >= 3 and row["share"] >= 0.5
        assert row["p_maxt"] > 0.02 >= row["q"]
        assert row["kind"] == kind, row
