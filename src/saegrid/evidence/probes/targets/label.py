"""Any label of the texts: two classes, or a number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrasts.label import classes
from saegrid.evidence.probes.target import (
    CLASSES,
    NUMBER,
    Labelled,
    Probe,
    check_classes,
    check_numbers,
    column,
    one_view,
)
from saegrid.evidence.texts import Texts


def of(texts: Texts, chosen: np.ndarray, settings: Mapping[str, Any]) -> Labelled:
    """The texts of both classes, or all that have a number."""
    name = settings["label"]
    values = column(texts, name, "label")
    pair = classes(texts, chosen, name, settings.get("classes") or [])
    is_number = isinstance(values, np.ndarray)
    if not pair:
        item = np.flatnonzero(chosen & ~np.isnan(values))
        check_numbers("label", values[item], name)
        return one_view(texts, item, values[item], NUMBER, f"{name} of the text")
    named = [f"{v:g}" for v in values] if is_number else values
    side = np.array([1 if v == pair[0] else 0 if v == pair[1] else -1 for v in named])
    item = np.flatnonzero(chosen & (side >= 0))
    y = side[item].astype(float)
    a, b = f"with {name} {pair[0]!r}", f"with {name} {pair[1]!r}"
    check_classes("label", y, a, b, "Name a label that more texts have.")
    return one_view(texts, item, y, CLASSES, f"1: texts {a}; 0: texts {b}")


PROBE = Probe("The label of a text", "Can the label of a text be predicted?", of)
