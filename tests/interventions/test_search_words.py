"""Search by words: planted codes with known F1, and what of a text is a word."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base import io
from saegrid.codes.sparse import from_pairs, write_features
from saegrid.interventions.search import SearchError
from saegrid.interventions.search.by_word import by_word
from saegrid.interventions.search.files import Cells, Place
from saegrid.interventions.search.occurring import Text, firing, occurring
from saegrid.interventions.search.ranking import Query, queries

# <s> A dog barks . | <s> The Dog eats mar mal ade | <s> dog ma hotdogs
PIECES = [
    *("<s>", "A", " dog", " barks", "."),
    *("<s>", "The", " Dog", " eats", " mar", "mal", "ade"),
    *("<s>", "dog", " ma", " hot", "dogs"),
]
ROW = [0] * 5 + [1] * 7 + [2] * 5


def tokens():
    return pa.table(
        {
            "row": pa.array(ROW, pa.int32()),
            "item": pa.array(ROW, pa.int32()),
            "special": [piece == "<s>" for piece in PIECES],
            "text": PIECES,
        }
    )


def places(word):
    of = occurring(Text.of(tokens()), word)
    return of.n, {token: int(at) for token, at in enumerate(of.token) if at >= 0}


@pytest.mark.parametrize(
    ("word", "n", "expected"),
    [
        ("dog", 3, {2: 0, 7: 1, 13: 2}),
        ("DOG", 3, {2: 0, 7: 1, 13: 2}),
        ("marmalade", 1, {9: 0, 10: 0, 11: 0}),
        ("hotdogs", 1, {15: 0, 16: 0}),
        ("dogs", 0, {}),  # a part of a word
        ("Dog  eats", 1, {7: 0, 8: 0}),
        ("s", 0, {}),  # of no special token
        ("ade dog", 0, {}),  # not over the end of a row
        (".", 1, {4: 0}),
    ],
)
def test_words_are_whole_and_within_a_row(word, n, expected):
    assert places(word) == (n, expected)


def test_a_search_for_blanks_is_refused():
    with pytest.raises(SearchError, match="must have a letter"):
        places("  ")


CAPTURED = np.flatnonzero([piece != "<s>" for piece in PIECES])
# 0 on dog alone; 1 on two dogs and two others; 2 on the last piece of marmalade; 3 never.
ACTIVE = {0: [2, 7, 13], 1: [2, 7, 8, 9], 2: [11], 4: [9, 10, 11, 4], 5: [3]}


def codes(active, d_sae=6):
    pairs = [(feature, token) for feature, several in active.items() for token in several]
    feature, token = (np.array(column) for column in zip(*pairs, strict=True))
    return from_pairs(feature, token, np.ones(len(feature), np.float32), CAPTURED, d_sae)


def test_firing_by_its_formulas():
    text = Text.of(tokens())
    dog = firing(codes(ACTIVE), occurring(text, "dog"))
    assert dog.n == 3 and dog.n_active.tolist() == [3, 4, 1, 0, 4, 1]
    assert dog.precision.tolist() == [1, 0.5, 0, 0, 0, 0]
    assert dog.recall.tolist() == [1, 2 / 3, 0, 0, 0, 0]
    assert dog.f1.tolist() == [1, pytest.approx(4 / 7), 0, 0, 0, 0]
    # 14 captured tokens, 3 of dog: feature 1 fires on 2 of the 11 others.
    assert dog.specificity.tolist()[:3] == [1, pytest.approx(9 / 11), pytest.approx(10 / 11)]


def test_a_word_of_several_tokens_is_one_occurrence():
    one = firing(codes(ACTIVE), occurring(Text.of(tokens()), "marmalade"))
    assert one.n == 1
    assert (one.precision[2], one.recall[2], one.f1[2]) == (1, 1, 1)
    assert (one.precision[4], one.recall[4]) == (0.75, 1)


def test_occurrences_that_were_not_captured_count_for_nothing():
    some = codes(ACTIVE)._replace(token=np.setdiff1d(CAPTURED, [13]))
    some = some._replace(**codes({0: [2, 7]})._asdict() | {"token": some.token})
    assert firing(some, occurring(Text.of(tokens()), "dog")).recall[0] == 1


@pytest.fixture
def cells(tmp_path):
    io.write_table(tmp_path / "tokens.parquet", tokens())
    several = {"L0R-a": {1: [2, 7, 13], 3: [2, 3]}, "L1R-a": ACTIVE}
    for name, active in several.items():
        write_features(tmp_path / name / "features.safetensors", codes(active))
    return Cells(
        tmp_path / "tokens.parquet",
        [
            Place(name, tmp_path / name / "features.safetensors", tmp_path / "none", tmp_path)
            for name in several
        ],
        {},
    )


def best(table, number=0):
    return [(row["cell"], row["feature"]) for row in table.to_pylist() if row["query"] == number]


def test_cells_are_ranked_together_and_ties_go_by_cell_and_feature(cells):
    asked = queries(["dog"])
    assert best(by_word(asked, cells)) == [("L0R-a", 1), ("L1R-a", 0), ("L1R-a", 1), ("L0R-a", 3)]
    assert best(by_word(asked, cells, 1)) == [("L0R-a", 1)]
    row = by_word(asked, cells, 1).to_pylist()[0]
    assert (row["kind"], row["rank"], row["score"], row["n"], row["words"]) == (
        *("word", 0, 1.0, 3), None
    )  # fmt: skip


def test_the_best_of_each_cell(cells):
    """The best of one cell is the fourth over all, and a cell where nothing fires has no row."""
    table = by_word(queries(["dog"]), cells, 1, per_cell=True)
    assert best(table) == [("L0R-a", 1), ("L1R-a", 0)]
    assert table["rank"].to_pylist() == [0, 1]
    two = by_word(queries(["dog"]), cells, 2, per_cell=True)
    assert best(two) == [("L0R-a", 1), ("L1R-a", 0), ("L1R-a", 1), ("L0R-a", 3)]
    assert best(by_word(queries(["eats"]), cells, 1, per_cell=True)) == [("L1R-a", 1)]


def test_occurrences_in_the_corpus_and_those_that_were_captured(cells):
    """Three dogs, of which the last is not captured."""
    some = codes({0: [2, 7]})._replace(token=np.setdiff1d(CAPTURED, [13]))
    for place in cells.places:
        write_features(place.codes, some)
    (row,) = by_word(queries(["dog"]), cells, 1).to_pylist()
    assert (row["n_corpus"], row["n"], row["recall"]) == (3, 2, 1.0)


def test_another_word_is_taken_off(cells):
    asked = [Query("dog", ("eats",), "word")]
    table = by_word(asked, cells).to_pylist()
    scores = {(row["cell"], row["feature"]): row["score"] for row in table}
    # Feature 1 of the second cell fires on the one "eats" too: F1 of 4/7 less that of 2/5.
    assert scores["L1R-a", 1] == pytest.approx(4 / 7 - 2 / 5)
    assert scores["L0R-a", 1] == 1


def test_words_together_have_the_answers_of_each_alone(cells):
    together = by_word(queries(["dog", "marmalade"]), cells)
    for number, word in enumerate(["dog", "marmalade"]):
        alone = by_word(queries([word]), cells).drop_columns("query").to_pylist()
        rows = together.filter(pa.compute.equal(together["query"], number))
        assert rows.drop_columns("query").to_pylist() == alone


def test_what_no_text_has_is_one_sentence(cells):
    with pytest.raises(SearchError, match="No text of the corpus has the word 'unicorn'"):
        by_word(queries(["unicorn"]), cells)
    with pytest.raises(SearchError, match=r"No feature fires on the word 'ma'"):
        by_word(queries(["ma"]), cells)
    missing = cells._replace(places=[cells.places[0]._replace(codes=cells.tokens.parent / "x")])
    with pytest.raises(SearchError, match="Make them with snakemake's target cells"):
        by_word(queries(["dog"]), missing)


def test_the_usual_way_to_search():
    assert [query.kind for query in queries(["dog"])] == ["word"]
    assert [query.kind for query in queries(["dog", "a cat"])] == ["prompt"] * 2
    assert queries([" dog "], ["a cat"]) == [Query("dog", ("a cat",), "prompt")]
    assert queries(["hot dog"], by="word")[0].kind == "word"
