"""Formats: the gauge of Llama Scope, SAELens' layout, and what is refused."""

import json
import shutil

import numpy as np
import pytest

import foreign
from cases import Cases
from checkpoints import (
    D_MODEL,
    D_SAE,
    llama_scope,
    llama_scope_tensors,
    to_bits,
    write_safetensors,
)
from saegrid.base.errors import CheckpointError
from saegrid.base.registry import pick
from saegrid.base.tensors import widen
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Format, Reading
from saegrid.saes.export import export
from saegrid.saes.formats import FORMATS
from saegrid.saes.formats.llama_scope import names, open_checkpoint, parse_name
from saegrid.saes.formats.sae_lens import config, write_sae_lens
from saegrid.saes.formats.sae_lens import open_checkpoint as open_sae_lens
from saegrid.saes.sae import decode, encode, pre_activations

T = 0.69921875
SCALE = np.sqrt(D_MODEL) / 10.8125
X = np.random.default_rng(5).normal(size=(200, D_MODEL)) * 3


def stored():
    """The tensors as a bfloat16 file gives them back, float64."""
    return {n: widen(to_bits(v)).astype(np.float64) for n, v in llama_scope_tensors().items()}


# --- Llama Scope: known answer D3 -------------------------------------------------------------


def reference(x):
    """pre and x_hat by the reference: fold the scale, fold the norms, gate, all in float64."""
    w = stored()
    w["encoder.bias"] /= SCALE
    w["decoder.bias"] /= SCALE
    n = np.linalg.norm(w["decoder.weight"], axis=0)
    w["decoder.weight"] /= n
    pre = x @ (w["encoder.weight"] * n[:, None]).T + w["encoder.bias"] * n
    z = np.where(pre > T, pre, 0)
    return pre, z, z @ w["decoder.weight"].T + w["decoder.bias"]


def test_the_gauge_of_llama_scope(tmp_path):
    sae = open_checkpoint(llama_scope(tmp_path))
    pre, z, x_hat = reference(X)
    # The norms are kept as float32: 6e-8 relative.
    np.testing.assert_allclose(pre_activations(sae.encoder, X), pre, rtol=1e-6, atol=1e-6)
    found = encode(sae.encoder, X)
    np.testing.assert_array_equal(found > 0, z > 0)
    np.testing.assert_allclose(found, z, rtol=1e-6)
    np.testing.assert_allclose(decode(sae, found), x_hat, atol=1e-5)
    assert sae.encoder.dtype == "bfloat16" and sae.encoder.rows(3, 5).dtype == np.uint16
    assert sae.unit and str(sae.site) == "L15R"


def test_the_normalised_path_gives_the_same(tmp_path):
    """x * s in, gate on n * pre / s > T, decode, divide by s: f_raw = f_norm * n / s."""
    w = stored()
    n = np.linalg.norm(w["decoder.weight"], axis=0)
    pre = (X * SCALE) @ w["encoder.weight"].T + w["encoder.bias"]
    z = np.where(n * pre / SCALE > T, pre, 0)
    x_hat = (z @ w["decoder.weight"].T + w["decoder.bias"]) / SCALE
    _, expected, x_hat_raw = reference(X)
    np.testing.assert_allclose(x_hat, x_hat_raw, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(z * n / SCALE, expected, rtol=1e-11)
    sae = open_checkpoint(llama_scope(tmp_path))
    np.testing.assert_allclose(encode(sae.encoder, X), z * n / SCALE, rtol=1e-6)


def test_wrong_gauges_count_other_features(tmp_path):
    w = stored()
    n = np.linalg.norm(w["decoder.weight"], axis=0)
    raw = X @ w["encoder.weight"].T + w["encoder.bias"] / SCALE
    l0 = {
        "right": (encode(open_checkpoint(llama_scope(tmp_path)).encoder, X) > 0).sum(1).mean(),
        "reference": (n * raw > T).sum(1).mean(),
        "no decoder norm": (raw > T).sum(1).mean(),
        "threshold on normalised pre-activations": (n * raw * SCALE > T).sum(1).mean(),
        "bias not scaled": (n * (X @ w["encoder.weight"].T + w["encoder.bias"]) > T).sum(1).mean(),
    }
    assert l0["right"] == l0["reference"]
    wrong = [value for name, value in l0.items() if name not in ("right", "reference")]
    assert all(abs(value - l0["right"]) > 0.2 for value in wrong), l0


def test_shifting_by_the_threshold_reconstructs_otherwise():
    pre, _, x_hat = reference(X)
    w = stored()
    unit = w["decoder.weight"] / np.linalg.norm(w["decoder.weight"], axis=0)
    shifted = np.maximum(pre - T, 0) @ unit.T + w["decoder.bias"] / SCALE
    assert np.abs(shifted - x_hat).max() > 1


def test_equality_at_the_threshold_gives_zero(tmp_path):
    """Exact numbers: W = e_0, n = 1, no bias, T = 0.5."""
    tensors = {name: np.zeros_like(v) for name, v in llama_scope_tensors().items()}
    tensors["encoder.weight"][:, 0] = 1
    tensors["decoder.weight"][0] = 1
    folder = llama_scope(tmp_path, tensors=tensors, jump_relu_threshold=0.5)
    x = np.zeros((2, D_MODEL))
    x[:, 0] = 0.5, 0.5 + 1e-9
    assert (encode(open_checkpoint(folder).encoder, x) > 0).sum(axis=1).tolist() == [0, D_SAE]


def test_history_in_the_hyperparams_changes_nothing(tmp_path):
    plain = open_checkpoint(llama_scope(tmp_path / "a"))
    other = {"device": "tpu", "top_k": 7, "l1_coefficient": 1, "lp": 2, "init_encoder_norm": None}
    changed = open_checkpoint(llama_scope(tmp_path / "b", **other))
    assert encode(plain.encoder, X).tobytes() == encode(changed.encoder, X).tobytes()


def test_a_key_that_nobody_knows_is_refused_unless_it_is_said_to_decide_nothing(tmp_path):
    folder = llama_scope(tmp_path, top_kk=7)
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    assert str(error.value) == (
        f"{folder / 'hyperparams.json'}: top_kk is not known here and could change every number; "
        "got 7. Did you mean 'top_k'? If it decides nothing, write `ignore: [top_kk]` at this SAE "
        "in the config."
    )
    ignored = open_checkpoint(folder, reading=Reading(ignore=("top_kk",)))
    plain = open_checkpoint(llama_scope(tmp_path / "plain"))
    assert encode(plain.encoder, X).tobytes() == encode(ignored.encoder, X).tobytes()
    with pytest.raises(CheckpointError, match="ignore names 'act_fn', which decides"):
        open_checkpoint(folder, reading=Reading(ignore=("act_fn",)))


def test_every_key_that_llama_scope_ships_is_known(tmp_path):
    """hyperparams.json as the authors' class writes it (llama-scope.md 1.2)."""
    shipped = {"bias_init_method": "all_zero", "init_decoder_norm": 0.5, "init_encoder_norm": None}
    shipped |= {"init_encoder_with_decoder_transpose": True, "l1_coefficient_warmup_steps": 39062}
    shipped |= {"k_warmup_steps": 39062, "use_batch_norm_mse": True, "use_ghost_grads": False}
    shipped |= {"tp_size": 1, "ddp_size": 1, "sae_pretrained_name_or_path": "results/L15R"}
    open_checkpoint(llama_scope(tmp_path, **shipped))


def test_llama_scope_is_not_centred(tmp_path):
    with pytest.raises(CheckpointError, match="centred is true in the config, but Llama Scope"):
        open_checkpoint(llama_scope(tmp_path), reading=Reading(centred=True))


def test_known_norms_spare_the_decoder(tmp_path):
    folder = llama_scope(tmp_path)
    norms = open_checkpoint(folder).decoder.norms.astype(np.float32)
    again = open_checkpoint(folder, norms=norms)
    assert again.encoder.scale.tolist() == open_checkpoint(folder).encoder.scale.tolist()


HYPERPARAMS_REFUSED = {
    "act_fn": ("relu", "act_fn is 'relu'; supported: 'jumprelu'."),
    "norm_activation": (
        "token-wise",
        "norm_activation is 'token-wise'; supported: 'dataset-wise'.",
    ),
    "use_glu_encoder": (True, "use_glu_encoder is True; supported: False."),
    "apply_decoder_bias_to_pre_encoder": (
        True,
        "apply_decoder_bias_to_pre_encoder is True; supported: False.",
    ),
    "sparsity_include_decoder_norm": (
        False,
        "sparsity_include_decoder_norm is False; supported: True.",
    ),
    "hook_point_out": (
        "blocks.15.hook_mlp_out",
        "hook_point_in 'blocks.15.hook_resid_post' and hook_point_out 'blocks.15.hook_mlp_out' "
        "differ: this is a transcoder; supported: SAEs, which read and write at one place.",
    ),
    "d_sae": ("many", "d_sae must be int; got 'many'."),
    "jump_relu_threshold": (None, "jump_relu_threshold must be float or int; got None."),
    "dataset_average_activation_norm": (
        {"in": 0, "out": 1},
        "dataset_average_activation_norm.in must be a positive number; got 0.",
    ),
}


@pytest.mark.parametrize("key", HYPERPARAMS_REFUSED)
def test_llama_scope_refuses_what_it_does_not_understand(tmp_path, key):
    value, message = HYPERPARAMS_REFUSED[key]
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(llama_scope(tmp_path, **{key: value}))
    assert str(error.value) == f"{tmp_path / 'hyperparams.json'}: {message}"


def test_an_unknown_hook_point_and_a_missing_key_are_named(tmp_path):
    hook = "blocks.15.attn.hook_q"
    with pytest.raises(CheckpointError, match=r"hook_point_in is 'blocks\.15\.attn\.hook_q'"):
        open_checkpoint(llama_scope(tmp_path, hook_point_in=hook, hook_point_out=hook))
    facts = json.loads((llama_scope(tmp_path) / "hyperparams.json").read_text())
    facts["act_function"] = facts.pop("act_fn")
    (tmp_path / "hyperparams.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(tmp_path)
    assert str(error.value) == (
        f"{tmp_path / 'hyperparams.json'}: the key 'act_fn' is missing. "
        "Did you mean 'act_function'?"
    )


def test_broken_tensor_files_are_named(tmp_path):
    folder = llama_scope(tmp_path)
    path = folder / "checkpoints" / "final.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    assert str(error.value) == (
        f"{path}: the file is truncated: its header promises {len(whole)} bytes, "
        f"got {len(whole) - 100}. Fetch it again."
    )
    for broken in (b"", whole[:4], b"version https://git-lfs.github.com/spec/v1\n"):
        path.write_bytes(broken)
        with pytest.raises(CheckpointError, match="no safetensors file, or it is truncated"):
            open_checkpoint(folder)
    path.unlink()
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder)
    assert str(error.value) == f"{path}: the file is not there."


def test_wrong_shapes_types_and_names_are_told(tmp_path):
    folder = llama_scope(tmp_path)
    path = folder / "checkpoints" / "final.safetensors"
    bits = {name: to_bits(value) for name, value in llama_scope_tensors().items()}

    def message(tensors):
        write_safetensors(path, tensors)
        with pytest.raises(CheckpointError) as error:
            open_checkpoint(folder)
        return str(error.value)

    assert message(bits | {"decoder.weight": bits["decoder.weight"].T}) == (
        f"{path}: the tensor 'decoder.weight' must have shape {(D_MODEL, D_SAE)}; "
        f"got {(D_SAE, D_MODEL)}."
    )
    single = {n: v.astype(np.float32) for n, v in llama_scope_tensors().items()}
    assert message(single) == (
        f"{path}: the weights are stored as float32, "
        "but dtype in hyperparams.json is 'torch.bfloat16'."
    )
    assert message(llama_scope_tensors()) == (
        f"{path}: the tensor 'encoder.weight' is stored as float64; "
        "weights must be float32, float16, bfloat16."
    )
    whole = {name: np.zeros(value.shape, np.int64) for name, value in bits.items()}
    assert message(whole) == (
        f"{path}: the tensor 'encoder.weight' is stored as int64; "
        "weights must be float32, float16, bfloat16."
    )
    del bits["encoder.weight"]
    assert message(bits) == (
        f"{path}: the tensor 'encoder.weight' is missing; "
        "the file holds decoder.bias, decoder.weight, encoder.bias."
    )


@pytest.mark.parametrize("position", "RAM")
@pytest.mark.parametrize("expansion", [8, 32])
def test_hub_names_round_trip(position, expansion):
    site = Site(7, position)
    repo, folder = names(site, expansion)
    assert repo == f"fnlp/Llama3_1-8B-Base-LX{position}-{expansion}x"
    assert folder == f"Llama3_1-8B-Base-L7{position}-{expansion}x"
    assert parse_name(folder) == (site, expansion)
    assert parse_name(f"l7{position.lower()}_{expansion}x") == (site, expansion)
    assert parse_name(f"{repo}/{folder}") == (site, expansion)


def test_the_layer_is_not_read_from_the_folder(tmp_path):
    folder = llama_scope(tmp_path / "Llama3_1-8B-Base-L3A-8x")
    assert str(open_checkpoint(folder).site) == "L15R"


# --- SAELens ------------------------------------------------------------------------------------


def sae_lens(folder, architecture="topk", norms=None, tensors=None, **more):
    """Write an SAELens checkpoint; tensors float64."""
    rng = np.random.default_rng(2)
    W_dec = rng.normal(size=(D_SAE, D_MODEL))
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    if norms is not None:
        W_dec *= norms[:, None]
    made = {
        "W_enc": rng.normal(size=(D_MODEL, D_SAE)),
        "b_enc": rng.normal(size=D_SAE),
        "W_dec": W_dec,
        "b_dec": rng.normal(size=D_MODEL),
    }
    if architecture == "jumprelu":
        made["threshold"] = rng.uniform(0, 2, D_SAE)
    made = {name: value.astype(np.float32) for name, value in made.items()} | (tensors or {})
    if architecture == "topk":
        more = {"k": 5} | more
    write_sae_lens(folder, config(architecture, Site(3, "M"), D_MODEL, D_SAE, **more), made)
    return folder, {name: value.astype(np.float64) for name, value in made.items()}


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("architecture", ["standard", "jumprelu", "topk"])
def test_sae_lens_round_trip(tmp_path, architecture, centred):
    folder, w = sae_lens(tmp_path, architecture, apply_b_dec_to_input=centred)
    sae = open_sae_lens(folder)
    pre = (X - centred * w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    gates = {"standard": pre > 0, "jumprelu": pre > w.get("threshold", 0)}
    gates["topk"] = (np.argsort(np.argsort(-pre, axis=1), axis=1) < 5) & (pre > 0)
    z = np.where(gates[architecture], pre, 0)
    np.testing.assert_allclose(encode(sae.encoder, X), z, rtol=1e-9)
    np.testing.assert_allclose(decode(sae, z), z @ w["W_dec"] + w["b_dec"], atol=1e-12)
    assert str(sae.site) == "L3M"
    block = sae.encoder.rows(5, 9)
    assert block.tolist() == w["W_enc"].T[5:9].tolist()


def test_rescaling_by_the_decoder_norm(tmp_path):
    """z = topk(pre * |d|), x_hat = sum z d / |d|: not what the same weights do without it."""
    n = np.random.default_rng(0).uniform(0.3, 3, D_SAE)
    folder, w = sae_lens(tmp_path, "topk", norms=n, rescale_acts_by_decoder_norm=True)
    sae = open_sae_lens(folder)
    norms = np.linalg.norm(w["W_dec"], axis=1)
    pre = ((X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * norms
    kept = np.argsort(np.argsort(-pre, axis=1), axis=1) < 5
    z = np.where(kept & (pre > 0), pre, 0)
    np.testing.assert_allclose(encode(sae.encoder, X), z, rtol=1e-6)
    x_hat = (z / norms) @ w["W_dec"] + w["b_dec"]
    np.testing.assert_allclose(decode(sae, z), x_hat, atol=1e-5)
    plain = open_sae_lens(sae_lens(tmp_path / "plain", "topk", norms=n)[0])
    assert ((encode(plain.encoder, X) > 0) != (z > 0)).any()


def test_older_configs_say_the_hook_beside_the_metadata(tmp_path):
    folder, _ = sae_lens(tmp_path, "standard")
    cfg = json.loads((folder / "cfg.json").read_text())
    del cfg["metadata"]
    cfg["hook_name"] = "blocks.8.hook_resid_pre"
    (folder / "cfg.json").write_text(json.dumps(cfg))
    assert str(open_sae_lens(folder).site) == "L7R"


KINDS = (
    "'standard', 'topk', 'jumprelu', 'gated', 'batchtopk', 'matryoshka_batchtopk', 'transcoder', "
    "'skip_transcoder', 'jumprelu_transcoder', 'jumprelu_skip_transcoder'"
)
NORMALISATIONS = (
    "'none', 'expected_average_only_in', 'constant_scalar_rescale', 'layer_norm', "
    "'constant_norm_rescale'"
)
SAE_LENS_REFUSED = [
    *(("architecture", name, f"supported: {KINDS}.") for name in ("temporal", "abstopk")),
    ("reshape_activations", "hook_z", "supported: 'none'."),
    ("normalize_activations", "covariance_whitening", f"supported: {NORMALISATIONS}."),
]


@pytest.mark.parametrize(("key", "value", "end"), SAE_LENS_REFUSED)
def test_sae_lens_refuses_what_it_does_not_understand(tmp_path, key, value, end):
    folder, _ = sae_lens(tmp_path)
    cfg = json.loads((folder / "cfg.json").read_text()) | {key: value}
    (folder / "cfg.json").write_text(json.dumps(cfg))
    with pytest.raises(CheckpointError) as error:
        open_sae_lens(folder)
    assert str(error.value) == f"{folder / 'cfg.json'}: {key} is {value!r}; {end}"


@pytest.mark.parametrize(("k", "message"), [(0, "got 0"), (D_SAE + 1, f"got {D_SAE + 1}")])
def test_k_must_fit(tmp_path, k, message):
    folder, _ = sae_lens(tmp_path, k=k)
    with pytest.raises(CheckpointError, match=message):
        open_sae_lens(folder)


def test_writing_checks_the_shapes(tmp_path):
    cfg = config("standard", Site(0, "R"), 2, 3)
    with pytest.raises(ValueError, match="Tensors of a standard SAE must be"):
        write_sae_lens(tmp_path, cfg, {"W_enc": np.zeros((3, 2))})
    assert not list(tmp_path.iterdir())


def test_the_export_of_llama_scope_is_folded(tmp_path):
    """SAELens' formula gives the reference's codes, whether it folds norms again or not."""
    sae = open_checkpoint(llama_scope(tmp_path / "from"))
    export(sae, tmp_path / "to")
    cfg = json.loads((tmp_path / "to" / "cfg.json").read_text())
    assert cfg["normalize_activations"] == "none" and cfg["apply_b_dec_to_input"] is False
    assert cfg["metadata"]["hook_name"] == "blocks.15.hook_resid_post"
    again = open_sae_lens(tmp_path / "to")
    assert set(again.encoder.threshold.tolist()) == {T}
    np.testing.assert_allclose(again.decoder.norms, 1, rtol=1e-6)
    _, z, x_hat = reference(X)
    found = encode(again.encoder, X)
    np.testing.assert_array_equal(found > 0, z > 0)
    np.testing.assert_allclose(found, z, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(decode(again, found), x_hat, atol=1e-4)


# --- all formats --------------------------------------------------------------------------------


MAKERS = Cases(
    "SAE format",
    "tests/saes/test_formats.py",
    {
        "llama_scope": llama_scope,
        "sae_lens": lambda folder: sae_lens(folder)[0],
        **foreign.MAKERS,
    },
)
"""A function of each format that writes a checkpoint to a folder."""


def test_every_format_has_its_maker():
    MAKERS.check(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_opens_and_reads_blocks(tmp_path, name):
    form = pick(FORMATS, name, "format")
    assert isinstance(form, Format)
    folder = MAKERS[name](tmp_path / name)
    assert all((folder / file).is_file() for file in form.files)
    sae = form.open(folder)
    encoder = sae.encoder
    whole = encoder.rows(0, encoder.d_sae)
    parts = [encoder.rows(a, a + 7) for a in range(0, encoder.d_sae, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert whole.shape == (encoder.d_sae, encoder.d_model)
    assert encoder.scale.dtype == encoder.bias.dtype == np.float64
    assert (encoder.threshold is None) != (encoder.k is None)
    directions = sae.decoder_rows([3, 1, 3])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-6)
    assert directions[0].tolist() == directions[2].tolist()
    shutil.rmtree(folder)
    with pytest.raises(CheckpointError, match="the file is not there"):
        form.open(folder)


def test_published_weights_of_a_topk_sae(tmp_path, shared_data):
    """prestoj/tinystories_sae: z = topk((x - pre_bias) @ W + b), k 4, in our layout."""
    from saegrid.base.io import read_tensors

    given = read_tensors(shared_data / "sae-weights" / "sae_128_4.safetensors")
    tensors = {
        "W_enc": given["encoder_weights"],
        "b_enc": given["encoder_bias"],
        "W_dec": given["decoder_weights"],
        "b_dec": given["pre_bias"],
    }
    write_sae_lens(tmp_path, config("topk", Site(5, "R"), 64, 128, k=4), tensors)
    sae = open_sae_lens(tmp_path)
    x = np.random.default_rng(0).normal(size=(30, 64))
    w = {name: value.astype(np.float64) for name, value in given.items()}
    pre = (x - w["pre_bias"]) @ w["encoder_weights"] + w["encoder_bias"]
    kept = np.argsort(np.argsort(-pre, axis=1), axis=1) < 4
    z = np.where(kept & (pre > 0), pre, 0)
    np.testing.assert_allclose(encode(sae.encoder, x), z, rtol=1e-9)
    np.testing.assert_allclose(decode(sae, z), z @ w["decoder_weights"] + w["pre_bias"], atol=1e-12)
