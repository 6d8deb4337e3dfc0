"""dictionary_learning: each class by its formula, sites, k and threshold, and what is refused."""

import numpy as np
import pytest
import torch

from checkpoints import write_safetensors
from foreign import D, F, X, agree, jump, relu, tensors, topk, wide, write_json
from saegrid.base.errors import CheckpointError
from saegrid.base.pickles import open_pickle
from saegrid.base.tensors import hollow
from saegrid.base.words import Site
from saegrid.saes.checkpoint import Reading
from saegrid.saes.formats.dictionary_learning import KINDS, open_checkpoint
from saegrid.saes.sae import encode

K = 4
RNG = np.random.default_rng(8)
GATES = {name: RNG.normal(size=F).astype(np.float32) / 3 for name in ("r_mag", "mag", "gate")}


def state(name, threshold=0.4):
    """The state_dict of a class."""
    w = tensors()
    linear = {"encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T}
    linear["encoder.bias"] = w["b_enc"]
    k = {"k": np.int32(K), "threshold": np.float32(threshold)}
    if name == "AutoEncoder":
        return linear | {"bias": w["b_dec"]}
    if name == "AutoEncoderNew":
        return linear | {"decoder.bias": w["b_dec"]}
    if name == "JumpReluAutoEncoder":
        return w
    if name == "GatedAutoEncoder":
        del linear["encoder.bias"]
        gates = {"r_mag": "r_mag", "mag_bias": "mag", "gate_bias": "gate"}
        more = {theirs: GATES[ours] for theirs, ours in gates.items()}
        return linear | more | {"decoder_bias": w["b_dec"]}
    if name == "MatryoshkaBatchTopKSAE":
        del w["threshold"]
        return w | k | {"group_sizes": np.array([8, 24])}
    return linear | k | {"b_dec": w["b_dec"]}


def reference(name, threshold=0.4, x=X):
    """z and x_hat, as the classes of the library have them."""
    w = wide(tensors())
    u = (x - w["b_dec"]) @ w["W_enc"]
    if name == "AutoEncoder":
        z = relu(u + w["b_enc"])
    elif name == "AutoEncoderNew":
        z = relu(x @ w["W_enc"] + w["b_enc"])
    elif name == "JumpReluAutoEncoder":
        z = jump(x @ w["W_enc"] + w["b_enc"], w["threshold"])
    elif name == "GatedAutoEncoder":
        g = wide(GATES)
        z = (u + g["gate"] > 0) * relu(np.exp(g["r_mag"]) * u + g["mag"])
    elif name == "AutoEncoderTopK":
        z = topk(u + w["b_enc"], K)
    else:
        z = relu(u + w["b_enc"])
        z = z * (z > np.float64(np.float32(threshold)))
    return z, z @ w["W_dec"] + w["b_dec"]


def config(name, buffer=None, **changed):
    trainer = {"trainer_class": "Trainer", "dict_class": name, "lr": 1e-4, "steps": 10}
    trainer |= {"activation_dim": D, "dict_size": F, "layer": 7, "wandb_name": "x"}
    trainer |= {"lm_name": "EleutherAI/pythia-70m", "submodule_name": "resid_post_layer_7"}
    trainer |= {"k": K} if KINDS[name].counts else {}
    return {"trainer": trainer | changed, "buffer": {"ctx_len": 128, **(buffer or {})}}


def write(folder, name, values=None, kind=torch.float32, **changed):
    write_json(folder / "config.json", config(name, **changed))
    values = state(name) if values is None else values
    saved = {n: torch.from_numpy(np.array(v)) for n, v in values.items()}
    saved = {n: v.to(kind) if v.dtype == torch.float32 else v for n, v in saved.items()}
    torch.save(saved, folder / "ae.pt")
    return folder


@pytest.mark.parametrize("name", KINDS)
def test_each_class(tmp_path, name):
    sae = open_checkpoint(write(tmp_path, name))
    agree(sae, *reference(name))
    assert sae.site == Site(7, "R")


@pytest.mark.parametrize("name", ["BatchTopKSAE", "MatryoshkaBatchTopKSAE"])
def test_a_threshold_that_was_never_estimated_leaves_the_relu(tmp_path, name):
    sae = open_checkpoint(write(tmp_path, name, state(name, -1.0)))
    agree(sae, *reference(name, -1.0))
    assert sae.facts["stored_threshold"] == -1


def test_a_gate_that_is_open_where_the_magnitude_is_negative(tmp_path):
    """One channel: u = x. Open above -gate_bias = -1; z = 2 u + mag_bias."""
    values = {
        "encoder.weight": np.eye(2),
        "decoder.weight": np.eye(2),
        "r_mag": np.log([2, 2]),
        "gate_bias": [1, -3],
        "mag_bias": [0, 0],
        "decoder_bias": [0, 0],
    }
    values = {name: np.array(value, np.float32) for name, value in values.items()}
    folder = write(tmp_path, "GatedAutoEncoder", values, activation_dim=2, dict_size=2)
    x = np.array([[-0.5, 2.9], [0.25, 3.25]])
    expected = [[0, 0], [0.5, 6.5]]
    np.testing.assert_allclose(encode(open_checkpoint(folder).encoder, x), expected, rtol=1e-6)


def test_bfloat16_is_read_as_it_is_stored(tmp_path):
    sae = open_checkpoint(write(tmp_path, "JumpReluAutoEncoder", kind=torch.bfloat16))
    rounded = {n: torch.from_numpy(v).bfloat16().double().numpy() for n, v in tensors().items()}
    z = jump(X @ rounded["W_enc"] + rounded["b_enc"], rounded["threshold"])
    agree(sae, z, z @ rounded["W_dec"] + rounded["b_dec"])
    assert sae.encoder.dtype == "bfloat16" and sae.encoder.rows(0, 3).dtype == np.uint16


def test_safetensors_under_another_name(tmp_path):
    write(tmp_path, "BatchTopKSAE")
    (tmp_path / "ae.pt").unlink()
    values = {name: np.array(value) for name, value in state("BatchTopKSAE").items()}
    values["k"] = values["k"].astype(np.int64)
    write_safetensors(tmp_path / "ae.safetensors", values)
    sae = open_checkpoint(tmp_path, reading=Reading(file="ae.safetensors"))
    agree(sae, *reference("BatchTopKSAE"))


def test_a_file_in_the_older_layout_of_torch(tmp_path):
    write(tmp_path, "AutoEncoder")
    values = torch.load(tmp_path / "ae.pt", weights_only=True)
    torch.save(values, tmp_path / "ae.pt", _use_new_zipfile_serialization=False)
    agree(open_checkpoint(tmp_path), *reference("AutoEncoder"))


def test_only_headers_are_read_of_a_hollow_file(tmp_path):
    write(tmp_path, "AutoEncoder")
    with hollow():
        sae = open_checkpoint(tmp_path, norms=np.ones(()))
    assert sae.encoder.d_sae == F and not sae.encoder.rows(0, F).any()


def test_tensors_are_read_from_their_places_in_the_file(tmp_path):
    path = write(tmp_path, "MatryoshkaBatchTopKSAE") / "ae.pt"
    opened, raw = open_pickle(path), path.read_bytes()
    assert set(opened.places) == set(state("MatryoshkaBatchTopKSAE"))
    for name, value in state("MatryoshkaBatchTopKSAE").items():
        value = np.ascontiguousarray(value)
        assert raw[opened.places[name] :][: value.nbytes] == value.tobytes(), name


def test_tensors_that_share_memory_or_lie_the_other_way(tmp_path):
    both = torch.arange(12.0).reshape(3, 4)
    torch.save({"a": both, "b": both[1], "c": both.T}, tmp_path / "a.pt")
    opened, raw = open_pickle(tmp_path / "a.pt"), (tmp_path / "a.pt").read_bytes()
    np.testing.assert_array_equal(opened.arrays["c"], both.numpy().T)
    assert set(opened.places) == {"a", "b"}
    assert raw[opened.places["b"] :][:16] == both[1].numpy().tobytes()


class Runs:
    def __reduce__(self):
        return (print, ("it ran",))


@pytest.mark.parametrize(
    "content, words",
    [
        (Runs(), r"it asks for \S*print\); what else a pickle may hold is not read"),
        ({"encoder.weight": Runs()}, "what else a pickle may hold is not read"),
        ([torch.ones(2)], "tensors by name were expected"),
        ({"sae": {"bias": torch.ones(2)}}, "'sae' must be a plain tensor"),
        ({"bias": torch.ones(2).to(torch.float8_e4m3fn)}, "stored as float8_e4m3fn"),
        ({"bias": torch.eye(2).to_sparse()}, "'bias' must be a plain tensor"),
    ],
)
def test_pickles_with_more_than_tensors(tmp_path, capsys, content, words):
    write(tmp_path, "AutoEncoder")
    torch.save(content, tmp_path / "ae.pt")
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"^((?!weights_only).)*$"):
        open_checkpoint(tmp_path)  # torch advises to run it
    assert "it ran" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(90), b"not a pickle"])
def test_a_damaged_pickle_is_named(tmp_path, content):
    write(tmp_path, "AutoEncoder")
    (tmp_path / "ae.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"ae\.pt: this is no file of plain tensors"):
        open_checkpoint(tmp_path)


@pytest.mark.parametrize(
    "name, changed, words",
    [
        ("AutoEncoder", {"dict_class": "IdentityDict"}, "trainer.dict_class is 'IdentityDict'"),
        ("AutoEncoder", {"k": 9}, "k is 9, but the class AutoEncoder has none"),
        ("AutoEncoderTopK", {"k": 0}, r"k is 0, but ae\.pt has 4"),
        ("AutoEncoderTopK", {"k": None}, "k must be int"),
        ("AutoEncoderTopK", {"k": 5}, r"k is 5, but ae\.pt has 4"),
        ("BatchTopKSAE", {"k": 5}, r"k is 5, but ae\.pt has 4"),
        ("AutoEncoder", {"dict_size": 33}, r"dict_size is 33, but ae\.pt has 32"),
        ("AutoEncoder", {"rescale": True}, "trainer.rescale is not known"),
        ("AutoEncoder", {"buffer": {"io": "in_and_out"}}, "buffer.io is 'in_and_out'"),
        ("AutoEncoder", {"buffer": {"layer": 7}}, "buffer.layer is not known"),
        ("AutoEncoder", {"submodule_name": "dit_block"}, "submodule_name is 'dit_block'"),
        ("AutoEncoder", {"layer": 6}, "trainer.layer is 6, but trainer.submodule_name is"),
        ("AutoEncoder", {"lm_name": "gemma-2-2b", "submodule_name": "mlp_out_layer_7"}, "no site"),
    ],
)
def test_what_is_refused(tmp_path, name, changed, words):
    with pytest.raises(CheckpointError, match=words):
        open_checkpoint(write(tmp_path, name, state(changed.get("name", name)), **changed))


def test_a_tensor_that_is_not_known(tmp_path):
    values = state("AutoEncoder") | {"log_scale": np.ones(F, np.float32)}
    with pytest.raises(CheckpointError, match="'log_scale' is not known"):
        open_checkpoint(write(tmp_path, "AutoEncoder", values))


@pytest.mark.parametrize(
    "name, side, site",
    [
        ("resid_post_layer_7", "out", "L7R"),
        ("resid_post_layer_7", "in", "L6R"),
        ("mlp_out_layer_7", "out", "L7M"),
        ("attn_out_layer_7", "out", "L7A"),
        ("gpt_neox.layers.7.mlp", "in", "L7I"),
        ("model.layers.7.self_attn.o_proj", "in", "L7Z"),
        ("transformer.h.7", "out", "L7R"),
    ],
)
def test_sites(tmp_path, name, side, site):
    folder = write(tmp_path, "AutoEncoder", submodule_name=name, buffer={"io": side})
    assert str(open_checkpoint(folder).site) == site


@pytest.mark.parametrize("asked, site", [("L7M", "L7M"), ("L6R", "L7R")])
def test_a_site_that_is_not_said_is_believed_but_for_its_layer(tmp_path, asked, site):
    folder = write(tmp_path, "AutoEncoder", submodule_name=None)
    read = open_checkpoint(folder, reading=Reading(site=Site.parse(asked)))
    assert str(read.site) == site


def test_the_checkpoint_that_failed(failing):
    with pytest.raises(CheckpointError, match=r"ae\.pt: this is no file of plain tensors"):
        open_checkpoint(failing / "sae" / "dictionary_learning")
