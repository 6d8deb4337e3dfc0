"""Forms of files: what is read off their heads, what a setting decides, what is refused."""

import bz2
import csv
import gzip
import io
import json
import lzma
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saegrid.store.texts import KINDS
from saegrid.store.texts import texts as streamed
from saegrid.text.corpora import jsonl
from saegrid.text.corpora.form import HEAD, Form, bytes_form
from saegrid.text.corpora.items import CorpusError, Items, items, remarks
from saegrid.text.corpora.look import check_head

TEXTS = ["Straße, und 'so'", 'say "a;b|c"', "two\nlines\tand tabs", "日本 🎉", "plain"]
ROWS = [[str(n), text, "1,5"] for n, text in enumerate(TEXTS)]
COLUMNS = {"id": "auto", "text": "text"}


def table(delimiter: str = ",", end: str = "\n", decimal: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    writer.writerows([["id", "text", "grade"]])
    writer.writerows([n, text, grade.replace(",", decimal)] for n, text, grade in ROWS)
    return out.getvalue()


def source(path: Path, **changes: Any) -> dict[str, Any]:
    named = {"kind": "csv", "files": {"all": str(path)}, "columns": COLUMNS, "labels": {}}
    return {**named, **changes}


def read(path: Path, content: bytes | str, share: float | None = None, **changes: Any) -> Items:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    settings = source(path, **changes)
    check_head(settings, settings["kind"], path)
    return items(settings, strip="none", share=share)


def refusal(path: Path, content: bytes | str, **changes: Any) -> str:
    with pytest.raises(CorpusError) as raised:
        read(path, content, **changes)
    text = str(raised.value)
    assert path.name in text and text.endswith(".") and text.isprintable() and len(text) < 600
    return text


def zstd(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as out:
        out.write(content)
    return sink.getvalue().to_pybytes()


PACK = {"none": bytes, "gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
PACK["zstd"] = zstd


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("utf-32", "utf-32"),
        ("utf-32-be", "utf-32-be"),
    ],
)
def test_delimiters_and_encodings_are_read_off_the_head(
    tmp_path: Path, delimiter: str, end: str, codec: str, name: str
) -> None:
    found = read(
        tmp_path / "a.csv", table(delimiter, end).encode(codec), labels={"grade": "number"}
    )
    assert found.table["edited"].to_pylist() == TEXTS
    assert found.table["id"].to_pylist() == [row[0] for row in ROWS]
    assert found.table["grade"].to_pylist() == [1.5] * len(TEXTS)
    form = Form("none", name, delimiter, ",", quotes=True)
    assert found.facts["forms"] == [{"file": "a.csv", **form.facts()}]


@pytest.mark.parametrize("compression", PACK)
def test_compressions(tmp_path: Path, compression: str) -> None:
    packed = PACK[compression](table().encode())
    found = read(tmp_path / "a.csv", packed)
    assert found.table["edited"].to_pylist() == TEXTS
    assert found.facts["forms"][0]["compression"] == compression
    # Joined parts are one file, as those of parallel packers are.
    header, _, rest = table().encode().partition(b"\n")
    parts = PACK[compression](header + b"\n") + PACK[compression](rest)
    assert read(tmp_path / "a.csv", parts).table["edited"].to_pylist() == TEXTS
    if compression != "none":
        text = refusal(tmp_path / "b.csv", packed[: len(packed) // 2])
        assert f"cannot be unpacked as {compression}" in text
        twice = refusal(tmp_path / "c.csv", gzip.compress(packed))
        assert f"compressed twice, inside with {compression}" in twice


@pytest.mark.parametrize("compression", ["gzip", "bz2", "xz"])
@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_pandas_reads_the_same(
    tmp_path: Path, compression: str, codec: str, delimiter: str
) -> None:
    text = "".join(row for row in table(delimiter).splitlines(keepends=True) if "日本" not in row)
    path = tmp_path / "a.csv"
    encoding = codec if codec == "cp1252" else None
    found = read(
        path, PACK[compression](text.encode(codec)), encoding=encoding, labels={"grade": "number"}
    )
    how = {"sep": delimiter, "encoding": codec, "compression": compression, "decimal": ","}
    expected = pd.read_csv(path, **how)
    assert found.table["edited"].to_pylist() == expected["text"].tolist()
    assert found.table["grade"].to_pylist() == expected["grade"].tolist()
    assert found.table.num_rows == len(TEXTS) - 1


def test_what_is_said(tmp_path: Path) -> None:
    packed = gzip.compress(table(";").encode("utf-16-le"))
    said = read(tmp_path / "a.csv", packed, labels={"grade": "number"})
    assert list(remarks(said)) == ["a.csv: delimiter ';', decimal ',', utf-16-le, gzip"]
    assert list(remarks(read(tmp_path / "a.csv", table()))) == []
    bad = read(tmp_path / "a.csv", "id,text\n1,a\n1,b\n")
    assert list(remarks(bad)) == [
        "1 of 2 rows are set aside in set_aside.parquet: repeated id (1, first a.csv, line 3; "
        "columns.id: null numbers the rows)."
    ]


def test_settings_override_what_the_head_shows(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "id,text|other\n1,a|b\n"
    assert read(path, text, columns={"text": "text|other"}).table["edited"].to_pylist() == ["a|b"]
    columns = {"text": "other"}
    assert read(path, text, columns=columns).facts["forms"][0]["delimiter"] == "|"
    with_comma = refusal(path, text, columns=columns, delimiter=",")
    assert "has no column 'other'" in with_comma and "'text|other'" in with_comma
    latin = "id,text\n1,Käse\n2,Öl\n3,Süß\n".encode("latin-1")
    assert "line 2: the byte 0xe4 is not UTF-8" in refusal(path, latin)
    assert "Set source.encoding" in refusal(path, latin)
    found = read(path, latin, encoding="latin-1")
    assert found.table["edited"].to_pylist() == ["Käse", "Öl", "Süß"]
    assert "3 of 3 rows" not in str(found.facts)
    assert "None of the 3 rows can be used" in refusal(path, latin, encoding="utf-8")
    greek = "id,text\n1,αβγ\n".encode("cp1253")
    assert read(path, greek, encoding="cp1253").table["edited"].to_pylist() == ["αβγ"]
    plain = read(path, table().encode(), compression="none", encoding="UTF8", delimiter=",")
    assert plain.table["edited"].to_pylist() == TEXTS
    assert "cannot be unpacked as bz2" in refusal(path, table(), compression="bz2")


def test_a_damaged_row_is_no_encoding(tmp_path: Path) -> None:
    """One row that is not UTF-8 is set aside, as are a few among others that are."""
    good = "".join(f"{n},Käse\n" for n in range(30)).encode()
    found = read(tmp_path / "a.csv", b"id,text\n" + good + b"x,\xe4\n")
    assert found.table.num_rows == 30 and found.facts["set_aside"] == {"not UTF-8": 1}
    wide = "id,text\nx,a\ny,b\n".encode("utf-16-le") + b"\x00\xd8\x0a\x00"  # half a surrogate
    found = read(tmp_path / "a.csv", wide)
    assert found.table["edited"].to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1,5", "2", "0,25"], [1.5, 2.0, 0.25]),
        (["1.5", "2"], [1.5, 2.0]),
        (["1,500", "12,000"], "may be a decimal mark or stand between thousands"),
        (["1,500", "2,5"], [1.5, 2.5]),
    ],
)
def test_decimal_commas(tmp_path: Path, cells: list[str], expected: Any) -> None:
    text = "id;text;n\n" + "".join(f"{n};a;{cell}\n" for n, cell in enumerate(cells))
    labels = {"n": "number"}
    if isinstance(expected, str):
        assert expected in refusal(tmp_path / "a.csv", text, labels=labels)
        found = read(tmp_path / "a.csv", text, labels=labels, decimal=",")
        assert found.table["n"].to_pylist() == [1.5, 12.0]
    else:
        found = read(tmp_path / "a.csv", text, labels=labels)
        assert found.table["n"].to_pylist() == expected


def test_quotes_in_tables_with_tabs(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    letters = 'id\ttext\n1\t"No" she said\n2\tyes\n3\t"so\n'
    found = read(path, letters)
    assert found.table["edited"].to_pylist() == ['"No" she said', "yes", '"so']
    assert list(remarks(found)) == ["a.tsv: delimiter '\\t', no quotes"]
    assert next(text.text for text in streamed(source(path), [str(path)])) == '"No" she said'
    assert read(path, letters, 1.0, quotes=True).facts["set_aside"] == {"stray quote": 2}
    both = 'id\ttext\n1\t"a\n2\tb\n3\tc"\n'
    assert "Set source.quotes" in refusal(path, both)
    assert read(path, both, quotes=True).table["edited"].to_pylist() == ["a\n2\tb\n3\tc"]
    ragged = both + "5\tx\ty\n6\tz\n"
    assert "Set source.quotes" in refusal(path, ragged), "a row of another width shows nothing"
    found = read(path, both, quotes=False)
    assert found.table["edited"].to_pylist() == ['"a', "b", 'c"']
    quoted = 'id\ttext\n1\t"a ""b"""\n2\t"c\nd"\n'
    assert read(path, quoted).table["edited"].to_pylist() == ['a "b"', "c\nd"]
    assert read(path, quoted.replace("\t", ",")).facts["forms"][0]["quotes"] is True


def test_quotes_that_come_behind_the_head_of_a_table_with_tabs(tmp_path: Path) -> None:
    """The head of a file does not show them: rows that they may swallow are told with lines."""
    plain = "id\ttext\n" + "".join(f"p{n}\t{'word ' * 200}\n" for n in range(1100))
    path = tmp_path / "a.tsv"
    assert len(plain) > HEAD
    letters = plain + '1\t"a\n2\tb"\n3\tc\n'
    assert f"{path}, lines 1102 to 1103: quotes in them may stand around" in refusal(path, letters)
    assert read(path, letters + "\n\n", quotes=False).table["edited"].to_pylist()[1100:] == [
        *('"a', 'b"', "c")
    ]
    assert read(path, letters, quotes=True).table.num_rows == 1102
    quoted = plain + '1\t"a\nb"\n2\t"c ""d"""\n'
    assert read(path, quoted).table["edited"].to_pylist()[1100:] == ["a\nb", 'c "d"']
    assert read(tmp_path / "a.csv", letters.replace("\t", ",")).table.num_rows == 1102


def test_mixed_decimal_marks_are_set_aside(tmp_path: Path) -> None:
    text = "id;text;n\n" + "".join(f"{n};a;1.5\n" for n in range(30)) + "x;a;1,5\n"
    found = read(tmp_path / "a.csv", text, labels={"n": "number"})
    assert found.facts["set_aside"] == {"not a number: n": 1} and found.table.num_rows == 30


def test_headers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert read(path, " id , text ,\n1,a,\n").table["edited"].to_pylist() == ["a"]
    assert "has 2 columns named 'text'" in refusal(path, "id,text,text \n1,a,b\n")
    assert "line 1: a quote in the header row" in refusal(path, 'id,"text,more\n1,"a b",c\n')
    assert read(path, '\n\n"id","text"\n1,a\n').table["edited"].to_pylist() == ["a"]
    columns = {"text": "two\nlines"}
    found = read(path, 'id;"two\nlines"\n1;a\n', columns=columns)
    assert found.table["edited"].to_pylist() == ["a"]
    for name, content in (("id;text", "1;a"), ("id\ttext", "1\ta")):
        no_such = refusal(path, f"{name}\n{content}\n", columns={"text": "txet"})
        assert "Did you mean 'text'? Columns there: 'id', 'text'" in no_such
    noise = bytes(range(1, 256)) * 8
    assert "control characters in place of text" in refusal(path, noise)
    assert "zero bytes" in refusal(path, b"id,text\n" + bytes(100))
    many = ",".join(f"column {n}" for n in range(999))
    assert "and 979 more" in refusal(path, f"{many}\n1\n")


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PAR1", "take kind parquet"),
        (b"PK\x03\x04" + bytes(20), "a zip archive or a spreadsheet"),
        (b"SQLite format 3\x00", "a database"),
        (b"%PDF-1.7\n", "a PDF"),
        (bytes(257) + b"ustar", "a tar archive"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl", "text"])
def test_files_of_another_kind(tmp_path: Path, head: bytes, what: str, kind: str) -> None:
    for content in (head, gzip.compress(head)):
        assert what in refusal(tmp_path / "a.csv", content, kind=kind)


def test_ids_are_made_where_there_are_none(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "text\na\nb\n")
    assert found.table["id"].to_pylist() == ["1", "2"] and found.facts["ids"] == "row number"
    assert list(remarks(found)) == ["ids are the numbers of the rows"]
    other = tmp_path / "b.csv"
    other.write_text("id,text\nx,a\n")
    two = {"all": [str(tmp_path / "a.csv"), str(other)]}
    with pytest.raises(CorpusError, match=r"b\.csv has a column 'id' and .*a\.csv has none"):
        items(source(other, files=two))
    named = {"id": "id", "text": "text"}
    assert "Set columns.id to null" in refusal(tmp_path / "a.csv", "text\na\n", columns=named)


SHAPES = {
    "lines": lambda rows: "\n".join(map(json.dumps, rows)),
    "array": lambda rows: json.dumps(rows),
    "indented array": lambda rows: "\n " + json.dumps(rows, indent=2),
    "objects": lambda rows: "\n\n".join(json.dumps(row, indent=1) for row in rows),
}
OBJECTS = [{"id": n, "text": text, "more": {"x": [n]}} for n, text in enumerate(TEXTS)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chunk", [1, 7, 1 << 18])
def test_json_comes_in_three_shapes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str, chunk: int
) -> None:
    monkeypatch.setattr(jsonl, "CHUNK", chunk)
    text = SHAPES[shape](OBJECTS)
    found = read(tmp_path / "a.json", text, kind="jsonl")
    assert found.table["edited"].to_pylist() == TEXTS
    assert found.facts["forms"][0]["shape"] == shape.removeprefix("indented ")
    seen = list(jsonl.values(tmp_path / "a.json", jsonl.form(tmp_path / "a.json", {})))
    lines = text.split("\n")
    assert all(
        lines[value.line - 1].lstrip(" [,").startswith("{") or value.line == 1 for value in seen
    )
    one = read(tmp_path / "a.json", SHAPES[shape](OBJECTS[:1]), kind="jsonl")
    assert one.table["edited"].to_pylist() == TEXTS[:1]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('[{"text": "a"}', "line 1: the array is not closed"),
        ('[{"text": "a"},\n{"text": ', "line 2: this is no JSON"),
        ('[{"text": "a"}\n{"text": "b"}]', "line 2: ',' was expected"),
        ('[{"text": "a"}]\n{}', "line 2: something follows the array"),
        ("[]", "none of the first lines is a JSON object"),
        ("[1, 2]\n[3]", "none of the first lines is a JSON object"),
        ('{"id": 1\n', "none of the first lines is a JSON object"),
        ('{"data": [{"text": "a"}]}', "holds one object, in which 'data' is a list of"),
        ('{"text": ["a"]}\n{"text": ["b"]}', "columns.text asks for, holds lists"),
        ('[{"text": {"a": 1}}]', "columns.text asks for, holds objects"),
        ("[" * 100_000, "nested too deep"),
    ],
)
def test_json_that_cannot_be_used(tmp_path: Path, text: str, what: str) -> None:
    assert what in refusal(tmp_path / "a.json", text, kind="jsonl")


def test_a_repeated_key_is_refused(tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", '{"text": "a"}\n{"text": "b", "text": "c"}', kind="jsonl")
    assert found.facts["set_aside"] == {"a key stands twice in an object": 1}
    first = read(tmp_path / "a.json", '{"text": "b", "text": "c"}\n{"text": "a"}', kind="jsonl")
    assert first.table["edited"].to_pylist() == ["a"]
    array = '[{"text": "a"},\n{"text": "b", "text": "c"}]'
    assert "line 2: a key stands twice" in refusal(tmp_path / "a.json", array, kind="jsonl")


def test_files_that_were_joined(tmp_path: Path) -> None:
    for mark in ("", "\ufeff"):
        found = read(tmp_path / "a.csv", f"id,text\n1,a\n{mark}id,text\n2,b\n")
        assert found.table["id"].to_pylist() == ["1", "2"]
        assert found.facts["set_aside"] == {"a second header row": 1}
        found = read(tmp_path / "a.json", f'{{"text": "a"}}\n{mark}{{"text": "b"}}', kind="jsonl")
        assert found.table["edited"].to_pylist() == ["a", "b"]


def test_a_list_among_texts_is_set_aside(tmp_path: Path) -> None:
    text = '{"text": "a"}\n{"text": ["b"]}\n{"text": {}}'
    found = read(tmp_path / "a.json", text, share=1.0, kind="jsonl")
    assert found.facts["set_aside"] == {
        "list and no text: text": 1,
        "object and no text: text": 1,
    }


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (pa.array([["a"], ["b"]]), "holds list<"),
        (pa.array([{"a": 1}, None]), "holds struct<a: int64>"),
        (pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())), "holds map<"),
        (pa.array(["a", "b"]).dictionary_encode(), ["a", "b"]),
        (pa.array(["a", "b"], pa.string_view()), ["a", "b"]),
        (pa.array([b"a", b"b"], pa.binary(1)), ["a", "b"]),
        (pa.array([1, 2], pa.uint8()), ["1", "2"]),
        (pa.array([1.5, 2.0], pa.float32()), ["1.5", "2"]),
        (pa.array([True, False]), ["true", "false"]),
        (pa.array(["1.10", "2"]).cast(pa.decimal128(5, 2)), ["1.10", "2.00"]),
    ],
    ids=str,
)
def test_types_of_parquet_columns(tmp_path: Path, column: pa.Array, what: Any) -> None:
    path = tmp_path / "a.parquet"
    try:
        pq.write_table(pa.table({"text": column, "id": ["x", "y"]}), path)
    except pa.ArrowNotImplementedError:
        pytest.skip("this type cannot be written")
    content = path.read_bytes()
    if isinstance(what, str):
        assert what in refusal(path, content, kind="parquet")
        assert "columns.text asks for" in refusal(path, content, kind="parquet")
    else:
        assert read(path, content, kind="parquet").table["edited"].to_pylist() == what
    assert items(source(path, kind="parquet", columns={"text": "id"})).table.num_rows == 2


def test_markers_within_markers_and_blanks_in_them(tmp_path: Path) -> None:
    columns = {"id": "id", "original": "original", "edit": "edit"}
    rows = [
        "1,The < cat /> sat, dog ",
        "2,a <b<c/>/>,x",
        "3,a <b<c/>,x",
        "4,a <b/> c/>,x",
        "5,2 < 3 <b/> > 1,x",
        "6,a < />,x",
    ]
    text = "id,original,edit\n" + "\n".join(rows)
    found = read(tmp_path / "a.csv", text, share=1.0, columns=columns)
    assert found.table.select(["id", "original", "edited"]).to_pylist() == [
        {"id": "1", "original": "The cat sat", "edited": "The dog sat"},
        {"id": "5", "original": "2 < 3 b > 1", "edited": "2 < 3 x > 1"},
    ]
    assert found.facts["set_aside"] == {"a marker within a marker": 3, "empty marker": 1}


@pytest.mark.parametrize(
    ("bad", "of", "share", "stops"),
    [
        (999, 1000, None, True),
        (51, 1000, None, True),
        (50, 1000, None, False),
        (1, 3, None, False),
        (2, 3, None, True),
        (1, 3, 0.0, True),
        (2, 4, 0.5, False),
        (3, 4, 0.5, True),
    ],
)
def test_too_many_rows_set_aside_stop_the_run(
    tmp_path: Path, bad: int, of: int, share: float | None, stops: bool
) -> None:
    """BLiMP by a column that repeats: 999 of 1,000 rows have the same id."""
    ids = [*range(of - bad), *[0] * bad]
    text = "id,text\n" + "".join(f"{n},a\n" for n in ids)
    if not stops:
        found = read(tmp_path / "a.csv", text, share)
        assert found.set_aside.num_rows == bad
        return
    said = refusal(tmp_path / "a.csv", text, share=share)
    most = 0.05 if share is None else share
    assert said == (
        f"set_aside: {bad:,} of {of:,} rows cannot be used, more than the share {most:g}: "
        f"repeated id ({bad:,}, first a.csv, line {of - bad + 2}; columns.id: null numbers the "
        "rows). Mend the rows, check columns and labels, or raise set_aside."
    )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", gzip.compress(table(";").encode("utf-16"), mtime=0)),
        ("a.csv", table("\t", "\r\n").encode("utf-16-le")),
        ("a.jsonl", SHAPES["indented array"](OBJECTS).encode()),
        ("a.jsonl", lzma.compress(SHAPES["objects"](OBJECTS).encode("utf-16"))),
        ("a.jsonl", SHAPES["lines"](OBJECTS).encode()),
    ],
)
def test_streams_read_the_same_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    kind = name.split(".")[1]
    stream = source(path, kind=kind, columns={"id": "auto", "text": "text"})
    assert [text.text for text in streamed(stream, [str(path)])] == TEXTS
    assert kind in KINDS


@pytest.mark.parametrize(
    "content",
    [
        'id,text\n1,"Open\n' + "".join(f"{i},b\n" for i in range(2, 60)) + '70,he "x" then\n71,d\n',
        "id,text\n1,a\n\ufeffid,text\n2,b\n",
        'id,text\n1,"a\nb"\n2,c\n3,"never closed\n4,d\n',
    ],
)
def test_a_stream_loses_no_row_that_a_table_has(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.csv"
    table = read(path, content, 1.0)
    stream = source(path, columns={"id": "auto", "text": "text"})
    texts = list(streamed(stream, [str(path)]))
    assert [text.text for text in texts if not text.problem] == table.table["edited"].to_pylist()
    assert sum(bool(text.problem) for text in texts) == table.set_aside.num_rows


def test_a_missing_value_of_json_is_no_text(tmp_path: Path) -> None:
    lines = '{"id": 1, "text": NaN}\n{"id": 2, "text": "a"}\n'
    found = read(tmp_path / "a.jsonl", lines, 1.0, kind="jsonl")
    assert found.table["edited"].to_pylist() == ["a"]


@pytest.mark.parametrize("cell", ["1_000", "\u0663", "0x10", "1 2", "infinity"])
def test_numbers_are_written_as_numbers(tmp_path: Path, cell: str) -> None:
    content = f"id,text,n\n1,a,{cell}\n2,b,-1.5e1\n"
    found = read(tmp_path / "a.csv", content, 1.0, labels={"n": "number"})
    assert found.table["n"].to_pylist() == [-15.0]


def test_ids_are_the_numbers_of_rows_whatever_a_column_is_called(tmp_path: Path) -> None:
    found = read(tmp_path / "a.csv", "row number,text\n7,a\n7,b\n", columns={"text": "text"})
    assert found.table["id"].to_pylist() == ["1", "2"]


def test_text_is_unpacked_and_decoded(tmp_path: Path) -> None:
    lines = "\n".join(["one", "Straße"])
    for content in (gzip.compress(lines.encode("utf-16")), lines.encode("utf-8-sig")):
        found = read(tmp_path / "a.txt", content, kind="text", columns={"id": "auto"})
        assert found.table["edited"].to_pylist() == ["one", "Straße"]
        stream = source(tmp_path / "a.txt", kind="text")
        texts = [text.text for text in streamed(stream, [str(tmp_path / "a.txt")])]
        assert texts == ["one", "Straße"]
    latin = "Käse\nÖl\n".encode("cp1252")
    assert "Set source.encoding" in refusal(tmp_path / "a.txt", latin, kind="text")
    found = read(tmp_path / "a.txt", latin, kind="text", encoding="cp1252")
    assert found.table["edited"].to_pylist() == ["Käse", "Öl"]


def test_files_of_a_repository_have_forms_as_well(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.tsv.gz").write_bytes(gzip.compress(table("\t").encode()))
    (tmp_path / "data/b.json").write_text(json.dumps(OBJECTS))
    hub = source(tmp_path, kind="hub", repo=str(tmp_path), files={"a": "data/*.gz", "b": "data/b*"})
    with pytest.raises(CorpusError, match="cannot be read from a data set repository"):
        items(hub)
    hub["files"] = {"a": "data/*.tsv.gz", "b": "data/b.json"}
    found = items(hub, strip="none")
    assert found.table["edited"].to_pylist() == TEXTS * 2
    assert [form["file"] for form in found.facts["forms"]] == ["a.tsv.gz", "b.json"]


def test_only_a_bounded_head_is_looked_at(tmp_path: Path) -> None:
    """A character that the look cuts in two is no damage, and what follows decides nothing."""
    path = tmp_path / "a.csv"
    for pad in range(3):
        path.write_bytes(b"a" * (HEAD - pad) + "é".encode() * 9)
        assert bytes_form(path, {}).encoding == "utf-8"
    path.write_bytes(b"a\n" * (HEAD // 2) + b"\xe4\n" * 9)
    assert bytes_form(path, {}) == Form()


FAILING = Path(__file__).resolve().parents[3] / "shared/failing/corpora"
PAIR = {"id": "auto", "original": "original", "edit": "edit"}
WHOLE = {"id": "auto", "original": "original", "edited": "edited"}


@pytest.mark.parametrize(
    ("name", "columns", "labels", "outcome"),
    [
        ("arr.json", PAIR, ["meanGrade"], ["1", "3"]),
        ("dup_header.csv", PAIR, [], "has 2 columns named 'edit', which columns.edit asks for"),
        ("header_blank_names.csv", PAIR, ["meanGrade"], ["1", "2", "3", "4", "5"]),
        ("id.csv", PAIR, [], ["1"]),
        ("jsonarray_file.jsonl", PAIR, [], "has no column 'original', which columns.original"),
        ("latin1_header.csv", PAIR, [], "line 1: the names of the columns are not in the enc"),
        ("listedit.parquet", PAIR, [], "the column 'edit', which columns.edit asks for, holds li"),
        ("marker_nested.csv", PAIR, ["meanGrade"], ["1", "2", "3", "4", "5"]),
        ("nested_orig.jsonl", PAIR, [], "the column 'original', which columns.original asks for,"),
        ("nfd.csv", WHOLE, [], ["1"]),
        ("notjson.jsonl", PAIR, [], "none of the first lines is a JSON object"),
        ("quote_in_header.csv", PAIR, [], "line 1: a quote in the header row is not closed"),
        ("semi.csv", PAIR, ["meanGrade"], ["1", "3"]),
        ("sp.csv", PAIR, [], ["1"]),
        ("struct.parquet", PAIR, [], ["1", "2"]),
        ("struct.parquet", PAIR, ["m"], "the column 'm', which labels.m asks for, holds struct<"),
        ("structid.parquet", PAIR, [], "the column 'id', which columns.id asks for, holds struct"),
        ("tab.csv", PAIR, ["meanGrade"], ["1", "2", "3", "4", "5"]),
        ("utf16.csv", PAIR, ["meanGrade"], ["1", "3"]),
        ("weird.csv", PAIR, [], None),
        ("x.csv.gz", PAIR, ["meanGrade"], ["1", "3"]),
    ],
)
def test_corpora_that_were_read_wrong(
    name: str, columns: dict[str, str], labels: list[str], outcome: Any
) -> None:
    path = FAILING / name
    if not path.is_file():
        pytest.skip("needs the corpora that failed: no ../shared/failing beside the repository")
    kind = {".json": "jsonl", ".jsonl": "jsonl", ".parquet": "parquet"}.get(path.suffix, "csv")
    numbers = dict.fromkeys(labels, "number")
    settings = source(path, kind=kind, columns=columns, labels=numbers)

    def found() -> Items:
        check_head(settings, kind, path)
        return items(settings, share=None)

    if isinstance(outcome, str):
        with pytest.raises(CorpusError) as raised:
            found()
        assert outcome in str(raised.value) and path.name in str(raised.value)
        return
    table = found().table
    assert table.num_rows == 85 if outcome is None else table["id"].to_pylist() == outcome
    if name in ("arr.json", "semi.csv", "utf16.csv", "x.csv.gz"):
        assert table["meanGrade"].to_pylist() == [1.2, 2.0]
        assert table["edited"].to_pylist() == ["Trump eats it", "A cat ran"]
    if name == "sp.csv":
        pair = ("The cat sat", "The dog sat")
        assert (table["original"][0].as_py(), table["edited"][0].as_py()) == pair
