"""Base rates of topics."""

import pytest

from saegrid.base import io
from saegrid.base.paths import expand
from saegrid.config.models import Survey
from saegrid.metrics.survey.base_rates import base_rates, table
from saegrid.text.corpora.items import items
from saegrid.text.wordlists import read_all

LISTS = {"animals": ["dog", "chicken"], "food": ["chicken", "soup"], "sport": ["goal"]}


def test_words_and_texts_of_each_topic():
    texts = ["The dog's Dog barks.", "chicken soup, chicken!", "nothing here", "a hotdog"]
    rows = {row["topic"]: row for row in base_rates(texts, LISTS)}
    assert list(rows) == ["animals", "food", "sport", "dates", "acronyms"]
    assert {row["n_words"] for row in rows.values()} == {11}
    assert {row["n_texts"] for row in rows.values()} == {4}
    assert {topic: row["words"] for topic, row in rows.items()} == {
        "animals": 4,
        "food": 3,
        "sport": 0,
        "dates": 0,
        "acronyms": 0,
    }
    assert rows["animals"]["word_share"] == pytest.approx(4 / 11)
    assert [row["texts"] for row in rows.values()] == [2, 1, 0, 0, 0]
    assert rows["animals"]["text_share"] == 0.5
    assert [row["word_share"] for row in base_rates([], LISTS)] == [0] * 5


DATES = ["1987", "(1990s)", "2001's", "12/7/2019.", "2019-12-07", "Monday,"]
NO_DATES = ["987", "20001", "12/7-2019", "1:1987", "monday-ish", "1987x"]
ACRONYMS = ["NBA", "U.S.", "(FBI)", "CEOs", "AT&T", "NATO's", "U.S.A.'s", "II"]
NO_ACRONYMS = ["I", "A", "Nba", "iPhone", "3D", "U.", "McDONALD"]


@pytest.mark.parametrize(
    ("topic", "there", "absent"),
    [("dates", DATES, NO_DATES), ("acronyms", ACRONYMS, NO_ACRONYMS)],
)
def test_some_kinds_of_words_are_known_by_their_form(topic, there, absent):
    """Beside the list of that name."""
    for words, n in ((there, len(there)), (absent, 0)):
        rows = base_rates(["so " + " ".join(words)], LISTS | {"dates": ["monday"]})
        assert {row["topic"]: row["words"] for row in rows}[topic] == n
        assert [row["topic"] for row in rows].count("dates") == 1


def test_capitals_alone_make_no_acronym():
    texts = ["THE NBA OF THE 1990S TODAY", "the NBA today"]
    for lists, expected in ((LISTS, 1), (LISTS | {"acronyms": ["nba"]}, 2)):
        words = {row["topic"]: row["words"] for row in base_rates(texts, lists)}
        assert (words["acronyms"], words["dates"]) == (expected, 1)


def test_a_corpus_of_one_kind_is_seen_as_such():
    """S2.20, with the lists that a study has by default."""
    lists = read_all([expand(Survey().lists)])
    assert set(lists) == {"sports", "dates"}
    texts = ["The coach of the NBA team spoke on Monday", "A cat sat there in 1987"]
    found = {row["topic"]: row["text_share"] for row in base_rates(texts, lists)}
    assert found == {"sports": 0.5, "dates": 1.0, "acronyms": 0.5}


def test_of_a_topic_of_two_files_the_first_ones_words_count(tmp_path):
    for name, text in (("a", "{x: [one]}"), ("b", "{x: [two], y: [three]}")):
        (tmp_path / name).write_text(f"topics: {text}\n")
    assert read_all([tmp_path / "a", tmp_path / "b"]) == {"x": ["one"], "y": ["three"]}
    assert read_all([]) == {}


def test_what_a_store_drops_does_not_count(tmp_path):
    """No SAE has seen it."""
    (tmp_path / "t.txt").write_text(" a dog. goal goal\na goal\n")
    io.write_json(tmp_path / "L0R.json", {"texts": 2})
    source = {"kind": "text", "files": {"all": str(tmp_path / "t.txt")}}
    part = {"corpus": "c", "source": source, "facts": str(tmp_path / "L0R.json")}
    for longest, words in ((None, 3), (6, 1)):
        rows = table([{**part, "longest": longest}], LISTS).to_pylist()
        (sport,) = (row for row in rows if row["topic"] == "sport")
        assert sport["words"] == words


def test_tables_and_streams_as_far_as_the_store_goes(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a dog\na goal\nsoup soup\n")
    source = {"kind": "text", "files": {"all": str(path)}, "columns": {"text": "text", "id": "id"}}
    found = items(source, "both", [], None)
    io.write_table(tmp_path / "items.parquet", found.table)
    io.write_json(tmp_path / "L0R.json", {"texts": 2})
    parts = [
        {"corpus": "whole", "items": str(tmp_path / "items.parquet")},
        {"corpus": "stream", "source": source, "facts": str(tmp_path / "L0R.json")},
    ]
    rows = table(parts, LISTS).to_pylist()
    words = {(row["corpus"], row["topic"]): row["words"] for row in rows if row["topic"] in LISTS}
    assert words == {
        ("whole", "animals"): 1,
        ("whole", "food"): 2,
        ("whole", "sport"): 1,
        ("stream", "animals"): 1,
        ("stream", "food"): 0,
        ("stream", "sport"): 1,
    }
