"""The tables of a report, by hand: a feature of a concept, one of nothing, names like markup."""

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import from_pairs
from saegrid.interventions.written import latents
from saegrid.meaning.concepts import SCHEMA
from saegrid.metrics.survey.choice import choice
from saegrid.pages.browser.report import report_page
from saegrid.pages.browser.report_rows import Report

FACTS = {
    **{"study": "st<udy", "model": "m&m", "spec": '{"a": "<b>"}', "corpus": "written", "title": ""},
    "source": {"samples": 2, "new_tokens": 9, "temperature": 0.5, "stop": False, "seed": 4},
    "section": {"strata": 2, "each": 1, "least": 3, "texts": 1, "seed": 7, "strength": 1.5},
    "saes": {"L1R-8x": {"recipe": "topk", "expansion": 8, "settings": {"k": 8}, "source": "train"}},
}
SIZES = {"n_layers": 4, "d_model": 32, "d_mlp": 96}


def survey(*similar):
    """Rows of a survey of some layers."""
    return [
        {
            **{"corpus": "written", "site": f"L{layer}R", "position": "R", "layer": layer},
            **{"tokens": tokens, "n": n, "sum": 64.0 * n, "max": 4.0, "average": 2.0},
            **{"norm": 5.0 + layer, "anisotropy": value if n > 1 else float("nan")},
        }
        for layer, value in enumerate(similar)
        for tokens, n in (("one", 1), ("all", 10))
    ]


def history():
    """A training of two steps, held-out tokens at the last."""
    rows = [(50, 500, 0.5, None), (100, 1000, 0.25, 0.3)]
    return pa.Table.from_pylist(
        [dict(zip(("step", "tokens", "fvu", "held_fvu"), row, strict=True)) for row in rows]
    )


def concepts(*rows):
    """Judgements: feature, kind, label and words; other columns are null."""
    names = ("feature", "kind", "label", "words")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    columns = {
        field.name: table[field.name].cast(field.type)
        if field.name in names
        else pa.nulls(len(rows), field.type)
        for field in SCHEMA
    }
    return pa.table(columns, SCHEMA)


def theme(name, prompts):
    """A row of prompts."""
    return {
        **{"theme": name, "prompts": prompts, "words": 20 * prompts, "words_mean": 20.0},
        **{"tokens": 30 * prompts, "tokens_a_word": 1.5, "unknown": 0.125, "texts": 2 * prompts},
        **{"drawn": 18 * prompts, "drawn_mean": 9.0, "special": 3},
    }


def text(feature, tokens, activations, center, prompt):
    """A text of a feature."""
    return {
        **{"feature": feature, "rank": 0, "item": 0, "id": "a-1", "theme": "F<>ood"},
        **{"activation": activations[center], "center": center, "tokens": tokens},
        **{"activations": activations, "prompt": prompt},
    }


def clamp(arm, value, target, control):
    """A clamp of feature 5, with feature 6 as its control."""
    return {
        **{"feature": 5, "control": 6, "arm": arm, "value": value, "push": value / 6},
        **{"targets": [" <i>", " pie"], "share": 0.5, "largest": 2.0, "n_texts": 11},
        **{"base": -9.0, "delta_target": target, "delta_control": control},
        **{"specificity": target - control, "error": 0.25, "kl": 0.1, "kl_control": 0.2},
    }


def written(arm, tokens, parts):
    """A text under a clamp of feature 5."""
    target = [token == " pie" for token in tokens]
    names = ("feature", "arm", "id", "tokens", "target", "parts", "surprisal")
    return dict(zip(names, (5, arm, "a-1", tokens, target, parts, 2.5), strict=True))


def report(**changes):
    """The tables, some of them changed."""
    feature = [np.array(column) for column in zip((5, 0), (5, 1), (6, 2), strict=True)]
    codes = from_pairs(*feature, np.array([1, 2, 4], np.float32), np.arange(10), 8)
    tables = {
        "choice": choice(survey(0.6, 0.25, 0.125, 0.5), "written", 4, ["L1R-8x"]),
        "prompts": pa.Table.from_pylist([theme("F<>ood", 2), theme("News", 1), theme("all", 3)]),
        "features": pa.table(
            {
                **{"stratum": [1, 2], "feature": [5, 3], "n_active": [4, 9]},
                **{"density": [0.125, 0.25], "max_activation": [2.0, 1.0]},
            }
        ),
        "texts": pa.Table.from_pylist(
            [
                text(5, ["The", " <b>", " pie"], [None, 0.0, 2.0], 2, [True, False, False]),
                text(3, [" of", "."], [1.0, 0.0], 0, [False, False]),
            ]
        ),
        "clamps": pa.Table.from_pylist(
            [clamp("high", 3.0, 2.0, 0.5), clamp("zero", 0.0, -0.1, 0.0), clamp("low", -3, -2, 0)]
        ),
        "clamped_texts": pa.Table.from_pylist(
            [
                written("none", [" a", " cat", "."], 3),
                written("high", [" a", " pie", " pie"], 1),
                written("control high", [" dog", "."], 0),
                written("control low", ["unshown"], 0),
            ]
        ),
        "concepts": concepts((5, "meaning", "food <x>", "pie, cake"), (8, "token", "ing", "-ing")),
        "histories": {"L1R-8x": history()},
        "facts": {
            "cell": "L1R-8x",
            "sizes": SIZES,
            "latents": latents(codes),
            "examples": [
                {
                    "id": "a-1",
                    "theme": "F<>ood",
                    "prompt": "The",
                    "tokens": [" <b>", "</s>", " pie"],
                }
            ],
            "special": ["</s>"],
        },
    }
    return Report(**(tables | changes))


def page_of(**changes):
    """The page of these tables."""
    return report_page(FACTS, report(**changes))
