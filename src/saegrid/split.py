"""Which tokens an SAE never learns from: whole texts, chosen by a hash of their number.

A text is held out or not whatever else is there, so that a corpus may grow, come in parts or be
read in any order.
"""

import numpy as np


def held_out(row: np.ndarray, share: float, seed: int) -> np.ndarray:
    """(token,) bool: whether the tokens of these rows (token,) int64 are held out.

    All tokens of a row fall on one side. The share holds for rows, in the mean.

    Raises ValueError where the share does not lie in 0..1, below 1.
    """
    if not 0 <= share < 1:
        raise ValueError(f"The share that is held out must lie in 0..1, below 1; got {share}.")
    mixed = mix(np.asarray(row).astype(np.uint64) + mix(np.array([seed], np.uint64)))
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share


def mix(value: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): 64 bits to 64 bits, one to one."""
    with np.errstate(over="ignore"):
        value = value + np.uint64(0x9E3779B97F4A7C15)
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))
