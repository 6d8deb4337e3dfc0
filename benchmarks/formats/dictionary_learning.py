"""Side of dictionary_learning 0.1.0: its classes with random weights, saved as its trainer does.

Needs torch, einops and the wheel without its other dependencies, which its models do not use.
Imports nothing of saegrid; the protocol stands in `run.py`.
"""

import importlib.metadata
import json
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import torch

HERE = Path(__file__).resolve().parent
sys.path = [path for path in sys.path if Path(path or ".").resolve() != HERE]
for unused in ("nnsight", "tqdm", "wandb", "datasets", "zstandard", "transformers"):
    sys.modules.setdefault(unused, MagicMock())

from dictionary_learning import dictionary  # noqa: E402
from dictionary_learning.trainers.batch_top_k import BatchTopKSAE  # noqa: E402
from dictionary_learning.trainers.matryoshka_batch_top_k import MatryoshkaBatchTopKSAE  # noqa: E402
from dictionary_learning.trainers.top_k import AutoEncoderTopK  # noqa: E402

D, F, K = 24, 96, 6
CLASSES = {
    "AutoEncoder": dictionary.AutoEncoder,
    "AutoEncoderNew": dictionary.AutoEncoderNew,
    "JumpReluAutoEncoder": dictionary.JumpReluAutoEncoder,
    "GatedAutoEncoder": dictionary.GatedAutoEncoder,
    "AutoEncoderTopK": AutoEncoderTopK,
    "BatchTopKSAE": BatchTopKSAE,
    "MatryoshkaBatchTopKSAE": MatryoshkaBatchTopKSAE,
}
COUNTS = ("AutoEncoderTopK", "BatchTopKSAE", "MatryoshkaBatchTopKSAE")


def new(name: str) -> torch.nn.Module:
    """A dictionary of a class."""
    if name == "MatryoshkaBatchTopKSAE":
        return CLASSES[name](D, F, K, [32, 64])
    return CLASSES[name](D, F, K) if name in COUNTS else CLASSES[name](D, F)


def make(folder: Path) -> None:
    """Write a checkpoint of each class, of BatchTopK also one whose threshold was never set."""
    for name in (*CLASSES, "BatchTopKSAE-unset"):
        torch.manual_seed(3)
        kind = name.removesuffix("-unset")
        model = new(kind)
        for key, value in model.state_dict().items():
            if value.dtype == torch.float32 and value.ndim == 1:
                value.copy_(torch.randn(value.shape) / 2)
            elif value.dtype == torch.float32 and value.ndim == 2:
                value.mul_(torch.rand(value.shape) + 0.5)
            elif key == "threshold" and not name.endswith("-unset"):
                value.fill_(0.8)
        trainer = {"dict_class": kind, "activation_dim": D, "dict_size": F, "layer": 7}
        trainer |= {"lm_name": "pythia", "submodule_name": "resid_post_layer_7"}
        trainer |= {"k": K} if kind in COUNTS else {}
        place = folder / name / "checkpoint"
        place.mkdir(parents=True)
        torch.save({k: v.cpu() for k, v in model.state_dict().items()}, place / "ae.pt")
        (place / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}))
        x = np.random.default_rng(1).normal(size=(96, D)).astype(np.float32) * 2
        np.save(folder / name / "x.npy", x)
        facts = {"format": "dictionary_learning", "site": "L7R"}
        (folder / name / "case.json").write_text(json.dumps(facts))


@torch.no_grad()
def read(folder: Path, out: Path) -> None:
    """Load each with the library, and write codes and reconstructions in float64."""
    for case in sorted(folder.iterdir()):
        facts = json.loads((case / "checkpoint" / "config.json").read_text())["trainer"]
        kind = CLASSES[facts["dict_class"]]
        more = {"normalize_decoder": False} if facts["dict_class"] == "AutoEncoder" else {}
        more |= {"k": facts["k"]} if "k" in facts else {}
        model = kind.from_pretrained(str(case / "checkpoint" / "ae.pt"), **more).double()
        x = torch.from_numpy(np.load(case / "x.npy")).double()
        z = model.encode(x)
        (out / case.name).mkdir(parents=True)
        np.save(out / case.name / "z.npy", z.numpy())
        np.save(out / case.name / "x_hat.npy", model.decode(z).numpy())
    version = importlib.metadata.version("dictionary-learning")
    facts = {"library": "dictionary-learning", "version": version}
    (out / "version.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    {"make": make, "read": read}[sys.argv[1]](*map(Path, sys.argv[2:]))
