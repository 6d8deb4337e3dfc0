"""The weights of an untrained model, which stand in no file: they are drawn from its seed."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def tensors(model: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The weights of a model with `weights: random`, by the names that a checkpoint of it has.

    float32, rounded to the model's dtype as its forward pass has them. Raises as `load.load` does.
    """
    import torch

    from saegrid.models.load import load

    drawn = load({**model, "device": "cpu"}).model.state_dict()
    return {name: tensor.to(torch.float32).numpy() for name, tensor in drawn.items()}
