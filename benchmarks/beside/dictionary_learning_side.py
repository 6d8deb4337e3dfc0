"""The side of dictionary_learning in a comparison, run by the Python of its environment.

python dictionary_learning_side.py '{"job": "speed", ...}'
"""

from typing import Any

import numpy as np
import torch
from common import main
from dictionary_learning.trainers.standard import StandardTrainer
from dictionary_learning.trainers.top_k import TopKTrainer
from paced import paced


def speed(case: dict[str, Any]) -> dict[str, Any]:
    """The speed of its trainer's steps, on shuffled batches."""
    x, rng = np.load(case["x"], mmap_mode="r"), np.random.default_rng(0)
    settings = {"steps": 10_000, "activation_dim": case["d_model"], "dict_size": case["d_sae"]}
    settings |= {"layer": 0, "lm_name": "none", "device": "cpu", "seed": 0}
    if case["recipe"] == "topk":
        trainer = TopKTrainer(**settings, k=case["k"])
    else:
        trainer = StandardTrainer(**settings, lr=1e-3, warmup_steps=0, l1_penalty=0.1)

    def step(number: int) -> None:
        part = rng.integers(0, len(x), case["batch"])
        trainer.update(number, torch.from_numpy(x[part]))

    return paced(step, case)


if __name__ == "__main__":
    main({"speed": speed})
