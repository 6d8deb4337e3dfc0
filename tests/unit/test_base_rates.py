"""How common topics are."""

import pytest

from saegrid import io
from saegrid.base_rates import base_rates, table
from saegrid.corpora.items import items

LISTS = {"animals": ["dog", "chicken"], "food": ["chicken", "soup"], "sport": ["goal"]}


def test_words_and_texts_of_each_topic():
    texts = ["The dog's Dog barks.", "chicken soup, chicken!", "nothing here", "a hotdog"]
    rows = {row["topic"]: row for row in base_rates(texts, LISTS)}
    assert list(rows) == ["animals", "food", "sport"]
    assert {row["n_words"] for row in rows.values()} == {11}
    assert {row["n_texts"] for row in rows.values()} == {4}
    assert {topic: row["words"] for topic, row in rows.items()} == {
        "animals": 4,
        "food": 3,
        "sport": 0,
    }
    assert rows["animals"]["word_share"] == pytest.approx(4 / 11)
    assert [row["texts"] for row in rows.values()] == [2, 1, 0]
    assert rows["animals"]["text_share"] == 0.5
    assert [row["word_share"] for row in base_rates([], LISTS)] == [0, 0, 0]


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
    words = {(row["corpus"], row["topic"]): row["words"] for row in rows}
    assert words == {
        ("whole", "animals"): 1,
        ("whole", "food"): 2,
        ("whole", "sport"): 1,
        ("stream", "animals"): 1,
        ("stream", "food"): 0,
        ("stream", "sport"): 1,
    }
