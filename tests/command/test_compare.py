"""saegrid compare: the config that it writes, and its mistakes."""

import csv
from pathlib import Path

import pytest
import yaml

import foreign
from saegrid.command import compare, main
from saegrid.config.check import resolve
from saegrid.stages.mistakes import all_mistakes

ROOT = Path(__file__).parents[2]
MODEL = str(ROOT / "resources/toy/model")


@pytest.fixture(autouse=True)
def here(monkeypatch):
    monkeypatch.chdir(ROOT)


def texts(path, rows, **columns):
    """A CSV file of texts, 20 of each row, and of columns more."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", *columns])
        writer.writerows(
            [f"{row} {n}", *(values[i] for values in columns.values())]
            for n in range(20)
            for i, row in enumerate(rows)
        )
    return str(path)


def config(capsys, *arguments, model=MODEL):
    """The config that is printed, which has no mistakes."""
    status = main(["compare", *arguments, "--model", model, "--config"])
    out = capsys.readouterr()
    assert status == 0, out.err
    study = yaml.safe_load(out.out)
    assert all_mistakes(study)[1] == []
    return study


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
        (["odd.csv", "odd.csv"], "--column must name the column of the texts; odd.csv has a, b"),
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


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder like the repository, with a model, SAEs of two formats and texts."""
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow").mkdir()
    foreign.write_model(tmp_path / "model")
    for layer in (3, 9):
        foreign.sparsify(tmp_path / f"sae/layers.{layer}")
        foreign.gemma_scope(tmp_path / f"scope/layer_{layer}/width_16k/average_l0_71")
    for name in ("one.csv", "two.csv"):
        texts(tmp_path / name, ["a", "b"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("sae", "more", "form", "path", "layers"),
    [
        ("sae", [], "sparsify", "sae/layers.{layer}", [9]),
        ("sae/layers.{layer}", ["--layers", "3", "9"], "sparsify", "sae/layers.{layer}", [3, 9]),
        ("sae/layers.3", [], "sparsify", "sae/layers.3", [3]),
        ("scope", [], "gemma_scope", "scope/layer_{layer}/width_16k/average_l0_71", [9]),
    ],
)
def test_an_sae_is_read_as_by_new(sae, more, form, path, layers, work, capsys):
    study = config(capsys, "one.csv", "two.csv", "--sae", sae, *more, model="model")
    expected = {"4x": {"source": "checkpoint", "format": form, "path": path}}
    assert study["saes"] == expected
    assert study["grid"] == [{"layers": layers, "positions": ["r"], "saes": ["4x"]}]
    assert main(["new", "--model", "model", "--sae", sae, *more, "--texts", "one.csv"]) == 0
    proposed = yaml.safe_load((work / "config/one.yaml").read_text())
    assert (proposed["saes"], proposed["grid"]) == (study["saes"], study["grid"])


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["--sae", "sae", "--layers", "4"], ["sae has no SAE of the layers 4 at position r"]),
        (["--layers", "40"], ["layers [40] are not in the model"]),
        (["--sae", "scope/layer_3/width_65k/x"], ["scope/layer_3 has no width_65k; it holds"]),
        (["--column", "x", "--tokenizer", "./x"], ["--column: 'x' is no", "there is nothing at"]),
    ],
)
def test_no_config_with_a_mistake_is_printed(arguments, sentences, work, capsys):
    files = ["one.csv", "two.csv", "--model", "model", "--config"]
    assert main(["compare", *files, *arguments]) == 1
    out = capsys.readouterr()
    lines = out.err.splitlines()
    assert out.out == "" and len(lines) == len(sentences)
    assert all(one in line for one, line in zip(sentences, lines, strict=True))


def test_help_and_unknown_commands(capsys):
    assert main(["--help"]) == 0
    assert "compare" in capsys.readouterr().out
    assert main(["campare"]) == 2
    assert "there is no command 'campare'" in capsys.readouterr().err


def test_a_config_that_was_changed_is_not_written_over(tmp_path, capsys, monkeypatch):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow").mkdir()
    monkeypatch.chdir(tmp_path)
    runs = []

    def done(command, **_):
        runs.append(command)
        return compare.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(compare.subprocess, "run", done)
    files = [texts(tmp_path / f"{name}.csv", ["a b", "c d"]) for name in ("bait", "news")]
    arguments = ["compare", *files, "--model", str(MODEL), "--name", "mine"]
    path = tmp_path / "results/mine.yaml"
    assert main(arguments) == 0 and path.is_file()
    assert "results/mine.yaml" in capsys.readouterr().out
    assert main(arguments) == 0, "the same text is no loss"
    path.write_text(path.read_text() + "# mine\n")
    assert main(arguments) == 1
    assert "results/mine.yaml is there and differs" in capsys.readouterr().err
    assert path.read_text().endswith("# mine\n") and len(runs) == 2
    assert main([*arguments, "--force"]) == 0 and not path.read_text().endswith("# mine\n")
