"""Files that a config names are looked at when it is read: by facts and heads, never whole."""

import copy
import json
import shutil

import numpy as np
import pytest
import yaml

from mistaken import CHECKPOINT, REPOSITORY, TINY, changed, told
from saegrid.base.errors import CheckpointError
from saegrid.base.words import Site
from saegrid.meaning.spaces import wordnet
from saegrid.meaning.spaces.space import Space
from saegrid.saes.formats.sae_lens import config, write_sae_lens
from saegrid.saes.reference import NORMS, REFERENCE, import_sae

RIGHT = {"grid_dup_blocks.yaml"}
"""Blocks of a grid may overlap: each cell is made once."""

pytestmark = pytest.mark.usefixtures("few_headlines")


# --- checkpoints ------------------------------------------------------------------------------


def write_sae(folder, layer=1, d_in=64, d_sae=16, **more):
    rng = np.random.default_rng(0)
    tensors = {
        "W_enc": rng.normal(size=(d_in, d_sae)).astype(np.float32),
        "b_enc": np.zeros(d_sae, np.float32),
        "W_dec": rng.normal(size=(d_sae, d_in)).astype(np.float32),
        "b_dec": np.zeros(d_in, np.float32),
    }
    write_sae_lens(folder, config("standard", Site(layer, "R"), d_in, d_sae, **more), tensors)


def checkpoints(path="sae", **more):
    grid = [{"layers": [1], "positions": ["r"], "saes": ["x"]}]
    return changed(saes={"x": CHECKPOINT | {"path": path} | more}, grid=grid)


def test_a_transcoder_before_the_gain_of_gemmas_norms(tmp_path):
    """It may not read a model with other norms: neither another kind nor another addend."""
    rng = np.random.default_rng(0)
    shapes = {"W_enc": (64, 16), "W_dec": (16, 64), "b_enc": 16, "b_dec": 64, "threshold": 16}
    (tmp_path / "sae").mkdir()
    arrays = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    np.savez(tmp_path / "sae" / "params.npz", **arrays)
    grid = [{"layers": [1], "positions": ["h"], "saes": ["x"]}]
    study = checkpoints(format="gemma_scope", writes="m") | {"grid": grid}
    (text,) = told(study, "sae:x")
    assert "by sqrt(mean square + 1e-06), and the model has model_type 'llama'" in text
    sizes = shutil.copytree(study["model"]["path"], tmp_path / "gemma")
    facts = json.loads((sizes / "config.json").read_text()) | {"model_type": "gemma2"}
    study["model"]["path"] = str(sizes)
    for eps in (1e-6, 1e-5):
        (sizes / "config.json").write_text(json.dumps(facts | {"rms_norm_eps": eps}))
        other = ["the model has rms_norm_eps 1e-05" in text for text in told(study, "sae:x")]
        assert other == ([] if eps == 1e-6 else [True])


def test_checkpoints_are_looked_at_by_facts_and_headers(tmp_path):
    write_sae(tmp_path / "sae")
    assert told(checkpoints()) == []
    write_sae(tmp_path / "narrow", d_in=32)
    write_sae(tmp_path / "elsewhere", layer=2)
    for name in ("less", "cut", "listed", "hooked"):
        write_sae(tmp_path / name)
    weights = tmp_path / "less" / "sae_weights.safetensors"
    raw = weights.read_bytes()
    weights.write_bytes(raw.replace(b'"b_enc"', b'"b_foo"'))
    (tmp_path / "cut" / "sae_weights.safetensors").write_bytes(raw[:-4])
    (tmp_path / "listed" / "cfg.json").write_text("[]")
    cfg = json.loads((tmp_path / "hooked" / "cfg.json").read_text())
    cfg["metadata"]["hook_name"] = 5
    (tmp_path / "hooked" / "cfg.json").write_text(json.dumps(cfg))
    for path, sentence in {
        "narrow": "narrow: the SAE reads 32 channels, and L1R of the model has 64.",
        "elsewhere": "this SAE reads L2R (hook point 'blocks.2.hook_resid_post'), but the cell",
        "less": "the tensor 'b_foo' is not known and could change every number",
        "cut": "sae_weights.safetensors: the file is truncated",
        "listed": "cfg.json: a JSON object was expected, got list.",
        "hooked": "hooked",
        "nowhere": "saes.x.path: no checkpoint of L1R-x at nowhere.",
    }.items():
        (text,) = told(checkpoints(path), "sae:x")
        assert text.startswith("saes.x.path: ") and sentence in text


def test_one_sentence_for_all_cells_of_an_sae_that_have_the_same_mistake(tmp_path):
    study = checkpoints("none/{layer}{position}")
    study["grid"] = [{"layers": [0, 1, 2], "positions": ["a", "r"], "saes": ["x"]}]
    assert told(study) == [
        "saes.x.path: no checkpoint of L0A-x at none/0A. The same holds for 5 more cells."
    ]


def test_a_golden_sentence_needs_its_sae_though_it_stands_outside_the_grid(tmp_path):
    write_sae(tmp_path / "1")
    golden = {
        "cell": "L2R-x",
        "d_sae": 16,
        "text": "a",
        "source": "b",
        "mse": {"value": 1, "tolerance": 1},
    }
    golden["l0"] = {"value": [1], "near": 1, "near_share": 1, "most": 1, "mean": 1}
    (tmp_path / "expected.yaml").write_text(yaml.safe_dump({"golden": [golden]}))
    study = checkpoints("{layer}") | {"verify": {"expected": "expected.yaml"}}
    (text,) = told(study)
    assert text.startswith(
        "verify.golden: the published sentence needs the SAE of L2R-x, which is "
    )
    study["verify"]["golden"] = False
    assert told(study) == []


# --- models -----------------------------------------------------------------------------------


def test_models_are_looked_at_by_facts_and_headers(tmp_path):
    def copied(name):
        shutil.copytree(REPOSITORY / "resources/toy/model", tmp_path / name)
        return tmp_path / name

    facts = json.loads((copied("kind") / "config.json").read_text())
    (tmp_path / "kind" / "config.json").write_text(json.dumps(facts | {"model_type": "lama"}))
    lacking = {k: v for k, v in facts.items() if k != "hidden_size"}
    (copied("lacking") / "config.json").write_text(json.dumps(lacking))
    (copied("texts") / "config.json").write_text(json.dumps(facts | {"hidden_size": "64"}))
    (copied("experts") / "config.json").write_text(json.dumps(facts | {"num_local_experts": 8}))
    (copied("broken") / "config.json").write_text("{")
    (copied("empty") / "config.json").unlink()
    (copied("weightless") / "model.safetensors").unlink()
    weights = copied("cut") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    tensors = copied("headless") / "model.safetensors"
    tensors.write_bytes(tensors.read_bytes().replace(b"model.norm.weight", b"model.nerm.weight"))
    for name, sentence in {
        "kind": "model_type: the family 'lama' is unknown. Did you mean 'llama'?",
        "lacking": "config.json lacks the key 'hidden_size'",
        "texts": "config.json gives d_model as '64'; expected a whole number",
        "experts": "this is a mixture of 8 experts",
        "broken": "config.json: this is no JSON",
        "empty": "there is no config.json in it",
        "weightless": "it holds neither",
        "cut": "model.safetensors: the file is truncated",
        "headless": "no tensor model.norm.weight",
    }.items():
        (text,) = told(changed(model__path=name), "model")
        assert sentence in text and text.startswith("model.path: "), text
    (text,) = told(changed(model__path="lacking", model__family="gpt2"), "model")
    assert text == (
        "model.family: lacking/config.json says model_type llama, whose parts are not those of "
        "gpt2. Leave it at auto."
    )
    parallel = facts | {"model_type": "cohere", "layer_norm_eps": 1e-5}
    (copied("parallel") / "config.json").write_text(json.dumps(parallel))
    block = {"layers": [0], "positions": ["h", "r"], "saes": ["8x"]}
    (text,) = told(changed(model__path="parallel", grid=[block]), "grid")
    assert text == (
        "grid: a cohere model has no position h: attention and MLP of a block read the same "
        "stream, and there is none between them; take b or r."
    )
    untrained = changed(model__path="weightless", model__weights="random")
    assert told(untrained) == []


# --- corpora ----------------------------------------------------------------------------------

HEADS = {
    "semicolons.csv": (b"id;text\n1;a\n", None),
    "tabs.csv": (b"id\ttext\n1\ta\n", None),
    "latin.csv": ("id,t\u00e9xt\n".encode("latin1"), "Set source.encoding, such as cp1252"),
    "utf16.csv": ("id,text\n1,a\n".encode("utf-16"), None),
    "zipped.csv": (b"\x1f\x8b\x08" + bytes(9), "cannot be unpacked as gzip"),
    "zeros.csv": (b"id,text\n" + bytes(9), "holds zero bytes: it is no text"),
    "empty.csv": (b"", "is empty; expected at least one row"),
    "header.csv": (b"id,text\n", "holds no rows"),
    "twice.csv": (b"id,text,text\n1,a,b\n", "has 2 columns named 'text'"),
    "quote.csv": (b'id,te"xt\n', "has no column 'text'"),
    "array.jsonl": (b'[{"id": 1}]', "has no column 'text'"),
    "not.jsonl": (b"hello\n", "none of the first lines is a JSON object"),
    "other.jsonl": (
        b'{"id": "1", "txt": "a"}\n',
        "has no column 'text', which columns.text asks for",
    ),
    "none.parquet": (b"PAR1hello", "cannot be read as parquet"),
    "fine.csv": (b"id,text\n1,a\n", None),
    "fine.jsonl": (b'{"id": "1", "text": "a"}\n', None),
    "marks.csv": (b"\xef\xbb\xbfid,text\n1,a\n", None),
}


@pytest.mark.parametrize("name", HEADS)
def test_heads_of_files_are_looked_at(tmp_path, name):
    content, sentence = HEADS[name]
    (tmp_path / name).write_bytes(content)
    kind = name.split(".")[1]
    source = {"kind": kind, "files": {"all": name}}
    found = told(changed(corpora__more={"role": "holdout", "source": source}))
    if sentence is None:
        assert found == []
    else:
        (text,) = found
        assert text.startswith("corpora.more.source") and sentence in text


def test_a_large_file_is_known_by_its_head_alone(tmp_path, monkeypatch):
    monkeypatch.setattr("saegrid.stages.mistakes.corpora.LOOKED_THROUGH", 10)
    monkeypatch.setattr("saegrid.stages.mistakes.corpora.items", None)
    (tmp_path / "a.csv").write_text("id,text\n" + "1,a\n" * 99)
    source = {"kind": "csv", "files": {"all": "a.csv"}}
    assert told(changed(corpora__more={"role": "holdout", "source": source})) == []


def test_streamed_corpora_have_names_with_stars(tmp_path):
    (tmp_path / "a1.txt").write_text("hello\n")
    (tmp_path / "a2.txt").write_text("")
    stream = {"role": "train", "store": {}, "source": {"kind": "text", "files": {"all": "a*.txt"}}}
    assert told(changed(corpora__more=stream)) == []
    stream["source"]["files"] = {"all": ["a1.txt", "b*.txt", "c.txt"]}
    assert told(changed(corpora__more=stream)) == [
        "corpora.more.source.files.all: no file matches b*.txt. Check the folder and the pattern.",
        "corpora.more.source.files.all: the file c.txt is not there. Did you mean 'a2.txt'? Paths "
        "are relative to the folder in which snakemake runs.",
    ]
    stream["source"] = {"kind": "jsonl", "files": {"all": "a1.txt"}, "columns": {"text": "body"}}
    (text,) = told(changed(corpora__more=stream))
    assert "none of the first lines is a JSON object" in text


def test_an_sae_is_not_judged_on_texts_that_it_learns_from(tmp_path):
    both = copy.deepcopy(TINY["corpora"]["generated"])
    study = changed(corpora__other=both | {"role": "holdout"}, metrics__corpus="other")
    (text,) = told(study)
    assert text.startswith(
        "metrics.corpus: 'other' has texts of 'generated', from which saes.8x le"
    )
    study["corpora"]["other"]["source"]["seed"] = 2
    assert told(study) == []
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_text("hello\nthere\n")
    stream = {"role": "train", "store": {}, "source": {"kind": "text", "files": {"all": "a*.txt"}}}
    other = {"role": "holdout", "source": {"kind": "text", "files": {"all": "b.txt"}}}
    study = changed(corpora__generated=stream, corpora__other=other, metrics__corpus="other")
    (text,) = told(study)
    assert "learns: a.txt. Name a corpus of other texts" in text


# --- inputs that were refused late ------------------------------------------------------------


def test_every_config_that_failed_late_is_told_in_one_sentence(failing, monkeypatch):
    """All in one process; the name of each says its mistake."""
    for name in ("UNSETX", "UNSET_VARIABLE"):
        monkeypatch.delenv(name, raising=False)
    configs = sorted((failing / "config").glob("*.yaml"))
    assert len(configs) > 60
    for path in configs:
        study = yaml.safe_load(path.read_text())
        found = told(study)
        if path.name == "y_bomb.yaml":
            assert len(found) == 12 and sum(map(len, found)) < 5_000
        elif path.name in RIGHT:
            assert found == []
        elif path.name == "kind_generated_nogrammar.yaml":
            assert len(found) == 2  # and its three texts leave none to judge on
        else:
            assert len(found) == 1, (path.name, found)


@pytest.mark.parametrize("name", ["hdr_noff", "hdr_ovl", "wrong_width", "cfg_hook_int"])
def test_damaged_checkpoints_are_told_before_anything_runs(failing, name):
    (text,) = told(checkpoints(str(failing / "sae" / name)))
    assert text.startswith("saes.x.path: ")


@pytest.mark.parametrize(("name", "tensor"), [("W_dec_nan", "W_dec"), ("jr_nanthr", "threshold")])
def test_numbers_that_are_none_end_the_import_in_a_sentence(failing, tmp_path, name, tensor):
    folder = failing / "sae" / name
    sae = {"format": "sae_lens", "path": str(folder)}
    with pytest.raises(CheckpointError) as error:
        import_sae(sae, "L1R-x", tmp_path / REFERENCE, tmp_path / NORMS)
    assert str(error.value) == (
        f"{folder / 'sae_weights.safetensors'}: the tensor {tensor!r} holds NaN or infinity. Fetch "
        "it again."
    )


def test_odd_corpora_are_taken_or_told_in_sentences(failing):
    kinds = {
        ".csv": "csv",
        ".json": "jsonl",
        ".jsonl": "jsonl",
        ".parquet": "parquet",
        ".gz": "csv",
    }
    for path in sorted((failing / "corpora").iterdir()):
        source = {"kind": kinds[path.suffix], "files": {"all": str(path)}}
        for column in ("text", "original"):
            more = source | {"columns": {"text": column}}
            assert len(told(changed(corpora__more={"role": "holdout", "source": more}))) <= 1


# --- the word space ---------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["absent.npy", "empty.npy", "package:nowhere_at_all/a.npy"])
def test_a_word_space_without_its_files_is_one_sentence(tmp_path, monkeypatch, file):
    (tmp_path / "empty.npy").touch()
    path = file if ":" in file else str(tmp_path / file)
    monkeypatch.setattr(wordnet, "SPACE", Space(wordnet.vectors, (path,)))
    (text,) = told(changed(), "concepts")
    assert text.startswith("concepts.space: ") and file.rpartition(":")[2][:6] in text
    assert text.endswith("; or write wordnet, which needs nothing.") and ".;" not in text
