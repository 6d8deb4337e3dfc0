"""Made tables of cells: what features are about, the best of each concept, and chance."""

from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.evidence.intervals import exact
from saegrid.meaning.atlas import Charted
from saegrid.meaning.concepts import BEST, SCHEMA

PLAIN = {
    "n_rows": 40, "n_types": 15, "n_shown": 20, "kind": "none", "label": None, "concept": None,
    "lexicon": None, "n_concept": 0, "n_concept_types": 0, "base": 0.01, "n_prefix": 5,
    "k_prefix": 0, "log10_p": 0.0, "p_maxt": 1.0, "coherence": 0.0, "p_coherence": 1.0,
    "token": " x", "n_token": 1, "n_token_types": 1, "letter": "x", "n_letter": 1,
    "ending": None, "n_ending": 0, "n_start": 0, "n_stop": 0, "word": "x", "n_word": 1,
    "form": None, "entropy_shown": 1.0, "entropy_rows": 1.0, "n_categories": 3,
    "words": "", "off_words": "",
}  # fmt: skip


def judged(*features: dict[str, Any]) -> pa.Table:
    """concepts.parquet of features; what they do not say is that of a feature of nothing."""
    rows = [{**PLAIN, **one} for one in features]
    for row in rows:
        if row["concept"] and row["kind"] == "meaning":
            row["label"] = row["label"] or row["concept"]
        row["lexicon"] = row["lexicon"] or (row["concept"] and "lists")
        row["share"] = row["n_concept"] / row["n_shown"]
        low, high = exact(np.array([row["n_concept"]]), np.array([row["n_shown"]]))
        row["share_low"], row["share_high"] = float(low[0]), float(high[0])
    return pa.Table.from_pylist(rows, SCHEMA)


def best(
    concept: str,
    feature: int,
    log10_p: float,
    n: int,
    n_shown: int = 20,
    n_meaning: int = 0,
    lexicon: str = "lists",
    **more: Any,
) -> dict[str, Any]:
    """A row of concept_best.parquet."""
    low, high = exact(np.array([n]), np.array([n_shown]))
    return {
        "concept": concept, "lexicon": lexicon, "title": concept, "n_types": 30, "base": 0.01,
        "feature": feature, "log10_p": float(log10_p), "p_maxt": 0.005, "n_concept": n,
        "n_concept_types": min(n, 9), "n_shown": n_shown, "share": n / n_shown,
        "share_low": float(low[0]), "share_high": float(high[0]),
        "kind": "meaning" if n_meaning else "none", "n_meaning": n_meaning, **more,
    }  # fmt: skip


def charted(
    cell: str,
    concepts: pa.Table,
    best_: list[dict[str, Any]],
    smallest: np.ndarray,
    frozen: str = "none",
) -> Charted:
    """The tables of a cell."""
    return Charted(cell, frozen, concepts, pa.Table.from_pylist(best_, BEST), smallest)
