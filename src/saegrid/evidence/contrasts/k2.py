"""K2: texts with a high label against those with a low one; texts between move along."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import (
    BETWEEN,
    CLASSES,
    Contrast,
    Design,
    Unusable,
    classes_of,
    main_view,
    numbers_of,
    seen,
)
from saegrid.evidence.texts import Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """All labelled texts: those between both thresholds belong to no side, and their labels are
    exchanged with the others', since a permutation moves whole originals."""
    column, high, low = plan["label"], plan["high"], plan["low"]
    if not high > low:
        raise Unusable(
            f"analyses.tests.high: must be above low, {low:g}, for no text can be on both sides of "
            f"k2; got {high:g}."
        )
    chosen = seen(texts, chosen)
    values = numbers_of(texts, chosen, column)
    item = np.flatnonzero(chosen & ~np.isnan(values))
    value = values[item]
    score = (value >= high).astype(float) - (value <= low)
    classes_of(
        "k2",
        int((score == 1).sum()),
        int((score == -1).sum()),
        f"with {column} >= {high:g}",
        f"with {column} <= {low:g}",
        "Set analyses.tests.high and low to values that more texts have, or leave k2 out.",
    )
    lost = int(chosen.sum()) - len(item)
    left = {f"without {column}": lost} if lost else {}
    return Design(
        item, texts.cluster[item], CLASSES, BETWEEN, score, main_view(texts), left_out=left
    )


CONTRAST = Contrast(
    "High or low {label}",
    "Does it fire more often in texts with a high {label} than in those with a low one?",
    "{label} of {high:g} or more",
    "{label} of {low:g} or less",
    design,
    labelled=True,
)
