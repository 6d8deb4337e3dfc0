"""The side of SAELens, versions 3 to 6, in the comparison of formats: run.py has the protocol."""

import json
import sys
import tempfile
import warnings
from functools import partial
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from sae_lens import SAE

VERSION = version("sae-lens")
MAJOR = int(VERSION.split(".")[0])
D_IN, D_SAE = 24, 96
HEADS = 2
X = "x.npy"
LLM = {
    "model_name": "gpt2-small",
    "hook_name": "blocks.7.hook_resid_post",
    "hook_head_index": None,
    "prepend_bos": True,
    "context_size": 128,
    "model_from_pretrained_kwargs": {},
}


def main() -> None:
    """Make checkpoints, or read those of a folder."""
    if sys.argv[1] == "make":
        (make_6 if MAJOR >= 6 else make_3_to_5)(Path(sys.argv[2]))
    else:
        read(Path(sys.argv[2]), Path(sys.argv[3]))


# --- reading --------------------------------------------------------------------------------------


def read(given: Path, answer: Path) -> None:
    """Encode and decode by every checkpoint of a folder."""
    for case in sorted(given.iterdir()):
        folder = answer / case.name
        folder.mkdir()
        try:
            z, x_hat = numbers(case)
        except Exception as problem:
            (folder / "error.txt").write_text(f"{type(problem).__name__}: {problem}".split("\n")[0])
            continue
        np.save(folder / "z.npy", z.detach().numpy())
        np.save(folder / "x_hat.npy", x_hat.detach().numpy())
    (answer / "version.json").write_text(json.dumps({"library": "sae-lens", "version": VERSION}))


def numbers(case: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and reconstruction of a checkpoint's activations, as its cfg.json wants them fed."""
    checkpoint = case / "checkpoint"
    cfg = json.loads((checkpoint / "cfg.json").read_text())
    x = torch.from_numpy(np.load(case / X)).double()
    facts = cfg | (cfg.get("metadata") or {})
    if (facts.get("model_from_pretrained_kwargs") or {}).get("center_writing_weights"):
        x = x - x.mean(dim=1, keepdim=True)  # what the model gives that it asks for
    sae = load(checkpoint, cfg)
    heads = sae.hook_z_reshaping_mode
    fed = x.reshape(len(x), HEADS, -1) if heads else x
    z = sae.encode(fed)
    # A skip is added by the whole pass alone.
    x_hat = sae(fed) if hasattr(sae, "W_skip") else sae.decode(z)
    return z, x_hat.reshape(len(x), -1)


def load(checkpoint: Path, cfg: dict) -> SAE:
    """The SAE of a folder in float64; of a training's checkpoint what it is saved as for use."""
    scaler = checkpoint / "activation_scaler.json"
    factor = json.loads(scaler.read_text())["scaling_factor"] if scaler.is_file() else None
    if MAJOR < 5:
        return SAE.load_from_pretrained(str(checkpoint), dtype="float64")
    if "batchtopk" in cfg.get("architecture", ""):
        from sae_lens import TrainingSAE

        training = TrainingSAE.load_from_disk(checkpoint, dtype="float64")
        if factor:
            training.fold_activation_norm_scaling_factor(factor)
        with tempfile.TemporaryDirectory() as folder:
            training.save_inference_model(folder)
            return SAE.load_from_disk(folder, dtype="float64")
    sae = SAE.load_from_disk(str(checkpoint), dtype="float64")
    if factor:
        sae.fold_activation_norm_scaling_factor(factor)
    return sae


# --- writing --------------------------------------------------------------------------------------


def lay_out(folder: Path, name: str, save, **facts) -> None:
    """Write a case of SAELens' own making."""
    case = folder / f"{name} (its own)"
    (case / "checkpoint").mkdir(parents=True)
    save(case / "checkpoint")
    rng = np.random.default_rng(7)
    x = rng.normal(size=(96, D_IN)) * rng.uniform(0.5, 3, D_IN) + rng.normal(size=D_IN)
    np.save(case / X, x.astype(np.float32))
    (case / "case.json").write_text(json.dumps({"format": "sae_lens", "site": "L7R"} | facts))


@torch.no_grad()
def drawn(sae, seed: int = 0):
    """The SAE with random numbers in all that it holds."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sae.named_parameters():
        value.copy_(torch.randn(value.shape, generator=generator) * (0.3 if "mag" in name else 1))
        if name == "W_dec":
            value.mul_(torch.rand(len(value), 1, generator=generator) + 0.2)
        if name == "threshold":
            value.abs_()
    return sae


def make_3_to_5(folder: Path) -> None:
    """Checkpoints by SAEConfig and save_model of versions 3 to 5."""
    from sae_lens.sae import SAEConfig

    common = LLM | {
        "d_in": D_IN,
        "d_sae": D_SAE,
        "activation_fn_str": "relu",
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "hook_layer": 7,
        "dataset_path": "text",
        "dataset_trust_remote_code": True,
        "normalize_activations": "none",
        "dtype": "float32",
        "device": "cpu",
        "sae_lens_training_version": VERSION,
    }
    topk = {"activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5}}
    kinds = {
        "standard": {"architecture": "standard"},
        "standard with topk": {"architecture": "standard"} | topk,
        "jumprelu": {"architecture": "jumprelu"},
        "gated": {"architecture": "gated", "apply_b_dec_to_input": False},
        "gated b_dec": {"architecture": "gated"},
        "layer_norm": {"architecture": "standard", "normalize_activations": "layer_norm"},
        "constant_norm": {"architecture": "jumprelu"}
        | {"normalize_activations": "constant_norm_rescale"},
        "hook_z": {"architecture": "standard", "hook_name": "blocks.7.attn.hook_z"},
    }
    if MAJOR >= 5:
        kinds["topk"] = {"architecture": "topk"} | topk
    for name, cfg in kinds.items():
        sae = drawn(SAE(SAEConfig.from_dict(common | cfg)))
        site = {"site": "L7Z"} if "hook_name" in cfg else {}
        lay_out(folder, name, lambda to, sae=sae: sae.save_model(str(to)), **site)


def make_6(folder: Path) -> None:
    """Checkpoints by the classes of version 6: of inference, and of trainings in both forms."""
    from sae_lens.registry import get_sae_class, get_sae_training_class
    from sae_lens.saes.sae import SAEMetadata

    shape = {"d_in": D_IN, "d_sae": D_SAE}
    z = {"reshape_activations": "hook_z"}
    hook = {"hook_name": "blocks.7.attn.hook_z"}
    kinds = {
        "standard": ("standard", {}, {}),
        "jumprelu": ("jumprelu", {}, {}),
        "jumprelu no b_dec": ("jumprelu", {"apply_b_dec_to_input": False}, {}),
        "gated": ("gated", {}, {}),
        "topk": ("topk", {"k": 5}, {}),
        "topk rescaled": ("topk", {"k": 5, "rescale_acts_by_decoder_norm": True}, {}),
        "layer_norm": ("jumprelu", {"normalize_activations": "layer_norm"}, {}),
        "constant_norm": ("gated", {"normalize_activations": "constant_norm_rescale"}, {}),
        "hook_z": ("standard", z, hook),
    }
    for name, (architecture, cfg, llm) in kinds.items():
        sae_class, config = get_sae_class(architecture)
        sae = drawn(sae_class(config(**shape, **cfg, metadata=SAEMetadata(**LLM | llm))))
        lay_out(folder, name, sae.save_model, **({"site": "L7Z"} if llm else {}))
    out = {"hook_name": "blocks.7.ln2.hook_normalized", "hook_name_out": "blocks.7.hook_mlp_out"}
    wide = {"d_out": D_IN + 8, "apply_b_dec_to_input": False}
    for architecture in (
        "transcoder",
        "skip_transcoder",
        "jumprelu_transcoder",
        "jumprelu_skip_transcoder",
    ):
        sae_class, config = get_sae_class(architecture)
        sae = drawn(sae_class(config(**shape, **wide, metadata=SAEMetadata(**LLM | out))))
        lay_out(folder, architecture, sae.save_model, site="L7I", writes="m")
    widths = {"matryoshka_widths": [32, D_SAE]}
    trainings = {
        "topk": {"k": 5},
        "jumprelu": {},
        "gated": {},
        "standard": {},
        "batchtopk": {"k": 5, "rescale_acts_by_decoder_norm": False},
        "batchtopk rescaled": {"k": 5},
        "batchtopk average": {"k": 5, "normalize_activations": "expected_average_only_in"},
        "matryoshka_batchtopk": {"k": 5} | widths,
    }
    for name, cfg in trainings.items():
        sae_class, config = get_sae_training_class(name.split()[0])
        sae = drawn(sae_class(config(**shape, **cfg, metadata=SAEMetadata(**LLM))))
        if "batchtopk" in name:
            sae.topk_threshold.fill_(4.0)
        save = partial(save_training, sae, 0.37 if "average" in name else None)
        lay_out(folder, f"{name} training", save)
        if "average" in name:
            sae.fold_activation_norm_scaling_factor(0.37)
        lay_out(folder, f"{name} trained", sae.save_inference_model)


def save_training(sae, factor: float | None, folder: Path) -> None:
    """Save a training as its runner does, with the factor that it has measured beside it."""
    sae.save_model(folder)
    if factor:
        scaler = {"scaling_factor": factor, "has_whitening": False}
        (folder / "activation_scaler.json").write_text(json.dumps(scaler))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
