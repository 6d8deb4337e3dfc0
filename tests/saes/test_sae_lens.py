"""Checkpoints of SAELens 1 to 6: what changes a number is honoured or refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest

from checkpoints import D_MODEL, D_SAE, write_safetensors
from saegrid.base.errors import CheckpointError
from saegrid.base.io import read_json
from saegrid.saes.checkpoint import READ, Reading
from saegrid.saes.export import export
from saegrid.saes.formats.sae_lens import open_checkpoint
from saegrid.saes.known import SAE_LENS
from saegrid.saes.reference import NORMS, REFERENCE, import_sae, on_neuronpedia, open_sae
from saegrid.saes.sae import as_written, decode, encode

REPOSITORY = Path(__file__).resolve().parents[2]
X = np.random.default_rng(5).normal(size=(200, D_MODEL)) * 3 + 0.4
OF_3_TO_5 = {
    "architecture": "standard",
    "d_in": D_MODEL,
    "d_sae": D_SAE,
    "activation_fn_str": "relu",
    "activation_fn_kwargs": {},
    "apply_b_dec_to_input": True,
    "finetuning_scaling_factor": False,
    "context_size": 128,
    "model_name": "gpt2-small",
    "hook_name": "blocks.7.hook_resid_post",
    "hook_layer": 7,
    "hook_head_index": None,
    "prepend_bos": True,
    "dataset_path": "text",
    "dataset_trust_remote_code": True,
    "normalize_activations": "none",
    "dtype": "torch.float32",
    "device": "cuda",
    "sae_lens_training_version": "4.4.5",
    "neuronpedia_id": None,
    "model_from_pretrained_kwargs": {"center_writing_weights": False},
    "seqpos_slice": [None],
}
OF_6 = {
    "architecture": "standard",
    "d_in": D_MODEL,
    "d_sae": D_SAE,
    "dtype": "float32",
    "device": "cuda",
    "apply_b_dec_to_input": True,
    "normalize_activations": "none",
    "reshape_activations": "none",
    "metadata": {
        "sae_lens_version": "6.18.0",
        "sae_lens_training_version": "6.18.0",
        "dataset_path": "text",
        "hook_name": "blocks.7.hook_resid_post",
        "model_name": "gpt2",
        "model_class_name": "HookedTransformer",
        "hook_head_index": None,
        "context_size": 256,
        "seqpos_slice": [None],
        "model_from_pretrained_kwargs": {"center_writing_weights": False},
        "prepend_bos": True,
        "exclude_special_tokens": False,
        "sequence_separator_token": "bos",
        "disable_concat_sequences": False,
        "training_architecture": "standard",
        "training_architecture_details": {"l1_coefficient": 1.0},
    },
}
OF_1 = {
    "model_name": "gpt2-small",
    "model_class_name": "HookedTransformer",
    "hook_point": "blocks.8.hook_resid_pre",
    "hook_point_eval": "blocks.8.attn.pattern",
    "hook_point_layer": 8,
    "hook_point_head_index": None,
    "dataset_path": "text",
    "is_dataset_tokenized": False,
    "context_size": 128,
    "use_cached_activations": False,
    "cached_activations_path": "activations/text",
    "d_in": D_MODEL,
    "n_batches_in_buffer": 128,
    "total_training_tokens": 300_000_000,
    "store_batch_size": 32,
    "train_batch_size": 4096,
    "device": "mps",
    "seed": 42,
    "dtype": "torch.float32",
    "b_dec_init_method": "geometric_median",
    "expansion_factor": 32,
    "l1_coefficient": 8e-05,
    "lr": 0.0004,
    "lr_scheduler_name": None,
    "lr_warm_up_steps": 5000,
    "use_ghost_grads": False,
    "feature_sampling_window": 500,
    "dead_feature_window": 1_000_000,
    "dead_feature_threshold": 1e-06,
    "log_to_wandb": True,
    "wandb_project": "gpt2",
    "wandb_entity": None,
    "wandb_log_frequency": 100,
    "n_checkpoints": 10,
    "checkpoint_path": "checkpoints/1",
    "d_sae": D_SAE,
    "tokens_per_buffer": 67_108_864,
    "run_name": "24576-L1-8e-05",
}
CONFIGS = {"1": OF_1, "3": OF_3_TO_5, "6": OF_6}


def written(folder, cfg, **more):
    """A checkpoint with a config and tensors; the tensors as float64."""
    rng = np.random.default_rng(2)
    tensors = {
        "W_enc": rng.normal(size=(D_MODEL, D_SAE)),
        "b_enc": rng.normal(size=D_SAE),
        "W_dec": rng.normal(size=(D_SAE, D_MODEL)),
        "b_dec": rng.normal(size=D_MODEL),
    }
    tensors = {name: value.astype(np.float32) for name, value in (tensors | more).items()}
    write_safetensors(folder / "sae_weights.safetensors", tensors)
    (folder / "cfg.json").write_text(json.dumps(cfg))
    return {name: value.astype(np.float64) for name, value in tensors.items()}


def topk(pre, k):
    kept = np.argsort(np.argsort(-pre, axis=1), axis=1) < k
    return np.where(kept & (pre > 0), pre, 0)


def pre_of(w, x=X, b_dec=True):
    return (x - b_dec * w["b_dec"]) @ w["W_enc"] + w["b_enc"]


def refused(folder, reading=None):
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(folder, reading=reading or READ)
    text = str(error.value)
    assert text.startswith(f"{folder / 'cfg.json'}: ") and "\n" not in text
    return text.removeprefix(f"{folder / 'cfg.json'}: ")


# --- gates --------------------------------------------------------------------------------------

TOPK = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4}}


@pytest.mark.parametrize(
    "cfg",
    [
        OF_3_TO_5 | TOPK,
        OF_3_TO_5 | TOPK | {"architecture": "topk"},
        {key: value for key, value in (OF_3_TO_5 | TOPK).items() if key != "architecture"},
        OF_3_TO_5 | TOPK | {"k": 4},
        OF_6 | {"architecture": "topk", "k": 4},
        OF_6 | {"architecture": "topk", "activation_fn_kwargs": {"k": 4}},
    ],
)
def test_topk_however_it_is_written(tmp_path, cfg):
    w = written(tmp_path, cfg)
    sae = open_checkpoint(tmp_path)
    z = topk(pre_of(w), 4)
    found = encode(sae.encoder, X)
    np.testing.assert_array_equal(found > 0, z > 0)
    np.testing.assert_allclose(found, z, rtol=1e-9)
    assert sae.encoder.k == sae.facts["k"] == 4 and sae.facts["architecture"] == "topk"


RELU = [
    OF_6,
    OF_3_TO_5,
    OF_3_TO_5 | {"normalize_activations": False},
    OF_3_TO_5 | {"normalize_activations": None, "activation_fn_kwargs": None},
    {key: value for key, value in OF_3_TO_5.items() if key not in ("architecture", "hook_layer")},
    OF_1 | {"activation_fn": "relu", "sae_lens_training_version": "3.20.0"},
]


@pytest.mark.parametrize("cfg", RELU)
def test_relu_of_every_version(tmp_path, cfg):
    w = written(tmp_path, cfg)
    sae = open_checkpoint(tmp_path)
    np.testing.assert_allclose(encode(sae.encoder, X), np.maximum(pre_of(w), 0), rtol=1e-9)
    assert str(sae.site) == "L7R"


CONTRADICTIONS = [
    (OF_3_TO_5 | {"activation_fn_str": "tanh-relu"}, "activation_fn_str is 'tanh-relu'"),
    (OF_3_TO_5 | {"activation_fn_str": "silu"}, "activation_fn_str is 'silu'"),
    (OF_1 | {"activation_fn": "tanh-relu"}, "activation_fn is 'tanh-relu'"),
    (OF_3_TO_5 | {"activation_fn": "topk"}, "activation_fn_str 'relu' and activation_fn 'topk'"),
    (
        {key: value for key, value in OF_6.items() if key != "architecture"} | {"k": 8},
        "k is 8, but the architecture is not said",
    ),
    (OF_3_TO_5 | {"k": 8}, "k is 8, but the architecture is 'standard' with 'relu'"),
    (
        OF_3_TO_5 | {"activation_fn_kwargs": {"k": 8}},
        "activation_fn_kwargs.k is 8, but the architecture is 'standard' with 'relu'",
    ),
    (OF_3_TO_5 | TOPK | {"k": 5}, "k is 5 and activation_fn_kwargs.k is 4"),
    (OF_3_TO_5 | TOPK | {"architecture": "jumprelu"}, "'jumprelu' with 'topk'"),
    (OF_3_TO_5 | {"activation_fn_str": "topk"}, "the key 'k' is missing"),
    (OF_6 | {"architecture": "topk"}, "the key 'k' is missing"),
    (OF_6 | {"architecture": "topk", "k": 4.5}, "k must be int; got 4.5"),
    (
        OF_3_TO_5 | {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 4, "postact": 1}},
        "activation_fn_kwargs.postact is not known",
    ),
    (OF_6 | {"rescale_acts_by_decoder_norm": True}, "rescale_acts_by_decoder_norm is True"),
]


@pytest.mark.parametrize(("cfg", "message"), CONTRADICTIONS)
def test_gates_that_are_not_read_or_contradict_themselves(tmp_path, cfg, message):
    written(tmp_path, cfg)
    assert message in refused(tmp_path)


def test_a_scaling_factor_multiplies_what_is_decoded(tmp_path):
    """SAELens 3 to 5: x_hat = (z * factor) @ W_dec + b_dec; codes are not touched."""
    factor = np.random.default_rng(0).uniform(0.5, 2, D_SAE)
    w = written(tmp_path, OF_3_TO_5 | {"finetuning_scaling_factor": True}, scaling_factor=factor)
    sae = open_checkpoint(tmp_path)
    z = np.maximum(pre_of(w), 0)
    np.testing.assert_allclose(encode(sae.encoder, X), z, rtol=1e-9)
    expected = (z * w["scaling_factor"]) @ w["W_dec"] + w["b_dec"]
    np.testing.assert_allclose(decode(sae, z), expected, rtol=1e-9)
    norms = np.linalg.norm(w["W_dec"], axis=1) * w["scaling_factor"]
    np.testing.assert_allclose(sae.decoder.norms, norms, rtol=1e-6)
    again = open_checkpoint(tmp_path, norms=sae.decoder.norms.astype(np.float32))
    np.testing.assert_array_equal(again.decoder.norms, sae.decoder.norms)
    np.testing.assert_allclose(np.linalg.norm(sae.decoder_rows([3, 5]), axis=1), 1, rtol=1e-6)


def test_a_scaling_factor_of_ones_and_one_that_is_not_announced(tmp_path):
    w = written(tmp_path, OF_1 | {"sae_lens_version": "4.0.0"}, scaling_factor=np.ones(D_SAE))
    z = np.maximum(pre_of(w), 0)
    np.testing.assert_allclose(
        decode(open_checkpoint(tmp_path), z), z @ w["W_dec"] + w["b_dec"], rtol=1e-9
    )
    written(tmp_path, OF_3_TO_5, scaling_factor=np.full(D_SAE, 2.0))
    with pytest.raises(CheckpointError, match="'scaling_factor' is not 1 everywhere, but fine"):
        open_checkpoint(tmp_path)


# --- where it reads and writes --------------------------------------------------------------------


def in_metadata(**keys):
    return OF_6 | {"metadata": OF_6["metadata"] | keys}


PLACES = [
    (
        in_metadata(hook_name_out="blocks.7.hook_q"),
        "hook_name_out is 'blocks.7.hook_q'; supp",
    ),
    (OF_6 | {"architecture": "transcoder"}, "the architecture is 'transcoder', but hook_name_out"),
    (OF_6 | {"d_out": 2 * D_MODEL}, f"d_out is {2 * D_MODEL}; supported: {D_MODEL}"),
    (in_metadata(hook_head_index=3), "hook_head_index is 3; supported: None"),
    (in_metadata(hook_head_index_out=3), "hook_head_index_out is 3; supported: None"),
    (OF_1 | {"hook_point_head_index": 0}, "hook_point_head_index is 0; supported: None"),
    (in_metadata() | {"hook_name": "blocks.3.hook_mlp_out"}, "hook_name is said twice"),
    (in_metadata(hook_name=5), "hook_name must be str; got 5"),
    (
        in_metadata(hf_hook_name="model.layers.8"),
        "hf_hook_name 'model.layers.8' is L8R;",
    ),
    (in_metadata(site="L8R"), "metadata.site is 'L8R', but hook_name"),
    (in_metadata(site="8R"), "metadata.site: A site must be written like"),
    (
        OF_6 | {"reshape_activations": "hook_z"},
        "reshape_activations is 'hook_z'; supp",
    ),
    (OF_6 | {"metadata": []}, "metadata must be dict"),
]


@pytest.mark.parametrize(("cfg", "message"), PLACES)
def test_what_is_no_sae_of_one_place(tmp_path, cfg, message):
    written(tmp_path, cfg)
    assert message in refused(tmp_path)


def test_neutral_values_are_read(tmp_path):
    cfg = in_metadata(hook_name_out="blocks.7.hook_resid_post", hf_hook_name="model.layers.7")
    written(tmp_path, cfg | {"d_out": D_MODEL, "hook_name": "blocks.7.hook_resid_post"})
    assert str(open_checkpoint(tmp_path).site) == "L7R"


# --- keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", CONFIGS)
def test_what_saelens_writes_is_known(tmp_path, version):
    written(tmp_path, CONFIGS[version])
    open_checkpoint(tmp_path, reading=Reading(centred=False))


def test_keys_of_trainings_are_known():
    """A sample of what the versions keep of a training; the list is in the format."""
    keys = "mse_loss_normalization decoder_heuristic_init_norm jumprelu_bandwidth autocast_lm "
    keys += "topk_threshold_lr matryoshka_widths use_sparse_activations l0_warm_up_steps"
    assert set(keys.split()) <= SAE_LENS


@pytest.mark.parametrize(
    ("cfg", "name"),
    [
        (OF_6 | {"input_gain": 2.0}, "input_gain"),
        (in_metadata(input_gain=2.0), "metadata.input_gain"),
        (
            OF_3_TO_5 | {"model_from_pretrained_kwargs": {"fold_everything": True}},
            "model_from_pretrained_kwargs.fold_everything",
        ),
    ],
)
def test_a_key_that_nobody_knows_is_refused_unless_it_is_said_to_decide_nothing(
    tmp_path, cfg, name
):
    w = written(tmp_path, cfg)
    message = refused(tmp_path)
    assert message.startswith(f"{name} is not known") and f"ignore: [{name}]" in message
    sae = open_checkpoint(tmp_path, reading=Reading(ignore=(name, "of_another_cell")))
    np.testing.assert_allclose(encode(sae.encoder, X), np.maximum(pre_of(w), 0), rtol=1e-9)


def test_a_misspelled_key_is_suggested(tmp_path):
    written(tmp_path, OF_6 | {"apply_b_dec_to_inputs": False})
    assert "Did you mean 'apply_b_dec_to_input'?" in refused(tmp_path)


def test_what_is_read_cannot_be_ignored(tmp_path):
    written(tmp_path, OF_6)
    assert "ignore names 'apply_b_dec_to_input', which decides" in refused(
        tmp_path, Reading(ignore=("apply_b_dec_to_input",))
    )
    written(tmp_path, OF_6 | {"normalize_activations": "covariance_whitening"})
    assert "normalize_activations is 'covariance_whitening'" in refused(tmp_path)
    assert "ignore names 'normalize_activations', which decides" in refused(
        tmp_path, Reading(ignore=("normalize_activations",))
    )


def test_a_tensor_that_nobody_knows_is_refused(tmp_path):
    written(tmp_path, OF_6, W_skip=np.zeros((D_MODEL, D_MODEL)))
    with pytest.raises(CheckpointError, match="the tensor 'W_skip' is not known"):
        open_checkpoint(tmp_path)
    written(tmp_path, OF_6, threshold=np.ones(D_SAE))
    with pytest.raises(CheckpointError, match="the tensor 'threshold' is not known"):
        open_checkpoint(tmp_path)


# --- centred activations ------------------------------------------------------------------------

CENTRED = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}


def is_centred(folder, cfg, reading=None):
    written(folder, cfg)
    sae = open_checkpoint(folder, reading=reading or READ)
    assert sae.facts["centred"] == sae.encoder.centred
    return sae.encoder.centred


def test_centring_gives_the_numbers_of_the_formula(tmp_path):
    w = written(tmp_path, OF_3_TO_5 | CENTRED)
    sae = open_checkpoint(tmp_path)
    centred = X - X.mean(axis=1, keepdims=True)
    z = np.maximum(pre_of(w, centred), 0)
    found = encode(sae.encoder, X)
    np.testing.assert_array_equal(found > 0, z > 0)
    np.testing.assert_allclose(found, z, rtol=1e-9)
    assert ((np.maximum(pre_of(w), 0) > 0) != (z > 0)).mean() > 0.01


@pytest.mark.parametrize(
    ("cfg", "expected"),
    [
        (OF_3_TO_5 | CENTRED, True),
        (in_metadata(**CENTRED), True),
        (OF_3_TO_5, False),
        (OF_3_TO_5 | {"model_from_pretrained_kwargs": {}}, False),
        (OF_3_TO_5 | CENTRED | {"hook_name": "blocks.7.hook_mlp_out"}, True),
        # The hidden neurons of an MLP are behind no writing weight.
        (OF_3_TO_5 | CENTRED | {"hook_name": "blocks.7.mlp.hook_post"}, False),
        # TransformerLens leaves models with RMSNorm as they are.
        (OF_3_TO_5 | CENTRED | {"model_name": "meta-llama/Llama-3.1-8B"}, False),
        (OF_3_TO_5 | CENTRED | {"model_name": "EleutherAI/pythia-70m-deduped"}, True),
        # Before 3.19.2 SAELens centred whatever TransformerLens centres.
        (OF_1 | {"model_name": "google/gemma-2b"}, False),
        (OF_1 | CENTRED, True),
    ],
)
def test_auto_is_what_the_file_says(tmp_path, cfg, expected):
    assert is_centred(tmp_path, cfg) is expected


@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("cfg", [OF_1, OF_3_TO_5, OF_3_TO_5 | CENTRED])
def test_the_config_decides_where_it_says_so(tmp_path, cfg, yes):
    assert is_centred(tmp_path, cfg, Reading(centred=yes)) is yes


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        (OF_1, "SAELens before 3.19.2 centred the activations of most models"),
        (
            {k: v for k, v in OF_3_TO_5.items() if k != "model_from_pretrained_kwargs"}
            | {"sae_lens_training_version": "3.13.0"},
            "SAELens before 3.19.2 centred the activations of most models",
        ),
        (OF_3_TO_5 | CENTRED | {"model_name": "my/model"}, "LayerNorm"),
        (
            OF_3_TO_5 | {"model_from_pretrained_kwargs": {"center_writing_weights": "yes"}},
            "center_writing_weights must be bool",
        ),
    ],
)
def test_where_the_file_does_not_say_it_the_config_must(tmp_path, cfg, message):
    written(tmp_path, cfg)
    text = refused(tmp_path)
    assert message in text
    if "must be bool" not in text:
        assert "centred: true or centred: false" in text


def test_the_reference_remembers_how_a_checkpoint_is_read(tmp_path):
    written(tmp_path, OF_1 | {"gain": 1})
    sae = {"format": "sae_lens", "path": str(tmp_path), "centred": True, "ignore": ["gain"]}
    folder = tmp_path / "saes" / "L7R-x"
    folder.mkdir(parents=True)
    import_sae(sae, "L7R-x", folder / REFERENCE, folder / NORMS)
    reference = read_json(folder / REFERENCE)
    assert reference["centred"] is True and reference["ignore"] == ["gain"]
    assert reference["facts"]["centred"] is True
    assert on_neuronpedia(folder / REFERENCE) is None and on_neuronpedia(None) is None
    named = OF_1 | {"gain": 1, "neuronpedia_id": "gpt2-small/7-res-jb"}
    written(tmp_path, named)
    import_sae(sae, "L7R-x", folder / REFERENCE, folder / NORMS)
    assert on_neuronpedia(folder / REFERENCE) == "gpt2-small/7-res-jb"
    with open_sae(folder) as opened:
        assert opened.encoder.centred
    with pytest.raises(CheckpointError, match="gain is not known here"):
        import_sae(sae | {"ignore": []}, "L7R-x", folder / REFERENCE, folder / NORMS)


def test_an_export_says_that_it_reads_centred_activations(tmp_path):
    w = written(tmp_path, OF_3_TO_5 | CENTRED)
    export(open_checkpoint(tmp_path), tmp_path / "to")
    again = open_checkpoint(tmp_path / "to")
    z = np.maximum(pre_of(w, X - X.mean(axis=1, keepdims=True)), 0)
    np.testing.assert_allclose(encode(again.encoder, X), z, rtol=1e-4, atol=1e-5)


# --- the inputs that failed -----------------------------------------------------------------------

FAILING = REPOSITORY.parent / "shared" / "failing" / "sae"
READ_RIGHT = {
    "v3_v5_standard_topk": "L7R",
    "v5_topk_k_in_kwargs": "L7R",
    "v6_topk_rescale": "L7R",
    "gpt2_res_jb_center_writing_weights": "L7R",
    "v3_finetuned_scaling_factor": "L7R",
    "v3_standard_relu": "L7R",
    "v1_hook_point": "L7R",
    "normalize_activations_bool_false": "L7R",
    "normalize_layer_norm": "L7R",
    "normalize_expected_average": "L7R",
    "gated": "L7R",
    "v6_batchtopk_training_ckpt": "L7R",
    "standard_arch_but_transcoder_meta": "L7R",
    "hook_z": "L7Z",
    "hook_resid_mid": "L7H",
    "resid_pre_layer0": "L0B",
    "hf_named_hook": "L7R",
}
"""Checkpoints that are read, and the site that they read."""
REFUSED = {
    "v3_tanh_relu": "cfg.json: activation_fn_str is 'tanh-relu'; supported: 'relu', 'topk'.",
    "cfg_noarch": "cfg.json: k is 8, but the architecture is not said.",
    "normalize_expected_average": "cfg.json: normalize_activations is 'expected_average_only_in', "
    "but no file says by which number",
    "cfg_hook_int": "cfg.json: hook_name must be str; got 5.",
    "sparsify": "cfg.json: the key 'd_sae' is missing.",
    "v6_transcoder": "cfg.json: hook_name is said twice, as 'blocks.7.ln2.hook_normalized' and as",
    "hdr_noff": "sae_weights.safetensors: the tensor",
    "hdr_ovl": "sae_weights.safetensors: the tensor",
}


@pytest.fixture
def failing() -> Path:
    if not FAILING.is_dir():
        pytest.skip("needs the checkpoints that failed: no ../shared/failing beside the repository")
    return FAILING


def by_the_formula(name, w, x):
    """z and x_hat of a checkpoint that failed, in float64, by what SAELens does."""
    s, mean = 1.0, x.mean(axis=1, keepdims=True)
    if "center" in name:
        x = x - mean
    if "layer_norm" in name:
        deviation = (x - mean).std(axis=1, ddof=1, keepdims=True)
        x = (x - mean) / (deviation + 1e-5)
    if "expected" in name:
        s = 0.31
    shifted = (s * x - w["b_dec"]) @ w["W_enc"]
    pre = shifted + w["b_enc"]
    norms = np.linalg.norm(w["W_dec"], axis=1)
    z = np.maximum(pre, 0)
    if "topk" in name and "batch" not in name:
        z = topk(pre * norms if "rescale" in name else pre, 4)
    if "batchtopk" in name:
        z = np.where(pre > w["topk_threshold"], pre, 0)
    if "threshold" in w:
        z = np.where(pre > np.maximum(w["threshold"], 0), pre, 0)
    if name == "gated":
        magnitude = np.exp(w["r_mag"]) * shifted + w["b_mag"]
        z = (shifted + w["b_gate"] > 0) * np.maximum(magnitude, 0)
    decoded = (z / norms if "rescale" in name else z * w.get("scaling_factor", 1)) @ w["W_dec"]
    x_hat = (decoded + w.get("b_dec_out", w["b_dec"])) / s
    return z, x_hat * deviation + mean if "layer_norm" in name else x_hat


@pytest.mark.parametrize("name", READ_RIGHT)
def test_checkpoints_that_were_read_wrong(failing, name):
    from saegrid.base.tensors import open_tensors

    w = open_tensors(failing / name / "sae_weights.safetensors").arrays
    w = {key: value.astype(np.float64) for key, value in w.items()}
    x = np.random.default_rng(1).normal(size=(300, 8)) + 0.7
    z, x_hat = by_the_formula(name, w, x)
    reading = Reading(input_scale=0.31) if "expected" in name else READ
    sae = open_checkpoint(failing / name, reading=reading)
    found = encode(sae.encoder, x)
    assert 0 < (z > 0).mean() < 1
    np.testing.assert_array_equal(found > 0, z > 0)
    exact = 1e-6 if "rescale" in name or "layer_norm" in name else 1e-9
    np.testing.assert_allclose(found, z, rtol=exact, atol=exact)
    np.testing.assert_allclose(as_written(sae, x, decode(sae, found)), x_hat, rtol=exact, atol=1e-6)
    assert str(sae.site) == READ_RIGHT[name]
    transcoder = "transcoder" in name
    assert str(sae.writes) == ("L7M" if transcoder else "None")


@pytest.mark.parametrize("name", REFUSED)
def test_checkpoints_that_are_refused_by_name(failing, name):
    with pytest.raises(CheckpointError) as error:
        open_checkpoint(failing / name)
    assert REFUSED[name] in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "tensor"), [("W_dec_nan", "W_dec"), ("jr_nanthr", "threshold")])
def test_numbers_that_are_none_are_named(failing, tmp_path, name, tensor):
    sae = {"format": "sae_lens", "path": str(failing / name)}
    with pytest.raises(CheckpointError, match=f"the tensor '{tensor}' holds NaN or infinity"):
        import_sae(sae, "L1R-x", tmp_path / REFERENCE, tmp_path / NORMS)
