"""The number of a text: how high is its label?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.probes.target import (
    NUMBER,
    Labelled,
    Probe,
    check_numbers,
    numbers,
    one_view,
)
from saegrid.evidence.texts import Texts


def of(texts: Texts, chosen: np.ndarray, settings: Mapping[str, Any]) -> Labelled:
    """All texts that have a number."""
    name = settings["label"]
    values = numbers(texts, chosen, name, "grade")
    item = np.flatnonzero(chosen & ~np.isnan(values))
    check_numbers("grade", values[item], name)
    return one_view(texts, item, values[item], NUMBER, f"{name} of the text")


PROBE = Probe("Graded label", "Can the label of a text be predicted?", of)
