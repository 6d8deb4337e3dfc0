"""The readout of labelled texts: its jobs, what decides them, and what is told before a run."""

import json

import numpy as np
import pytest
import yaml
from snakemake.utils import update_config

from asking import ROOT, changed, config, files, inputs, jobs_of, mistakes, plan_of, spec
from mistaken import told
from saegrid.base import io
from saegrid.stages.readout_texts import cells, conventions, described
from saegrid.stages.stage import At
from toys import save, toy, toy_bert

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE, NEURONS = At("words", site="L15M"), At("words", site="L15N")


@pytest.fixture(scope="module")
def study():
    return config("gender")


@pytest.fixture(scope="module")
def plan(study):
    return plan_of(study)


def with_readout(study, **settings):
    analyses = {"readout": study["analyses"]["readout"] | settings}
    return plan_of(study | {"analyses": analyses})


def test_the_shipped_study_has_no_mistakes_and_its_page_comes_last(plan):
    assert mistakes(plan) == []
    jobs = jobs_of(plan, "all_readout")
    names = [job.stage.name for job in jobs]
    assert names[-1] == "readout" and files(plan, "readout.page") == ["results/gender/probes.html"]
    assert names.count("readout_codes") == len(plan.cells) == 4
    assert [j.at.site for j in jobs if j.stage.name == "readout_vectors"] == [
        "L15M",
        "L15N",
        "L15R",
    ]


def test_a_further_site_is_captured_and_has_no_codes(plan):
    captured = files(plan, "capture.activations", At("words"))
    assert [path.rpartition("/")[2] for path in captured] == [
        "L15M.safetensors",
        "L15N.safetensors",
        "L15R.safetensors",
    ]
    assert described(plan, NEURONS)["cells"] == []
    named = ["L15M-frozen", "L15M-seed0", "L15M-seed1", "L15M-seed2"]
    assert [place.cell for place in cells(plan, "L15M")] == named
    assert described(plan, SITE)["cells"] == named


def test_padded_rows_are_run_where_they_are_asked_for(study, plan):
    assert inputs(plan, "readout_vectors", "padded", SITE) == [
        "results/gender/words/readout/padded/L15M.safetensors"
    ]
    fewer = with_readout(study, vectors=["mean", "last"])
    assert inputs(fewer, "readout_vectors", "padded", SITE) == []
    assert "readout_padded" not in {job.stage.name for job in jobs_of(fewer, "all_readout")}


def test_settings_of_probes_decide_no_vector(plan):
    def other(change, stage, at):
        return spec(changed(plan, change), stage, at) != spec(plan, stage, at)

    def ks(study):
        study["analyses"]["readout"]["ks"] = [1]

    def seed(study):
        study["analyses"]["readout"]["seed"] = 1

    assert other(ks, "readout", At())
    for stage in ("readout_texts", "readout_vectors"):
        assert not other(ks, stage, SITE)
    assert other(seed, "readout_texts", At("words"))
    assert json.loads(spec(plan, "readout_vectors", SITE))["vectors"] == ["mean", "last", "padded"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"label": "category"}, "analyses.readout.label: words has no label 'category'. Did you"),
        ({"type": "lemma"}, "analyses.readout.type: words has no label 'lemma'. Its labels: Cat"),
        ({"vectors": ["means"]}, "analyses.readout.vectors: 'means' is unknown. Did you mean 'm"),
        (
            {"representations": ["code"]},
            "analyses.readout.representations: 'code' is unknown. Did you mean 'codes'?",
        ),
        ({"classes": ["food", "food"]}, "analyses.readout.classes: must be two different names"),
        ({"sites": ["L40N"]}, "analyses.readout.sites: resources/toy/model has no site L40N: its"),
        ({"sites": ["mlp"]}, "analyses.readout.sites: A site must be written like L15R"),
    ],
)
def test_a_mistake_is_one_sentence(study, settings, words):
    problems = mistakes(with_readout(study, **settings), "all_readout")
    assert len(problems) == 1 and problems[0].startswith(words)


def test_sampled_tokens_are_refused(study):
    def sampled(study):
        study["corpora"]["words"]["tokens"]["context"] = 100

    problems = mistakes(changed(plan_of(study), sampled), "all_readout")
    assert len(problems) == 1
    assert problems[0].startswith("corpora.words.tokens.context: analyses.readout needs every")


def over(study, name):
    """The study with a config laid over it, as Snakemake merges them."""
    merged = json.loads(json.dumps(study))
    update_config(merged, yaml.safe_load((ROOT / f"config/over/gender-{name}.yaml").read_text()))
    return merged


def test_words_in_sentences_have_no_padded_rows(study):
    carried = over(study, "carried")
    plan = plan_of(carried)
    assert mistakes(plan) == [] and conventions(plan) == ["mean", "last"]
    assert json.loads(spec(plan, "readout_texts", At("words")))["readout"]["carried"] is True
    carried["analyses"]["readout"]["vectors"] = ["padded"]
    problems = mistakes(plan_of(carried), "all_readout")
    assert len(problems) == 1
    assert problems[0].startswith("analyses.readout.vectors: padded is of words alone")


def test_the_words_of_two_genders_on_a_small_model(study, shared_data, monkeypatch):
    monkeypatch.setenv("SAEGRID_DATA", str(shared_data))
    plan = plan_of(over(study, "stories"))
    assert mistakes(plan) == [] and conventions(plan) == ["mean", "last", "padded"]
    assert [str(site) for site in plan.sites] == ["L0M", "L0N", "L0R", "L2M", "L2N", "L2R"]


def test_an_encoder_has_no_padded_rows(study, tmp_path, shared_data, monkeypatch):
    """Its config is that of the sentence encoder, read without its package."""
    monkeypatch.setenv("SAEGRID_DATA", str(shared_data))
    named = over(study, "minilm")
    named["model"]["path"] = str(save(toy_bert(layers=4), tmp_path))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text((ROOT / "resources/toy/model" / name).read_text())
    assert conventions(plan_of(named)) == ["mean", "last"]
    named["analyses"]["readout"]["vectors"] = ["mean", "padded"]
    problems = mistakes(plan_of(named), "all_readout")
    assert len(problems) == 1
    assert problems[0].startswith("analyses.readout.vectors: padded feeds pads as tokens, which")


def test_the_published_model_and_its_sae_are_read(study, tmp_path, shared_data, monkeypatch):
    """A GPT-Neo and an SAE in SAELens' layout, in the places of those published."""
    save(toy("gpt_neo", vocab=2100), tmp_path / "model")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (ROOT / "resources/toy/model" / name).read_text()
        (tmp_path / "model" / name).write_text(text)
    shapes = {"W_enc": (32, 64), "b_enc": (64,), "W_dec": (64, 32), "b_dec": (32,)}
    tensors = {name: np.ones(shape, np.float32) for name, shape in shapes.items()}
    io.write_tensors(tmp_path / "sae/sae_weights.safetensors", tensors)
    io.write_json(tmp_path / "sae/cfg.json", PUBLISHED | {"d_in": 32, "d_sae": 64})
    places = {"TINYSTORIES": "model", "TINYSTORIES_SAE": "sae"}
    for variable, folder in places.items():
        monkeypatch.setenv(variable, str(tmp_path / folder))
    monkeypatch.setenv("SAEGRID_DATA", str(shared_data))
    named = over(study, "tinystories")
    plan = plan_of(named)
    assert told(named) == [] and mistakes(plan) == []
    assert conventions(plan) == ["mean", "last", "padded"]
    assert [place.cell for place in cells(plan, "L0M")][1] == "L0M-published"


PUBLISHED = {
    "architecture": "standard",
    "activation_fn_str": "relu",
    "activation_fn_kwargs": {},
    "apply_b_dec_to_input": False,
    "finetuning_scaling_factor": False,
    "context_size": 512,
    "model_name": "tiny-stories-1L-21M",
    "hook_name": "blocks.0.hook_mlp_out",
    "hook_layer": 0,
    "hook_head_index": None,
    "prepend_bos": True,
    "dataset_path": "apollo-research/roneneldan-TinyStories-tokenizer-gpt2",
    "dataset_trust_remote_code": True,
    "normalize_activations": "none",
    "dtype": "float32",
    "device": "cuda",
    "sae_lens_training_version": "3.18.2",
    "model_from_pretrained_kwargs": {},
    "seqpos_slice": None,
}
"""The config of an SAE as SAELens 3.18.2 writes it."""


def test_a_published_study_that_is_not_there_is_one_sentence(study):
    problems = mistakes(with_readout(study, published="resources/gender/none.yaml"), "all_readout")
    assert len(problems) == 1
    assert problems[0].startswith("analyses.readout.published: the file resources/gender/none.yaml")
