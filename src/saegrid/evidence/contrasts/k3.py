"""K3: a high and a low label on edits of the same original, which have topic and context in
common."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import (
    SCORES,
    WITHIN,
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
    """The texts with a high or a low label of the originals that have both; +1 and -1, centred
    inside the original."""
    column, high, low = plan["label"], plan["same_high"], plan["same_low"]
    if not high > low:
        raise Unusable(
            f"analyses.tests.same_high: must be above same_low, {low:g}, for no text can be on "
            f"both sides of k3; got {high:g}."
        )
    chosen = seen(texts, chosen)
    values = numbers_of(texts, chosen, column)
    usable = chosen & ~np.isnan(values)
    top, bottom = usable & (values >= high), usable & (values <= low)
    size = int(texts.cluster.max(initial=-1)) + 1
    both = (np.bincount(texts.cluster[top], minlength=size) > 0) & (
        np.bincount(texts.cluster[bottom], minlength=size) > 0
    )
    item = np.flatnonzero((top | bottom) & both[texts.cluster])
    cluster = texts.cluster[item]
    sign = np.where(top[item], 1.0, -1.0)
    classes_of(
        "k3",
        int((sign > 0).sum()),
        int((sign < 0).sum()),
        f"with {column} >= {high:g} beside one with {column} <= {low:g} on the same original",
        f"with {column} <= {low:g} beside one with {column} >= {high:g} on the same original",
        "Set analyses.tests.same_high and same_low nearer to each other, or leave k3 out.",
    )
    centre = np.bincount(cluster, sign, size) / np.maximum(np.bincount(cluster, minlength=size), 1)
    lost = {
        f"without {column}": int((chosen & ~usable).sum()),
        "between both thresholds": int((usable & ~top & ~bottom).sum()),
        "without a counterpart on the same original": int((top | bottom).sum()) - len(item),
    }
    left = {reason: count for reason, count in lost.items() if count}
    score = sign - centre[cluster]
    return Design(item, cluster, SCORES, WITHIN, score, main_view(texts), left_out=left)


CONTRAST = Contrast(
    "Same original, high or low {label}",
    "Of two edits of one original, does it fire more often on that with the high {label}?",
    "{label} of {same_high:g} or more",
    "{label} of {same_low:g} or less",
    design,
    labelled=True,
    paired=True,
)
