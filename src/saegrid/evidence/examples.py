"""Texts that show what a feature does: the strongest, one drawn at random, and a miss."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.questions import Corpus, settings_of
from saegrid.text.split import mix

SCHEMA = pa.schema(
    [
        ("contrast", pa.string()),
        ("cell", pa.string()),
        ("feature", pa.int32()),
        ("kind", pa.string()),
        ("item", pa.int32()),
        ("id", pa.string()),
        ("before", pa.string()),
        ("original", pa.string()),
        ("edited", pa.string()),
        ("after", pa.string()),
        ("activation", pa.float32()),
        ("label", pa.float64()),
    ]
)
"""Columns of evidence_examples.parquet: the text before the edit, what was replaced, the edit, the
text after it; of an unpaired text all of it stands in `edited`."""


def examples(
    question: Question,
    sides: Sides,
    cell: str,
    feature: np.ndarray,
    chosen: np.ndarray,
    corpus: Corpus,
    plan: Mapping[str, Any],
) -> Iterator[dict[str, Any]]:
    """Three texts of each chosen feature.

    The miss is a text on which it is silent although the text's word is the one on which it fires
    most often; without words a silent text drawn at random. chosen: places in `feature`.
    """
    words = corpus.words.get(EDITED)
    _, settings = settings_of(plan, question.name)
    label = corpus.texts.labels.get(settings["label"]) if settings["label"] else None
    item, matrix = question.design.item, sides.a
    # Words by number, in the order of the alphabet: of equally common ones the first is taken.
    code = None
    if words is not None:
        _, code = np.unique([words[i].casefold() for i in item], return_inverse=True)
    for place in chosen:
        part = slice(matrix.indptr[place], matrix.indptr[place + 1])
        rows, values = matrix.indices[part], matrix.data[part]
        if not len(rows):
            continue
        best = int(np.argmax(values))
        drawn = int(_draw(int(feature[place])) % np.uint64(len(rows)))
        is_silent = np.ones(len(item), bool)
        is_silent[rows] = False
        silent = np.flatnonzero(is_silent)
        if code is not None:
            same = np.flatnonzero(is_silent & (code == np.argmax(np.bincount(code[rows]))))
            silent = same if len(same) else silent
        shown = [("strongest", rows[best], values[best]), ("random", rows[drawn], values[drawn])]
        if len(silent):
            miss = silent[int(_draw(int(feature[place]) + 1) % np.uint64(len(silent)))]
            shown.append(("miss", miss, 0.0))
        for kind, row, value in shown:
            at = int(item[row])
            yield {
                "contrast": question.name,
                "cell": cell,
                "feature": int(feature[place]),
                "kind": kind,
                "item": at,
                "id": str(corpus.texts.labels["id"][at]),
                **cut(corpus, at),
                "activation": float(value),
                "label": float(label[at]) if isinstance(label, np.ndarray) else None,
            }


def cut(corpus: Corpus, item: int) -> dict[str, str]:
    """The text of an item around its edit: before, original, edited, after."""
    edited = corpus.texts.labels["edited"][item] or ""
    original = corpus.texts.labels["original"][item]
    if original is None:
        return {"before": "", "original": "", "edited": edited, "after": ""}
    start, room = 0, min(len(edited), len(original))
    while start < room and edited[start] == original[start]:
        start += 1
    stop = 0
    while stop < room - start and edited[-1 - stop] == original[-1 - stop]:
        stop += 1
    # Whole words: a common letter of both words belongs to them.
    while start and not edited[start - 1].isspace():
        start -= 1
    while stop and not edited[len(edited) - stop].isspace():
        stop -= 1
    return {
        "before": edited[:start],
        "original": original[start : len(original) - stop],
        "edited": edited[start : len(edited) - stop],
        "after": edited[len(edited) - stop :] if stop else "",
    }


def _draw(key: int) -> np.uint64:
    return mix(np.array([key], np.uint64))[0]
