"""Cases in which every pair of choices meets, in the place of all combinations."""

from collections.abc import Sequence
from itertools import combinations, product
from typing import Any


def pairs(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Combinations of one value an axis, so many that each two values of two axes are together in
    one at least. Always the same; the first value of each axis is in the first."""
    cases = list(product(*(range(len(axis)) for axis in axes)))
    todo = {pair for case in cases for pair in _pairs(case)}
    chosen = []
    while todo:
        case = max(cases, key=lambda case: len(todo & _pairs(case)))
        todo -= _pairs(case)
        chosen.append(tuple(axis[i] for axis, i in zip(axes, case, strict=True)))
    return chosen


def _pairs(case: tuple[int, ...]) -> set[tuple[tuple[int, int], ...]]:
    return set(combinations(enumerate(case), 2))
