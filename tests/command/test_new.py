"""saegrid new: what it sees of a model and texts, the config it writes, and its help."""

import pytest

from beginning import written
from saegrid.command import COMMANDS, main
from saegrid.command.proposal.texts import _copies


def test_a_config_of_what_differs_from_the_defaults(work, capsys):
    config, said = written(capsys)
    assert config == {
        "study": "my",
        "model": {"path": "model"},
        "corpora": {
            "texts": {
                "role": "main",
                "source": {"kind": "csv", "files": "my.csv", "columns": {"text": "text"}},
                "tokens": {"context": "all"},
            }
        },
        "saes": {"4x": {"source": "checkpoint", "format": "sparsify", "path": "sae/layers.3"}},
        "grid": [{"layers": [3], "positions": ["r"], "saes": ["4x"]}],
    }
    assert "llama, 20 layers (0 to 19), d_model 8" in said
    assert "rows open with <|begin_of_text|>" in said
    assert "SAEs of the format sparsify, of r of layer 3" in said
    assert "snakemake --configfile config/my.yaml\n  results/my/index.html" in said
    text = (work / "config/my.yaml").read_text()
    assert max(map(len, text.splitlines())) <= 100 and text.count("#") > 5


def test_without_an_sae_one_is_trained(work, capsys):
    config, said = written(capsys, sae=None)
    assert config["saes"]["8x"]["source"] == "train"
    assert config["grid"] == [{"layers": [10], "positions": ["r"], "saes": ["8x"]}]
    assert "no SAE is named" in said


@pytest.mark.parametrize(
    ("content", "kind", "columns"),
    [
        ("text\nA cat, a dog\n", "csv", {"text": "text"}),
        ("words\nA cat\nA dog\n", "csv", {"text": "words"}),
        ("\ufeffid;Text\n1;A cat\n2;A dog\n", "csv", {"text": "Text"}),
        ("id\ttext\n1\tA cat\n", "csv", {"text": "text"}),
        ("id,text\n1,A cat\n1,A dog\n", "csv", {"id": None, "text": "text"}),
        (
            "id,original,edited\n1,A cat,A dog\n",
            "csv",
            {"original": "original", "edited": "edited"},
        ),
        ("a,edit\nA <cat/>,dog\n", "csv", {"original": "a", "edit": "edit"}),
        ("A cat sat, I think\nA dog ran home\n", "text", None),
    ],
)
def test_texts_as_people_have_them(content, kind, columns, work, capsys):
    (work / "my.csv").write_text(content, encoding="utf-8")
    config, _ = written(capsys)
    source = config["corpora"]["texts"]["source"]
    assert (source["kind"], source.get("columns")) == (kind, columns)


@pytest.mark.parametrize(("content", "said"), [
    ("text\nA cat\n A cat \nA dog\nA cat\n", "2 of the 4 rows repeat the text of an earlier one; "
     "none is dropped: each counts again in densities, tests take the copies as one cluster"),
    ("original,edited\nA cat,A dog\nA cat,A deal\nA cat,A dog\n", "1 of the 3 rows repeats the "),
    ("text\nA cat\nA dog\nA Cat\n", None),
])  # fmt: skip
def test_texts_that_repeat_each_other_are_counted(content, said, work, capsys):
    (work / "my.csv").write_text(content)
    _, out = written(capsys)
    assert said in out if said else "earlier one" not in out


def test_rows_without_text_are_no_copies():
    rows = [{"a": "x", "b": ""}, {"a": "x", "b": " "}, {"a": "x ", "b": "y"}, {"a": "x", "b": "y"}]
    assert _copies(rows, ["a", "b"]) == 1 and _copies(rows[:2], ["a"]) == 1
    assert _copies(rows[:2], ["a", "b"]) == _copies([], ["a"]) == 0


def test_labels_splits_and_tests(work, capsys):
    rows = [f"{i},A cat {i},{'good' if i % 2 else 'bad'},{i % 7 / 2}" for i in range(100)]
    for name in ("bait", "news"):
        (work / f"{name}.csv").write_text("\n".join(["id,text,kind,score", *rows]))
    config, _ = written(capsys, texts=["bait.csv"], name="bait")
    labels = {"kind": "text", "score": "number"}
    assert config["corpora"]["texts"]["source"]["labels"] == labels
    tests = {"contrasts": ["label"], "label": "kind", "share": 0.5, "balanced": True}
    assert config["analyses"]["tests"] == tests
    config, _ = written(capsys, texts=["bait.csv", "news.csv"], name="bait")
    assert config["analyses"]["tests"]["classes"] == ["bait", "news"]
    (work / "few.csv").write_text("\n".join(["id,text,kind,score", *rows[:20]]))
    config, said = written(capsys, texts=["few.csv"], name="few")
    assert "analyses" not in config and "10 texts are too few, 40 of each kind" in said


def test_long_texts_are_set_aside_and_said(work, capsys):
    long = "cat " * 400
    (work / "my.csv").write_text(f"text\n{long}\nA cat\nA dog\nA deal\n")
    config, said = written(capsys)
    assert config["corpora"]["texts"]["set_aside"] == 0.3
    assert "25% of the texts are longer than the 256 tokens of a row" in said


def test_the_help_lists_every_command_and_a_slip_is_answered(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"{name} " in said and command.summary in said for name, command in COMMANDS.items())
    assert main(["nwe"]) == 2
    assert "Did you mean 'new'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["new", "--help"])
    assert end.value.code == 0 and "examples:" in capsys.readouterr().out
