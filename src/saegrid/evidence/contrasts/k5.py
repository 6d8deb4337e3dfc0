"""K5: a token of the edit against another token of the same text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import Contrast, Design, paired
from saegrid.evidence.texts import CONTEXT_TOKEN, EDIT_TOKEN, Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """One token of each side, drawn by seed: a maximum over a dozen tokens would win over one."""
    return paired(
        texts, chosen, EDIT_TOKEN, CONTEXT_TOKEN, "k5", "without a captured token of the context"
    )


CONTRAST = Contrast(
    "Edited word or its neighbours",
    "Does it fire more often on the edited word than on another word of the same text?",
    "edited word",
    "other word of the text",
    design,
    paired=True,
)
