"""Checkpoints in SAELens' layout by hand, published weights, and exports that SAELens reads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from run import Case

from saegrid.base.io import read_tensors, write_tensors
from saegrid.saes.export import export
from saegrid.saes.formats.llama_scope import open_checkpoint as open_llama_scope
from saegrid.saes.formats.sae_lens import open_checkpoint

SHARED = Path(__file__).resolve().parents[4] / "shared"
D_IN, D_SAE = 24, 96
OLD = {
    "architecture": "standard",
    "d_in": D_IN,
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
    "dtype": "float32",
    "device": "cpu",
    "sae_lens_training_version": "4.4.5",
    "model_from_pretrained_kwargs": {},
}
RENAMED = {"hook_name": "hook_point", "hook_layer": "hook_point_layer"}
RENAMED |= {"hook_head_index": "hook_point_head_index", "activation_fn_str": "activation_fn"}
V1 = {RENAMED.get(key, key): value for key, value in OLD.items() if key != "architecture"}
TOPK = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}}
CENTRED = {"model_from_pretrained_kwargs": {"center_writing_weights": True}}
READ = {"format": "sae_lens", "site": "L7R"}


def tensors(*more: str, d_out: int = D_IN) -> dict[str, np.ndarray]:
    """Tensors of an SAE, with others by their names."""
    rng = np.random.default_rng(3)
    shapes = {"W_enc": (D_IN, D_SAE), "b_enc": D_SAE, "W_dec": (D_SAE, d_out), "b_dec": d_out}
    shapes |= {"W_skip": (d_out, D_IN)} if "W_skip" in more else {}
    drawn = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    drawn["W_dec"] *= rng.uniform(0.3, 2, (D_SAE, 1))
    drawn |= {name: rng.uniform(0.2, 2, D_SAE) for name in more if name != "W_skip"}
    if "b_gate" in more:
        del drawn["b_enc"]
        drawn["r_mag"] *= -0.3
    return {name: value.astype(np.float32) for name, value in drawn.items()}


def laid_out(cfg: dict[str, Any], *more: str, d_out: int = D_IN, **files: Any) -> Callable:
    """A function that writes a checkpoint into a folder."""

    def write(folder: Path) -> None:
        write_tensors(folder / "sae_weights.safetensors", tensors(*more, d_out=d_out))
        (folder / "cfg.json").write_text(json.dumps(cfg))
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))

    return write


def exported(write: Callable, open_checkpoint: Callable = open_checkpoint) -> Callable:
    """A function that writes a checkpoint beside a folder, and its export into it."""

    def write_both(folder: Path) -> None:
        original = folder.with_name("original")
        original.mkdir()
        write(original)
        export(open_checkpoint(original), folder)

    return write_both


def llama_scope(folder: Path) -> None:
    """Write a checkpoint of Llama Scope in float32."""
    w, norm = tensors(), {"in": 7.5, "out": 7.5}
    held = {"encoder.weight": w["W_enc"].T.copy(), "encoder.bias": w["b_enc"]}
    held |= {"decoder.weight": w["W_dec"].T.copy(), "decoder.bias": w["b_dec"]}
    (folder / "checkpoints").mkdir()
    write_tensors(folder / "checkpoints" / "final.safetensors", held)
    facts = {"hook_point_in": OLD["hook_name"], "hook_point_out": OLD["hook_name"]}
    facts |= {"d_model": D_IN, "d_sae": D_SAE, "dtype": "float32", "jump_relu_threshold": 0.7}
    facts |= {"dataset_average_activation_norm": norm, "act_fn": "jumprelu"}
    facts |= {"norm_activation": "dataset-wise", "use_glu_encoder": False}
    facts |= {"apply_decoder_bias_to_pre_encoder": False, "use_decoder_bias": True}
    facts |= {"sparsity_include_decoder_norm": True}
    (folder / "hyperparams.json").write_text(json.dumps(facts))


def published(name: str) -> Callable:
    """A function that writes published weights of a TopK SAE, k 4, in SAELens' layout."""

    def write(folder: Path) -> None:
        given = read_tensors(SHARED / "data" / "sae-weights" / f"{name}.safetensors")
        names = {"W_enc": "encoder_weights", "b_enc": "encoder_bias"}
        names |= {"W_dec": "decoder_weights", "b_dec": "pre_bias"}
        held = {ours: given[theirs] for ours, theirs in names.items()}
        d_in, d_sae = held["W_enc"].shape
        cfg = OLD | TOPK | {"d_in": d_in, "d_sae": d_sae, "activation_fn_kwargs": {"k": 4}}
        write_tensors(folder / "sae_weights.safetensors", held)
        (folder / "cfg.json").write_text(json.dumps(cfg))

    return write


def old_relu(name: str) -> Callable:
    """A function that writes published weights of a ReLU SAE in SAELens' layout."""

    def write(folder: Path) -> None:
        given = read_tensors(SHARED / "data" / "sae-weights" / f"{name}.safetensors")
        held = {"W_enc": given["encoder.weight"].T.copy(), "b_enc": given["encoder.bias"]}
        held |= {"W_dec": given["decoder.weight"].T.copy(), "b_dec": given["bias"]}
        d_in, d_sae = held["W_enc"].shape
        write_tensors(folder / "sae_weights.safetensors", held)
        (folder / "cfg.json").write_text(json.dumps(OLD | {"d_in": d_in, "d_sae": d_sae}))

    return write


AVERAGE = {"normalize_activations": "expected_average_only_in"}
AVERAGED = laid_out(
    OLD | AVERAGE | {"architecture": "jumprelu"},
    "threshold",
    activation_scaler={"scaling_factor": 0.37},
)
LAYER = OLD | {"normalize_activations": "layer_norm"}
CONSTANT = OLD | {"normalize_activations": "constant_norm_rescale"}
GATED = laid_out(OLD | {"architecture": "gated"}, "b_gate", "r_mag", "b_mag")
TUNED = laid_out(OLD | {"finetuning_scaling_factor": True}, "scaling_factor")
HOOK_Z = laid_out(OLD | {"hook_name": "blocks.7.attn.hook_z"})
SKIP = laid_out(
    OLD
    | {"architecture": "jumprelu_skip_transcoder", "d_out": 32, "apply_b_dec_to_input": False}
    | {"hook_name": "blocks.7.ln2.hook_normalized", "hook_name_out": "blocks.7.hook_mlp_out"},
    "threshold",
    "W_skip",
    d_out=32,
)
MLP = {"site": "L7I", "writes": "m"}

CASES = [
    Case("1: hook_point", laid_out(V1), D_IN, READ | {"centred": False}),
    Case("3: standard", laid_out(OLD), D_IN, READ),
    Case("3: topk", laid_out(OLD | TOPK), D_IN, READ),
    # SAELens 6 has no scaling factors any more.
    Case("3: finetuned", TUNED, D_IN, READ, ("3", "5")),
    Case("3: centred", laid_out(OLD | CENTRED), D_IN, READ),
    Case("3: layer_norm", laid_out(LAYER), D_IN, READ),
    Case("3: constant_norm", laid_out(CONSTANT), D_IN, READ),
    Case("3: normalised false", laid_out(OLD | {"normalize_activations": False}), D_IN, READ),
    Case("3: jumprelu", laid_out(OLD | {"architecture": "jumprelu"}, "threshold"), D_IN, READ),
    Case("3: gated", GATED, D_IN, READ),
    Case("5: topk", laid_out(OLD | TOPK | {"architecture": "topk"}), D_IN, READ, ("5", "6")),
    Case("5: expected average", AVERAGED, D_IN, READ, ("5", "6")),
    Case("hook_z", HOOK_Z, D_IN, READ | {"site": "L7Z"}),
    Case("6: skip transcoder", SKIP, D_IN, READ | MLP, ("6",)),
    *(
        Case(f"published {name}", published(name), 64, READ, ("3", "5", "6"))
        for name in ("sae_128_4", "sae_512_4", "sae_1024_4")
    ),
    Case("published ae1", old_relu("ae1"), 48, READ),
    Case("published ae2", old_relu("ae2"), 120, READ),
    Case("export: standard", exported(laid_out(OLD)), D_IN, READ, ("5", "6")),
    Case("export: topk", exported(laid_out(OLD | TOPK)), D_IN, READ, ("5", "6")),
    Case("export: finetuned", exported(TUNED), D_IN, READ, ("5", "6")),
    Case("export: centred", exported(laid_out(OLD | CENTRED)), D_IN, READ, ("5", "6")),
    Case("export: gated", exported(GATED), D_IN, READ, ("5", "6")),
    Case("export: layer_norm", exported(laid_out(LAYER)), D_IN, READ, ("5", "6")),
    Case("export: constant_norm", exported(laid_out(CONSTANT)), D_IN, READ, ("5", "6")),
    Case("export: expected average", exported(AVERAGED), D_IN, READ, ("5", "6")),
    Case("export: hook_z", exported(HOOK_Z), D_IN, READ | {"site": "L7Z"}, ("5", "6")),
    Case("export: skip transcoder", exported(SKIP), D_IN, READ | MLP, ("6",)),
    Case(
        "export: Llama Scope",
        exported(llama_scope, open_llama_scope),
        D_IN,
        READ | {"format": "llama_scope"},
        ("5", "6"),
    ),
    Case("export: sae_512_4", exported(published("sae_512_4")), 64, READ, ("5", "6")),
]
