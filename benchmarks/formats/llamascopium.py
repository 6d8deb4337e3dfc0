"""Side of Llamascopium 2: its SAE with random weights, saved as it saves itself.

Needs torch, TransformerLens 3, transformers, einops, jaxtyping, safetensors and the wheel without
its other dependencies, which its models do not use. Imports nothing of saegrid; the protocol stands
in `run.py`. Codes are those of the class on activations that it has normalised itself; of TopK with
the decoder's norms, ours are multiplied with these, so that it is not compared.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]
for unused in ("more_itertools", "json_repair", "gridfs", "bson", "pydantic_settings"):
    sys.modules.setdefault(unused, MagicMock())
for package, parts in {
    "pymongo": ("database", "errors", "results"),
    "cattrs": ("gen", "strategies"),
}.items():
    for name in (package, *(f"{package}.{part}" for part in parts)):
        sys.modules.setdefault(name, MagicMock())

from llamascopium.models.sae import SAEConfig, SparseAutoEncoder  # noqa: E402

D, F = 24, 96
IN, OUT = "blocks.7.hook_resid_post", "blocks.7.hook_mlp_out"
CASES = {
    "jumprelu": {},
    "jumprelu-stored": {"sparsity_include_decoder_norm": False},
    "jumprelu-folded": {"norm_activation": "inference"},
    "relu": {"act_fn": "relu"},
    "relu-no-bias": {"act_fn": "relu", "use_decoder_bias": False},
    "topk-stored": {"act_fn": "topk", "top_k": 5, "sparsity_include_decoder_norm": False},
    "transcoder": {"hook_point_out": OUT},
}


def make(folder: Path) -> None:
    """Write the checkpoints."""
    for name, changed in CASES.items():
        torch.manual_seed(6)
        facts = {"hook_point_in": IN, "hook_point_out": IN, "d_model": D, "act_fn": "jumprelu"}
        facts |= {"expansion_factor": F / D, "norm_activation": "dataset-wise", **changed}
        config = SAEConfig(sae_type="sae", device="cpu", dtype=torch.float32, **facts)
        model = SparseAutoEncoder(config)
        for value in model.parameters():
            value.data = torch.randn(value.shape) / 3
        state = {key: value.detach().clone() for key, value in model.state_dict().items()}
        if config.norm_activation == "dataset-wise":
            norms = {config.hook_point_in: 9.0} | {config.hook_point_out: 7.0}
            for hook, norm in norms.items():
                state[f"dataset_average_activation_norm.{hook}"] = torch.tensor(norm)
        place = folder / name / "checkpoint"
        place.mkdir(parents=True)
        save_file(state, place / "sae_weights.safetensors")
        config.save_hyperparameters(place)
        x = np.random.default_rng(1).normal(size=(96, D)).astype(np.float32) * 2
        np.save(folder / name / "x.npy", x)
        case_facts = {"format": "llamascopium", "site": "L7R"}
        case_facts |= {"writes": "m"} if config.hook_point_out == OUT else {}
        (folder / name / "case.json").write_text(json.dumps(case_facts))


@torch.no_grad()
def read(folder: Path, out: Path) -> None:
    """Load each with the library, and write codes and reconstructions in float64."""
    for case in sorted(folder.iterdir()):
        model = SparseAutoEncoder.from_pretrained(str(case / "checkpoint")).double()
        if hasattr(model.activation_function, "dtype"):
            model.activation_function.dtype = torch.float64
        hooks = (model.cfg.hook_point_in, model.cfg.hook_point_out)
        x = torch.from_numpy(np.load(case / "x.npy")).double()
        batch = dict.fromkeys(hooks, x)
        fed, scales = model.normalize_activations(batch, return_scale_factor=True)
        z = model.encode(fed[hooks[0]])
        x_hat = model.denormalize_activations({hooks[1]: model.decode(z)}, scales)[hooks[1]]
        (out / case.name).mkdir(parents=True)
        np.save(out / case.name / "z.npy", z.numpy())
        np.save(out / case.name / "x_hat.npy", x_hat.numpy())
    version = importlib.metadata.version("llamascopium")
    facts = {"library": "llamascopium", "version": version}
    (out / "version.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    {"make": make, "read": read}[sys.argv[1]](*map(Path, sys.argv[2:]))
