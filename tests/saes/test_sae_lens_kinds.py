"""The kinds of SAEs in SAELens' layout: each against its formula, written out in numpy."""

import json

import numpy as np
import pytest

from saegrid.base.errors import CheckpointError
from saegrid.base.io import read_json, read_tensors, write_tensors
from saegrid.base.words import Site
from saegrid.saes.cfg import SCALER
from saegrid.saes.checkpoint import READ, Reading
from saegrid.saes.formats.sae_lens import open_checkpoint
from saegrid.saes.reference import NORMS, REFERENCE, import_sae, look, open_sae
from saegrid.saes.sae import as_written, decode, encode

D_IN, D_SAE, D_OUT = 12, 40, 9
X = np.random.default_rng(5).normal(size=(150, D_IN)) * 2 + 0.6
HOOK = {"hook_name": "blocks.7.hook_resid_post", "model_name": "gpt2-small"}
MLP = {"hook_name": "blocks.7.ln2.hook_normalized", "hook_name_out": "blocks.7.hook_mlp_out"}


def written(folder, architecture="standard", d_out=D_IN, more=(), metadata=HOOK, **cfg):
    """A checkpoint of version 6 with tensors at random; the tensors as float64."""
    rng = np.random.default_rng(2)
    w = {
        "W_enc": rng.normal(size=(D_IN, D_SAE)),
        "b_enc": rng.normal(size=D_SAE),
        "W_dec": rng.normal(size=(D_SAE, d_out)) * rng.uniform(0.3, 2, (D_SAE, 1)),
        "b_dec": rng.normal(size=d_out),
    }
    shapes = {"W_skip": (d_out, D_IN), "b_dec_out": d_out}
    w |= {name: rng.normal(size=shapes.get(name, D_SAE)) * 0.8 for name in more}
    if architecture == "gated":
        del w["b_enc"]
    w = {name: value.astype(np.float32) for name, value in w.items()}
    write_tensors(folder / "sae_weights.safetensors", w)
    base = {"architecture": architecture, "d_in": D_IN, "d_sae": D_SAE, "dtype": "float32"}
    base |= {"device": "cpu", "apply_b_dec_to_input": True, "normalize_activations": "none"}
    base |= {"reshape_activations": "none"} | ({"d_out": d_out} if d_out != D_IN else {})
    facts = {"sae_lens_version": "6.54.12", "model_from_pretrained_kwargs": {}} | metadata
    (folder / "cfg.json").write_text(json.dumps(base | cfg | {"metadata": facts}))
    return {name: value.astype(np.float64) for name, value in w.items()}


def same(sae, z, x_hat, exact=1e-9, x=X):
    """Assert that an SAE has these codes of the tokens, and this reconstruction."""
    found = encode(sae.encoder, x)
    assert 0 < (z > 0).mean() < 0.9
    np.testing.assert_array_equal(found > 0, z > 0)
    np.testing.assert_allclose(found, z, rtol=exact, atol=exact)
    np.testing.assert_allclose(
        as_written(sae, x, decode(sae, found)), x_hat, rtol=exact, atol=exact
    )


def refusal(folder, reading=READ):
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder, reading=reading)
    text = str(error.value)
    assert "\n" not in text and text.startswith(str(folder))
    return text.removeprefix(f"{folder}/")


# --- gates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("b_dec", [True, False])
def test_gated(tmp_path, b_dec):
    """z = (W.x + b_gate > 0) * relu(e^r (W.x) + b_mag)."""
    w = written(tmp_path, "gated", more=("b_gate", "b_mag", "r_mag"), apply_b_dec_to_input=b_dec)
    u = (X - b_dec * w["b_dec"]) @ w["W_enc"]
    z = (u + w["b_gate"] > 0) * np.maximum(np.exp(w["r_mag"]) * u + w["b_mag"], 0)
    opened = open_checkpoint(tmp_path)
    same(opened, z, z @ w["W_dec"] + w["b_dec"])
    only = (u + w["b_gate"] > 0).sum(), (np.exp(w["r_mag"]) * u + w["b_mag"] > 0).sum()
    assert (z > 0).sum() < min(only)
    assert "gate and magnitude in one threshold" in opened.facts["folded"]


def test_gated_where_either_gate_decides(tmp_path):
    """W = e_0, r = log 2. Feature 0: b_gate -3, b_mag 1; feature 1: b_gate 3, b_mag -2."""
    w = {"W_enc": np.zeros((2, 2)), "W_dec": np.eye(2), "b_dec": np.zeros(2)}
    w["W_enc"][0] = 1
    w |= {"b_gate": [-3.0, 3.0], "b_mag": [1.0, -2.0], "r_mag": np.log([2.0, 2.0])}
    written(tmp_path, "gated", d_in=2, d_sae=2)
    tensors = {name: np.asarray(value, np.float32) for name, value in w.items()}
    write_tensors(tmp_path / "sae_weights.safetensors", tensors)
    x = np.array([[-2.0, 0], [0.5, 0], [2.0, 0], [4.0, 0]])
    z = encode(open_checkpoint(tmp_path).encoder, x)
    np.testing.assert_allclose(z, [[0, 0], [0, 0], [0, 2], [9, 6]], atol=1e-6)


@pytest.mark.parametrize("architecture", ["batchtopk", "matryoshka_batchtopk"])
@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("s", [1.0, 0.37])
def test_trainings_by_batches_gate_by_their_threshold(tmp_path, architecture, rescaled, s):
    """h > t, of rescaled ones h |d| > t; of a scaled one h is of s x, and all divided by s."""
    normalised = {} if s == 1 else {"normalize_activations": "expected_average_only_in"}
    w = written(tmp_path, architecture, rescale_acts_by_decoder_norm=rescaled, k=4.0, **normalised)
    tensors = {name: value.astype(np.float32) for name, value in w.items()}
    tensors["topk_threshold"] = np.array(1.5)
    write_tensors(tmp_path / "sae_weights.safetensors", tensors)
    (tmp_path / SCALER).write_text(json.dumps({"scaling_factor": s, "has_whitening": False}))
    norms = np.linalg.norm(w["W_dec"], axis=1) if rescaled else 1
    h = ((s * X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]) * norms
    z = np.where(h > 1.5, h, 0)
    x_hat = ((z / norms) @ w["W_dec"] + w["b_dec"]) / s
    same(open_checkpoint(tmp_path), z / s if rescaled else z, x_hat, exact=1e-6)


def test_a_training_by_batches_without_its_threshold(tmp_path):
    written(tmp_path, "batchtopk", k=4.0)
    assert "the tensor 'topk_threshold' is missing; the file holds W_dec" in refusal(tmp_path)
    written(tmp_path, "batchtopk", k=4.0, more=("topk_threshold",))
    assert "'topk_threshold' must be one number; got (40,) float32." in refusal(tmp_path)


def test_a_threshold_as_its_logarithm(tmp_path):
    w = written(tmp_path, "jumprelu", more=("log_threshold",))
    h = (X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    z = np.where(h > np.exp(w["log_threshold"]), h, 0)
    same(open_checkpoint(tmp_path), z, z @ w["W_dec"] + w["b_dec"])
    written(tmp_path, "jumprelu", more=("log_threshold", "threshold"))
    assert "'threshold' and 'log_threshold' both say the threshold" in refusal(tmp_path)


def test_a_negative_threshold_is_a_relu(tmp_path):
    w = written(tmp_path, "jumprelu", more=("threshold",))
    assert (w["threshold"] < 0).any()
    h = (X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    z = np.maximum(h, 0) * (h > w["threshold"])
    same(open_checkpoint(tmp_path), z, z @ w["W_dec"] + w["b_dec"])


# --- transcoders ----------------------------------------------------------------------------------


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("jump", [False, True])
def test_transcoders(tmp_path, skip, jump):
    """z of x, x_hat = z @ W_dec + b_dec, with W_skip x where there is one."""
    architecture = f"{'jumprelu_' * jump}{'skip_' * skip}transcoder"
    more = ("threshold",) * jump + ("W_skip",) * skip
    w = written(tmp_path, architecture, D_OUT, more, HOOK | MLP, apply_b_dec_to_input=False)
    h = X @ w["W_enc"] + w["b_enc"]
    z = np.where(h > np.maximum(w.get("threshold", 0), 0), h, 0)
    x_hat = z @ w["W_dec"] + w["b_dec"] + (X @ w["W_skip"].T if skip else 0)
    sae = open_checkpoint(tmp_path)
    same(sae, z, x_hat)
    assert (str(sae.site), str(sae.writes), sae.decoder.d_model) == ("L7I", "L7M", D_OUT)


@pytest.mark.parametrize("model", ["gpt2-small", "gemma-2-2b", "meta-llama/Llama-3.1-8B"])
def test_what_a_norm_gives_its_hook_point(tmp_path, model):
    """The site I with LayerNorm; of Gemma H, normalised; nothing where the addend is not known."""
    names = MLP | {"model_name": model}
    more = {"apply_b_dec_to_input": False}
    w = written(tmp_path, "transcoder", D_OUT, (), names, **more)
    if "llama" in model:
        assert open_checkpoint(tmp_path).site is None
        return
    gemma = "gemma" in model
    x = X / np.sqrt((X**2).mean(axis=1, keepdims=True) + 1e-6) if gemma else X
    z = np.maximum(x @ w["W_enc"] + w["b_enc"], 0)
    sae = open_checkpoint(tmp_path)
    same(sae, z, z @ w["W_dec"] + w["b_dec"], 1e-5 if gemma else 1e-9)
    assert (str(sae.site), str(sae.writes)) == ("L7H" if gemma else "L7I", "L7M")
    assert sae.facts["normalisation"] == ("rms_norm" if gemma else "none")


def test_an_sae_before_the_gain_gives_the_stream_back(tmp_path):
    names = {"hook_name": MLP["hook_name"], "model_name": "gemma-2-2b"}
    w = written(tmp_path, "jumprelu", more=("threshold",), metadata=names)
    rms = np.sqrt((X**2).mean(axis=1, keepdims=True) + 1e-6)
    h = (X / rms - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    z = np.where(h > np.maximum(w["threshold"], 0), h, 0)
    same(open_checkpoint(tmp_path), z, (z @ w["W_dec"] + w["b_dec"]) * rms, 1e-5)
    written(tmp_path, metadata=names, normalize_activations="layer_norm")
    with pytest.raises(CheckpointError, match="normalize_activations is 'layer_norm'; supported"):
        open_checkpoint(tmp_path)


def test_old_transcoders_have_a_bias_at_each_end(tmp_path):
    """z = relu((x - b_dec) @ W_enc + b_enc), x_hat = z @ W_dec + b_dec_out."""
    w = written(tmp_path, "transcoder", more=("b_dec_out",), metadata=HOOK | MLP)
    tensors = {name: value.astype(np.float32) for name, value in w.items()}
    tensors["b_dec_out"] = tensors["b_dec_out"][:D_IN]
    write_tensors(tmp_path / "sae_weights.safetensors", tensors)
    z = np.maximum((X - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    same(open_checkpoint(tmp_path), z, z @ w["W_dec"] + w["b_dec_out"][:D_IN])


def test_an_sae_that_writes_elsewhere_is_a_transcoder(tmp_path):
    """SAELens puts the output of any SAE at hook_name_out; b_dec is taken off as the key says."""
    out = {"hook_name_out": "blocks.7.hook_mlp_out"}
    w = written(tmp_path, "jumprelu", more=("threshold",), metadata=HOOK | out)
    h = (X - w["b_dec"]) @ w["W_enc"] + w["b_enc"]
    z = np.where(h > np.maximum(w["threshold"], 0), h, 0)
    sae = open_checkpoint(tmp_path)
    same(sae, z, z @ w["W_dec"] + w["b_dec"])
    assert (str(sae.site), str(sae.writes)) == ("L7R", "L7M")


CENTRED = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
NO_TRANSCODERS = [
    ({}, HOOK | MLP, "apply_b_dec_to_input is true of a transcoder"),
    ({"normalize_activations": "layer_norm"}, HOOK | MLP, "normalize_activations is 'layer_norm'"),
    (
        {"apply_b_dec_to_input": False},
        HOOK | MLP | CENTRED,
        "with centred writing weights (model_from_pretrained_kwargs.cent",
    ),
    ({}, HOOK, "hook_name_out is not there. Write `writes: m`"),
    ({}, HOOK | MLP | {"hook_name_out": "blocks.7.hook_q"}, "hook_name_out is 'blocks.7.hook_q'"),
]


@pytest.mark.parametrize(("cfg", "metadata", "message"), NO_TRANSCODERS)
def test_transcoders_that_are_refused(tmp_path, cfg, metadata, message):
    written(tmp_path, "transcoder", metadata=metadata, **cfg)
    assert message in refusal(tmp_path)


def test_b_dec_of_another_width_is_not_taken_off(tmp_path):
    out = {"hook_name_out": "blocks.7.hook_mlp_out"}
    written(tmp_path, "standard", D_OUT, metadata=HOOK | out)
    assert "b_dec has 9 channels (d_out) and the input 12 (d_in)" in refusal(tmp_path)


def test_what_the_files_do_not_say_is_as_asked(tmp_path):
    written(tmp_path, "transcoder", metadata={}, apply_b_dec_to_input=False)
    reading = Reading(site=Site(3, "I"), writes=Site(3, "M"), file="sae_weights.safetensors")
    sae = open_checkpoint(tmp_path, reading=reading)
    assert (str(sae.site), str(sae.writes)) == ("L3I", "L3M")
    assert str(open_checkpoint(tmp_path, reading=reading).site) == "L3I"
    (tmp_path / "sae_weights.safetensors").rename(tmp_path / "other.safetensors")
    assert open_checkpoint(tmp_path, reading=reading._replace(file="other.safetensors"))


# --- normalisations -------------------------------------------------------------------------------


def scaled(w, s):
    """z and x_hat of s x, divided by s at the end."""
    z = np.maximum((s * X - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    return z, (z @ w["W_dec"] + w["b_dec"]) / s


AVERAGE = "expected_average_only_in"


@pytest.mark.parametrize("name", [AVERAGE, True])
@pytest.mark.parametrize("where", ["scaler", "cfg", "config", "all"])
def test_one_number_for_all_tokens(tmp_path, name, where):
    factor = {"norm_scaling_factor": 0.37} if where in ("cfg", "all") else {}
    w = written(tmp_path, normalize_activations=name, **factor)
    if where in ("scaler", "all"):
        (tmp_path / SCALER).write_text('{"scaling_factor": 0.37, "has_whitening": false}')
    reading = Reading(input_scale=0.37 if where in ("config", "all") else None)
    sae = open_checkpoint(tmp_path, reading=reading)
    same(sae, *scaled(w, 0.37))
    assert sae.facts["normalisation"] == AVERAGE and sae.facts["input_scale"] == 0.37
    assert sae.facts["folded"][0] == "activations times 0.37, output divided by it"
    norms = np.linalg.norm(w["W_dec"], axis=1) / 0.37
    np.testing.assert_allclose(sae.decoder.norms, norms, rtol=1e-6)


def test_a_number_that_the_config_of_the_sae_names(tmp_path):
    scalar = {"normalize_activations": "constant_scalar_rescale"}
    w = written(tmp_path, **scalar, activation_normalization_factor=0.25)
    same(open_checkpoint(tmp_path), *scaled(w, 0.25))
    written(tmp_path, **scalar)
    assert "the key 'activation_normalization_factor' is missing" in refusal(tmp_path)
    written(tmp_path, activation_normalization_factor=0.25)
    assert "activation_normalization_factor is 0.25, but normalize_act" in refusal(tmp_path)
    written(tmp_path, norm_scaling_factor=0.25)
    assert "norm_scaling_factor is 0.25, but normalize_activations is 'none'" in refusal(tmp_path)


def test_numbers_that_are_missing_or_contradict(tmp_path):
    written(tmp_path, normalize_activations=AVERAGE)
    text = refusal(tmp_path)
    assert text.startswith("cfg.json: normalize_activations is 'expected_average_only_in', but no")
    assert SCALER in text and "`input_scale: ...`" in text
    (tmp_path / SCALER).write_text('{"scaling_factor": null}')
    assert "no file says by which number" in refusal(tmp_path)
    (tmp_path / SCALER).write_text('{"scaling_factor": 0.5}')
    message = "is 0.5 and input_scale in the config is 0.4; leave the one that is right."
    assert message in refusal(tmp_path, Reading(input_scale=0.4))
    for wrong in ("0", "-1", "true", '"1"', "1e999"):
        (tmp_path / SCALER).write_text(f'{{"scaling_factor": {wrong}}}')
        assert "must be a positive number; got" in refusal(tmp_path)
    written(tmp_path)
    assert "input_scale is 0.4 in the config, but normalize_activations is 'none'" in refusal(
        tmp_path, Reading(input_scale=0.4)
    )


@pytest.mark.parametrize("centred", [False, True])
def test_layer_norm(tmp_path, centred):
    """x less its mean, over its deviation with n - 1 and 1e-5; undone with both at the end."""
    metadata = HOOK | CENTRED if centred else HOOK
    w = written(tmp_path, normalize_activations="layer_norm", metadata=metadata)
    mean, deviation = X.mean(axis=1, keepdims=True), X.std(axis=1, ddof=1, keepdims=True)
    normal = (X - mean) / (deviation + 1e-5)
    z = np.maximum((normal - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    sae = open_checkpoint(tmp_path)
    same(sae, z, (z @ w["W_dec"] + w["b_dec"]) * deviation + mean, exact=1e-5)
    assert sae.facts["normalisation"] == "layer_norm" and not sae.encoder.centred


def test_constant_norm(tmp_path):
    """x at the norm sqrt(d_in), undone at the end."""
    w = written(tmp_path, normalize_activations="constant_norm_rescale")
    factor = np.sqrt(D_IN) / np.linalg.norm(X, axis=1, keepdims=True)
    z = np.maximum((factor * X - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    same(open_checkpoint(tmp_path), z, (z @ w["W_dec"] + w["b_dec"]) / factor, exact=1e-5)
    written(tmp_path, normalize_activations="constant_norm_rescale", metadata=HOOK | CENTRED)
    assert "is 'constant_norm_rescale' of centred activations" in refusal(tmp_path)


def test_the_file_with_the_number_is_part_of_the_checkpoint(tmp_path):
    source, cell = tmp_path / "checkpoint", tmp_path / "saes" / "L7R-x"
    source.mkdir(), cell.mkdir(parents=True)
    w = written(source, normalize_activations=AVERAGE)
    sae = {"format": "sae_lens", "path": str(source)}
    with pytest.raises(CheckpointError, match="no file says by which number"):
        look(sae, "L7R-x")
    look(sae | {"input_scale": 0.37}, "L7R-x")
    (source / SCALER).write_text('{"scaling_factor": 0.37}')
    import_sae(sae, "L7R-x", cell / REFERENCE, cell / NORMS)
    assert read_json(cell / REFERENCE)["facts"]["input_scale"] == 0.37
    with open_sae(cell) as opened:
        same(opened, *scaled(w, 0.37), exact=1e-6)
    (source / SCALER).write_text('{"scaling_factor": 0.38}')
    with pytest.raises(CheckpointError, match="this checkpoint has changed"):
        open_sae(cell)


def test_a_format_without_such_a_number_refuses_it(tmp_path):
    from checkpoints import llama_scope

    sae = {"format": "llama_scope", "path": str(llama_scope(tmp_path)), "input_scale": 2.0}
    with pytest.raises(CheckpointError, match=r"input_scale is 2\.0 in the config, which the form"):
        look(sae, "L15R-8x")


# --- processed models -----------------------------------------------------------------------------


def processed(hook, version="6.54.12", **kwargs):
    return {
        "hook_name": f"blocks.7.{hook}",
        "model_name": "gpt2-small",
        "sae_lens_training_version": version,
        "model_from_pretrained_kwargs": kwargs,
    }


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (processed("ln2.hook_normalized", fold_ln=True), "kwargs.fold_ln is True, so that this"),
        (processed("attn.hook_z", fold_value_biases=True), "kwargs.fold_value_biases is True, so"),
        (processed("attn.hook_z", "3.1.0"), "kwargs.fold_value_biases is not said, and SAELens"),
        (processed("ln2.hook_normalized", "3.1.0"), "kwargs.fold_ln is not said, and SAELens bef"),
        (processed("ln2.hook_normalized", fold_ln=3), "fold_ln must be bool; got 3."),
    ],
)
def test_places_that_a_processed_model_changes(tmp_path, metadata, message):
    written(tmp_path, metadata=metadata)
    assert message in refusal(tmp_path, Reading(centred=False))


@pytest.mark.parametrize(
    "metadata",
    [
        processed("hook_resid_post", fold_ln=True, fold_value_biases=True),
        processed("hook_mlp_out", fold_ln=True),
        processed("attn.hook_z", fold_ln=True, fold_value_biases=False),
        processed("ln2.hook_normalized", fold_ln=False, fold_value_biases=True),
        processed("ln2.hook_normalized", center_writing_weights=True),
        processed("attn.hook_z", "3.1.0", fold_value_biases=False, fold_ln=True)
        | {"model_from_pretrained_kwargs": {"fold_value_biases": False, "fold_ln": True}},
    ],
)
def test_places_that_it_leaves_alone(tmp_path, metadata):
    w = written(tmp_path, metadata=metadata)
    z = np.maximum((X - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    same(open_checkpoint(tmp_path, reading=Reading(centred=None)), z, z @ w["W_dec"] + w["b_dec"])


# --- what folding or reading could hide --------------------------------------------------------


def changed_tensors(folder, **changes):
    path = folder / "sae_weights.safetensors"
    tensors = {name: np.array(array) for name, array in read_tensors(path).items()}
    write_tensors(path, tensors | changes)


@pytest.mark.parametrize(
    ("architecture", "more", "tensor", "value"),
    [
        ("jumprelu", ["threshold"], "threshold", -np.inf),
        ("gated", ["b_gate", "b_mag", "r_mag"], "b_gate", np.inf),
        ("gated", ["b_gate", "b_mag", "r_mag"], "r_mag", -np.inf),
    ],
)
def test_infinity_is_refused_before_it_is_folded(tmp_path, architecture, more, tensor, value):
    written(tmp_path, architecture, more=more)
    changed_tensors(tmp_path, **{tensor: np.full(D_SAE, value, np.float32)})
    with pytest.raises(CheckpointError, match=f"the tensor '{tensor}' holds NaN or infinity"):
        open_checkpoint(tmp_path)


def test_a_factor_of_ones_is_looked_at_as_it_is_imported(tmp_path):
    written(tmp_path)
    changed_tensors(tmp_path, scaling_factor=np.ones(D_SAE, np.float32))
    sae = {"format": "sae_lens", "path": str(tmp_path)}
    assert look(sae, "L7R-x").encoder.d_sae == D_SAE
    assert open_checkpoint(tmp_path).decoder.factor is None


def test_a_fine_tuning_has_one_factor(tmp_path):
    written(tmp_path, finetuning_scaling_factor=True)
    with pytest.raises(CheckpointError, match="the file has none or both"):
        open_checkpoint(tmp_path)
    changed_tensors(tmp_path, scaling_factor=np.full(D_SAE, 2, np.float32))
    assert open_checkpoint(tmp_path).decoder.factor.tolist() == [2.0] * D_SAE


def test_a_key_that_stands_twice_is_refused(tmp_path):
    written(tmp_path)
    path = tmp_path / "cfg.json"
    path.write_text(path.read_text().replace("{", '{"architecture": "topk", ', 1))
    with pytest.raises(CheckpointError, match="the key 'architecture' stands twice"):
        open_checkpoint(tmp_path)
