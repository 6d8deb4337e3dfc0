"""saegrid new: what it sees of a model, SAEs and texts, the config it writes, and its mistakes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

import foreign
from checkpoints import llama_scope, write_safetensors
from foreign import write_model
from loopback import COMMIT, serve, use
from saegrid.command import COMMANDS, main
from saegrid.config.check import resolve
from saegrid.mistakes import all_mistakes
from saegrid.saes.formats import FORMATS

ROOT = Path(__file__).parents[2]
D = foreign.D


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


def write_lens(folder, block, model=None):
    """An SAE of SAELens that reads hook_resid_pre, of a model of this name."""
    from saegrid.base.words import Site
    from saegrid.saes.formats.sae_lens import config, write_sae_lens

    facts = config("standard", Site(block - 1, "R"), D, foreign.F)
    facts["metadata"] = {"hook_name": f"blocks.{block}.hook_resid_pre", "model_name": model}
    tensors = {k: v for k, v in foreign.tensors().items() if k != "threshold"}
    write_sae_lens(folder, facts, tensors)


def test_layers_that_are_asked_for_are_not_called_the_middle(work, capsys):
    for block in (9, 12):
        write_lens(work / f"lens/blocks.{block}", block)
    _, said = written(capsys, sae="lens")
    assert "layer 11, position r: of the layers 0 to 19, next to the middle" in said
    _, said = written(capsys, "--layers", "8", sae="lens")
    assert "layer 8, position r: of the layers 0 to 19, as asked" in said
    assert "middle" not in said
    assert ("hook blocks.9.hook_resid_pre (the residual stream that comes out of layer 8)") in said
    _, said = written(capsys)
    assert "of the layers 0 to 19, the one that has an SAE" in said


@pytest.mark.parametrize(
    ("named", "said"),
    [
        (None, "the SAE's files do not say which model it is of; its width fits model"),
        ("some/Model", None),
        ("pythia-70m", "warning: the SAE's files say that it is of the model pythia-70m, and"),
    ],
)
def test_the_model_that_the_files_of_an_sae_name(named, said, work, capsys):
    write_lens(work / "lens/one", 9, named)
    _, out = written(capsys, sae="lens")
    lines = [line for line in out.splitlines() if "SAE's files" in line]
    assert len(lines) == (said is not None) and all(said in line for line in lines)


def test_a_model_named_by_another_format_is_known(work, capsys):
    foreign.MAKERS["qwen_scope"](work / "qwen")
    path = work / "qwen/config.json"
    facts = json.loads(path.read_text()) | {"base_model": "Qwen/Qwen3-8B"}
    path.write_text(json.dumps(facts))
    _, said = written(capsys, sae="qwen")
    assert "it is of the model Qwen/Qwen3-8B, and the study has model" in said


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


# --- the hub --------------------------------------------------------------------------------------


def test_model_sae_and_texts_of_a_hub_at_their_commits(work, capsys, monkeypatch):
    """Weights of model and SAE are not fetched; the heads of both are looked at."""
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
    assert "this folder has no some; it holds" in said


def test_a_name_like_one_that_was_fetched_before_is_named(work, capsys, monkeypatch):
    (work / "own/models--openai-community--gpt2").mkdir(parents=True)
    (work / "own/models--jbloom--GPT2-Small-SAEs-Reformatted").mkdir()
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        assert new(model="gpt2x", sae="jbloom/GPT2-Small") == 1
    model, sae = capsys.readouterr().err.splitlines()
    assert "Did you mean 'gpt2'?" in model
    assert "Did you mean 'jbloom/GPT2-Small-SAEs-Reformatted'?" in sae


def test_a_folder_that_a_repository_lacks_is_named(work, capsys, monkeypatch):
    with serve(work / "hub") as hub:
        use(hub, monkeypatch, work / "own")
        foreign.gemma_scope(hub.root / "some/scope/layer_3/width_16k/average_l0_71")
        assert new(sae="some/scope/layer_3/width_65k/average_l0_71") == 1
    assert (
        "some/scope/layer_3 has no width_65k; it holds width_16k. Did you mean 'width_16k'?"
    ) in capsys.readouterr().err


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
