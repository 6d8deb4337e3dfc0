"""The captured activations of a site."""

import os

import numpy as np

from saegrid.base.tensors import open_tensors


def read(path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray]:
    """The activations x (token, d_model) and the token indices (token,) of a site's file.

    x is float32, float16, or uint16 with the bits of bfloat16; both are views of the file.
    """
    tensors = open_tensors(path).arrays
    return tensors["x"], tensors["token"]
