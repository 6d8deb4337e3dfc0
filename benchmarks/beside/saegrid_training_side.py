"""The side of this project in the comparison of trainings.

python saegrid_training_side.py '{"job": "speed", ...}'
"""

from typing import Any

import numpy as np
import torch
from common import main
from paced import paced

from saegrid.saes.training.loop import world_of
from saegrid.saes.training.state import Run, State
from saegrid.saes.training.stream import of_array


def speed(case: dict[str, Any]) -> dict[str, Any]:
    """The speed of a recipe's steps, with reading, shuffling and scaling."""
    stream = of_array(np.load(case["x"], mmap_mode="r"), 0.1, 0)
    settings = {
        "batch": case["batch"],
        "steps": 10_000,
        "validate_every": 10_000,
        "log_every": 10_000,
    }
    settings |= {"k": case["k"]} if case["recipe"] == "topk" else {}
    state = State(
        Run(case["recipe"], settings, case["d_sae"] // case["d_model"]), world_of(stream, 0)
    )
    batches = stream.batches(case["batch"], 0, 0)

    def step(number: int) -> None:
        state.learn(torch.from_numpy(np.multiply(next(batches), np.float32(state.scale))))

    return paced(step, case)


if __name__ == "__main__":
    main({"speed": speed})
