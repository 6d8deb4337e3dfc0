"""The side of SAELens in a comparison of trainings, run by the Python of its environment.

python sae_lens_training_side.py '{"job": "speed", ...}'
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import main
from paced import paced
from sae_lens import SAE, TrainingSAE
from sae_lens.config import SAETrainerConfig
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.jumprelu_sae import JumpReLUTrainingSAE, JumpReLUTrainingSAEConfig
from sae_lens.saes.standard_sae import StandardTrainingSAE, StandardTrainingSAEConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer


def batches(x: np.ndarray, batch: int) -> Iterator[torch.Tensor]:
    """Shuffled batches, one pass after the other."""
    rng, n = np.random.default_rng(0), len(x) // batch
    while True:
        order = rng.permutation(len(x))[: n * batch]
        for part in order.reshape(n, batch):
            yield torch.from_numpy(x[part])


def untrained(case: dict[str, Any]) -> TrainingSAE:
    """An SAE to be trained."""
    sizes = {"d_in": case["d_model"], "d_sae": case["d_sae"], "normalize_activations": "none"}
    k = case.get("k", 32)
    match case["recipe"]:
        case "topk":
            # Its sparse activations, off by default, fail in the backward pass on a CPU.
            return TopKTrainingSAE(TopKTrainingSAEConfig(**sizes, k=k))
        case "batchtopk":
            return BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**sizes, k=float(k)))
        case "jumprelu":
            config = JumpReLUTrainingSAEConfig(**sizes, l0_coefficient=0.1, jumprelu_bandwidth=1.0)
            return JumpReLUTrainingSAE(config)
    return StandardTrainingSAE(StandardTrainingSAEConfig(**sizes, l1_coefficient=0.5))


def trainer(case: dict[str, Any], steps: int) -> SAETrainer:
    """A trainer with its own loop."""
    config = SAETrainerConfig(
        total_training_samples=steps * case["batch"],
        train_batch_size_samples=case["batch"],
        lr=1e-3,
        lr_end=1e-4,
    )
    return SAETrainer(
        config, untrained(case), batches(np.load(case["x"], mmap_mode="r"), case["batch"])
    )


def speed(case: dict[str, Any]) -> dict[str, Any]:
    """The speed of its trainer's steps."""
    training = trainer(case, 10_000)
    return paced(lambda number: training.step(next(training.data_provider)) and None, case)


def train(case: dict[str, Any]) -> dict[str, Any]:
    """Train, save, and write codes and reconstruction of the tokens to be compared."""
    torch.manual_seed(0)
    sae = trainer(case, case["steps"]).fit()
    sae.save_inference_model(case["out"])
    return judge({**case, "sae": case["out"]})


@torch.no_grad()
def judge(case: dict[str, Any]) -> dict[str, Any]:
    """Write the codes and the reconstruction of an SAE on disk."""
    sae = SAE.load_from_disk(case["sae"])
    z = sae.encode(torch.from_numpy(np.load(case["tokens"])))
    z = z.to_dense() if z.is_sparse else z
    np.savez(Path(case["told"]), z=z.numpy(), x_hat=sae.decode(z).numpy())
    return {"architecture": sae.cfg.architecture()}


if __name__ == "__main__":
    main({"speed": speed, "train": train, "judge": judge})
