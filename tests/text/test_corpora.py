import csv as plain_csv
import functools
import hashlib
import http.server
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from saegrid.base.io import write_json, write_table
from saegrid.base.registry import pick
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.items import Items, both_texts, items, parsed, stripped
from saegrid.text.corpora.rows import CorpusError, Row
from saegrid.text.corpora.text import parts

REPOSITORY = Path(__file__).resolve().parents[2]
COLUMNS = {"id": "id", "original": "original", "edit": "edit"}
LABELS = {"grades": "text", "meanGrade": "number"}
GRADES = {"digits": "grades", "mean": "meanGrade", "low": 0, "high": 3}
HEADER = "id,original,edit,grades,meanGrade\n"


def source(path: Path, **changes: Any) -> dict[str, Any]:
    kind = path.suffix.lstrip(".")
    made = {"kind": kind, "files": {"train": str(path)}, "columns": COLUMNS, "labels": LABELS}
    return {**made, **changes}


def read(path: Path, **changes: Any) -> list[Row]:
    settings = source(path, **changes)
    return list(pick(CORPORA, settings["kind"], "kind")(settings))


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def column(found: Items, name: str) -> list[Any]:
    return found.table[name].to_pylist()


def message(function: Any, *arguments: Any, **settings: Any) -> str:
    with pytest.raises(CorpusError) as raised:
        function(*arguments, **settings)
    return str(raised.value)


# --------------------------------------------------------------------------- the real corpus


@pytest.fixture(scope="module")
def folder(shared_data: Path) -> Path:
    return shared_data / "humicroedit"


def humicroedit(folder: Path) -> dict[str, Any]:
    names = {"train": "train", "dev": "dev", "test": "test", "funlines": "train_funlines"}
    files = {split: str(folder / f"{name}.csv") for split, name in names.items()}
    return {"kind": "csv", "files": files, "columns": COLUMNS, "labels": LABELS}


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Items:
    return items(humicroedit(folder), grades=GRADES)


def by_id(corpus: Items, name: str) -> dict[str, Any]:
    (row,) = (row for row in corpus.table.to_pylist() if row["id"] == name)
    return row


def test_all_rows_are_there(corpus: Items) -> None:
    expected = {"train": 9652, "dev": 2419, "test": 3024, "funlines": 8248}
    assert Counter(column(corpus, "split")) == expected
    assert corpus.facts["rows"] == {
        split: {"read": n, "kept": n, "set_aside": 0} for split, n in expected.items()
    }
    assert corpus.facts["set_aside"] == {} and corpus.set_aside.num_rows == 0
    assert column(corpus, "item") == list(range(23343))


def test_schema(corpus: Items) -> None:
    assert corpus.table.schema == pa.schema(
        {
            "item": pa.int32(),
            "id": pa.string(),
            "original": pa.string(),
            "edited": pa.string(),
            "edit": pa.string(),
            "group": pa.int32(),
            "split": pa.string(),
            "grades": pa.string(),
            "meanGrade": pa.float64(),
        }
    )


def test_the_published_example_is_in_dev_only(corpus: Items) -> None:
    row = by_id(corpus, "1183")
    assert row["split"] == "dev"
    assert row["original"] == "Kushner to visit Mexico following latest Trump tirades"
    assert row["edited"] == "Kushner to visit therapist following latest Trump tirades"
    assert (row["grades"], row["meanGrade"]) == ("33332", 2.8)


def test_the_published_example_reads_as_it_stands(folder: Path) -> None:
    found = [row for row in read(folder / "dev.csv") if row.values["id"] == "1183"]
    assert [row.values["edit"] for row in found] == ["therapist"]


def test_the_example_of_the_mask(corpus: Items) -> None:
    row = by_id(corpus, "5963")
    assert (row["split"], row["grades"], row["meanGrade"]) == ("train", "33220", 2.0)
    assert row["original"].startswith("FBI Raids Office ")
    assert row["edited"] == row["original"].replace("Raids", "Redecorates")


def test_markers_and_edits(folder: Path) -> None:
    rows = read(folder / "train.csv")
    words = [parsed(row.values["original"])[1] for row in rows]
    assert len(words) == 9652
    assert sum(" " in word for word in words) == 497
    kept = [w for w, r in zip(words, rows, strict=True) if float(r.values["meanGrade"]) >= 2]
    assert Counter(len(word.split()) for word in kept) == {1: 605, 2: 25}
    for word, row in zip(words, rows, strict=True):
        edit = row.values["edit"]
        assert edit == edit.strip() and len(edit.split()) == 1
        assert edit.lower() != word.lower()


def test_grades_are_read_as_text(corpus: Items) -> None:
    grades = corpus.facts["grades"]
    train = grades["splits"]["train"]
    assert (grades["low"], grades["high"]) == (0, 3)
    assert train["digits"] == {"0": 20835, "1": 14551, "2": 9299, "3": 4315}
    assert train["lengths"] == {"5": 9510, "10": 136, "15": 6}
    assert list(train["lengths"]) == ["5", "10", "15"]
    assert train["mean"] == pytest.approx(0.9356, abs=5e-5)
    # The scale starts at 0: more than half of the means could not be on one that starts at 1.
    assert (train["lowest"], train["highest"], train["at_lowest_grade"]) == (0.0, 3.0, 523)
    assert train["below_1"] == 4921
    assert train["sorted_descending"] == 9652
    zeros = [
        grades
        for grades, split in zip(column(corpus, "grades"), column(corpus, "split"), strict=True)
        if split == "train" and not grades.strip("0")
    ]
    assert len(zeros) == 523 and min(map(len, zeros)) == 5


def test_means_are_the_means_of_their_digits(corpus: Items) -> None:
    splits = corpus.facts["grades"]["splits"]
    assert [splits[s]["largest_deviation"] for s in ("train", "dev", "test")] == [0.0, 0.0, 0.0]
    assert splits["funlines"]["largest_deviation"] == pytest.approx(2 / 3)


def test_funlines_has_seven_rows_with_a_four(corpus: Items) -> None:
    warnings = {w["id"]: w for w in corpus.facts["warnings"]}
    same = warnings.pop("106427")
    assert same["warning"] == "the edit changes nothing"
    assert sorted(warnings) == [
        "100950", "101356", "101505", "104913", "106544", "106682", "108026",
    ]  # fmt: skip
    assert warnings["100950"] == {
        "split": "funlines",
        "file": "train_funlines.csv",
        "line": 952,
        "id": "100950",
        "warning": "grades '400000' hold 4, outside 0 to 3; the mean of '400000' is 0.6667, not 0",
    }
    assert set(warnings) < set(column(corpus, "id"))


def test_groups(corpus: Items) -> None:
    groups = corpus.facts["groups"]
    assert groups["shared_between_splits"] == 0
    assert {split: found["n"] for split, found in groups["splits"].items()} == {
        "train": 3310,
        "dev": 828,
        "test": 1031,
        "funlines": 6461,
    }
    assert groups["n"] == 3310 + 828 + 1031 + 6461
    assert groups["splits"]["train"]["sizes"] == {"1": 7, "2": 264, "3": 3039}
    first: dict[str, int] = {}
    for original, group in zip(column(corpus, "original"), column(corpus, "group"), strict=True):
        assert first.setdefault(original, group) == group
    assert list(first.values()) == list(range(groups["n"]))


def test_blanks_around_a_headline_split_its_group(folder: Path) -> None:
    # 4,600 originals where blanks count, as the marker's place leaves them; 3,310 headlines.
    texts = ["".join(parsed(row.values["original"])) for row in read(folder / "train.csv")]
    assert Counter(Counter(texts).values()) == {3: 1877, 2: 1298, 1: 1425}
    assert len(set(texts)) == 4600
    assert len({text.strip() for text in texts}) == 3310


def test_nothing_is_repeated(corpus: Items) -> None:
    assert corpus.facts["repeats"] == {"ids_between_splits": 0, "edited_texts": 0, "pairs": 0}


def test_digests_of_the_files(corpus: Items) -> None:
    files = {file["file"]: file for file in corpus.facts["files"]}
    assert files["train.csv"] == {
        "file": "train.csv",
        "rows": 9652,
        "bytes": 947914,
        "sha256": "635b38eab604275aba337463bdb2a23a407a40c46dd2612c1fce3cb58fa262ce",
    }
    assert list(files) == ["train.csv", "dev.csv", "test.csv", "train_funlines.csv"]


def test_blanks_as_published(folder: Path, corpus: Items) -> None:
    settings = source(folder / "train.csv")
    found = items(settings, strip="left", keep_space=["9150", "7187"])
    edited = dict(zip(column(found, "id"), column(found, "edited"), strict=True))
    assert sorted(n for n, text in edited.items() if text.startswith(" ")) == ["7187", "9150"]
    assert sum(text.endswith(" ") for text in edited.values()) == 1883
    assert column(found, "group") == column(corpus, "group")[:9652]
    raw = items(settings, strip="none")
    assert sum(text.startswith(" ") for text in column(raw, "edited")) == 473
    assert not any(text != text.strip() for text in column(corpus, "edited"))


def test_a_second_reader_agrees(folder: Path, corpus: Items) -> None:
    expected = []
    for path in humicroedit(folder)["files"].values():
        with Path(path).open(encoding="utf-8", newline="") as file:
            expected += [
                (
                    row["id"],
                    re.sub("<(.*?)/>", r"\1", row["original"]).strip(),
                    re.sub("<.*?/>", row["edit"], row["original"]).strip(),
                    row["grades"],
                    float(row["meanGrade"]),
                )
                for row in plain_csv.DictReader(file)
            ]
    names = ("id", "original", "edited", "grades", "meanGrade")
    assert list(zip(*(column(corpus, name) for name in names), strict=True)) == expected


def test_facts_are_json(corpus: Items, tmp_path: Path) -> None:
    write_json(tmp_path / "corpus.json", corpus.facts)
    assert json.loads((tmp_path / "corpus.json").read_text()) == corpus.facts


# --------------------------------------------------------------------------- CSV


def test_leading_zeros_and_float_noise_survive(tmp_path: Path) -> None:
    rows = "1,a <b/>,c,00000,0\n2,a <b/>,d,222222222222223,2.066666666666667\n3,a <b/>,e,02,2.07\n"
    found = items(source(write(tmp_path / "a.csv", HEADER + rows)))
    assert column(found, "grades") == ["00000", "222222222222223", "02"]
    assert column(found, "meanGrade") == [0.0, 2.066666666666667, 2.07]
    assert column(found, "group") == [0, 0, 0]


@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "BOM"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_quotes_commas_and_line_ends(tmp_path: Path, bom: bytes, end: str) -> None:
    lines = [
        "id,original,edit,grades,meanGrade",
        '1,"He said ""<hi/>"", twice",hello,10000,0.2',
        "",
        '2,"two',
        'lines <here/>",there,20000,0.4',
        "3,‘ <Curly/> ’ &amp; plain,Wavy,30000,0.6",
    ]
    path = write(tmp_path / "a.csv", bom + end.join([*lines, ""]).encode())
    rows = read(path)
    assert [row.line for row in rows] == [2, 4, 6]
    found = items(source(path), grades=GRADES)
    assert column(found, "original") == [
        'He said "hi", twice',
        f"two{end}lines here",
        "‘ Curly ’ &amp; plain",
    ]
    assert column(found, "edited")[0] == 'He said "hello", twice'
    assert found.facts["warnings"] == []


def test_bad_rows_are_set_aside_and_counted(tmp_path: Path) -> None:
    rows = [
        b"1,a <b/> c,d,00000,0",
        b"2,no marker,d,00000,0",
        b"3,a <b/> <c/>,d,00000,0",
        b"4,a <b/>,,00000,0",
        b"5,a <b/>, ,00000,0",
        b"6,a < />,d,00000,0",
        b"7,a <b/>,d,00000",
        b"8,a <b/>,d,00000,0,more",
        b"9,a <b/>,d,00000,",
        b"10,a <b/>,d,00000,nan",
        b"1,a <b/> c,e,00000,0",
        b"11,a <b/> \xff,d,00000,0",
        b'12,"a <b/>"x,d,00000,0',
        b",a <b/>,d,00000,0",
        b"13,a <b/> c,f,00000,0",
    ]
    path = write(tmp_path / "a.csv", HEADER.encode() + b"\n".join(rows) + b"\n")
    found = items(source(path), grades=GRADES)
    assert column(found, "id") == ["1", "13"]
    assert column(found, "item") == [0, 1]
    reasons = {
        "2": "no marker",
        "3": "several markers",
        "4": "empty edit",
        "5": "empty edit",
        "6": "empty marker",
        "7": "too few cells",
        "8": "too many cells",
        "9": "missing value: meanGrade",
        "10": "not a number: meanGrade",
        "1": "repeated id",
        "11": "not UTF-8",
        None: "stray quote",
        "": "empty id",
    }
    aside = found.set_aside.to_pylist()
    assert {row["id"]: row["reason"] for row in aside} == reasons
    assert [row["line"] for row in aside] == list(range(3, 16))
    assert {(row["split"], row["file"]) for row in aside} == {("train", "a.csv")}
    assert json.loads(aside[0]["raw"]) == {
        "id": "2",
        "original": "no marker",
        "edit": "d",
        "grades": "00000",
        "meanGrade": "0",
    }
    assert json.loads(aside[11]["raw"]) == {"row": '12,"a <b/>"x,d,00000,0\n'}
    assert found.facts["set_aside"] == Counter(reasons.values())
    assert list(found.facts["set_aside"]) == sorted(set(reasons.values()))
    assert found.facts["rows"] == {"train": {"read": 15, "kept": 2, "set_aside": 13}}
    # What was not UTF-8 can still be written.
    write_table(tmp_path / "set_aside.parquet", found.set_aside)
    assert json.loads(aside[10]["raw"])["original"] == "a <b/> \udcff"


def test_an_open_quote_costs_one_row(tmp_path: Path) -> None:
    rows = ['1,a <b/>,"c,00000,0', "2,a <b/>,d,00000,0", '3,a <b/>,"e",00000,0']
    found = items(source(write(tmp_path / "a.csv", HEADER + "\n".join(rows))))
    assert column(found, "id") == ["2", "3"]
    assert found.facts["set_aside"] == {"stray quote": 1}
    assert [row.line for row in read(tmp_path / "a.csv")] == [2, 3, 4]


def test_a_field_may_be_a_whole_book(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text\n1," + "word " * 50_000 + "\n")
    found = items(source(path, columns={"id": "id", "text": "text"}, labels={}))
    assert len(column(found, "edited")[0]) == 5 * 50_000 - 1


cells = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=9)


@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1))
def test_csv_gives_back_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        plain_csv.writer(file, quoting=plain_csv.QUOTE_ALL).writerows([["a", "b", "c"], *table])
    rows = read(path, columns={"text": "a"}, labels={})
    assert [list(row.values.values()) for row in rows] == table
    assert not any(row.problem for row in rows)


# --------------------------------------------------------------------------- pairs and texts


words = st.text(st.characters(blacklist_characters="<>", blacklist_categories=["Cs"]), max_size=12)
filled = words.filter(str.strip)


@given(words, filled, words, filled)
def test_the_marker_can_be_put_back(before: str, word: str, after: str, edit: str) -> None:
    marked = f"{before}<{word}/>{after}"
    original, edited, put_in = both_texts({"original": marked, "edit": edit})
    assert parsed(marked) == (before, word.strip(), after)
    assert original == before + word.strip() + after
    stop = len(before) + len(put_in)
    assert edited[len(before) : stop] == put_in == edit.strip()
    assert f"{edited[: len(before)]}<{word}/>{edited[stop:]}" == marked


@given(words, st.sampled_from(["both", "left", "none"]), st.booleans())
def test_only_blanks_go(text: str, strip: str, keep: bool) -> None:
    found = stripped(text, strip, keep)
    assert found.strip() == text.strip() and found in text
    assert stripped(found, strip, keep) == found


@pytest.mark.parametrize(
    ("strip", "keep", "expected"),
    [
        ("both", [], "Dogs bark"),
        ("left", [], "Dogs bark "),
        ("none", [], " Dogs bark "),
        ("both", ["1"], " Dogs bark"),
        ("left", ["1"], " Dogs bark "),
    ],
)
def test_strip(tmp_path: Path, strip: str, keep: list[str], expected: str) -> None:
    path = write(tmp_path / "a.csv", "id,original,edit\n1, <Cats/> bark ,Dogs\n")
    found = items(source(path, labels={}), strip, keep)
    assert column(found, "edited") == [expected]
    assert column(found, "original") == [expected.replace("Dogs", "Cats")]


def test_pairs_without_a_marker(tmp_path: Path) -> None:
    rows = [
        {"before": "A cat sat", "after": "A dog sat", "score": 1.50},
        {"before": " A cat sat ", "after": "A cat sat", "score": 2},
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    columns = {"id": None, "original": "before", "edited": "after"}
    found = items(source(path, columns=columns, labels={"score": "number"}))
    assert column(found, "id") == ["1", "2"]
    assert column(found, "edit") == [None, None]
    assert column(found, "group") == [0, 0]
    assert column(found, "score") == [1.5, 2.0]
    assert [w["warning"] for w in found.facts["warnings"]] == ["the edit changes nothing"]
    assert found.facts["repeats"]["pairs"] == 0 and found.facts["grades"] is None


def test_the_same_id_may_stand_in_two_splits(tmp_path: Path) -> None:
    one = write(tmp_path / "one.csv", "id,original,edit\n1,a <b/>,c\n")
    two = write(tmp_path / "two.csv", "id,original,edit\n1,<a/> b,c\n2,<a/> d,c\n")
    files = {"train": [str(one)], "dev": str(two)}
    found = items(source(one, files=files, labels={}))
    assert column(found, "split") == ["train", "dev", "dev"]
    assert found.facts["groups"]["shared_between_splits"] == 1
    assert found.facts["repeats"]["ids_between_splits"] == 1
    again = items(source(one, files={"train": [str(one), str(two)]}, labels={}))
    assert column(again, "id") == ["1", "2"]
    assert again.facts["set_aside"] == {"repeated id": 1}


def test_a_column_may_name_the_split(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "id,original,edit,part\n1,<a/>,b,train\n1,<a/>,b,dev\n2,<a/>,b,\n"
    )
    found = items(source(path, files={"all": str(path)}, labels={}, split_column="part"))
    assert column(found, "split") == ["train", "dev"]
    assert found.facts["set_aside"] == {"missing value: part": 1}
    assert found.facts["rows"]["all"] == {"read": 1, "kept": 0, "set_aside": 1}
    path.write_bytes(path.read_bytes() + b"3,<a/>,\xff,\xfe\n4,<a/>\n")
    found = items(source(path, files={"all": str(path)}, labels={}, split_column="part"))
    assert found.facts["rows"]["all"] == {"read": 3, "kept": 0, "set_aside": 3}
    assert sorted(found.facts["set_aside"]) == ["missing value: part", "not UTF-8", "too few cells"]


# --------------------------------------------------------------------------- other kinds


def test_jsonl(tmp_path: Path) -> None:
    lines = [
        b'\xef\xbb\xbf{"id": 7, "original": "a <b/>", "edit": "c", "grades": "00000", '
        b'"meanGrade": 2.80}',
        b"",
        b'{"id": "8", "original": "a <b/>", "edit": null, "grades": "0", "meanGrade": 0}',
        b'{"id": "9", "original": "a <b/>", "grades": "0", "meanGrade": 0}',
        b"[1, 2]",
        b'{"id": ',
        b'{"id": "10", "original": "\xff"}',
    ]
    path = write(tmp_path / "a.jsonl", b"\n".join(lines))
    assert read(path)[0].values["meanGrade"] == "2.80"
    found = items(source(path))
    assert column(found, "id") == ["7"] and column(found, "grades") == ["00000"]
    assert [(row["line"], row["reason"]) for row in found.set_aside.to_pylist()] == [
        (3, "missing value: edit"),
        (4, "missing value: edit"),
        (5, "not a JSON object"),
        (6, "not JSON"),
        (7, "not UTF-8"),
    ]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "id": pa.array([1, 2, 3], pa.int64()),
            "original": pa.array(["a <b/>"] * 3).dictionary_encode(),
            "edit": pa.array(["c", "d", None], pa.large_string()),
            "grades": ["00000", "33332", "1"],
            "meanGrade": pa.array([0.0, 2.8, 2.0666666666], pa.float32()),
            "rest": pa.array([[1], [2], [3]]),
        }
    )
    pq.write_table(table, path)
    found = items(source(path), grades=GRADES)
    assert column(found, "id") == ["1", "2"]
    assert column(found, "grades") == ["00000", "33332"]
    assert column(found, "meanGrade") == [0.0, 2.8]  # as written, not as float32 spelled out
    assert found.set_aside.to_pylist()[0]["reason"] == "missing value: edit"
    assert found.facts["warnings"] == []


def test_parquet_with_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": pa.array([b"good", b"b\xffd"], pa.binary())}), path)
    found = items(source(path, columns={"text": "text"}, labels={}))
    assert column(found, "edited") == ["good"]
    assert found.facts["set_aside"] == {"not UTF-8": 1}


def test_text_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\r\n\r\n  two \r\nthree\r\n")
    found = items({"kind": "text", "files": {"train": str(path)}, "columns": {"id": "id"}})
    assert column(found, "edited") == ["one", "two", "three"]
    assert column(found, "id") == ["1", "2", "3"]
    assert column(found, "original") == column(found, "edit") == [None] * 3
    assert column(found, "group") == [0, 1, 2]
    assert found.facts["warnings"] == []


def test_text_with_a_separator(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "One\nstory.\n<|endoftext|>\nAnother.\n<|endoftext|>\n")
    settings = {"kind": "text", "files": {"train": str(path)}, "separator": "<|endoftext|>"}
    found = items(settings)
    assert column(found, "edited") == ["One\nstory.", "Another."]
    rows = list(pick(CORPORA, "text", "kind")({**settings, "n": 1}))
    assert [(row.line, row.values["id"]) for row in rows] == [(1, "1")]
    blank = write(tmp_path / "b.txt", "A\npoem\n\n\n\nB\n")
    rows = list(
        pick(CORPORA, "text", "kind")(
            {"kind": "text", "files": {"a": str(blank)}, "separator": "\r\n\r\n"}
        )
    )
    assert [(row.line, row.values["text"].strip()) for row in rows] == [(1, "A\npoem"), (6, "B")]
    late = write(tmp_path / "c.txt", "<|endoftext|>\n\nstory\n<|endoftext|>\nAnother\n")
    rows = list(pick(CORPORA, "text", "kind")({**settings, "files": {"a": [str(late)]}}))
    assert [row.line for row in rows] == [3, 5]


def test_long_texts_become_several(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "a bc def ghijklmnop q\n")
    settings = {"kind": "text", "files": {"train": str(path)}, "max_characters": 6}
    assert column(items(settings), "edited") == ["a bc", "def", "ghijk", "lmnop", "q"]
    assert column(items(settings), "group") == [0] * 5, "one text: one group"
    two = write(tmp_path / "b.txt", "a bc def\nxy\n a bc def\na bc\n")
    found = items({**settings, "files": {"train": str(two)}})
    assert column(found, "edited") == ["a bc", "def", "xy", "a bc", "def", "a bc"]
    assert column(found, "group") == [0, 0, 1, 0, 0, 2]


@given(words, st.integers(1, 8))
def test_parts_lose_no_word(text: str, longest: int) -> None:
    pieces = list(parts(text, longest))
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= longest and piece.strip() for piece in pieces)


def test_text_that_is_not_utf8(tmp_path: Path) -> None:
    found = items(
        {"kind": "text", "files": {"train": str(write(tmp_path / "a.txt", b"good\nb\xffd\n"))}}
    )
    assert column(found, "edited") == ["good"]
    assert found.facts["set_aside"] == {"not UTF-8": 1}


def test_real_stories(shared_data: Path) -> None:
    path = shared_data / "corpus-tinystories-sample" / "tinystories_sample.txt"
    settings = {
        "kind": "text",
        "files": {"train": str(path)},
        "separator": "<|endoftext|>",
        "n": 50,
    }
    found = items(settings)
    assert found.table.num_rows == 50
    assert not any("endoftext" in text for text in column(found, "edited"))
    assert path.read_text(encoding="utf-8").lstrip().startswith(column(found, "edited")[0])


GRAMMAR = REPOSITORY / "resources" / "toy" / "grammar.yaml"


def test_generated() -> None:
    settings = {"kind": "generated", "grammar": str(GRAMMAR), "n": 20, "seed": 1}
    found, again = items(settings), items(settings)
    assert found.table.num_rows == 20 and found.table.equals(again.table)
    assert column(found, "id") == [str(n) for n in range(1, 21)]
    assert set(column(found, "split")) == {"all"}
    assert column(items({**settings, "seed": 2}), "edited") != column(found, "edited")


# --------------------------------------------------------------------------- the hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"
REPO = "SemEvalWorkshop/humicroedit"


def parquet_bytes(tmp_path: Path) -> bytes:
    path = tmp_path / "made.parquet"
    rows = {"id": ["1"], "original": ["<a/> b"], "edit": ["c"], "grades": ["00000"]}
    pq.write_table(pa.table({**rows, "meanGrade": pa.array([0.0], pa.float32())}), path)
    return path.read_bytes()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """A small data set repository, with a script that must never be fetched."""
    return {
        "subtask-1/train-00000-of-00001.parquet": parquet_bytes(tmp_path),
        "subtask-1/dev.csv": (HEADER + "1183,<x/> y,z,33332,2.8\n").encode(),
        "humicroedit.py": b"raise SystemExit('remote code ran')",
    }


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as much of the hub's protocol as fetching a pinned file takes."""

    files: dict[str, bytes]
    asked: list[str]

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, with_body: bool) -> None:
        self.asked.append(f"{self.command} {self.path}")
        name = self.path.partition(f"/datasets/{REPO}/resolve/{COMMIT}/")[2]
        status, headers, body = 404, {"X-Error-Code": "EntryNotFound"}, b""
        if self.path.startswith(f"/api/datasets/{REPO}"):
            siblings = [{"rfilename": name} for name in sorted(self.files)]
            described = {"id": REPO, "sha": COMMIT, "siblings": siblings}
            status, headers, body = 200, {}, json.dumps(described).encode()
            if "/tree/" in self.path:
                tree = [
                    {"type": "file", "path": n, "size": len(b), "oid": hashlib.sha1(b).hexdigest()}
                    for n, b in sorted(self.files.items())
                ]
                body = json.dumps(tree).encode()
        elif name in self.files:
            status, body = 200, self.files[name]
            headers = {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(
    files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """A hub on this machine; yields what it is asked."""
    asked: list[str] = []
    handler = type("Handler", (Hub,), {"files": files, "asked": asked})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield asked
    server.shutdown()
    server.server_close()


def hub_source(**changes: Any) -> dict[str, Any]:
    named = {"train": "subtask-1/train-00000-of-00001.parquet", "dev": "subtask-1/dev.csv"}
    made = {"kind": "hub", "repo": REPO, "revision": COMMIT, "files": named}
    return {**made, "columns": COLUMNS, "labels": LABELS, **changes}


def check_hub_items(found: Items) -> None:
    assert column(found, "split") == ["train", "dev"]
    assert column(found, "edited") == ["c b", "z y"]
    assert column(found, "grades") == ["00000", "33332"]
    assert [file["rows"] for file in found.facts["files"]] == [1, 1]


def test_hub_over_http(hub: list[str]) -> None:
    check_hub_items(items(hub_source(), grades=GRADES))
    assert any(request.startswith("GET") for request in hub)
    assert not any("humicroedit.py" in request for request in hub)
    hub.clear()
    check_hub_items(items(hub_source(), grades=GRADES))
    assert hub == []  # a pinned commit is asked for once


def test_hub_patterns(hub: list[str]) -> None:
    named = {"train": "subtask-1/train-*.parquet", "dev": "subtask-1/*.csv"}
    check_hub_items(items(hub_source(files=named), grades=GRADES))


def test_hub_digests_are_of_the_bytes(hub: list[str], files: dict[str, bytes]) -> None:
    found = items(hub_source())
    assert (
        found.facts["files"][1]["sha256"] == hashlib.sha256(files["subtask-1/dev.csv"]).hexdigest()
    )


@pytest.fixture
def stand_in(files: dict[str, bytes], tmp_path: Path) -> Path:
    for name, content in files.items():
        path = tmp_path / "repo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return tmp_path / "repo"


def test_a_folder_stands_in_for_the_hub(stand_in: Path) -> None:
    check_hub_items(items(hub_source(repo=str(stand_in), revision=None), grades=GRADES))


@pytest.mark.parametrize(
    "name", ["subtask-1/trian-00000-of-00001.parquet", "subtask-1/trian-*.parquet"]
)
def test_hub_names_the_files_that_are_there(hub: list[str], name: str) -> None:
    assert message(items, hub_source(files={"train": name})) == (
        f"The data set {REPO} at 0123456789ab has no file {name!r}, which files.train asks for. "
        "Did you mean 'subtask-1/train-00000-of-00001.parquet'? "
        "Data files there: subtask-1/dev.csv, subtask-1/train-00000-of-00001.parquet."
    )


def test_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the client waits before it retries
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for named in ({"dev": "subtask-1/dev.csv"}, {"dev": "subtask-1/*.csv"}):
        said = message(items, hub_source(files=named))
        assert said.startswith(f"The data set {REPO} at 0123456789ab cannot be fetched: ")
        assert said.endswith(
            ". Check the name, the commit, the network and, for a gated data set, the login "
            "(`hf auth login`)."
        )


def test_hub_never_runs_a_script(hub: list[str]) -> None:
    assert message(items, hub_source(files={"train": "humicroedit.py"})) == (
        "'humicroedit.py' cannot be read from a data set repository: expected a name that ends in "
        ".parquet, .csv, .tsv, .jsonl, .json, .ndjson. Loading scripts are never run; hubs keep "
        "parquet copies of script data sets on the branch refs/convert/parquet."
    )
    assert hub == []


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12]])
def test_hub_needs_a_pinned_commit(hub: list[str], revision: str | None) -> None:
    assert message(items, hub_source(revision=revision)) == (
        f"The data set {REPO} needs `revision`, the 40 hexadecimal digits of a commit, so that a "
        f"result can be repeated; got {revision!r}. "
        f"Commits: https://huggingface.co/datasets/{REPO}/commits/main"
    )
    assert hub == []


def test_hub_needs_a_repository() -> None:
    assert message(items, hub_source(repo=None)) == (
        "A source of kind 'hub' needs `repo`, the name of a data set such as "
        "SemEvalWorkshop/humicroedit; got none."
    )


# --------------------------------------------------------------------------- mistakes


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    csv = write(tmp_path / "a.csv", "id,orignal,edit\n1,<a/>,b\n")
    jsonl = write(tmp_path / "a.jsonl", '{"id": 1, "orignal": "<a/>", "edit": "b"}')
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.table({"id": ["1"], "orignal": ["<a/>"], "edit": ["b"]}), parquet)
    for path in (csv, jsonl, parquet):
        assert message(items, source(path, labels={})) == (
            f"{path} has no column 'original', which columns.original asks for. "
            "Did you mean 'orignal'? Columns there: 'id', 'orignal', 'edit'."
        )


def test_a_missing_label_id_or_split_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "original,edit,meangrade,meangrade\n<a/>,b,1,1\n")
    there = "Columns there: 'original', 'edit', 'meangrade', 'meangrade'."
    columns = {"original": "original", "edit": "edit"}
    assert message(items, source(path, columns=columns, labels={"meanGrade": "number"})) == (
        f"{path} has no column 'meanGrade', which labels.meanGrade asks for. "
        f"Did you mean 'meangrade'? {there}"
    )
    assert message(items, source(path, labels={})) == (
        f"{path} has no column 'id', which columns.id asks for. {there} "
        "Set columns.id to null to number the rows."
    )
    assert message(items, source(path, columns=columns, labels={}, split_column="part")) == (
        f"{path} has no column 'part', which split_column asks for. {there}"
    )
    assert message(items, source(path, columns=columns, labels={"meangrade": "number"})) == (
        f"{path} has 2 columns named 'meangrade', which labels.meangrade asks for; expected one. "
        f"{there}"
    )


def test_files_that_cannot_be_used(tmp_path: Path) -> None:
    absent = tmp_path / "absent.csv"
    assert (
        message(items, source(absent)) == f"{absent} is not there; `files.train` must name a file."
    )
    empty = write(tmp_path / "empty.csv", "")
    assert message(items, source(empty)) == (
        f"{empty}, line 1: expected a header row of column names."
    )
    for path, text in ((tmp_path / "head.csv", HEADER), (tmp_path / "head.jsonl", "\n")):
        assert message(items, source(write(path, text))) == (
            f"{path} holds no rows; expected at least one."
        )
    torn = write(tmp_path / "torn.parquet", b"PAR1 and no more")
    said = message(items, source(torn))
    assert said.startswith(f"{torn} cannot be read as parquet: ")
    assert said.endswith(". Fetch or write the file again.")
    assert message(items, source(absent, files={})) == (
        "A source of kind 'csv' needs `files`, a mapping of splits to files, such as "
        "{train: data/train.csv}; got none."
    )


def test_a_corpus_without_a_good_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", HEADER + "1,a,b,0,0\n2,a,b,0,0\n")
    assert message(items, source(path)) == (
        "None of the 2 rows can be used; the first, a.csv, line 2: no marker. "
        "Check `columns` and `labels` against the file."
    )


@pytest.mark.parametrize(
    ("changes", "settings", "expected"),
    [
        (
            {},
            {"strip": "bth"},
            "strip must be one of both, left, none; got 'bth'. Did you mean 'both'?",
        ),
        (
            {},
            {"keep_space": ["9151"]},
            "keep_space: the corpus has no item with the id '9151'. Did you mean '9150'?",
        ),
        (
            {"columns": {"original": "original"}},
            {},
            "columns must map `original` and `edit` (a marker in the original text), or `original` "
            "and `edited`, or `text` alone; got original.",
        ),
        (
            {"columns": {"edit": "edit", "edited": "edit"}},
            {},
            "columns must map `original` and `edit` (a marker in the original text), or `original` "
            "and `edited`, or `text` alone; got edit, edited.",
        ),
        (
            {"columns": {**COLUMNS, "text": "original"}},
            {},
            "columns: `text` is for unpaired texts; map it alone or leave it out.",
        ),
        (
            {"labels": {"edit": "text"}},
            {},
            "labels.edit: the name 'edit' is taken by a column of the items.",
        ),
        ({"labels": {"grades": "int"}}, {}, "labels.grades must be text or number; got 'int'."),
        (
            {"labels": {"grades": "number"}},
            {"grades": GRADES},
            "grades.digits must name a label read as text; got 'grades'. Labels: grades (number).",
        ),
        (
            {"labels": {"grades": "text"}},
            {"grades": GRADES},
            "grades.mean must name a label read as number; got 'meanGrade'. Labels: grades (text).",
        ),
    ],
)
def test_settings_that_do_not_fit(
    tmp_path: Path, changes: dict[str, Any], settings: dict[str, Any], expected: str
) -> None:
    path = write(tmp_path / "a.csv", HEADER + "9150,<a/>,b,0,0\n")
    assert message(items, source(path, **changes), **settings) == expected


def test_an_unknown_kind() -> None:
    with pytest.raises(ValueError) as raised:
        items({"kind": "cvs"})
    assert str(raised.value) == (
        "Corpus kind 'cvs' is unknown. Did you mean 'csv'? "
        "Known: carried, continued, csv, generated, hub, jsonl, parquet, random_edits, text."
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"n": None}, "A source of kind 'generated' needs `n`; got none."),
        ({"grammar": None}, "A source of kind 'generated' needs `grammar`; got none."),
        ({"grammar": "no.yaml"}, "no.yaml is not there; `grammar` must name a grammar file."),
    ],
)
def test_generated_needs_a_grammar(changes: dict[str, Any], expected: str) -> None:
    assert (
        message(items, {"kind": "generated", "grammar": str(GRAMMAR), "n": 1, **changes})
        == expected
    )


def test_grades_that_look_wrong_are_kept_with_a_warning(tmp_path: Path) -> None:
    rows = ["1,<a/>,b,3x,1.5", "2,<a/>,c,,0", "3,<a/>,d,33,3.5", "4,<a/>,e,32,2.5000001"]
    found = items(source(write(tmp_path / "a.csv", HEADER + "\n".join(rows))), grades=GRADES)
    assert found.table.num_rows == 4
    assert [(w["id"], w["line"], w["warning"]) for w in found.facts["warnings"]] == [
        ("1", 2, "grades '3x' hold x, outside 0 to 3"),
        ("2", 3, "there are no grades"),
        ("3", 4, "the mean 3.5 is outside 0 to 3; the mean of '33' is 3, not 3.5"),
    ]


# --------------------------------------------------------------------------- categories


@pytest.fixture(scope="module")
def categories() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "config" / "categories.yaml").read_text(encoding="utf-8"))


def test_categories(categories: dict[str, Any]) -> None:
    assert [pair["name"] for pair in categories["oppositions"]] == [
        "actual", "normal", "possible", "good", "life", "obscene", "money", "high stature",
    ]  # fmt: skip
    assert categories["categories"] == [
        "clothing", "sexuality", "food", "fantasy", "performance", "bodily function", "animals",
        "formality",
    ]  # fmt: skip
    clusters = categories["clusters"]
    assert len({cluster["label"] for cluster in clusters}) == 20
    assert round(sum(cluster["frequency"] for cluster in clusters), 2) == 99.82
    funniness = [cluster["funniness"] for cluster in clusters]
    assert funniness == sorted(funniness, reverse=True)
    assert (funniness[0], funniness[-1]) == (1.213, 0.712)
    words = [word for cluster in clusters for word in cluster["words"]]
    assert [len(cluster["words"]) for cluster in clusters] == [5] * 20
    assert len(set(words)) == 100 and all(isinstance(word, str) for word in words)


def test_the_words_of_the_clusters_are_edits(categories: dict[str, Any], corpus: Items) -> None:
    edits = Counter(edit.lower() for edit in column(corpus, "edit"))
    words = [word for cluster in categories["clusters"] for word in cluster["words"]]
    assert [word for word in words if word not in edits] == []
