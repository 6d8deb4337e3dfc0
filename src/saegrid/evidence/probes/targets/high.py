"""Has a text a high label or a low one?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.probes.target import (
    CLASSES,
    Labelled,
    Probe,
    check_classes,
    numbers,
    one_view,
)
from saegrid.evidence.texts import Texts


def of(texts: Texts, chosen: np.ndarray, settings: Mapping[str, Any]) -> Labelled:
    """Texts with label >= high, as class 1, and <= low."""
    name, high, low = settings["label"], settings["high"], settings["low"]
    values = numbers(texts, chosen, name, "high")
    with np.errstate(invalid="ignore"):
        above, below = chosen & (values >= high), chosen & (values <= low)
    item = np.flatnonzero(above | below)
    y = above[item].astype(float)
    a, b = f"with {name} >= {high:g}", f"with {name} <= {low:g}"
    mend = "Set analyses.probes.high and low to values that more texts have, or leave high out."
    check_classes("high", y, a, b, mend)
    return one_view(texts, item, y, CLASSES, f"1: texts {a}; 0: texts {b}; others are left out")


PROBE = Probe(
    "High or low label",
    "Can texts with a high label be told from those with a low one?",
    of,
)
