"""K3, graded: the label less its mean over the edits of the same original; of all edits."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import (
    SCORES,
    WITHIN,
    Contrast,
    Design,
    main_view,
    numbers_of,
    scores_of,
    seen,
)
from saegrid.evidence.texts import Texts


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """The texts of originals with two or more labelled edits."""
    chosen = seen(texts, chosen)
    values = numbers_of(texts, chosen, plan["label"])
    usable = chosen & ~np.isnan(values)
    size = int(texts.cluster.max(initial=-1)) + 1
    count = np.bincount(texts.cluster[usable], minlength=size)
    item = np.flatnonzero(usable & (count[texts.cluster] > 1))
    cluster = texts.cluster[item]
    mean = np.bincount(cluster, values[item], size) / np.maximum(count, 1)
    # Rounded, so that what is equal but for the last bits of a mean stays equal.
    score = np.round(values[item] - mean[cluster], 9) + 0.0
    scores_of("k3g", item, score)
    lost = {
        f"without {plan['label']}": int((chosen & ~usable).sum()),
        "the only labelled text of its original": int(usable.sum()) - len(item),
    }
    left = {reason: count for reason, count in lost.items() if count}
    return Design(item, cluster, SCORES, WITHIN, score, main_view(texts), left_out=left)


CONTRAST = Contrast(
    "Same original, graded",
    "Of the edits of one original, does it fire more often on those with the higher {label}?",
    "higher {label} than the original's other edits",
    "lower {label}",
    design,
    labelled=True,
    paired=True,
)
