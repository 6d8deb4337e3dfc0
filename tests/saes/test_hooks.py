"""Names of places in configs of checkpoints: the site that they mean, or none."""

import pytest

from saegrid.base.words import POSITIONS, Site
from saegrid.saes.hooks import SUFFIXES, before_gain, hook_of, site_of


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("layer", [0, 15])
def test_hook_names_of_all_positions_round_trip(layer, position):
    assert set(SUFFIXES) == set(POSITIONS)
    site = Site(layer, position)
    assert site_of(hook_of(site)).is_same(site)


HOOKS = {
    "blocks.8.hook_resid_post": "L8R",
    "blocks.8.hook_resid_pre": "L7R",
    "blocks.0.hook_resid_pre": "L0B",
    "blocks.8.hook_resid_mid": "L8H",
    "blocks.8.hook_mlp_in": "L8H",
    "blocks.8.hook_attn_out": "L8A",
    "blocks.8.hook_mlp_out": "L8M",
    "blocks.8.attn.hook_z": "L8Z",
    "blocks.8.mlp.hook_post": "L8N",
    "blocks.8.mlp.hook_in": "L8I",
    "blocks.8.hook_in": "L7R",
    "blocks.8.hook_out": "L8R",
    "blocks.8.attn.o.hook_in": "L8Z",
}


@pytest.mark.parametrize("name", HOOKS)
def test_hook_points(name):
    assert str(site_of(name)) == HOOKS[name]


@pytest.mark.parametrize(
    "name",
    [
        "blocks.8.attn.hook_q",
        "blocks.8.attn.hook_pattern",
        "blocks.8.mlp.hook_pre",
        "blocks.8.ln1.hook_normalized",
        "blocks.8.hook_attn_in",
        "blocks.x.hook_resid_post",
        "ln_final.hook_normalized",
        "hook_pos_embed",
        "model.visual.layers.3",
        "model.layers.8.self_attn.q_proj",
        "model.layers.8.self_attn.input",
        "model.embed_tokens",
        "resid_post_layer_7",
        "",
    ],
)
def test_other_places_are_no_sites(name):
    assert site_of(name, "meta-llama/Llama-3.1-8B") is None


MODULES = {
    "model.layers.3": "L3R",
    "layers.3": "L3R",
    "transformer.h.3": "L3R",
    "gpt_neox.layers.3": "L3R",
    "model.decoder.layers.3": "L3R",
    "model.language_model.layers.3": "L3R",
    "bert.encoder.layer.3": "L3R",
    "model.layers.3.output": "L3R",
    "model.layers.3.input": "L2R",
    "model.layers.0.input": "L0B",
    "model.layers.3.self_attn.o_proj.input": "L3Z",
    "transformer.h.3.attn.c_proj.input": "L3Z",
    "gpt_neox.layers.3.attention.dense.input": "L3Z",
    "model.layers.3.mlp.down_proj.input": "L3N",
    "transformer.h.3.mlp.c_proj.input": "L3N",
    "model.layers.3.mlp.input": "L3I",
    "transformer.h.3.ln_2": "L3I",
    "model.layers.3.pre_feedforward_layernorm.output": "L3I",
}
"""Names that mean the same in every model."""


@pytest.mark.parametrize("model", ["", "my/model", "google/gemma-2-2b", "gpt2", "Qwen/Qwen3-8B"])
@pytest.mark.parametrize("name", MODULES)
def test_modules_that_mean_the_same_everywhere(name, model):
    assert str(site_of(name, model)) == MODULES[name]


@pytest.mark.parametrize(
    ("model", "attention", "mlp"),
    [
        ("meta-llama/Llama-3.1-8B", "L3A", "L3M"),
        ("gpt2-small", "L3A", "L3M"),
        ("google/gemma-2b", "L3A", "L3M"),
        # What is added to the stream is what the norm behind gives, not the module's own output.
        ("google/gemma-2-2b", "None", "None"),
        ("google/gemma-3-1b-pt", "None", "None"),
        ("allenai/OLMo-2-1124-7B", "None", "None"),
        ("", "None", "None"),
        ("my/model", "None", "None"),
    ],
)
def test_outputs_where_a_norm_may_follow(model, attention, mlp):
    for name in ("model.layers.3.self_attn", "model.layers.3.self_attn.o_proj"):
        assert str(site_of(name, model)) == attention
    for name in ("model.layers.3.mlp", "model.layers.3.mlp.down_proj.output"):
        assert str(site_of(name, model)) == mlp


@pytest.mark.parametrize(
    ("model", "attention", "mlp"),
    [
        ("google/gemma-2-9b-it", "L3A", "L3M"),
        ("google/gemma-3-4b-pt", "L3A", "L3M"),
        ("allenai/OLMo-2-0425-1B", "L3A", "L3M"),
        # There the norm of that name stands before the MLP.
        ("meta-llama/Llama-3.1-8B", "L3I", "None"),
        ("google/gemma-2b", "L3I", "None"),
        ("EleutherAI/pythia-70m-deduped", "L3I", "None"),
        ("my/model", "None", "None"),
    ],
)
def test_norms_that_stand_before_or_behind(model, attention, mlp):
    assert str(site_of("model.layers.3.post_attention_layernorm", model)) == attention
    assert str(site_of("model.layers.3.post_feedforward_layernorm.output", model)) == mlp


def test_an_rmsnorm_gives_its_hook_point_what_lacks_its_scale():
    """TransformerLens: hook_normalized(x / rms) * w, but hook_normalized(x / s * w + b)."""
    name = "blocks.3.ln2.hook_normalized"
    assert site_of(name, "google/gemma-2-2b") is site_of(name, "meta-llama/Llama-3.1-8B") is None
    assert site_of(name, "my/model") is None
    assert str(site_of(name, "gpt2")) == "L3I"
    assert str(before_gain(name, "google/gemma-2-2b")) == "L3H"
    assert before_gain(name, "meta-llama/Llama-3.1-8B") is before_gain(name, "gpt2") is None
    assert before_gain("blocks.3.mlp.hook_in", "google/gemma-2-2b") is None
    assert hook_of(Site(3, "H"), normalised=True) == name


def test_token_embeddings_are_the_stream_where_nothing_is_added_to_them():
    assert str(site_of("hook_embed", "google/gemma-2-2b")) == "L0B"
    assert site_of("hook_embed", "gpt2") is site_of("hook_embed") is None
