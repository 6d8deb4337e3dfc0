"""Made tables of cells: what features are about, the best of each concept, and chance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.evidence.intervals import exact
from saegrid.meaning.atlas import KINDS, Atlas, Charted, atlas
from saegrid.meaning.by_concept import BEST
from saegrid.meaning.concepts import SCHEMA
from saegrid.pages.browser.mapped import map_page

HOSTILE = "</script><b>hat & co</b>"
"""A text that must never become markup."""
FACTS = {"study": "ma<de", "model": "toy & model", "corpus": "up<", "spec": '{"study":"ma<de"}'}

PLAIN = {
    "n_rows": 40, "n_types": 15, "n_shown": 20, "kind": "none", "label": None, "concept": None,
    "lexicon": None, "n_concept": 0, "n_concept_types": 0, "n_piece": 0, "base": 0.01,
    "n_prefix": 5,
    "k_prefix": 0, "log10_p": 0.0, "p_maxt": 1.0, "q": 1.0, "n_near": 0, "n_near_types": 0,
    "near_rest": 0.0, "coherence": 0.0, "p_coherence": 1.0,
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


CONCEPTS = [
    ("english", "food"), ("english", "body"), ("english", HOSTILE), ("wordnet", "noun.food"),
    ("wordnet", "noun.animal"), ("wordnet", "verb.motion"), ("categories", "food"),
]  # fmt: skip


def grid(
    layers: Sequence[int] = (0, 4, 8),
    positions: str = "RA",
    saes: Sequence[str] = ("8x", "32x"),
    n: int = 300,
    some: float = 0.3,
    vocabulary: int = 400,
    concepts: Sequence[tuple[str, str]] = CONCEPTS,
    frozen: bool = True,
    seed: int = 0,
) -> list[Charted]:
    """The cells of a made-up grid with n judged features each, a share of these of some kind;
    meaning comes late and form early. The last cell but those of frozen SAEs is not made."""
    rng = np.random.default_rng(seed)
    letters = np.array(list("aeioubdfgklmnprst"))
    words = ["".join(one) for one in rng.choice(letters, (vocabulary, 6))]
    words[:4] = ["hair", "wig", HOSTILE, "=SUM(A1)"]
    parts = pa.array([word if k == 1 else f"{word} {k}" for word in words for k in range(1, 6)])
    places = [(layer, p, s) for layer in layers for p in positions for s in saes][:-1]
    places += [(layer, "R", "frozen") for layer in layers[-1:] if frozen]
    cells = []
    for layer, position, sae in places:
        late = (layer - min(layers)) / max(max(layers) - min(layers), 1)
        is_frozen = sae == "frozen"
        chances = np.array([0.1 + late, 0.2, 0.8 - 0.5 * late, 0.3, 0.2, 0.2, 0.1])
        share = 0.1 * some if is_frozen else some
        chances = np.append(share * chances / chances.sum(), 1 - share)
        kind = rng.choice(len(KINDS), n, p=chances)
        own = _made(rng, kind, parts, concepts)
        bests = [
            best(
                name, int(own["feature"][row].as_py()), -abs(rng.normal(12 if of else 3, 4)),
                int(k), n_meaning=int(of), lexicon=lexicon, title=name.split(".")[-1],
            )
            for lexicon, name in concepts
            for of in [rng.random() < (0.2 + 0.6 * late) * (0.1 if is_frozen else 1)]
            for row, k in [(rng.integers(n), rng.integers(10, 21) if of else rng.integers(0, 14))]
        ]  # fmt: skip
        smallest = -5 - rng.gamma(2, 0.5, 200)
        name = f"L{layer}{position}-{sae}"
        cells.append(charted(name, own, bests, smallest, "decoder" if is_frozen else "none"))
    return cells


def _made(
    rng: np.random.Generator, kind: np.ndarray, parts: pa.Array, concepts: Sequence[tuple[str, str]]
) -> pa.Table:
    """concepts.parquet of features of these kinds."""
    n = len(kind)
    feature = np.cumsum(rng.integers(1, 12, n))
    listed = np.minimum(rng.zipf(1.3, (n, 6)) - 1, len(parts) - 1)
    flat = parts.take(pa.array(listed.ravel()))
    lists = pa.ListArray.from_arrays(pa.array(np.arange(0, 6 * n + 1, 6), pa.int32()), flat)
    is_meaning = kind == KINDS.index("meaning")
    which = rng.integers(0, max(len(concepts), 1), n)
    name = np.array([*(name for _, name in concepts), None], object)
    lexicon = np.array([*(lexicon for lexicon, _ in concepts), None], object)
    k = np.where(is_meaning, rng.integers(10, 21, n), rng.integers(0, 9, n))
    form = np.array([f'starts with "{letter}"' for letter in "abc"], object)[which % 3]
    columns: dict[str, Any] = {name: [value] * n for name, value in PLAIN.items()} | {
        "feature": feature,
        "kind": np.array(KINDS, object)[kind],
        "concept": name[which],
        "lexicon": lexicon[which],
        "label": np.where(is_meaning, name[which], np.where(kind > 1, form, None)),
        "n_concept": k,
        "n_letter": rng.integers(16, 21, n),
        "n_word": rng.integers(16, 21, n),
        "share": k / 20,
        "log10_p": -np.where(is_meaning, rng.gamma(9, 2, n), rng.gamma(2, 0.8, n)),
        "words": pc.binary_join(lists, ", "),
        "share_low": np.zeros(n),
        "share_high": np.ones(n),
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in SCHEMA})


def page_of(cells: list[Charted], made: Atlas | None = None, **more: Any) -> str:
    """The page of the map of some cells."""
    made = made or atlas(cells, 0.05)
    concepts = [(one.cell, one.concepts) for one in cells]
    return map_page(FACTS, made.facts, made.map, made.by_cell, concepts, **more)
