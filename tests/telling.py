"""A made study of tests and classifiers: the tables that a page of findings reads."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

HOSTILE = "</script><script>alert(1)</script><b>&amp;"
"""A text that must never become markup."""
FACTS = {"study": "ma<de", "model": "toy & model", "spec": '{"study":"ma<de"}'}
CELLS = [
    (f"L{layer}{position}-{sae}", layer, position, sae)
    for layer in (3, 7, 11)
    for position in "RA"
    for sae in ("8x", "32x")
]
FROZEN = ("L11R-frozen", 11, "R", "frozen")
WORDS = ("hair 12, wig 3", "pie 9, cake 4", f"{HOSTILE} 7", "=SUM(A1) 2", "dog 5, cat 2", "Ωμέγα 3")
PARTS = {
    "discovery": {"corpus": "up<", "split": "train", "n": 9652},
    "confirmation": {"corpus": "up<", "split": "dev", "n": 2419},
    "test": {"corpus": "up<", "split": "test", "n": 3024},
    "funlines": {"corpus": "funlines", "split": None, "n": 8248},
}
KS = (1, 2, 5, 10, 20, 50, 100)


@dataclass
class Study:
    """The arguments of a page of findings."""

    facts: dict[str, Any]
    tests: dict[str, Any]
    by_cell: pa.Table
    discoveries: pa.Table
    examples: pa.Table
    probes: dict[str, Any] | None
    probes_summary: pa.Table | None

    def but(self, **tests: Any) -> "Study":
        """The same with other entries of tests.json."""
        return replace(self, tests=self.tests | tests)


def made(n: int = 120, seed: int = 0, nulls: bool = True, probes: bool = True) -> Study:
    """A study of three contrasts: k1 with n discovered features, k3 in which nothing is found, and
    k4 of scores, which is no main question, with a tenth as many."""
    rng = np.random.default_rng(seed)
    tables = [_discoveries(rng, "k1", n), _discoveries(rng, "k4", n // 10)]
    discoveries = pa.concat_tables(tables)
    by_cell = [row for name in ("k1", "k3", "k4") for row in _cells(rng, name, discoveries)]
    contrasts = [
        _contrast(rng, "k1", discoveries, by_cell, nulls),
        _contrast(rng, "k3", discoveries, by_cell, nulls),
        _contrast(rng, "k4", discoveries, by_cell, nulls),
    ]
    tests = {
        "study": FACTS["study"],
        "model": FACTS["model"],
        "corpus": "up<",
        "plan": {
            "permutations": 1000,
            "alpha": 0.05,
            "q": 0.1,
            "min_texts": 10,
            "seed": 3,
            "primary": ["k1", "k3"],
        },
        "plan_digest": "0a1b2c3d4e5f",
        "plan_changes": [],
        "parts": PARTS,
        "n_cells": len(CELLS),
        "cells": [cell for cell, *_ in CELLS],
        "frozen_cells": [FROZEN[0]] if nulls else [],
        "n_features": 51_234,
        "sites": ["L3R", "L7R", "L11R", "L3A", "L7A", "L11A"],
        "label": "grade<",
        "high": 2.0,
        "low": 0.6,
        "base_high": 0.0652,
        "nuisances": {
            "groups": ["word frequency", "length", "position"],
            "frequency_source": "counts of the corpus itself",
            "surprisal": "of the model itself",
        },
        "contrasts": contrasts,
        "reference": None,
    }
    return Study(
        FACTS,
        tests,
        pa.Table.from_pylist(by_cell),
        discoveries,
        _examples(rng, discoveries),
        _probes() if probes else None,
        _summary(rng) if probes else None,
    )


def _discoveries(rng: np.random.Generator, name: str, n: int) -> pa.Table:
    at = rng.integers(0, len(CELLS), n)
    graded = name == "k4"
    n_a, n_b = 9652, 9652
    fire_a = rng.integers(20, 900, n)
    sign = np.where(rng.random(n) < 0.7, 1, -1)
    fire_b = (fire_a * np.exp(-rng.gamma(2, 0.4, n))).astype(int)
    fire_a, fire_b = np.where(sign > 0, fire_a, fire_b), np.where(sign > 0, fire_b, fire_a)
    rate_a, rate_b = fire_a / n_a, fire_b / n_b
    lift = (rate_a + 0.5 / n_a) / (rate_b + 0.5 / n_b)
    effect = rng.normal(0.05, 0.02, n) * sign if graded else rate_a - rate_b
    shrunk = effect * rng.uniform(0.5, 1.1, n)
    width = np.abs(effect) * rng.uniform(0.2, 0.9, n)
    n_fires = rng.integers(12, 900, n)
    n_high = rng.binomial(n_fires, 0.1)
    p_confirm = rng.random(n) ** 4
    null = np.full(n, np.nan)
    columns: dict[str, Any] = {
        "contrast": [name] * n,
        "cell": [CELLS[i][0] for i in at],
        "layer": [CELLS[i][1] for i in at],
        "position": [CELLS[i][2] for i in at],
        "sae": [CELLS[i][3] for i in at],
        "feature": np.arange(n) * 7 % 8192 + np.arange(n) // 8192 * 8192,
        "sign": sign,
        "statistic": rng.normal(6, 1, n) * sign,
        "p": 10.0 ** -rng.uniform(5, 40, n),
        "p_maxt": rng.uniform(0.001, 0.05, n),
        "p_maxt_cell": rng.uniform(0.001, 0.05, n),
        "q": 10.0 ** -rng.uniform(3, 20, n),
        "effect": effect,
        "low": effect - width,
        "high": effect + width,
        "lift": null if graded else lift,
        "lift_low": null if graded else lift * 0.8,
        "lift_high": null if graded else lift * 1.3,
        "auroc": 0.5 + effect / 2,
        "n_a": np.full(n, n_a),
        "n_b": null if graded else np.full(n, n_b),
        "fire_a": fire_a,
        "fire_b": null if graded else fire_b,
        "rate_a": rate_a,
        "rate_b": null if graded else rate_b,
        "p_maxt_magnitude": rng.uniform(0.001, 0.2, n),
        "p_maxt_nuisances": rng.uniform(0.001, 0.5, n),
        "p_maxt_word": rng.uniform(0.001, 0.9, n),
        "effect_confirm": shrunk,
        "low_confirm": shrunk - 1.5 * width,
        "high_confirm": shrunk + 1.5 * width,
        "statistic_confirm": rng.normal(3, 1, n),
        "p_single_confirm": p_confirm / 3,
        "p_confirm": p_confirm,
        "confirmed": p_confirm <= 0.05,
        "effect_new_words": shrunk * 0.8,
        "p_single_new_words": p_confirm,
        "p_new_words": np.minimum(1, p_confirm * 1.5),
        "effect_test": shrunk,
        "p_single_test": p_confirm,
        "p_test": p_confirm,
        "effect_funlines": shrunk,
        "p_single_funlines": p_confirm,
        "p_funlines": p_confirm,
        "n_fires": n_fires,
        "n_high_fires": n_high,
        "high_given_fires": n_high / n_fires,
        "high_low": np.maximum(0, n_high / n_fires - 0.05),
        "high_high": n_high / n_fires + 0.06,
        "high_cluster_low": np.where(n_high > 0, np.maximum(0, n_high / n_fires - 0.06), np.nan),
        "high_cluster_high": np.where(n_high > 0, n_high / n_fires + 0.07, np.nan),
        "fires_given_high": n_high / 629,
        "label_difference": rng.normal(0.1, 0.2, n),
        "density_in_edit": n_fires / 13_439,
        "density_context": n_fires / 90_000,
        "density_reference": null,
        "lift_reference": null,
        "words": [WORDS[i % len(WORDS)] for i in range(n)],
    }
    return pa.table({key: pa.array(values, from_pandas=True) for key, values in columns.items()},
                    schema=_schema(columns))  # fmt: skip


def _schema(columns: dict[str, Any]) -> pa.Schema:
    counts = {"layer", "feature", "sign", "n_a", "n_b", "fire_a", "fire_b", "n_fires"}
    types = {"contrast", "cell", "position", "sae", "words"}
    return pa.schema(
        [
            (
                name,
                pa.string()
                if name in types
                else pa.bool_()
                if name == "confirmed"
                else pa.int32()
                if name in counts or name == "n_high_fires"
                else pa.float64(),
            )
            for name in columns
        ]
    )


def _cells(rng: np.random.Generator, name: str, discoveries: pa.Table) -> list[dict[str, Any]]:
    rows = []
    own = [row for row in discoveries.select(["contrast", "cell", "confirmed"]).to_pylist()
           if row["contrast"] == name]  # fmt: skip
    for cell, layer, position, sae in [*CELLS, FROZEN]:
        of_cell = [row["confirmed"] for row in own if row["cell"] == cell]
        rows.append(
            {
                "contrast": name,
                "cell": cell,
                "layer": layer,
                "position": position,
                "sae": sae,
                "frozen": "decoder" if sae == "frozen" else "none",
                "n_tested": int(rng.integers(900, 2600)),
                "n_discovered_cell": len(of_cell) + 3,
                "n_discovered": len(of_cell),
                "n_same_sign": len(of_cell),
                "n_confirmed": sum(of_cell),
                "n_nuisances": len(of_cell) // 2,
                "n_word": len(of_cell) // 4 if name != "k3" else None,
                "n_bh": 2 * len(of_cell),
                "n_by": len(of_cell),
                "selected": bool(of_cell),
                "n_hierarchy": len(of_cell),
                "p_simes": float(10.0 ** -rng.uniform(1, 9)),
                "pi0": float(rng.uniform(0.7, 1)),
                "threshold_cell": float(rng.uniform(3.8, 4.4)),
                "best_feature": int(rng.integers(0, 8192)) if of_cell else None,
                "best_auroc": float(rng.uniform(0.52, 0.61)) if of_cell else None,
                "shuffled_discovered": float(rng.uniform(0, 0.2)),
                "shuffled_confirmed": 0.0,
            }
        )
    return rows


NAMED = {
    "k1": ("Edited or original word", "edited <i>word</i>", "original word", "pairs"),
    "k3": ("Same original, high or low label", "high label", "low label", "classes"),
    "k4": ("Graded label", "higher label", "lower label", "scores"),
}


def _contrast(
    rng: np.random.Generator,
    name: str,
    discoveries: pa.Table,
    by_cell: list[dict[str, Any]],
    nulls: bool,
) -> dict[str, Any]:
    title, a, b, kind = NAMED[name]
    own = [row for row in discoveries.to_pylist() if row["contrast"] == name]
    cells = [row for row in by_cell if row["contrast"] == name and row["frozen"] == "none"]
    n_tested = sum(row["n_tested"] for row in cells)
    confirmed = [row for row in own if row["confirmed"]]
    graded = kind == "scores"
    x_edges = np.linspace(-0.08, 0.12, 41).round(4).tolist()
    y_edges = (np.linspace(0, 1, 25) ** 2 * 45).round(4).tolist()
    cloud = rng.normal(0, 0.012, n_tested), rng.exponential(0.45, n_tested)
    counts, _, _ = np.histogram2d(np.clip(cloud[0], -0.079, 0.119), cloud[1], [x_edges, y_edges])
    histogram = rng.multinomial(n_tested, np.full(20, 0.05))
    histogram[0] += 40 * len(own)
    frozen = {"n_cells": 1, "n_tested": 2011, "n_discovered": 9, "n_confirmed": 4,
              "best_auroc": 0.55}  # fmt: skip
    return {
        "name": name,
        "title": title,
        "question": f"Does it fire more often on {a} than on {b}?",
        "a": a,
        "b": b,
        "kind": kind,
        "unit": "pairs" if kind == "pairs" else "texts",
        "effect": "Spearman's rho" if graded else "difference of firing rates",
        "n_a": 9652 if name != "k3" else 440,
        "n_b": None if graded else 9652 if name != "k3" else 440,
        "n_clusters": 3310,
        "left_out": {"no label <b>": 12} if graded else {},
        "scheme": "labels of whole originals are exchanged between originals of equal size",
        "primary": name != "k4",
        "n_tested": n_tested,
        "threshold": 4.4321,
        "n_discovered": len(own),
        "n_discovered_up": sum(row["sign"] > 0 for row in own),
        "n_same_sign": len(own) - len(own) // 20,
        "n_confirmed": len(confirmed),
        "n_confirmed_up": sum(row["sign"] > 0 for row in confirmed),
        "n_confirmed_new_words": sum(row["p_new_words"] <= 0.05 for row in own),
        "n_tested_once": len(confirmed) // 2,
        "beyond": {"funlines": len(confirmed) // 3},
        "n_bh": 3 * len(own),
        "n_by": 2 * len(own),
        "n_cells_selected": sum(row["selected"] for row in cells),
        "n_hierarchy": len(own),
        "pi0": 0.913,
        "n_magnitude": len(own) + 2,
        "n_nuisances": len(own) // 2,
        "n_nuisances_all": len(own) // 2 + 1,
        "n_word": len(own) // 4 if name != "k1" else None,
        "r2_nuisances": 0.0253 if name != "k1" else None,
        "shrinkage": 0.7812 if own else None,
        "shuffled": [[int(x), int(x) // 2] for x in rng.integers(0, 3, 20)] if nulls else [],
        "frozen": frozen if nulls else None,
        "untrained": None,
        "untrained_words": "name the study of the untrained model in `analyses: tests: untrained`",
        "smallest_detectable": 0.0312 if graded else 0.0123,
        "p_histogram": histogram.tolist(),
        "p_histogram_shuffled": None,
        "volcano": {
            "x_edges": x_edges,
            "y_edges": y_edges,
            "counts": [[int(i), int(j), int(counts[i, j])] for i, j in np.argwhere(counts > 0)],
            "points": [
                [
                    row["effect"],
                    float(-np.log10(row["p"])),
                    row["cell"],
                    row["feature"],
                    "confirmed" if row["confirmed"] else "discovered",
                ]
                for row in own[:400]
            ],
        },
        "by_cell": [
            [row[key] for key in ("cell", "layer", "position", "sae", "n_tested", "n_discovered",
                                  "n_confirmed", "best_auroc")]
            for row in cells
        ],
    }  # fmt: skip


def _examples(rng: np.random.Generator, discoveries: pa.Table) -> pa.Table:
    rows = []
    keys = discoveries.select(["contrast", "cell", "feature"]).to_pylist()
    for place, key in enumerate(keys):
        for at, kind in enumerate(("strongest", "strongest", "random", "miss")):
            plain = place % 5 == 4
            rows.append(
                key
                | {
                    "kind": kind,
                    "item": int(rng.integers(0, 9652)),
                    "id": f"t{place}-{at}",
                    "before": HOSTILE if place % 4 == 1 else "Senate votes to ban ",
                    "original": "" if plain else "rifles",
                    "edited": "sandwiches" if place % 3 else f"pie{HOSTILE}",
                    "after": " in public schools",
                    "activation": 0.0 if kind == "miss" else float(rng.gamma(3, 1)),
                    "label": None if place % 6 == 5 else float(rng.integers(0, 15)) / 5,
                }
            )
    names = ["contrast", "cell", "feature", "kind", "item", "id", "before", "original", "edited",
             "after", "activation", "label"]  # fmt: skip
    types = {"feature": pa.int32(), "item": pa.int64(), "activation": pa.float64(),
             "label": pa.float64()}  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.string())) for name in names])
    return pa.Table.from_pylist(rows, schema)


def _probes() -> dict[str, Any]:
    def one(name, title, question, ceiling, words, quiver):
        return {
            "name": name,
            "title": title,
            "question": question,
            "metric": "AUC",
            "ceiling": ceiling,
            "ceiling_words": words,
            "n": 9652,
            "n_clusters": 3310,
            "folds": 5,
            "chance": 0.501,
            "quiver": dict(zip(("without", "with", "gain", "low", "high"), quiver, strict=True)),
        }

    return {
        "probes": [
            one("edited", "Edited or original?", "Was this word put in by an editor?", None, None,
                (0.93, 0.941, 0.011, 0.002, 0.02)),
            one("high", "Funny or flat <b>?", "Is the label high?", 0.78,
                "what the judges agree on", (0.66, 0.661, 0.001, -0.004, 0.006)),
        ],
        "representations": {
            "codes": "activations of the SAE",
            "x": "coordinates of the vector that the SAE takes apart",
            "words + surprisal": "word frequency, length and surprisal <b>",
        },
    }  # fmt: skip


def _summary(rng: np.random.Generator) -> pa.Table:
    rows = []
    for probe, start, gain, words in (("edited", 0.68, 0.26, 0.897), ("high", 0.54, 0.12, 0.651)):

        def add(site, cell, representation, k, score, probe=probe, words=words):
            rows.append(
                {
                    "probe": probe,
                    "site": site,
                    "cell": cell,
                    "representation": representation,
                    "k": k,
                    "score": score,
                    "low": score - 0.015,
                    "high": score + 0.014,
                    "gain": score - words,
                    "gain_low": score - words - 0.012,
                    "gain_high": score - words + 0.012,
                    "ceiling": 0.78 if probe == "high" else None,
                    "chance": 0.501,
                    "n": 9652,
                    "n_clusters": 3310,
                    "words": "a definition",
                }
            )

        for cell, *_ in [*CELLS, FROZEN]:
            level = rng.uniform(0.9, 1) - (0.1 if cell == FROZEN[0] else 0)
            for i, k in enumerate(KS):
                share = 1 - np.exp(-(i + 1) / 2.5)
                add(cell.split("-")[0], cell, "codes", k, float(start + gain * share * level))
        for site in ("L3R", "L7R", "L11R", "L3A", "L7A", "L11A"):
            for i, k in enumerate(KS):
                share = 1 - np.exp(-(i + 1) / 4)
                add(site, None, "x", k, float(start - 0.05 + gain * share))
            add(site, None, "x", None, float(start + gain + 0.02))
        add(None, None, "words + surprisal", None, words)
    types = {"probe": pa.string(), "site": pa.string(), "cell": pa.string(),
             "representation": pa.string(), "k": pa.int32(), "n": pa.int32(),
             "n_clusters": pa.int32(), "words": pa.string()}  # fmt: skip
    schema = pa.schema([(name, types.get(name, pa.float64())) for name in rows[0]])
    return pa.Table.from_pylist(rows, schema)


def page_of(study: Study, **settings: Any) -> str:
    """The page, as the script of the stage makes it."""
    from saegrid.pages.browser.findings import findings_page

    return findings_page(
        study.facts,
        study.tests,
        study.by_cell,
        study.discoveries,
        study.examples,
        study.probes,
        study.probes_summary,
        **settings,
    )
