"""Any label of the texts: two classes, or a number."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from saegrid.evidence.contrast import (
    BETWEEN,
    CLASSES,
    SCORES,
    Contrast,
    Design,
    Unusable,
    classes_of,
    label_of,
    main_view,
    scores_of,
    seen,
)
from saegrid.evidence.texts import Texts


def classes(texts: Texts, chosen: np.ndarray, column: str, named: list[str]) -> list[str]:
    """The two classes of a label, side a first: as named, else by name with the last one first;
    an empty list where it is a number. Unusable where there are not two."""
    values = label_of(texts, column)
    if isinstance(values, np.ndarray):
        known = sorted({float(v) for v in values[chosen] if not np.isnan(v)})
        if len(known) > 2 and not named:
            return []
        texts_of = [f"{value:g}" for value in known]
    else:
        texts_of = sorted({values[i] for i in np.flatnonzero(chosen) if values[i] is not None})
    if named:
        missing = sorted(set(named) - set(texts_of))
        if missing:
            raise Unusable(
                f"analyses.tests.classes: no text has the {column} {missing[0]!r}; there are "
                f"{', '.join(map(repr, texts_of[:10]))}."
            )
        return list(named)
    if len(texts_of) != 2:
        shown = ", ".join(map(repr, texts_of[:10])) + (", ..." if len(texts_of) > 10 else "")
        mend = (
            "A label with one class tells nothing apart: name texts of another one."
            if len(texts_of) < 2
            else "Name two of them: analyses.tests.classes: [a, b]."
        )
        raise Unusable(
            f"analyses.tests.label: {column!r} must have two classes, or be a number; it has "
            f"{len(texts_of)}: {shown or 'none'}. {mend}"
        )
    return texts_of[::-1]


def design(texts: Texts, chosen: np.ndarray, plan: Mapping[str, Any]) -> Design:
    """The texts of both classes, or all that have a number."""
    column = plan["label"]
    values, view = label_of(texts, column), main_view(texts)
    chosen = seen(texts, chosen)
    pair = classes(texts, chosen, column, plan.get("classes") or [])
    is_number = isinstance(values, np.ndarray)
    if not pair:
        item = np.flatnonzero(chosen & ~np.isnan(values))
        score = scores_of("label", item, values[item])
        lost = int(chosen.sum()) - len(item)
        left = {f"without {column}": lost} if lost else {}
        return Design(item, texts.cluster[item], SCORES, BETWEEN, score, view, left_out=left)
    named = [f"{v:g}" for v in values] if is_number else values
    score = np.array([(v == pair[0]) * 1.0 - (v == pair[1]) for v in named])
    item = np.flatnonzero(chosen & (score != 0))
    score = score[item]
    classes_of(
        f"label {column}",
        int((score > 0).sum()),
        int((score < 0).sum()),
        f"with {column} {pair[0]!r}",
        f"with {column} {pair[1]!r}",
        "Name a label that more texts have.",
    )
    lost = int(chosen.sum()) - len(item)
    left = {"of neither class": lost} if lost else {}
    names = tuple(pair)
    return Design(
        item, texts.cluster[item], CLASSES, BETWEEN, score, view, left_out=left, names=names
    )


CONTRAST = Contrast(
    "{a} or {b}",
    "Does it fire more often in texts of {a} than in those of {b}?",
    "the first class",
    "the second class",
    design,
    labelled=True,
)
