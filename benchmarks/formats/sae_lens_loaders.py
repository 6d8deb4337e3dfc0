"""Side of SAELens 6: its loaders of other people's repositories, on small files in their layout.

What the loaders would fetch from the hub is taken from the folder of the case instead. Imports
nothing of saegrid; the protocol stands in `run.py`. Not compared are Llama Scope, which SAELens
gates otherwise than its authors do, and reconstructions of the SAE of the embeddings, where it
scales the decoder's rows and not its bias.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]

import sae_lens  # noqa: E402
from sae_lens.loading import pretrained_sae_loaders as loaders  # noqa: E402

D, F, K = 16, 64, 5
HOOK = "blocks.7.hook_resid_post"


def gate(name: str) -> dict[str, Any]:
    """Facts of the config of Gemma Scope 2 for a place in block 7."""
    places = {
        "resid_post": ("output",) * 2,
        "attn_out": ("self_attn.o_proj.input",) * 2,
        "mlp_out": ("post_feedforward_layernorm.output",) * 2,
        "transcoder": ("pre_feedforward_layernorm.output", "post_feedforward_layernorm.output"),
    }
    read, write = (f"model.layers.7.{place}" for place in places[name])
    facts = {"architecture": "jump_relu", "hf_hook_point_in": read, "hf_hook_point_out": write}
    kind = "transcoder" if name == "transcoder" else "sae"
    return facts | {"model_name": "google/gemma-3-1b-pt", "width": F, "l0": 10, "type": kind}


def arrays(seed: int = 0) -> dict[str, torch.Tensor]:
    """Tensors in the orientation of SAELens; thresholds of both signs."""
    rng = np.random.default_rng(seed)
    values = {
        "W_enc": rng.normal(size=(D, F)) / 3,
        "W_dec": rng.normal(size=(F, D)) * rng.uniform(0.3, 2, (F, 1)),
        "b_enc": rng.normal(size=F) / 4,
        "b_dec": rng.normal(size=D),
        "threshold": rng.uniform(-0.2, 1, F),
    }
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}


def gemma_2(folder: Path) -> None:
    """params.npz."""
    np.savez(folder / "params.npz", **{name: value.numpy() for name, value in arrays().items()})


def gemma_3(name: str, affine: bool = False) -> Any:
    """config.json and params.safetensors."""

    def write(folder: Path) -> None:
        facts = gate(name) | {"affine_connection": affine}
        (folder / "config.json").write_text(json.dumps(facts))
        small = {key.replace("W_", "w_"): value for key, value in arrays().items()}
        if affine:
            small["affine_skip_connection"] = torch.randn(D, D, generator=torch.manual_seed(1))
        save_file(small, folder / "params.safetensors")

    return write


def linear(w: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names and orientation of torch's Linear."""
    values = {"encoder.weight": w["W_enc"].T, "decoder.weight": w["W_dec"].T}
    values["encoder.bias"] = w["b_enc"]
    return {name: value.contiguous() for name, value in values.items()}


def dictionary_learning(kind: str) -> Any:
    """config.json and ae.pt."""

    def write(folder: Path) -> None:
        w = arrays()
        k = {"k": torch.tensor(K, dtype=torch.int32), "threshold": torch.tensor(0.6)}
        if kind == "GatedAutoEncoder":
            state = linear(w) | {"decoder_bias": w["b_dec"], "r_mag": w["b_enc"]}
            del state["encoder.bias"]
            state |= {"gate_bias": w["threshold"], "mag_bias": w["b_enc"].flip(0)}
        elif kind == "AutoEncoder":
            state = linear(w) | {"bias": w["b_dec"]}
        elif kind == "JumpReluAutoEncoder":
            state = w
        elif kind == "MatryoshkaBatchTopKSAE":
            state = w | k | {"group_sizes": torch.tensor([F // 2, F // 2])}
        else:
            state = linear(w) | k | {"b_dec": w["b_dec"]}
        torch.save(state, folder / "ae.pt")
        trainer = {"dict_class": kind, "activation_dim": D, "dict_size": F, "layer": 7}
        trainer |= {"lm_name": "pythia", "submodule_name": "resid_post_layer_7"}
        trainer |= {"k": K} if "k" in state else {}
        facts = {"trainer": trainer, "buffer": {"ctx_len": 128}}
        (folder / "config.json").write_text(json.dumps(facts))

    return write


def qwen_scope(folder: Path) -> None:
    """config.json and layer7.sae.pt."""
    w = arrays()
    del w["threshold"]
    w |= {"W_enc": w["W_enc"].T.contiguous(), "W_dec": w["W_dec"].T.contiguous()}
    torch.save(w, folder / "layer7.sae.pt")
    facts = {
        "model_type": "topk_sae",
        "d_model": D,
        "d_sae": F,
        "k": K,
        "hook_point": "resid_post",
    }
    (folder / "config.json").write_text(json.dumps(facts))


def mwhanna(folder: Path) -> None:
    """layer_7.safetensors, and the files about it that SAELens reads."""
    w = arrays()
    del w["threshold"]
    save_file(w | {"W_enc": w["W_enc"].T.contiguous()}, folder / "layer_7.safetensors")
    sizes = {"d_model": D, "d_feature": F, "batch_size": 4}
    (folder / "wandb-config.yaml").write_text(
        json.dumps({k: {"value": v} for k, v in sizes.items()})
    )
    facts = {"model_name": "Qwen/Qwen3-4B", "model_kind": "transcoder_set"}
    facts |= {"feature_input_hook": "mlp.hook_in", "feature_output_hook": "mlp.hook_out"}
    (folder / "config.yaml").write_text(json.dumps(facts))


def r1_distill(folder: Path) -> None:
    """config.json and sae_weights.safetensors; decoder rows of norm one, where both gates agree."""
    w = arrays()
    w["W_dec"] = w["W_dec"] / w["W_dec"].norm(dim=1, keepdim=True)
    state = linear(w) | {"decoder.bias": w["b_dec"]}
    state["log_jumprelu_threshold"] = w["b_enc"].clone()
    state[f"dataset_average_activation_norm.{HOOK}"] = torch.tensor(4.0 / 0.5)  # s = 0.5
    save_file(state, folder / "sae_weights.safetensors")
    facts = {"sae_type": "sae", "hook_point_in": HOOK, "hook_point_out": HOOK, "d_model": D}
    facts |= {"expansion_factor": F // D, "act_fn": "jumprelu", "norm_activation": "dataset-wise"}
    facts |= {"sparsity_include_decoder_norm": True}
    (folder / "config.json").write_text(json.dumps(facts))


SIZES = {"d_in": D, "d_sae": F}
GEMMA = "google/gemma-scope-2b-pt-"
NEWER = "google/gemma-scope-2-1b-pt"
AE = {"format": "dictionary_learning", "site": "L7R"}
TC = {"site": "L7I", "writes": "m"}
NORMALIZED = "ln2.hook_normalized"
# name: writer, loader, repository, folder, sizes that the loader takes from the model, case.json
CASES: dict[str, tuple[Any, str, str, str, dict[str, int], dict[str, str]]] = {
    **{
        f"gemma-scope-{end}": (
            gemma_2,
            "gemma_2",
            GEMMA + end,
            "layer_7/width_16k/average_l0_9",
            SIZES,
            {"format": "gemma_scope", "site": site},
        )
        for end, site in {"res": "L7R", "mlp": "L7M", "att": "L7Z"}.items()
    },
    "gemma-scope-transcoders": (
        gemma_2,
        "gemma_2_transcoder",
        GEMMA + "transcoders",
        "layer_7/width_16k/average_l0_9",
        SIZES | {"d_out": D},
        {"format": "gemma_scope", "site": "L7H", "writes": "m"},
    ),
    **{
        f"gemma-scope-2-{name}{'-affine' * affine}": (
            gemma_3(name, affine),
            "gemma_3",
            NEWER,
            f"{name}/layer_7_width_16k",
            {},
            {"format": "gemma_scope_2", **place},
        )
        for name, affine, place in (
            ("resid_post", False, {"site": "L7R"}),
            ("attn_out", False, {"site": "L7Z"}),
            ("mlp_out", False, {"site": "L7M"}),
            ("transcoder", False, TC),
            ("transcoder", True, TC),
        )
    },
    **{
        kind: (dictionary_learning(kind), "dictionary_learning_1", "a/b", "c", {}, AE)
        for kind in (
            *("AutoEncoder", "AutoEncoderTopK", "BatchTopKSAE", "GatedAutoEncoder"),
            *("JumpReluAutoEncoder", "MatryoshkaBatchTopKSAE"),
        )
    },
    "qwen-scope": (
        qwen_scope,
        "qwen_scope",
        f"Qwen/SAE-Res-Qwen3-1.7B-Base-W32K-L0_{K}",
        "layer7.sae.pt",
        SIZES,
        {"format": "qwen_scope", "site": "L7R", "file": "layer7.sae.pt"},
    ),
    "circuit-tracer": (
        mwhanna,
        "mwhanna_transcoder",
        "mwhanna/qwen3-4b",
        "layer_7.safetensors",
        {},
        {"format": "circuit_tracer", "file": "layer_7.safetensors", **TC},
    ),
    "mwhanna": (
        mwhanna,
        "mwhanna_transcoder",
        "mwhanna/qwen3-4b",
        "layer_7.safetensors",
        {},
        {"format": "mwhanna_transcoder", "file": "layer_7.safetensors", **TC},
    ),
    "r1-distill": (
        r1_distill,
        "llama_scope_r1_distill",
        "fnlp/Llama-Scope-R1-Distill",
        "a/L7R",
        {},
        {"format": "llamascopium", "site": "L7R"},
    ),
}


def make(folder: Path) -> None:
    """Write the checkpoints."""
    for name, (write, *_, facts) in CASES.items():
        (folder / name / "checkpoint").mkdir(parents=True)
        write(folder / name / "checkpoint")
        x = np.random.default_rng(1).normal(size=(96, D)).astype(np.float32) * 2
        np.save(folder / name / "x.npy", x)
        (folder / name / "case.json").write_text(json.dumps(facts))


def load(checkpoint: Path, loader: str, repo: str, folder: str, sizes: dict[str, int]) -> Any:
    """The SAE as SAELens loads it; as much of `SAE.from_pretrained` as follows the download."""

    def fetch(_: str, filename: str, **__: Any) -> str:
        return str(checkpoint / Path(filename).name)

    def shapes(_: str, filename: str) -> dict[str, list[int]]:
        with safe_open(checkpoint / Path(filename).name, framework="pt") as file:
            return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118

    loaders.hf_hub_download = lambda repo_id, filename, **more: fetch(repo_id, filename, **more)
    loaders.get_safetensors_tensor_shapes = shapes
    read = loaders.NAMED_PRETRAINED_SAE_LOADERS[loader]
    overrides = {"dtype": "float32", "device": "cpu", **sizes}
    cfg, state, _ = read(repo, folder, device="cpu", force_download=False, cfg_overrides=overrides)
    cfg = loaders.handle_config_defaulting(cfg)
    config = sae_lens.SAE.get_sae_config_class_for_architecture(cfg["architecture"]).from_dict(cfg)
    sae = sae_lens.SAE.get_sae_class_for_architecture(config.architecture())(config)
    sae.process_state_dict_for_loading(state)
    sae.load_state_dict(state)
    sae = sae.to(dtype=torch.float64)
    if cfg["normalize_activations"] == "expected_average_only_in":
        sae.fold_activation_norm_scaling_factor(0.5)
    # It is a view of attention's heads that is taken apart here; x is theirs side by side.
    sae.turn_off_forward_pass_hook_z_reshaping()
    return sae


@torch.no_grad()
def read(folder: Path, out: Path) -> None:
    """Load each with the library, and write codes and reconstructions in float64."""
    for case in sorted(folder.iterdir()):
        _, *how, _ = CASES[case.name]
        sae = load(case / "checkpoint", *how)
        x = torch.from_numpy(np.load(case / "x.npy")).double()
        if sae.cfg.metadata.hook_name.endswith(NORMALIZED):
            # Its hook point has what Gemma's norm gives before its gain; x is the norm's input.
            x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        z = sae.encode(x)
        x_hat = sae(x) if hasattr(sae, "W_skip") else sae.decode(z)
        (out / case.name).mkdir(parents=True)
        np.save(out / case.name / "z.npy", z.to_dense().numpy())
        np.save(out / case.name / "x_hat.npy", x_hat.numpy())
    version = importlib.metadata.version("sae-lens")
    (out / "version.json").write_text(
        json.dumps({"library": "sae-lens loaders", "version": version})
    )


if __name__ == "__main__":
    {"make": make, "read": read}[sys.argv[1]](*map(Path, sys.argv[2:]))
