"""Any label of the texts: two classes, or a number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import Unusable
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


def classes(values: Any, chosen: np.ndarray, name: str, named: list[str]) -> list[str]:
    """The two classes of a label, class 1 first: as named, else by name with the last one first;
    an empty list where it is a number. Unusable where there are not two."""
    if isinstance(values, np.ndarray):
        known = sorted({float(v) for v in values[chosen] if not np.isnan(v)})
        if len(known) > 2 and not named:
            return []
        words = [f"{value:g}" for value in known]
    else:
        words = sorted({values[i] for i in np.flatnonzero(chosen) if values[i] is not None})
    if named:
        missing = sorted(set(named) - set(words))
        if missing:
            raise Unusable(
                f"analyses.probes.classes: no text has the {name} {missing[0]!r}; the texts have "
                f"{', '.join(map(repr, words[:10]))}."
            )
        return list(named)
    if len(words) != 2:
        shown = ", ".join(map(repr, words[:10])) + (", ..." if len(words) > 10 else "")
        mend = (
            "A label with one class tells nothing apart: name texts of another one."
            if len(words) < 2
            else "Name two of them: analyses.probes.classes: [a, b]."
        )
        raise Unusable(
            f"analyses.probes.label: {name!r} must have two classes, or be a number; it has "
            f"{len(words)}: {shown or 'none'}. {mend}"
        )
    return words[::-1]


def of(texts: Texts, chosen: np.ndarray, settings: Mapping[str, Any]) -> Labelled:
    """The texts of both classes, or all that have a number."""
    name = settings["label"]
    values = column(texts, chosen, name, "label")
    pair = classes(values, chosen, name, settings.get("classes") or [])
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


PROBE = Probe("Label", "Can the label of a text be predicted?", of)
