"""Every kind of model: sites against plain hooks, logits, and block by block against whole."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
import transformers
from pydantic import ValidationError
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from safetensors.torch import save_file as save_torch

from plain import network, plain_sites
from saegrid.base.errors import CheckpointError
from saegrid.base.words import POSITIONS, Site
from saegrid.capture.layers import capture_layers
from saegrid.capture.whole import capture_sites
from saegrid.config.models import Model
from saegrid.features.logits import model_logit_effects
from saegrid.models import FAMILIES, family_of, read_config, sizes_of, unembedding_names
from saegrid.models.check import check, logits_of
from saegrid.models.forward import CaptureError, capture, plan_of
from saegrid.models.hooks import editing, reading
from saegrid.models.load import ModelError, device_of, load
from saegrid.models.tiles import rows_of
from toys import TOYS, random_rows, save, tokens_table, toy

KINDS = sorted(FAMILIES)
LENGTHS = [3, 17, 8, 24, 1, 17]
IDS = torch.tensor([[1, 5, 9, 13, 17], [1, 20, 30, 40, 50]])
SIZES = {"d": 32, "layers": 2}


def every_site(model):
    layers = range(model.sizes.n_layers)
    return [Site(layer, p) for layer in layers for p in model.positions]


def some_rows():
    rows = rows_of(tokens_table(random_rows(LENGTHS))[0])
    return rows, np.setdiff1d(np.arange(len(rows.ids)), rows.starts)[::2]


def by_row(model, kind, rows, places=None):
    parts = [
        plain_sites(model, kind, rows.ids[start:stop], places)
        for start, stop in pairwise(rows.starts)
    ]
    return {site: torch.cat([part[site] for part in parts]) for site in parts[0]}


def quiet(line):
    pass


VARIANTS = {
    "opt behind": ("opt", {"do_layer_norm_before": False, "word_embed_proj_dim": 16}),
    "opt narrow": ("opt", {"word_embed_proj_dim": 16}),
    "opt plain": ("opt", {"layer_norm_elementwise_affine": False}),
    "gpt_neox in turn": ("gpt_neox", {"use_parallel_residual": False}),
    "stablelm parallel": ("stablelm", {"use_parallel_residual": True}),
    "gemma3 bounded": ("gemma3_text", {"attn_logit_softcapping": 2.0}),
    "gpt2 wide": ("gpt2", {"n_inner": None}),
    "gpt_neo wide": ("gpt_neo", {"intermediate_size": None}),
    "llama tied": ("llama", {"tie_word_embeddings": True}),
    "qwen3_moe with a dense block": ("qwen3_moe", {"mlp_only_layers": [0]}),
}
"""Settings of config.json that make other models of a kind."""
CASES = {**{kind: (kind, {}) for kind in KINDS}, **VARIANTS}


@pytest.mark.parametrize("name", CASES)
def test_a_kind_of_model(name, tmp_path):
    """A saved checkpoint is checked as it is loaded, read at all of its sites as plain hooks on
    single rows read it, and gives the same bytes block by block."""
    kind, more = CASES[name]
    made = TOYS[kind](**SIZES, **more)
    settings = {"path": str(save(made, tmp_path / "model"))}
    model = load(settings)
    assert torch.equal(model.output(IDS), made.output(IDS))
    assert model.sizes == sizes_of(read_config(settings["path"]))
    check(model)

    rows, wanted = some_rows()
    sites = every_site(model)
    found = capture(model, rows, wanted, sites)
    expected = by_row(network(tmp_path / "model", kind), kind, rows)
    assert {(site.layer, site.position) for site in sites} == set(expected)
    for site in sites:
        assert found[site].shape == (len(wanted), model.sizes.width(site.position))
        torch.testing.assert_close(found[site], expected[site][wanted], rtol=1e-5, atol=1e-5)

    capture_sites(model, rows, wanted, sites, tmp_path / "whole", "spec", quiet)
    capture_layers(settings, rows, wanted, sites, tmp_path / "layers", "spec", quiet)
    for site in sites:
        name = f"{site}.safetensors"
        whole, layers = ((tmp_path / way / name).read_bytes() for way in ("whole", "layers"))
        assert whole == layers, site


# --- logits --------------------------------------------------------------------------------------


def own_logits(model, x):
    """The model's own logits (d_vocab,) float64 where the last residual stream is x (d_model,)."""
    last = Site(model.sizes.n_layers - 1, "R")
    with editing(model, {last: lambda stream: x.to(stream.dtype).expand_as(stream).clone()}):
        return model.output(IDS)[0, 0].double()


@pytest.mark.parametrize("name", CASES)
def test_logits(name, tmp_path):
    """The last R gives the model's logits by the family's numbers, and a direction the effects that
    it has on them: what a stream along it gives, less what none gives."""
    kind, more = CASES[name]
    model = TOYS[kind](**SIZES, **more)
    folder, every = save(model, tmp_path), torch.arange(64)
    last = Site(1, "R")
    x = {}
    with reading(model, {last: lambda v: x.__setitem__(last, v)}):
        own = model.output(IDS)
    computed = logits_of(model, x[last], every)
    direction = torch.randn(32, generator=torch.Generator().manual_seed(3))
    table = model_logit_effects(direction.numpy()[None], [0], folder, list(map(str, every)), n=64)
    if computed is None:
        assert not model.family.causal
        assert table.num_rows == 0
        return
    torch.testing.assert_close(computed, own.double(), rtol=1e-4, atol=1e-4)
    top = [logits.topk(20).indices.tolist() for logits in (computed[0, -1], own[0, -1])]
    assert top[0] == top[1]

    along, without = (own_logits(model, factor * direction) for factor in (1e4, 0.0))
    softcap = model.unembedding.softcap
    if softcap:
        along = softcap * torch.atanh(along / softcap)
    effect = torch.empty(64, dtype=torch.float64)
    upper = table.slice(0, 64)
    effect[upper["token_id"].to_pylist()] = torch.tensor(upper["effect"].to_pylist()).double()
    centred = direction - direction.mean() if model.unembedding.kind == "layer" else direction
    size = centred.pow(2).mean().sqrt() if model.unembedding.kind != "none" else 1e-4
    torch.testing.assert_close(effect, (along - without) * size, rtol=1e-3, atol=1e-3)


def test_effects_of_what_is_multiplied_before_it_is_added(tmp_path):
    """Granite: A and M count half in its stream, and so do their effects."""
    folder = save(TOYS["granite"](), tmp_path)
    direction, names = np.ones((1, 32), np.float32), list(map(str, range(64)))
    effects = {
        position: model_logit_effects(direction, [0], folder, names, position=position)
        for position in "AMRBH"
    }
    for position, factor in {"A": 0.5, "M": 0.5, "B": 1, "H": 1}.items():
        np.testing.assert_allclose(
            effects[position]["effect"], factor * effects["R"]["effect"].to_numpy(), rtol=1e-6
        )


@pytest.mark.parametrize(
    ("kind", "family"), [("gemma", "llama"), ("cohere", "llama"), ("granite", "llama")]
)
def test_a_wrong_family_is_refused_by_its_logits(kind, family, tmp_path):
    folder = save(TOYS[kind](), tmp_path)
    model = load({"path": str(folder), "family": family})
    with pytest.raises(ModelError) as error:
        check(model)
    assert str(error.value).startswith(
        f"{folder}: L1R must give the model's own logits through the final norm and the "
        "unembedding of its family; they are off by"
    )
    assert str(error.value).endswith("set model.family, or mend the family's file.")


# --- the library's defaults ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_the_librarys(kind):
    """Sizes that config.json may leave out, and whether head and embedding are one."""
    config = transformers.AutoConfig.for_model(kind).get_text_config()
    family = family_of(config.to_dict(), kind)
    for key, value in family.keys.defaults.items():
        assert getattr(config, key) == value, key
    if family.last is not None:
        assert family.last.tied == config.tie_word_embeddings
    assert family.sizes(config.to_dict()).n_layers == config.num_hidden_layers


# --- edits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_an_edit_stands_in_the_sites_place(name):
    """The stream of another run, put in its place, gives the rest of that run; activations put in
    their own place change nothing."""
    kind, more = CASES[name]
    model = TOYS[kind](**SIZES, **more)
    others, plain = IDS.flip(1), model.output(IDS)
    expected = model.output(others)
    for position in model.positions:
        site, x = Site(1, position), {}
        with editing(model, {site: lambda v: v.clone()}):
            assert torch.equal(model.output(IDS), plain), site
        with reading(model, {site: lambda v, x=x: x.setdefault(0, v.clone())}):
            model.output(others)
        with editing(model, {site: lambda v, x=x: x[0]}):
            edited = model.output(IDS)
        if position in "BHR":
            assert torch.equal(edited, expected), site
        else:
            assert not torch.equal(edited, plain), site


def test_an_edit_of_the_mlps_input_leaves_the_stream():
    """I and H of OLMo 2 are the same numbers; an edit of I leaves H as it is, one of H does not."""
    model, x = TOYS["olmo2"](), {}
    h, i, m, r = (Site(0, position) for position in "HIMR")
    keep = {site: (lambda v, site=site: x.__setitem__(site, v.clone())) for site in (h, m, r)}
    norm = model.part(0, "post_feedforward_layernorm")
    with reading(model, keep), editing(model, {i: torch.zeros_like}):
        model.output(IDS)
    assert torch.equal(x[m], norm(torch.zeros_like(x[m])))
    assert torch.equal(x[r], x[h] + x[m])
    assert x[h].abs().min() > 0
    with editing(model, {h: torch.zeros_like}), reading(model, keep):
        model.output(IDS)
    assert not x[h].any()
    assert torch.equal(x[r], x[m])


# --- what is told --------------------------------------------------------------------------------


def test_positions_that_a_model_lacks():
    for kind, site, reason in [
        ("cohere", Site(0, "H"), "attention and MLP of a block read the same stream"),
        ("mixtral", Site(1, "N"), "each token has hidden neurons of other experts"),
    ]:
        with pytest.raises(ModelError) as error:
            capture(TOYS[kind](), *some_rows(), [site])
        assert str(error.value).startswith(
            f"toy {kind} has no site {site}: in a {kind} model {reason}"
        )


def test_rows_of_a_mixture_run_alone():
    """A token's experts are shared with the tokens beside, so that rows are run one by one."""
    rows, wanted = some_rows()
    model = TOYS["mixtral"]()
    for shape, numbers in plan_of(model, rows, wanted):
        (number,) = numbers
        assert shape == (1, LENGTHS[number])


@pytest.mark.parametrize("kind", ["gemma2", "gpt_neo", "gptj", "mixtral", "opt", "roberta"])
def test_bytes_of_a_row_follow_from_the_row(kind, tmp_path):
    """In bfloat16 too, alone, in company, and block by block."""
    folder = save(TOYS[kind](dtype=torch.bfloat16), tmp_path / "model")
    settings = {"path": str(folder), "dtype": "bfloat16"}
    model, (rows, _) = load(settings), some_rows()
    every, sites = np.arange(len(rows.ids)), every_site(model)
    together = capture(model, rows, every, sites)
    for number in (1, 4):
        tokens = np.arange(*rows.starts[number : number + 2])
        alone = capture(model, rows, tokens, sites)
        for site in sites:
            assert torch.equal(alone[site], together[site][tokens]), site
    capture_layers(settings, rows, every, sites, tmp_path / "x", "", quiet)
    for site in sites:
        stored = load_torch(tmp_path / f"x/{site}.safetensors")["x"]
        assert torch.equal(stored, together[site]), site


@pytest.mark.parametrize("kind", ["gptj", "llama", "gemma3_text"])
def test_an_untrained_model_keeps_its_tables(kind, tmp_path):
    """Tables of positions and scales are no weights: they equal those of a checkpoint's model."""
    settings = {"path": str(save(TOYS[kind](), tmp_path)), "dtype": "bfloat16"}
    read, drawn = (
        dict(load({**settings, "weights": weights}).model.named_buffers())
        for weights in ("pretrained", "random")
    )
    assert read.keys() == drawn.keys() != set()
    for name, table in read.items():
        torch.testing.assert_close(drawn[name].float(), table.float(), rtol=4e-3, atol=4e-3)
        assert "inv_freq" not in name or drawn[name].dtype == torch.float32


def test_positions_of_roberta(tmp_path):
    """Its table holds two rows more than a text may have; the token of padding has a position of
    its own, wherever it stands."""
    folder = save(TOYS["roberta"](context=20), tmp_path / "model")
    settings, store = {"path": str(folder)}, tmp_path / "x"
    assert load(settings).sizes.context == 18
    ids = random_rows([18, 9])
    ids[1][4] = 1
    rows, sites = rows_of(tokens_table(ids)[0]), [Site(0, "B"), Site(1, "R")]
    wanted = np.arange(len(rows.ids))
    found = capture(load(settings), rows, wanted, sites)
    expected = by_row(network(folder, "roberta"), "roberta", rows)
    capture_layers(settings, rows, wanted, sites, store, "", quiet)
    for site in sites:
        torch.testing.assert_close(found[site], expected[site], rtol=1e-5, atol=1e-5)
        assert np.array_equal(load_file(store / f"{site}.safetensors")["x"], found[site].numpy())
    longer = rows_of(tokens_table(random_rows([19]))[0])
    with pytest.raises(CaptureError, match="takes at most 18"):
        capture(load(settings), longer, np.arange(19), sites)


# --- checkpoints of more than a language model ---------------------------------------------------


@pytest.mark.parametrize("spelled", ["language_model.model.", "model.language_model."])
def test_the_language_model_of_a_gemma_3_that_reads_images(spelled, tmp_path):
    """Its text gives what the whole model gives for it; the sizes are those of `text_config`."""
    text = {**TOYS["gemma3_text"]().model.config.to_dict(), "model_type": "gemma3_text"}
    seen = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "patch_size": 4}
    config = transformers.Gemma3Config(
        text_config=text,
        vision_config={**seen, "num_attention_heads": 2, "image_size": 8},
        image_token_index=63,
        mm_tokens_per_image=4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network_ = transformers.Gemma3ForConditionalGeneration(config).eval()
    folder, store = tmp_path / "model", tmp_path / "x"
    network_.save_pretrained(folder)
    tensors = {
        name.replace("language_model.model.", spelled): tensor
        for name, tensor in load_torch(folder / "model.safetensors").items()
    }
    save_torch(tensors, folder / "model.safetensors", {"format": "pt"})
    settings = {"path": str(folder)}
    model = load(settings)
    check(model)
    assert torch.equal(model.output(IDS), network_(input_ids=IDS).logits)
    assert model.sizes == sizes_of(read_config(folder)) == (2, 32, 96, 64, 64, 24)
    assert (
        unembedding_names(read_config(folder), set(tensors)).norm_weight == f"{spelled}norm.weight"
    )
    rows, wanted = some_rows()
    capture_layers(settings, rows, wanted, [Site(1, "R")], store, "", quiet)
    found = capture(model, rows, wanted, [Site(1, "R")])[Site(1, "R")].numpy()
    assert np.array_equal(load_file(store / "L1R.safetensors")["x"], found)


# --- architectures without a row -----------------------------------------------------------------

BY_ITSELF = ("starcoder2", "persimmon", "arcee")


@pytest.mark.parametrize("kind", BY_ITSELF)
def test_an_architecture_without_a_row_is_worked_out(kind, tmp_path, capsys):
    made = toy(kind, **SIZES, num_key_value_heads=2)
    folder = save(made, tmp_path / "model")
    settings = {"path": str(folder)}
    model = load(settings)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(
        f"family: worked out from the structure of a {kind} model: blocks layers"
    )
    check(model)
    assert model.positions == [position for position in POSITIONS if position != "H"]
    assert sizes_of(read_config(folder)) == model.sizes == (2, 32, 96, 64, 64, 32)
    rows, wanted = some_rows()
    sites = every_site(model)
    found = capture(model, rows, wanted, sites)
    places = {"A": model.family.attention, "M": model.family.mlp, "N": model.family.mlp}
    places = {"Z": places["A"], "I": "mlp", "blocks": "model.layers", **places}
    expected = by_row(network(folder, kind), kind, rows, places)
    for site in sites:
        torch.testing.assert_close(
            found[site], expected[site.layer, site.position][wanted], rtol=1e-5, atol=1e-5
        )
    assert unembedding_names(read_config(folder)) is None
    with pytest.raises(ModelError, match="cannot be run block by block"):
        capture_layers(settings, rows, wanted, sites, tmp_path / "x", "", quiet)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("exaone4", "L0R must be the residual stream before it"),
        ("vaultgemma", "L1R must give the model's own logits"),
    ],
)
def test_a_structure_that_misleads_is_refused(kind, sentence, tmp_path):
    model = load({"path": str(save(toy(kind, **SIZES, num_key_value_heads=2), tmp_path))})
    with pytest.raises(ModelError, match=sentence) as error:
        check(model)
    assert str(error.value).endswith(
        f"The architecture {kind} has no row in the table of families, and what its structure "
        "suggests is wrong: write a row for it."
    )


def test_what_no_library_knows_has_no_structure():
    facts = toy("arcee").model.config.to_dict()
    assert family_of(facts).outlined
    for changed in ({"model_type": "arkee"}, {"num_attention_heads": None}):
        with pytest.raises(ValueError, match="is unknown"):
            family_of(facts | changed)


def test_later_tokens_must_not_count(tmp_path):
    """Gemma's that attend both ways are refused by their key, and a model that does by its
    behaviour."""
    folder = save(TOYS["gemma3_text"](), tmp_path)
    facts = read_config(folder) | {"use_bidirectional_attention": True}
    (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=r"behind them too \(use_bidirectional_attention\)"):
        load({"path": str(folder)})
    model = TOYS["llama"]()
    for block in model.blocks:
        block.self_attn.is_causal = False
    with pytest.raises(ModelError, match="a token must attend to itself and the tokens before"):
        check(model)


# --- devices -------------------------------------------------------------------------------------


def test_devices_that_are_not_there():
    assert device_of("cpu") == torch.device("cpu")
    for name in ("cuda:x", "cuda:", "mps:0", "cpu:1", "tpu", "cuda:-1"):
        with pytest.raises(ModelError) as error:
            device_of(name)
        assert str(error.value) == (
            f"model.device: {name!r} is unknown. Take one of cpu, cuda, mps, auto, or one GPU of "
            "several as cuda:1."
        )


def test_a_gpu_of_several(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert device_of("cuda:1") == torch.device("cuda", 1)
    with pytest.raises(ModelError) as error:
        device_of("cuda:2")
    assert str(error.value) == (
        "model.device: cuda:2 was asked for, but torch finds 2 GPUs here, which are counted from 0."
    )
    monkeypatch.setattr(torch.mps, "device_count", lambda: 0)
    with pytest.raises(ModelError, match=r"^model\.device: mps was asked for, but torch finds no"):
        device_of("mps")


@pytest.mark.parametrize(("device", "right"), [("cuda:1", True), ("mps", True), ("cuda:x", False)])
def test_devices_in_a_config(device, right):
    if right:
        assert Model(path="x", device=device).device == device
    else:
        with pytest.raises(ValidationError):
            Model(path="x", device=device)
