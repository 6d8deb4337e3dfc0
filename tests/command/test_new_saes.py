"""saegrid new: SAEs by their format, layers and positions, and the model that their files name."""

import json

import pytest

import foreign
from beginning import write_scope, written
from foreign import write_model
from saegrid.base.words import Site
from saegrid.saes.formats import FORMATS
from saegrid.saes.formats.sae_lens import config as facts_of
from saegrid.saes.formats.sae_lens import write_sae_lens

D = foreign.D


@pytest.mark.parametrize("form", [*foreign.MAKERS, "llama_scope", "sae_lens"])
def test_every_format_is_recognised(form, work, capsys):
    """One folder too high, and, where the format says all, within its own folder."""
    layer = {"sparsify": "layers.3", "gemma_scope": "layer_3/width_16k/average_l0_71"}
    folder = work / "others" / layer.get(form, "x")
    if form == "llama_scope":
        write_scope(work / "others", 15)
        write_model(work / "model", d=16)
    elif form == "sae_lens":
        tensors = {k: v for k, v in foreign.tensors().items() if k != "threshold"}
        write_sae_lens(folder, facts_of("standard", Site(7, "R"), D, foreign.F), tensors)
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
    facts = facts_of("standard", Site(block - 1, "R"), D, foreign.F)
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
