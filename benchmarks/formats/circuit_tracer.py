"""Side of circuit-tracer: transcoders of one layer with random weights, saved by themselves.

Needs torch, numpy, safetensors, transformers and the wheel without its other dependencies. Imports
nothing of saegrid; the protocol stands in `run.py`. Its transcoders of Gemma Scope 2 are read from
a folder without a config, and so are believed. What it reads at `ln2.hook_normalized` of Gemma is
x over its root mean square, of the stream x that is read here.
"""

import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]

from circuit_tracer.transcoder.activation_functions import JumpReLU  # noqa: E402
from circuit_tracer.transcoder.single_layer_transcoder import (  # noqa: E402
    SingleLayerTranscoder,
    load_gemma_scope_2_transcoder,
    load_gemma_scope_transcoder,
    load_relu_transcoder,
)

D, F = 24, 96
FILE = "layer_7.safetensors"
CASES = {
    "relu": (False, False),
    "relu-skip": (False, True),
    "jumprelu-skip": (True, True),
    "before-gain-skip": (False, True),
}
HOOKS = {"feature_input_hook": "mlp.hook_in", "feature_output_hook": "mlp.hook_out"}
BEFORE_GAIN = {
    "model_name": "google/gemma-2-2b",
    "feature_input_hook": "ln2.hook_normalized",
    "feature_output_hook": "hook_mlp_out",
}
LOADERS = {
    FILE: load_relu_transcoder,
    "params.safetensors": load_gemma_scope_2_transcoder,
    "params.npz": load_gemma_scope_transcoder,
}


def make(folder: Path) -> None:
    """Write the checkpoints."""
    for name, (jumps, skips) in CASES.items():
        torch.manual_seed(2)
        function = JumpReLU(torch.rand(F)) if jumps else torch.nn.functional.relu
        model = SingleLayerTranscoder(
            D, F, function, 7, skip_connection=skips, device=torch.device("cpu")
        )
        for key, value in model.named_parameters():
            if not key.endswith("threshold"):
                value.data = torch.randn(value.shape) / 3
        place = folder / name / "checkpoint"
        place.mkdir(parents=True)
        model.to_safetensors(str(place / FILE))
        facts = {"model_name": "Qwen/Qwen3-4B", "model_kind": "transcoder_set", **HOOKS}
        before = name.startswith("before-gain")
        facts |= BEFORE_GAIN if before else {}
        (place / "config.yaml").write_text(json.dumps(facts))
        reads = {"site": "L7H"} if before else {}
        describe(folder / name, {"format": "circuit_tracer", "file": FILE, **reads})
    torch.manual_seed(4)
    place = folder / "gemma-scope-2-affine" / "checkpoint"
    place.mkdir(parents=True)
    sizes = {"w_enc": (D, F), "w_dec": (F, D), "b_enc": (F,), "b_dec": (D,)}
    sizes |= {"affine_skip_connection": (D, D)}
    tensors = {name: torch.randn(size) / 3 for name, size in sizes.items()}
    save_file(tensors | {"threshold": torch.rand(F)}, place / "params.safetensors")
    describe(place.parent, {"format": "gemma_scope", "file": "params.safetensors"})
    place = folder / "gemma-scope" / "checkpoint"
    place.mkdir(parents=True)
    sizes = {"W_enc": (D, F), "W_dec": (F, D), "b_enc": (F,), "b_dec": (D,)}
    arrays = {name: torch.randn(size).numpy() / 3 for name, size in sizes.items()}
    np.savez(place / "params.npz", threshold=torch.rand(F).numpy(), **arrays)
    describe(place.parent, {"format": "gemma_scope", "file": "params.npz", "site": "L7H"})


def describe(folder: Path, facts: dict[str, str]) -> None:
    """Write x.npy and case.json."""
    x = np.random.default_rng(1).normal(size=(96, D)).astype(np.float32) * 2
    np.save(folder / "x.npy", x)
    (folder / "case.json").write_text(json.dumps({"site": "L7I", "writes": "m", **facts}))


@torch.no_grad()
def read(folder: Path, out: Path) -> None:
    """Load each with the library, and write codes and reconstructions in float64."""
    for case in sorted(folder.iterdir()):
        facts = json.loads((case / "case.json").read_text())
        model = LOADERS[facts["file"]](
            str(case / "checkpoint" / facts["file"]),
            7,
            device=torch.device("cpu"),
            dtype=torch.float64,
            lazy_encoder=False,
            lazy_decoder=False,
        ).double()
        x = torch.from_numpy(np.load(case / "x.npy")).double()
        if facts["site"] == "L7H":
            x = x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        z = model.encode(x)
        (out / case.name).mkdir(parents=True)
        np.save(out / case.name / "z.npy", z.numpy())
        np.save(out / case.name / "x_hat.npy", model.decode(z, x).numpy())
    version = importlib.metadata.version("circuit-tracer")
    facts = {"library": "circuit-tracer", "version": version}
    (out / "version.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    {"make": make, "read": read}[sys.argv[1]](*map(Path, sys.argv[2:]))
