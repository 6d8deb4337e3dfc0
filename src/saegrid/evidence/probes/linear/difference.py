"""Projection on the difference of the means of both classes."""

from collections.abc import Sequence

import numpy as np

from saegrid.evidence.probes import fits
from saegrid.evidence.probes.linear.method import Line, Method, Rows, raw


def path(x: Rows, y: np.ndarray, penalties: Sequence[float] = ()) -> list[Line]:
    """One probe; its threshold lies halfway between the projections of both means."""
    unit = fits.scale(x)
    columns = unit.of(x)
    w = fits.direction(columns, y)
    placed = np.asarray(columns @ w).ravel()
    middle = (placed[y > 0].mean() + placed[y == 0].mean()) / 2
    return [Line(*raw(w, -float(middle), unit))]


METHOD = Method(
    "difference of means",
    "w = mean of the class - mean of the other, in the units of the scaled linear SVM; b puts the "
    "threshold halfway between the projections of both means",
    path,
)
