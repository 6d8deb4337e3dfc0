"""The features that the page of the map searches: what the page reads is what the tables say."""

import base64
import gzip
import json

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from charting import judged
from saegrid.pages.browser.searched import Family, intervals, searched

TITLES = {("lists", "food"): "food", ("wordnet", "noun.body"): "body (noun)"}
SMALLEST = -np.linspace(0, 9, 99)


def opened(made):
    """The columns of a page by name, with features and texts as they are."""
    head = json.loads(gzip.decompress(base64.b64decode(made.head)))
    body, columns, at = gzip.decompress(base64.b64decode(made.columns)), {}, 0
    for name, size in head["columns"]:
        columns[name] = np.frombuffer(body, f"<u{size}", head["n"], at).astype(np.int64)
        at += size * head["n"]
    assert at == len(body)
    return head, columns


def texts(head, columns):
    """Per row: cell, feature, kind, label, concept, n of n_shown, log10 p, dealt, words."""
    cells = [cell for cell, n in head["cells"] for _ in range(n)]
    feature, rows = 0, []
    for row, cell in enumerate(cells):
        opens = row == 0 or cells[row - 1] != cell
        feature = columns["feature"][row] + (0 if opens else feature)
        listed = [
            (head["words"][columns[f"word{i}"][row] - 1], int(columns[f"count{i}"][row]))
            for i in range(12)
            if columns.get(f"word{i}") is not None and columns[f"word{i}"][row]
        ]
        label, concept = columns["label"][row], columns["concept"][row]
        rows.append(
            {
                "cell": cell,
                "feature": int(feature),
                "kind": head["kinds"][columns["kind"][row]],
                "label": head["labels"][label - 1] if label else None,
                "concept": tuple(head["concepts"][concept - 1]) if concept else None,
                "n": int(columns["n"][row]),
                "n_shown": int(columns["n_shown"][row]),
                "log10_p": -columns["p"][row] / head["hundredths"],
                "dealt": int(columns["dealt"][row]),
                "words": ", ".join(word if n == 1 else f"{word} {n}" for word, n in listed),
            }
        )
    return rows


@pytest.fixture
def cells():
    first = judged(
        {"feature": 7, "kind": "meaning", "concept": "food", "n_concept": 18, "log10_p": -12.3456,
         "words": "pie 12, top 10, soup 2, ham"},
        {"feature": 70_007, "kind": "letter", "label": 'starts with "c"', "n_letter": 19,
         "concept": "food", "n_concept": 3, "log10_p": -2.0, "words": "cat, 1300, a, b, c, d"},
        {"feature": 70_009, "kind": "none", "log10_p": -0.5, "words": ""},
        {"feature": 70_010, "kind": "none", "concept": "noun.body", "lexicon": "wordnet",
         "n_concept": 6, "log10_p": -3.0, "words": ", 5, hair 3, wig, :"},
    )  # fmt: skip
    second = judged(
        {"feature": 7, "kind": "word", "label": 'the word "over"', "n_word": 5, "n_token": 9,
         "words": "hangover 9, , 2, <b>over</b>"},
        {"feature": 8, "kind": "coherent", "concept": "food", "n_concept": 2, "log10_p": -1},
    )  # fmt: skip
    return [(Family("L1R-8x", SMALLEST), first), (Family("L2R-8x", SMALLEST), second)]


def test_what_the_page_reads_is_what_the_tables_say(cells):
    made = searched(cells, TITLES)
    assert (made.n, made.n_judged, made.n_of_something) == (6, 6, 4)
    rows = texts(*opened(made))
    first = rows[0]
    assert (first["cell"], first["feature"], first["kind"]) == ("L1R-8x", 7, "meaning")
    assert first["concept"] == ("lists", "food", "food") and first["label"] is None
    assert (first["n"], first["n_shown"]) == (18, 20) and first["log10_p"] == -12.35
    assert [row["feature"] for row in rows] == [7, 70_007, 70_009, 70_010, 7, 8]
    words = [row["words"] for row in rows]
    assert words == [row["words"] for _, table in cells for row in table.to_pylist()]
    assert rows[3]["concept"] == ("wordnet", "noun.body", "body (noun)") and rows[3]["n"] == 6


def test_of_a_form_the_rows_that_have_it_are_counted_and_no_concept_is_named(cells):
    rows = texts(*opened(searched(cells, TITLES)))
    letter, word = rows[1], rows[4]
    assert (letter["label"], letter["n"], letter["concept"]) == ('starts with "c"', 19, None)
    assert (word["label"], word["n"], word["log10_p"]) == ('the word "over"', 9, 0)


def test_p_over_the_grid_is_that_of_the_dealt_lexicons(cells):
    rows = texts(*opened(searched(cells, TITLES)))
    for row, log10_p in ((rows[0], -12.3456), (rows[3], -3.0), (rows[5], -1)):
        assert row["dealt"] == (log10_p + 1e-9 >= SMALLEST).sum()


def test_intervals_are_exact():
    ends = intervals()
    for n, k in ((20, 18), (5, 5), (7, 0)):
        one = stats.binomtest(k, n).proportion_ci(0.95, "exact")
        shown = ends["low"][n][k], ends["high"][n][k]
        assert shown == pytest.approx((one.low, one.high), abs=1e-6)


def test_of_many_features_those_of_nothing_go_first(cells):
    made = searched(cells, TITLES, most=5)
    rows = texts(*opened(made))
    assert (made.n, made.n_judged, made.n_of_something) == (5, 6, 4)
    assert [row["feature"] for row in rows] == [7, 70_007, 70_010, 7, 8], "the weakest is left out"


def test_names_are_carried_where_there_are_any(cells):
    table = pa.table({"feature": [8, 7], "name": ["greens </script>", None]})
    head, columns = opened(searched(cells, TITLES, {"L2R-8x": table}))
    assert head["names"] == ["greens </script>"] and columns["name"].tolist() == [0] * 5 + [1]
    head, columns = opened(searched(cells, TITLES))
    assert head["names"] == [] and "name" not in columns


def test_the_same_tables_give_the_same_bytes(cells):
    assert searched(cells, TITLES) == searched(cells, TITLES)


def test_a_study_without_features_or_concepts_has_no_rows():
    for cells in ([], [(Family("L1R-8x", SMALLEST), judged())]):
        made = searched(cells, {})
        assert made.n == 0 and opened(made)[0]["n"] == 0
