"""saegrid compare: what files of texts lack is said before anything runs."""

import json
from pathlib import Path

import pytest
import yaml

from saegrid.base.errors import ConfigError
from saegrid.command import main
from saegrid.command.proposal.columns import check_named
from saegrid.evidence.contrast import LEAST
from saegrid.stages.mistakes import all_mistakes

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "resources/toy/model")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def table(path, n=2 * LEAST, **columns):
    """A CSV file of n rows, its columns with a number in place of {}."""
    rows = [",".join(value.format(i) for value in columns.values()) for i in range(n)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return str(path)


def lines(path, n=2 * LEAST, **columns):
    """A file of JSON Lines of n rows, its columns with a number in place of {}."""
    rows = [{name: value.format(i) for name, value in columns.items()} for i in range(n)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def refused(capsys, *arguments):
    """The one sentence by which a command is refused."""
    assert main(["compare", *arguments, "--model", MODEL, "--config"]) == 1
    out = capsys.readouterr()
    assert out.out == "" and out.err.count("\n") == 1
    return out.err


def columns(capsys, *arguments):
    """The columns of the config that is printed, which has no mistakes."""
    status = main(["compare", *arguments, "--model", MODEL, "--config"])
    out = capsys.readouterr()
    assert status == 0, out.err
    study = yaml.safe_load(out.out)
    assert all_mistakes(study)[1] == []
    return study["corpora"]["texts"]["source"]["columns"]


def test_columns_are_named_file_by_file(tmp_path, capsys):
    one = table(tmp_path / "a.csv", text="a {}")
    two = table(tmp_path / "b.csv", id="{}", Text="b {}")
    said = refused(capsys, one, two)
    assert "a.csv has text; b.csv has id, Text: no column in common; " in said
    assert "rename the column 'Text' of b.csv to 'text'" in said


@pytest.mark.parametrize(("columns_of_b", "said"), [
    ({"id": "{}", "Text": "b {}"}, "b.csv has id, Text: no column 'text', as a.csv has; rename "
     "'Text' of b.csv to 'text' in the file."),
    ({"id": "{}", "q": "b {}"}, "b.csv has id, q: no column 'text', as a.csv has; give the column "
     "of the texts this name in each file."),
    ({"id": "{}", "body": "b {}"}, "b.csv has id, body: no column 'text', as a.csv has; rename "
     "'body' of b.csv to 'text' in the file, or name a column that all files have: body."),
])  # fmt: skip
def test_the_file_that_lacks_the_column_is_named(columns_of_b, said, tmp_path, capsys):
    one = table(tmp_path / "a.csv", text="a {}", body="a {}")
    two = table(tmp_path / "b.csv", **columns_of_b)
    for pair in ((one, two), (two, one)):
        assert refused(capsys, *pair, "--column", "text") == f"saegrid compare: --column: {said}\n"


def test_of_three_files_those_that_lack_the_column_are_named(tmp_path):
    named = zip("abc", ("text", "body", "Text"), strict=True)
    files = [Path(table(tmp_path / f"{n}.csv", **{column: n + " {}"})) for n, column in named]
    with pytest.raises(ConfigError) as raised:
        check_named("--column", "text", files, "csv")
    assert str(raised.value) == (
        "--column: b.csv has body; c.csv has Text: no column 'text', as a.csv has; rename 'body' "
        "of b.csv and 'Text' of c.csv to 'text' in the file."
    )


def test_an_id_is_never_taken_for_the_text(tmp_path, capsys):
    one = table(tmp_path / "a.csv", id="{}", text="a {}")
    two = table(tmp_path / "b.csv", id="{}", Text="b {}")
    assert "a.csv has id, text; b.csv has id, Text: no column of texts in common" in refused(
        capsys, one, two
    )


def test_files_without_a_usual_name_in_common(tmp_path, capsys):
    one, two = table(tmp_path / "a.csv", q="a {}"), table(tmp_path / "b.csv", text="b {}")
    said = refused(capsys, one, two)
    assert "a.csv has q; b.csv has text: no column in common; give the column of the texts" in said


def test_files_of_one_name_are_told_apart_by_folder(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    one, two = table(tmp_path / "a.csv", text="a {}"), table(tmp_path / "x/a.csv", Text="b {}")
    assert f"{one} has text; {two} has Text" in refused(capsys, one, two)


@pytest.mark.parametrize(("ids", "column"), [("ab", "auto"), ("a", None), ("b", None)])
def test_ids_that_one_file_lacks_are_left_out(ids, column, tmp_path, capsys):
    files = [
        table(tmp_path / f"{name}.csv", **({"id": "{}"} if name in ids else {}), text=name + " {}")
        for name in "ab"
    ]
    assert columns(capsys, *files) == {"id": column, "text": "text"}


@pytest.mark.parametrize("n", [2 * LEAST - 1, 16])
def test_too_few_texts_are_refused_with_their_number(n, tmp_path, capsys):
    one, two = table(tmp_path / "a.csv", text="a {}"), table(tmp_path / "b.csv", n=n, text="b {}")
    said = refused(capsys, one, two)
    assert f"{two} has {n} texts, of which half are searched, {n // 2}; at least {LEAST}" in said
    plain = tmp_path / "a.txt", tmp_path / "b.txt"
    for path in plain:
        path.write_text("".join(f"{path.stem} {i}\n" for i in range(n)))
    assert f"{plain[0]} has {n} texts" in refused(capsys, *map(str, plain))


def test_rows_without_text_are_not_counted(tmp_path, capsys):
    one, two = lines(tmp_path / "a.jsonl", text="a {}"), lines(tmp_path / "b.jsonl", text="b {}")
    rows = Path(two).read_text().splitlines(keepends=True)
    Path(two).write_text("".join(['{"text": " "}\n', *rows[1:]]))
    assert f"{two} has {2 * LEAST - 1} texts" in refused(capsys, one, two)


def test_values_of_one_file_are_counted(tmp_path, capsys):
    path = tmp_path / "all.csv"
    path.write_text("text,kind\n" + "".join(f"t {i},{'x' if i < 30 else 'y'}\n" for i in range(45)))
    said = refused(capsys, str(path), "--by", "kind")
    assert f"{path} has 15 texts with kind 'y', of which half are searched, 7" in said
    said = refused(capsys, table(tmp_path / "one.csv", text="a {}", kind="x"), "--by", "kind")
    assert "--by: the column 'kind'" in said and "must have two values; it has 1: 'x'" in said


@pytest.mark.parametrize("write", [table, lines])
def test_a_column_of_one_value_is_no_text(write, tmp_path, capsys):
    ending = {table: "csv", lines: "jsonl"}[write]
    files = [write(tmp_path / f"{n}.{ending}", title=n, body=n + " {}") for n in "ab"]
    assert columns(capsys, *files)["text"] == "body"
    assert columns(capsys, *files, "--column", "title")["text"] == "title"


def test_constant_columns_alone_are_refused(tmp_path, capsys):
    files = [lines(tmp_path / f"{n}.jsonl", title=n, body="same") for n in "ab"]
    said = refused(capsys, *files)
    assert f"the texts are all the same, of {files[0]} in 'title' and of {files[0]} in 'body'" in (
        said
    )


def test_a_column_that_varies_in_each_file_is_preferred(tmp_path, capsys):
    one = lines(tmp_path / "a.jsonl", title="same", body="a {}")
    two = lines(tmp_path / "b.jsonl", title="b {}", body="b {}")
    assert columns(capsys, one, two)["text"] == "body"


def test_a_column_of_sets_that_is_not_there(tmp_path, capsys):
    one = table(tmp_path / "one.csv", text="a {}", kind="x")
    said = refused(capsys, one, "--by", "kinds")
    assert "--by: 'kinds' is no column of the files: one.csv has text, kind." in said
