"""K1: the edited words of a text against the original words that they replaced."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.evidence.contrast import Contrast, Design, paired
from saegrid.evidence.texts import Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """Pairs of both spans. An original span without tokens is a real zero: nothing fires on it."""
    return paired(texts, chosen, EDITED, ORIGINAL, "k1")


CONTRAST = Contrast(
    "Edited or original word",
    "Does it fire more often on the edited word than on the original one?",
    "edited word",
    "original word",
    design,
    paired=True,
)
