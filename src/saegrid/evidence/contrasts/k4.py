"""K4: the rank of the label over all texts."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import (
    BETWEEN,
    SCORES,
    Contrast,
    Design,
    main_view,
    numbers_of,
    scores_of,
    seen,
)
from saegrid.evidence.texts import Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """All labelled texts."""
    chosen = seen(texts, chosen)
    values = numbers_of(texts, chosen, plan["label"])
    item = np.flatnonzero(chosen & ~np.isnan(values))
    lost = int(chosen.sum()) - len(item)
    return Design(
        item,
        texts.cluster[item],
        SCORES,
        BETWEEN,
        scores_of("k4", item, values[item]),
        main_view(texts),
        left_out={f"without {plan['label']}": lost} if lost else {},
    )


CONTRAST = Contrast(
    "Graded {label}",
    "Does it fire more often in texts with a higher {label}?",
    "higher {label}",
    "lower {label}",
    design,
    labelled=True,
)
