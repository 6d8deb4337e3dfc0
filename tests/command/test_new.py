"""saegrid new: what it sees of a model, SAEs and texts, the config it writes, and its mistakes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import foreign
from checkpoints import llama_scope, write_safetensors
from loopback import COMMIT, serve, use
from saegrid.command import COMMANDS, main
from saegrid.config.check import resolve
from saegrid.mistakes import all_mistakes
from saegrid.saes.formats import FORMATS

ROOT = Path(__file__).parents[2]
D, VOCAB = foreign.D, 2100


def write_model(folder, layers=20, d=D, tokenizer=True):
    """The files of a Llama that are looked at: config, tokenizer, and weights of little meaning."""
    facts = json.loads((ROOT / "resources/toy/model/config.json").read_text())
    facts |= {"num_hidden_layers": layers, "hidden_size": d, "head_dim": d // 4}
    foreign.write_json(folder / "config.json", facts)
    tensors = {"model.embed_tokens.weight": (VOCAB, d), "model.norm.weight": (d,)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensors.items()}
    write_safetensors(folder / "model.safetensors", tensors)
    for name in ("tokenizer.json", "tokenizer_config.json") if tokenizer else ():
        shutil.copy(ROOT / "resources/toy/model" / name, folder)
    return folder


def write_scope(folder, *layers):
    """SAEs of Llama Scope, one a layer."""
    for layer in layers:
        hook = f"blocks.{layer}.hook_resid_post"
        one = folder / f"Llama3_1-8B-Base-L{layer}R-8x"
        llama_scope(one, hook_point_in=hook, hook_point_out=hook)
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """A folder like the repository, with a model, an SAE and texts."""
    (tmp_path / "Snakefile").touch()
    (tmp_path / "workflow").mkdir()
    (tmp_path / "config").mkdir()
    write_model(tmp_path / "model")
    foreign.sparsify(tmp_path / "sae/layers.3")
    (tmp_path / "my.csv").write_text("text\nA cat sat.\nThe dog ran.\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*more, model="model", sae="sae", texts=("my.csv",)):
    """The status of the command."""
    named = ["--sae", sae] if sae else []
    return main(["new", "--model", model, *named, "--texts", *texts, "--force", *more])


def written(capsys, *more, name="my", **places):
    """The config that was written, which has no mistakes, and what was said."""
    status = new(*more, **places)
    out = capsys.readouterr()
    assert status == 0, out.err
    config = yaml.safe_load(Path(f"config/{name}.yaml").read_text())
    resolve(config)
    assert all_mistakes(config)[1] == []
    return config, out.out


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


# --- texts ----------------------------------------------------------------------------------------


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


def test_labels_splits_and_tests(work, capsys):
    rows = [f"{i},A cat {i},{'good' if i % 2 else 'bad'},{i % 7 / 2}" for i in range(100)]
    for name in ("bait", "news"):
        (work / f"{name}.csv").write_text("\n".join(["id,text,kind,score", *rows]))
    config, _ = written(capsys, texts=["bait.csv"], name="bait")
    labels = {"kind": "text", "score": "number"}
    assert config["corpora"]["texts"]["source"]["labels"] == labels
    tests = {"contrasts": ["label"], "label": "kind", "share": 0.5}
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


# --- SAEs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [*foreign.MAKERS, "llama_scope", "sae_lens"])
def test_every_format_is_recognised(form, work, capsys):
    """One folder too high, and, where the format says all, within its own folder."""
    layer = {"sparsify": "layers.3", "gemma_scope": "layer_3/width_16k/average_l0_71"}
    folder = work / "others" / layer.get(form, "x")
    if form == "llama_scope":
        write_scope(work / "others", 15)
        write_model(work / "model", d=16)
    elif form == "sae_lens":
        from saegrid.base.words import Site
        from saegrid.saes.formats.sae_lens import config, write_sae_lens

        tensors = {k: v for k, v in foreign.tensors().items() if k != "threshold"}
        write_sae_lens(folder, config("standard", Site(7, "R"), D, foreign.F), tensors)
    else:
        foreign.MAKERS[form](folder)
    config, said = written(capsys, sae="others")
    (sae,) = config["saes"].values()
    assert sae["format"] == form and f"of the format {form}" in said


def test_every_format_has_a_case_above():
    assert {*foreign.MAKERS, "llama_scope", "sae_lens"} == set(FORMATS)


def test_layers_are_filled_in_where_names_allow_it(work, capsys):
    write_model(work / "model", d=16)
    write_scope(work / "scope", 9, 12, 15)
    config, _ = written(capsys, sae="scope")
    assert config["saes"]["3x"]["path"] == "scope/Llama3_1-8B-Base-L{layer}R-8x"
    assert config["grid"][0]["layers"] == [9], "next to layer 10, the middle of 20"
    config, _ = written(capsys, "--layers", "12", "15", sae="scope")
    assert config["grid"] == [{"layers": [12, 15], "positions": ["r"], "saes": ["3x"]}]


@pytest.mark.parametrize("inner", ["", "/checkpoints", "/checkpoints/final.safetensors"])
def test_a_folder_too_low_is_no_matter(inner, work, capsys):
    write_model(work / "model", d=16)
    write_scope(work / "scope", 9)
    config, _ = written(capsys, sae=f"scope/Llama3_1-8B-Base-L9R-8x{inner}")
    assert config["saes"]["3x"]["path"] == "scope/Llama3_1-8B-Base-L9R-8x"


def test_of_several_saes_of_a_site_one_is_taken_by_a_rule(work, capsys):
    for name in ("width_65k/average_l0_90", "width_16k/average_l0_20", "width_16k/average_l0_120"):
        foreign.gemma_scope(work / "scope/layer_3" / name)
    config, said = written(capsys, sae="scope")
    assert config["saes"]["4x"]["path"] == "scope/layer_3/width_16k/average_l0_120"
    assert "others, too: layer_3/width_16k/average_l0_20, layer_3/width_65k/average_l0_90" in said


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "places", "sentence"),
    [
        (["--column", "txt"], {}, "--column: 'txt' is no column of the files; these have ['text']"),
        ([], {"texts": ["no.csv"]}, "the file no.csv is not there"),
        ([], {"texts": ["my.docx"]}, "my.docx: must end in .csv, .tsv"),
        ([], {"texts": ["odd.csv"]}, "--column must name the column of the texts; the files have"),
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


def test_a_file_is_not_written_over(work, capsys):
    words = ["new", "--model", "model", "--sae", "sae", "--texts", "my.csv"]
    assert main(words) == 0 and main(words) == 1
    assert "config/my.yaml is there already" in capsys.readouterr().err
    assert main([*words, "--force"]) == 0


# --- the hub --------------------------------------------------------------------------------------


def test_model_sae_and_texts_of_a_hub_at_their_commits(work, capsys, monkeypatch):
    """Of model and SAE no weights are fetched; of both the heads are looked at."""
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        shutil.move(work / "model", hub.root / "some/model")
        big = np.zeros((200, 4000), np.float32)
        write_safetensors(hub.root / "some/model/model.safetensors", {"x": big})
        for layer, l0 in ((3, 71), (9, 20), (9, 110)):
            foreign.gemma_scope(
                hub.root / f"some/scope-res/layer_{layer}/width_16k/average_l0_{l0}"
            )
        (hub.root / "datasets/some/texts").mkdir(parents=True)
        for split in ("train", "test"):
            shutil.copy(work / "my.csv", hub.root / f"datasets/some/texts/{split}.csv")
        places = {"model": "some/model", "sae": "some/scope-res", "texts": ["some/texts"]}
        assert new("--name", "my", **places) == 0, capsys.readouterr().err
        config = yaml.safe_load((work / "config/my.yaml").read_text())
        resolve(config)
        fetched = hub.fetched()
    assert config["model"] == {"path": "some/model", "revision": COMMIT}
    assert config["saes"]["4x"] == {
        "source": "checkpoint",
        "format": "gemma_scope",
        "repo": "some/scope-res",
        "folder": "layer_9/width_16k/average_l0_110",
        "revision": COMMIT,
    }
    source = config["corpora"]["texts"]["source"]
    assert source["kind"] == "hub" and source["revision"] == COMMIT
    assert source["files"] == {"test": "test.csv", "train": "train.csv"}
    assert not any(path.startswith("some/model/model.safetensors") for path in fetched)
    assert len([path for path in fetched if path.endswith("params.npz")]) == 1


def test_a_name_that_the_hub_does_not_have(work, capsys, monkeypatch):
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        assert new(sae="some/where") == 1
    said = capsys.readouterr().err
    assert "some/where is no folder here, and the hub does not give it" in said


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("form", ["gemma_scope", "sparsify", "qwen_scope"])
def test_heads_of_files_are_enough_to_look_at_them(form, large, tmp_path, monkeypatch):
    """The copy of a large file has the shapes of its tensors, and none of its weights."""
    from saegrid.base.registry import pick
    from saegrid.base.tensors import hollow
    from saegrid.saes import heads
    from saegrid.saes.checkpoint import Reading

    if large:
        monkeypatch.setattr(foreign, "F", 4096)
        for name, size in (("WHOLE", 500), ("DIRECTORY", 1500), ("MEMBER", 5000)):
            monkeypatch.setattr(heads, name, size)
    entry = pick(FORMATS, form, "format")
    with serve(tmp_path / "hub") as hub:
        use(hub, monkeypatch, tmp_path / "own")
        origin = foreign.MAKERS[form](hub.root / "some/saes/layers.3")
        for name in entry.files:
            heads.copy_head("some/saes", f"layers.3/{name}", COMMIT, tmp_path / "layers.3" / name)
        sent = sum(asked.sent for asked in hub.gets)
    weights = entry.files[-1]
    assert (tmp_path / "layers.3" / weights).stat().st_size == (origin / weights).stat().st_size
    assert not large or sent < (origin / weights).stat().st_size
    from saegrid.base.words import Site

    with hollow():
        reading = Reading(site=Site(3, "R"))
        sae = entry.open(tmp_path / "layers.3", norms=np.ones(()), reading=reading)
    assert (sae.encoder.d_model, sae.encoder.d_sae) == (D, foreign.F)


# --- the command itself ---------------------------------------------------------------------------


def test_the_help_lists_every_command_and_a_slip_is_answered(capsys):
    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"{name} " in said and command.summary in said for name, command in COMMANDS.items())
    assert main(["nwe"]) == 2
    assert "Did you mean 'new'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main(["new", "--help"])
    assert end.value.code == 0 and "examples:" in capsys.readouterr().out
