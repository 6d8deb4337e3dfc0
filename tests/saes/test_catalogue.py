"""The share of a catalogue: places by the rules of loaders, formats and families by registries."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from saegrid.base.words import Site

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "catalogue.py"
CATALOGUE = """
gpt2-res: {conversion_func: null, model: gpt2-small, repo_id: a/b, saes: [
  {id: blocks.8.hook_resid_pre_768, path: x}, {id: blocks.3.hook_mlp_out, path: y},
  {id: blocks.3.attn.hook_q, path: z}]}
scope: {conversion_func: gemma_2, model: gemma-2-2b, repo_id: google/gemma-scope-2b-pt-att, saes: [
  {id: a, path: layer_4/width_16k/average_l0_1}, {id: b, path: embedding/width_4k/average_l0_6}]}
tc: {conversion_func: gemma_2_transcoder, model: gemma-2-2b, repo_id: google/t, saes: [
  {id: a, path: layer_4/width_16k/average_l0_1}]}
scope2: {conversion_func: gemma_3, model: google/gemma-3-1b-pt, repo_id: google/c, saes: [
  {id: a, path: transcoder_all/layer_5_width_16k_l0_big_affine}, {id: b, path: clt/layer_1}]}
clt: {conversion_func: mntss_clt_layer_transcoder, model: gemma-2-2b, repo_id: m/c, saes: [
  {id: layer_0, path: 0}]}
llama: {conversion_func: llama_scope, model: meta-llama/Llama-3.1-8B, repo_id: f/l, saes: [
  {id: l5a_8x, path: Llama3_1-8B-Base-L5A-8x}]}
new: {conversion_func: brand_new, model: gpt2, repo_id: n/n, saes: [{id: a, path: b}]}
"""


@pytest.fixture(scope="module")
def catalogue():
    spec = importlib.util.spec_from_file_location("catalogue", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_places_reasons_and_the_share(catalogue, monkeypatch):
    monkeypatch.setattr(catalogue, "FAMILIES", {"gpt2": "", "gemma2": "", "gemma3_text": ""})
    rows = [catalogue.row(entry) for entry in catalogue.entries(yaml.safe_load(CATALOGUE))]
    assert [row.reason for row in rows] == [
        "",
        "",
        "hook point 'blocks.3.attn.hook_q' is no site",
        "",
        "",
        "",
        "",
        catalogue.CLT,
        f"no format: {catalogue.CLT}",
        "no family: llama",
        "loader 'brand_new' is not known",
    ]
    text = "\n".join(catalogue.table(rows))
    assert "6 of 11 SAEs: 54.55%" in text
    assert "     1  meta-llama/Llama-3.1-8B: no family: llama" in text


def test_sites(catalogue):
    places = [
        catalogue.LOADERS[entry.loader].place(entry).site if entry.loader != "brand_new" else None
        for entry in catalogue.entries(yaml.safe_load(CATALOGUE))
    ]
    expected = ["L7R", "L3M", None, "L4Z", "L0B", "L4H", "L5I", None, None, "L5A", None]
    assert places == [Site.parse(text) if text else None for text in expected]


def test_every_loader_has_a_format_that_is_there_or_says_why_not(catalogue):
    from saegrid.saes.formats import FORMATS

    for name, loader in catalogue.LOADERS.items():
        assert loader.form in FORMATS or loader.form.startswith("none: "), name


@pytest.mark.parametrize(
    "name, kind",
    [
        ("google/gemma-3-270m-it", "gemma3_text"),
        ("google/gemma-3-12b-pt", "gemma3"),
        ("gemma-2-9b-it", "gemma2"),
        ("gemma-2b-it", "gemma"),
        ("pythia-70m-deduped", "gpt_neox"),
        ("Qwen/Qwen3.5-35B-A3B-Base", "qwen3_5"),
        ("Qwen/Qwen3-30B-A3B-Base", "qwen3_moe"),
        ("qwen3-0.6b", "qwen3"),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", "llama"),
        ("unheard-of", "unheard-of"),
    ],
)
def test_kinds_of_models(catalogue, name, kind):
    assert catalogue.model_type(name) == kind
