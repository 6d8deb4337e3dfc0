"""saegrid new: a mistake is one sentence, and all are said at once."""

import pytest

import foreign
from beginning import new, write_scope
from foreign import write_model
from saegrid.command import main


@pytest.mark.parametrize(
    ("more", "places", "sentence"),
    [
        (["--column", "txt"], {}, "--column: 'txt' is no column of the files: my.csv has text."),
        ([], {"texts": ["no.csv"]}, "the file no.csv is not there"),
        ([], {"texts": ["my.docx"]}, "my.docx: must end in .csv, .tsv"),
        ([], {"texts": ["odd.csv"]}, "must name the column of the texts; odd.csv has a, b"),
        ([], {"texts": ["marked.csv"]}, "name the column of the new words `edit`"),
        ([], {"model": "nowhere/at/all"}, "--model: nowhere/at/all is no folder"),
        ([], {"model": "./nowhere"}, "there is nothing at ./nowhere"),
        ([], {"model": "sae"}, "there is no config.json in it"),
        ([], {"model": "bare"}, "bare has no tokenizer (tokenizer.json)"),
        ([], {"sae": "config"}, "there is no SAE of a format that is read in config, which holds"),
        ([], {"sae": "scope"}, "the SAE reads 16 channels, and L9R of the model has 8"),
        (["--layers", "4"], {}, "sae has no SAE of the layers 4 at position r; it has r of"),
        (["--layers", "40"], {"sae": None}, "layers [40] are not in the model"),
        (["--position", "m"], {}, "sae has no SAE of m; it has r of layer 3"),
        (["--format", "sae_lens"], {}, "It is of the format sparsify."),
        (["--format", "sparsfy"], {}, "'sparsfy' is unknown. Did you mean 'sparsify'?"),
        (["--format", "gemma_scope"], {"sae": "unnamed"}, "say where this SAE reads"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(more, places, sentence, work, capsys):
    write_model(work / "bare", tokenizer=False)
    write_scope(work / "scope", 9)
    foreign.gemma_scope(work / "unnamed")
    (work / "my.docx").write_text("x")
    (work / "odd.csv").write_text("a,b\n1,2\n")
    (work / "marked.csv").write_text("a,b\nA <cat/>,2\n")
    assert new(*more, **places) == 1
    said = capsys.readouterr().err
    assert sentence in said and said.count("\n") == 1
    assert not (work / "config/my.yaml").exists()


def test_the_part_of_a_path_that_is_missing_is_named(work, capsys):
    foreign.gemma_scope(work / "google/scope/layer_3/width_16k/average_l0_71")
    for start in ("google", "./google", str(work / "google")):
        assert new(sae=f"{start}/scope/layer_3/width_65k/average_l0_72") == 1
        said = capsys.readouterr().err
        assert "scope/layer_3 has no width_65k; it holds width_16k. Did you mean" in said
        assert said.count("\n") == 1 and "hub does not" not in said


def test_all_mistakes_are_said_at_once(work, capsys):
    (work / "config/no.yaml").touch()
    words = ["new", "--model", "./modle", "--sae", "./config", "--texts", "no.csv"]
    assert main(words) == 1
    free, model, texts, sae = capsys.readouterr().err.splitlines()
    assert "config/no.yaml is there already" in free
    assert "this folder has no modle; it holds" in model and "Did you mean 'model'?" in model
    assert "the file no.csv is not there" in texts
    assert "there is no SAE of a format that is read in config" in sae


def test_a_file_is_not_written_over(work, capsys):
    words = ["new", "--model", "model", "--sae", "sae", "--texts", "my.csv"]
    assert main(words) == 0 and main(words) == 1
    assert "config/my.yaml is there already" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0
