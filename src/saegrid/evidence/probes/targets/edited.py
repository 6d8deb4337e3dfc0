"""Is it the edited span of a text, or the original one that it replaced?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.evidence.contrast import LEAST, Unusable
from saegrid.evidence.exchange import FLIPS
from saegrid.evidence.probes.target import CLASSES, Labelled, Probe
from saegrid.evidence.texts import Texts


def of(texts: Texts, chosen: np.ndarray, settings: Mapping[str, Any]) -> Labelled:
    """Both spans of each pair, the edited one as class 1."""
    item = np.flatnonzero(chosen & texts.views[EDITED].present & texts.views[ORIGINAL].present)
    if len(item) < LEAST:
        raise Unusable(
            f"analyses.probes.probes: edited has {len(item)} pairs of texts; at least {LEAST} are "
            "needed. Leave edited out, or name more texts."
        )
    side = np.repeat([0, 1], len(item))
    words = "1: the words of the edit; 0: the original words that it replaced"
    return Labelled(np.tile(item, 2), [EDITED, ORIGINAL], side, 1.0 - side, CLASSES, words, FLIPS)


PROBE = Probe(
    "Edited or original",
    "Can the edited words be told from the original ones?",
    of,
    paired=True,
    labelled=False,
)
