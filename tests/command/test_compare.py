"""saegrid compare: the config that it writes, and its mistakes."""

import csv
from pathlib import Path

import pytest
import yaml

from saegrid.command import main
from saegrid.config.check import resolve

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "resources/toy/model")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def texts(path, rows, **columns):
    """A CSV file of texts, and of columns more."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", *columns])
        writer.writerows(
            [row, *(values[i] for values in columns.values())] for i, row in enumerate(rows)
        )
    return str(path)


def config(capsys, *arguments):
    assert main(["compare", *arguments, "--model", MODEL, "--config"]) == 0
    return yaml.safe_load(capsys.readouterr().out)


def test_two_files_are_two_classes(tmp_path, capsys):
    files = [texts(tmp_path / f"{name}.csv", ["a b", "c d"]) for name in ("bait", "news")]
    study = config(capsys, *files)
    assert study["study"] == "compare-bait-news"
    assert study["corpora"]["texts"]["source"]["files"] == dict(
        zip(("bait", "news"), files, strict=True)
    )
    assert study["corpora"]["texts"]["source"]["columns"]["text"] == "prompt"
    tests = study["analyses"]["tests"]
    assert (tests["label"], tests["classes"]) == ("split", ["bait", "news"])
    assert study["grid"] == [{"layers": [16], "positions": ["r"], "saes": ["sae"]}]
    resolve(study)


def test_one_file_is_cut_by_a_column(tmp_path, capsys):
    file = texts(tmp_path / "all.csv", ["a", "b"], kind=["x", "y"])
    study = config(capsys, file, "--by", "kind", "--layers", "3", "5", "--name", "mine")
    assert study["study"] == "mine" and study["grid"][0]["layers"] == [3, 5]
    assert study["analyses"]["tests"]["label"] == "kind"
    assert study["corpora"]["texts"]["source"]["labels"] == {"kind": "text"}
    resolve(study)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["one.csv"], "two files of texts are compared, or one file with --by; got 1 without --by"),
        (["one.csv", "two.csv", "--by", "a"], "got 2 with --by"),
        (["one.csv", "nowhere.csv"], "the file nowhere.csv is not there"),
        (["one.csv", "two.docx"], "must end in .csv, .tsv"),
        (["one.csv", "two.csv", "--column", "body"], "--column: 'body' is no column of the files"),
        (["odd.csv", "odd.csv"], "--column must name the column of the texts; the files have"),
    ],
)
def test_a_mistake_is_one_sentence(arguments, sentence, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one.csv", "two.csv"):
        texts(tmp_path / name, ["a"])
    (tmp_path / "two.docx").write_text("x")
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow").mkdir()
    assert main(["compare", *arguments, "--model", MODEL]) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1


def test_help_and_unknown_commands(capsys):
    assert main(["--help"]) == 0
    assert "compare" in capsys.readouterr().out
    assert main(["campare"]) == 2
    assert "there is no command 'campare'" in capsys.readouterr().err
