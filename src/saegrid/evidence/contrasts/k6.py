"""K6: the edit against a random word of its form in the same place: is it more than a word out of
place?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.base.words import EDITED
from saegrid.evidence.contrast import Contrast, Design, paired
from saegrid.evidence.texts import Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """Pairs of an edit and the item of the control that has its id."""
    return paired(texts, chosen, EDITED, EDITED, "k6")._replace(control=True)


CONTRAST = Contrast(
    "Edit or random word",
    "Does it fire more often on the edit than on a random word of its form in its place?",
    "edit",
    "random word",
    design,
    paired=True,
    controlled=True,
)
