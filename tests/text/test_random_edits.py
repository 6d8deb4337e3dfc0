"""Random edits: by hand, in any order of the rows, and beside the real ones."""

import csv
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saegrid.text.corpora import random_edits
from saegrid.text.corpora.items import items
from saegrid.text.corpora.random_edits import NONE, Form, form_of, rows
from saegrid.text.corpora.rows import CorpusError

HEADLINES = Path(__file__).parents[2] / "resources/toy/headlines.csv"
COLUMNS = {"id": "id", "original": "original", "edit": "edit"}
HAND = [
    ("1", "Vows to cut <Taxes/> now", "Puppies"),
    ("2", "Men seen <running/> away", "dancing"),
    ("3", "She is <walking/> home", "flying"),
    ("4", "<Big Banks/> fall", "Small Frogs"),
    ("5", "Vows to <cut/> Taxes now", "walking"),
    ("6", "A <deal/> is near", "CUT"),
]


def written(path, table, header=("id", "original", "edit")):
    """A CSV file of rows."""
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *table])
    return path


def source_of(path, seed=0, **settings):
    """The source of random edits of a CSV file."""
    own = {"kind": "random_edits", "of": "csv", "columns": COLUMNS, "seed": seed}
    return {**own, "files": {"train": str(path)}, "labels": {}, **settings}


def real(source):
    """The source of the real edits."""
    return {key: value for key, value in source.items() if key not in ("of", "seed")} | {
        "kind": source["of"]
    }


def edits(source):
    """Edits by split and id, None for a row that has none."""
    return {
        (row.split, row.values["id"]): None if row.problem else row.values["edit"]
        for row in rows(source)
    }


def by_hand(tmp_path, table=HAND, **settings):
    """Edits by id of a table that is written out."""
    found = edits(source_of(written(tmp_path / "a.csv", table), **settings))
    return {name: edit for (_, name), edit in found.items()}


# --- by hand --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "form"),
    [
        ("Taxes", Form(True, 1, "s")),
        ("running", Form(False, 1, "ing")),
        ("Big cat", Form(True, 2, "")),
        ("‘Big’ walked,", Form(True, 2, "ed")),
        ("QUICKLY", Form(True, 1, "ly")),
        ("s", Form(False, 1, "")),
        ("2nd", Form(False, 1, "")),
    ],
)
def test_the_form_of_words(words, form):
    assert form_of(words) == form


def test_words_that_can_only_be_one_by_hand(tmp_path):
    """1 and 4 have the only capitals, each of another number of words: so that differs. 2 and 3
    have each other's; 5 may have neither its edit nor a word of the same text, so running is left
    of its form; 6 is the only one in capitals, for which the first letter counts."""
    found = by_hand(tmp_path, HAND[:5])
    assert found == {
        "1": "Big Banks",
        "2": "walking",
        "3": "running",
        "4": "Taxes",
        "5": "running",
    }
    assert by_hand(tmp_path)["6"] == "Taxes"


def test_the_ending_may_differ_before_the_number_of_words_does(tmp_path):
    table = [
        ("1", "a <x/>", "going"),
        ("2", "b <cat/>", "q q q"),
        ("3", "c <big cat running/>", "q q"),
    ]
    found = by_hand(tmp_path, table)
    assert found["1"] == "cat", "of one word, though the other one ends in -ing"
    assert found["2"] == "big cat running"
    assert found["3"] in ("x", "cat")


def test_the_capital_differs_where_nothing_else_is_left(tmp_path):
    found = by_hand(tmp_path, [("1", "a <x/>", "Going"), ("2", "b <cat/>", "Q")])
    assert found == {"1": "cat", "2": "x"}


def test_neither_its_own_words_nor_those_of_its_text_in_any_case(tmp_path):
    table = [("1", "a <Cat/>", "Dog"), ("2", "b <DOG/>", "Fish"), ("3", "c <CAT/>", "Fish")]
    found = by_hand(tmp_path, table)
    assert found["1"] is None, "only its edit and its replaced word stand elsewhere"
    assert found["2"] in ("Cat", "CAT") and found["3"] == "DOG"
    (row,) = [row for row in rows(source_of(tmp_path / "a.csv")) if row.problem]
    assert row.problem == NONE


# --- laws -----------------------------------------------------------------------------------------


def test_the_order_of_the_rows_decides_nothing(tmp_path):
    table = list(csv.reader(HEADLINES.open()))[1:400]
    header = ("id", "original", "edit", "grades", "meanGrade", "split")
    one = edits(source_of(written(tmp_path / "a.csv", table, header)))
    other = edits(source_of(written(tmp_path / "b.csv", table[::-1], header)))
    assert one == other and len(one) == len(table)
    again = edits(source_of(tmp_path / "a.csv"))
    assert again == one
    seeded = edits(source_of(tmp_path / "a.csv", seed=1))
    assert sum(one[key] != seeded[key] for key in one) > 300


def test_a_row_less_changes_the_words_of_those_alone_that_drew_its_own(tmp_path):
    table = list(csv.reader(HEADLINES.open()))[1:400]
    header = ("id", "original", "edit", "grades", "meanGrade", "split")
    one = edits(source_of(written(tmp_path / "a.csv", table, header)))
    gone, changed = table[7], 0
    fewer = edits(source_of(written(tmp_path / "b.csv", table[:7] + table[8:], header)))
    word = gone[1].partition("<")[2].partition("/>")[0]
    for key, edit in fewer.items():
        if edit != one[key]:
            changed += 1
            assert one[key] == word
    assert changed < 20


def test_every_word_of_a_form_is_drawn_about_as_often(tmp_path):
    """Each pair of a text and a word once: a word that two texts lost comes twice as often."""
    pool = [(f"p{n}", f"text {n} <word{n % 9}/>", "A") for n in range(10)]
    asking = [(f"q{n}", f"same <{'B'}/>", "other") for n in range(2000)]
    found = by_hand(tmp_path, [*pool, *asking])
    counts = Counter(edit for name, edit in found.items() if name[0] == "q")
    assert set(counts) == {f"word{n}" for n in range(9)}
    for word, n in counts.items():
        expected = 400 if word == "word0" else 200
        assert abs(n - expected) < 5 * expected**0.5, word


def test_the_toy_headlines_keep_their_forms():
    source = source_of(HEADLINES, split_column="split")
    table, true = items(source).table.to_pylist(), items(real(source)).table.to_pylist()
    alike = [0, 0, 0]
    for one, other in zip(table, true, strict=True):
        assert (one["split"], one["id"]) == (other["split"], other["id"])
        assert one["original"] == other["original"] and one["group"] == other["group"]
        assert one["edit"].casefold() != other["edit"].casefold()
        assert one["edited"] != one["original"] and one["edit"] in one["edited"]
        forms = form_of(one["edit"]), form_of(other["edit"])
        alike = [n + (a == b) for n, a, b in zip(alike, *forms, strict=True)]
    assert alike[0] > 0.98 * len(table) and alike[1] > 0.99 * len(table)


# --- beside the real edits ------------------------------------------------------------------------


def test_items_are_those_of_the_real_edits_without_their_labels(tmp_path):
    """Rows that these set aside, for their labels or their id, are set aside here too."""
    table = [(*row, grade) for row, grade in zip(HAND, ["1", "2", "x", "", "0", "1"], strict=True)]
    table += [("2", "A repeated <id/> here", "walking", "1"), ("7", "no marker", "a", "1")]
    path = written(tmp_path / "a.csv", table, ("id", "original", "edit", "grade"))
    source = source_of(path, labels={"grade": "number"})
    here, true = items(source), items(real(source))
    names = ["item", "id", "original", "group", "split"]
    assert here.table.column_names == [*names[:3], "edited", "edit", *names[3:]]
    assert here.table.select(names).equals(true.table.select(names))
    assert true.table["id"].to_pylist() == ["1", "2", "5", "6"]
    kept = ["line", "id", "reason"]
    assert here.set_aside.select(kept).equals(true.set_aside.select(kept))
    assert "walking" not in here.table["edit"].to_pylist(), "words of unusable rows are none"


@pytest.mark.parametrize("named", ["auto", None])
def test_rows_without_ids_are_numbered_as_those_of_the_real_edits(named, tmp_path):
    path = written(tmp_path / "a.csv", [row[1:] for row in HAND], ("original", "edit"))
    source = source_of(path, columns={"id": named, "original": "original", "edit": "edit"})
    here, true = items(source), items(real(source))
    assert here.table["id"].to_pylist() == true.table["id"].to_pylist() == list("123456")
    assert here.facts["ids"] == true.facts["ids"] == "row number"
    with_ids = items(source_of(written(tmp_path / "b.csv", HAND)))
    assert here.table["edit"].equals(with_ids.table["edit"]), "the ids are the same"


def test_each_kind_of_file_gives_the_same_edits(tmp_path):
    expected = edits(source_of(written(tmp_path / "a.csv", HAND)))
    records = [dict(zip(COLUMNS, row, strict=True)) for row in HAND]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    pq.write_table(pa.Table.from_pylist(records), tmp_path / "a.parquet")
    for kind in ("jsonl", "parquet"):
        assert edits(source_of(tmp_path / f"a.{kind}", of=kind)) == expected
    assert set(random_edits.READERS) == {"csv", "jsonl", "parquet"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"of": None}, "of: a source of kind random_edits needs the kind of the real edits"),
        ({"of": "text"}, "csv, jsonl, parquet; got 'text'"),
        ({"columns": {"text": "original"}}, "columns: random edits stand in the place of a marker"),
        ({"columns": {**COLUMNS, "edited": "e"}}, "and no `edited`; got original, edit, edited"),
    ],
)
def test_settings_with_which_nothing_can_be_replaced_are_told(settings, message, tmp_path):
    path = written(tmp_path / "a.csv", HAND)
    with pytest.raises(CorpusError, match=message):
        list(rows(source_of(path, **settings)))
