"""Tensors of SAEs in the layouts of other libraries, and the formulas of these in numpy."""

import json
import shutil
from pathlib import Path

import numpy as np

from checkpoints import write_safetensors

ROOT = Path(__file__).parents[1]
D, F = 8, 32
VOCAB = 2100
X = np.random.default_rng(11).normal(size=(200, D)) * 2


def tensors(seed=3, d_out=D):
    """Tensors in the orientation of Gemma Scope, float32, with decoder rows of many norms."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(F, d_out)) * rng.uniform(0.2, 3, (F, 1))
    values = {
        "W_enc": rng.normal(size=(D, F)) / 2,
        "W_dec": rows,
        "b_enc": rng.normal(size=F) / 4,
        "b_dec": rng.normal(size=d_out),
        "threshold": rng.uniform(-0.3, 1.5, F),
    }
    return {name: value.astype(np.float32) for name, value in values.items()}


def relu(x):
    return np.maximum(x, 0)


def jump(pre, threshold):
    """ReLU, then the gate: strictly above the threshold."""
    return np.where(pre > threshold, relu(pre), 0)


def topk(pre, k):
    """ReLU, then the k largest of each token."""
    out = np.zeros_like(pre)
    best = np.argsort(-relu(pre), axis=1, kind="stable")[:, :k]
    np.put_along_axis(out, best, np.take_along_axis(relu(pre), best, 1), 1)
    return out


def write_json(path, facts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def write_model(folder, layers=20, d=D, tokenizer=True):
    """The files of a Llama that are looked at: config, tokenizer, and weights of little meaning."""
    facts = json.loads((ROOT / "resources/toy/model/config.json").read_text())
    facts |= {"num_hidden_layers": layers, "hidden_size": d, "head_dim": d // 4}
    write_json(folder / "config.json", facts)
    tensors = {"model.embed_tokens.weight": (VOCAB, d), "model.norm.weight": (d,)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in tensors.items()}
    write_safetensors(folder / "model.safetensors", tensors)
    for name in ("tokenizer.json", "tokenizer_config.json") if tokenizer else ():
        shutil.copy(ROOT / "resources/toy/model" / name, folder)
    return folder


def wide(values):
    return {name: np.asarray(value, np.float64) for name, value in values.items()}


def agree(sae, z, x_hat, x=X):
    """The codes and the reconstruction of an SAE are these, and the same entries are active."""
    from saegrid.saes.sae import as_written, decode, encode

    codes = encode(sae.encoder, x)
    np.testing.assert_array_equal(codes > 0, z > 0)
    np.testing.assert_allclose(codes, z, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(as_written(sae, x, decode(sae, codes)), x_hat, rtol=1e-5, atol=1e-5)
    blocks = [sae.encoder.rows(start, start + 5) for start in range(0, sae.encoder.d_sae, 5)]
    whole = np.concatenate(blocks)
    np.testing.assert_array_equal(whole, sae.encoder.rows(0, sae.encoder.d_sae))
    out = np.empty((7, sae.encoder.d_model), sae.encoder.stored)
    np.testing.assert_array_equal(sae.encoder.rows(3, 9, out), whole[3:9])
    picked = sae.decoder.rows(np.array([4, 0]))
    np.testing.assert_allclose(np.linalg.norm(picked, axis=1), sae.decoder.norms[[4, 0]], rtol=1e-6)


# --- a checkpoint of each format, under the names that its files have where nothing is said ------


def rows_first(w):
    """Names and orientation of torch's Linear."""
    return {
        "encoder.weight": w["W_enc"].T.copy(),
        "encoder.bias": w["b_enc"],
        "decoder.weight": w["W_dec"].T.copy(),
    }


def pickled(path, values):
    import torch

    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({n: torch.from_numpy(np.array(v)) for n, v in values.items()}, path)


def gemma_scope(folder):
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "params.npz", **tensors())
    return folder


def gemma_scope_2(folder):
    hook = "model.layers.17.output"
    cfg = {"architecture": "jump_relu", "type": "sae", "hf_hook_point_in": hook}
    write_json(folder / "config.json", cfg | {"hf_hook_point_out": hook, "l0": 10})
    small = {name.replace("W_", "w_"): value for name, value in tensors().items()}
    write_safetensors(folder / "params.safetensors", small)
    return folder


def dictionary_learning(folder):
    trainer = {"dict_class": "AutoEncoder", "activation_dim": D, "dict_size": F, "layer": 7}
    trainer |= {"submodule_name": "resid_post_layer_7"}
    write_json(folder / "config.json", {"trainer": trainer, "buffer": {"ctx_len": 128}})
    w = tensors()
    pickled(folder / "ae.pt", rows_first(w) | {"bias": w["b_dec"]})
    return folder


def sparsify(folder):
    write_json(folder / "cfg.json", {"d_in": D, "k": 4, "num_latents": F, "expansion_factor": 4})
    w = tensors()
    named = {"W_dec": w["W_dec"], "b_dec": w["b_dec"], **rows_first(w)}
    del named["decoder.weight"]
    write_safetensors(folder / "sae.safetensors", named)
    return folder


def one_layer(folder):
    w = tensors()
    del w["threshold"]
    write_safetensors(folder / "layer_0.safetensors", w | {"W_enc": w["W_enc"].T.copy()})
    return folder


def circuit_tracer(folder):
    cfg = {"model_kind": "transcoder_set", "feature_input_hook": "mlp.hook_in"}
    write_json(folder / "config.yaml", cfg | {"feature_output_hook": "mlp.hook_out"})  # as YAML
    return one_layer(folder)


def qwen_scope(folder):
    cfg = {"model_type": "topk_sae", "d_model": D, "d_sae": F, "k": 4, "hook_point": "resid_post"}
    write_json(folder / "config.json", cfg)
    w = tensors()
    del w["threshold"]
    w |= {"W_enc": w["W_enc"].T.copy(), "W_dec": w["W_dec"].T.copy()}
    pickled(folder / "layer0.sae.pt", w)
    return folder


def llamascopium(folder):
    cfg = {"sae_type": "sae", "d_model": D, "expansion_factor": F / D, "act_fn": "jumprelu"}
    cfg |= {"norm_activation": "inference", "sparsity_include_decoder_norm": True}
    hook = "blocks.15.hook_resid_post"
    write_json(folder / "config.json", cfg | {"hook_point_in": hook, "hook_point_out": hook})
    w = tensors()
    named = {"W_E": w["W_enc"], "W_D": w["W_dec"], "b_E": w["b_enc"], "b_D": w["b_dec"]}
    named["activation_function.log_jumprelu_threshold"] = np.zeros(F, np.float32)
    write_safetensors(folder / "sae_weights.safetensors", named)
    return folder


MAKERS = {
    "circuit_tracer": circuit_tracer,
    "dictionary_learning": dictionary_learning,
    "gemma_scope": gemma_scope,
    "gemma_scope_2": gemma_scope_2,
    "llamascopium": llamascopium,
    "mwhanna_transcoder": one_layer,
    "qwen_scope": qwen_scope,
    "sparsify": sparsify,
}
"""Writers of a checkpoint into a folder, which they return, by the name of the format."""
