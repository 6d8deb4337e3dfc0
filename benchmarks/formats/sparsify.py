"""Side of eai-sparsify: its SparseCoder with random weights, saved by itself.

Needs torch, einops, natsort, simple-parsing, safetensors, huggingface_hub and the wheel without its
other dependencies, which its models do not use. Imports nothing of saegrid; the protocol stands in
`run.py`.
"""

import importlib.metadata
import json
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]
for unused in ("accelerate", "accelerate.utils", "transformers", "datasets"):
    sys.modules.setdefault(unused, MagicMock())
# The package's own __init__ imports its trainer; the models alone are needed.
package = types.ModuleType("sparsify")
package.__path__ = [str(importlib.metadata.distribution("eai-sparsify").locate_file("sparsify"))]
sys.modules["sparsify"] = package

from sparsify.config import SparseCoderConfig  # noqa: E402
from sparsify.sparse_coder import SparseCoder  # noqa: E402

D, F, K = 24, 96, 6
CASES = {
    "sae": {},
    "sae-expansion": {"num_latents": 0, "expansion_factor": 4},
    "transcoder": {"transcode": True},
    "transcoder-skip": {"transcode": True, "skip_connection": True},
}


def make(folder: Path) -> None:
    """Write the checkpoints."""
    for name, changed in CASES.items():
        torch.manual_seed(5)
        model = SparseCoder(D, SparseCoderConfig(**{"num_latents": F, "k": K} | changed))
        for value in model.state_dict().values():
            value.copy_(torch.randn(value.shape) / 3)
        (folder / name).mkdir(parents=True)
        model.save_to_disk(folder / name / "checkpoint")
        x = np.random.default_rng(1).normal(size=(96, D)).astype(np.float32) * 2
        np.save(folder / name / "x.npy", x)
        facts = {"format": "sparsify", "site": "L7R"}
        if "transcode" in changed:
            facts = {"format": "sparsify", "site": "L7I", "writes": "m"}
        (folder / name / "case.json").write_text(json.dumps(facts))


@torch.no_grad()
def read(folder: Path, out: Path) -> None:
    """Load each with the library, and write codes and reconstructions in float64."""
    for case in sorted(folder.iterdir()):
        model = SparseCoder.load_from_disk(case / "checkpoint").double()
        x = torch.from_numpy(np.load(case / "x.npy")).double()
        top, indices, _ = model.encode(x)
        z = torch.zeros(len(x), model.num_latents).double().scatter(1, indices, top)
        x_hat = model(x, x).sae_out
        (out / case.name).mkdir(parents=True)
        np.save(out / case.name / "z.npy", z.numpy())
        np.save(out / case.name / "x_hat.npy", x_hat.numpy())
    version = importlib.metadata.version("eai-sparsify")
    facts = {"library": "eai-sparsify", "version": version}
    (out / "version.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    {"make": make, "read": read}[sys.argv[1]](*map(Path, sys.argv[2:]))
