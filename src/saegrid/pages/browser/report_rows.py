"""The rows of a report: features with their texts, clamps with what was written under them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.pages.browser.clustered_tables import Site

NAMED = ("meaning", "coherent")
"""Kinds of features that are about something; those of form are spelling, none is none."""
KINDS = {
    "meaning": "a concept",
    "coherent": "related words",
    "word": "one word",
    "token": "one piece",
    "letter": "first letter",
    "ending": "ending",
    "position": "place in the text",
    "none": "nothing that was found",
}
END = " ¶ "
"""Mark in the place of a special token, behind which another text begins."""
ARMS = {"high": "held high", "zero": "held at 0", "low": "held low", "none": "as it is"}


class Report(NamedTuple):
    """The tables that a report is made from."""

    choice: pa.Table
    prompts: pa.Table
    features: pa.Table
    texts: pa.Table
    clamps: pa.Table
    clamped_texts: pa.Table
    concepts: pa.Table
    """Judgements of the features of the chosen cell."""
    histories: Mapping[str, pa.Table]
    """By cell."""
    clusters: Site | None = None
    """Clusters at the site of the chosen cell; None where the study makes none."""
    facts: Mapping[str, Any] = {}
    """facts.json: cell, sizes, latents, examples, special (spellings of special tokens)."""

    def spell(self, token: str) -> str:
        """A token as the page shows it: a special one as a mark."""
        return END if token in self.facts["special"] else token


def feature_of(row: Mapping[str, Any], tables: Report, kinds: Mapping[int, str]) -> dict[str, Any]:
    """A feature with its texts and what it is about."""
    feature = row["feature"]
    judged = [one for one in tables.concepts.to_pylist() if one["feature"] == feature]
    label = judged[0]["label"] if judged else None
    texts = [one for one in tables.texts.to_pylist() if one["feature"] == feature]
    themes = [one["theme"] for one in texts]
    common = max(set(themes), key=lambda one: (themes.count(one), one or "")) if themes else None
    return {
        **row,
        "kind": kinds.get(feature),
        "label": label,
        "words": judged[0]["words"] if judged else "",
        "theme": common,
        "n_theme": themes.count(common),
        "texts": [{**one, "spans": _spans(one, row["max_activation"], tables)} for one in texts],
    }


def _spans(
    text: Mapping[str, Any], largest: float, tables: Report
) -> list[tuple[str, str, float, str]]:
    """(text, class, share of the largest activation, title) of the tokens of a window."""
    spans = []
    for place, (token, value, prompt) in enumerate(
        zip(text["tokens"], text["activations"], text["prompt"], strict=True)
    ):
        share = (value or 0.0) / (largest or 1.0)
        kind = "peak" if place == text["center"] else "prompt" if prompt else ""
        title = "not captured" if value is None else f"z = {value:.3g}"
        spans.append((tables.spell(token), kind, share, title))
    return spans


def clamped_of(tables: Report) -> list[dict[str, Any]]:
    """Each clamped feature with its arms, and its texts by prompt."""
    rows, texts = tables.clamps.to_pylist(), tables.clamped_texts.to_pylist()
    features = list(dict.fromkeys(row["feature"] for row in rows))
    return [
        {
            "feature": feature,
            "control": next(r["control"] for r in rows if r["feature"] == feature),
            "targets": next(r["targets"] for r in rows if r["feature"] == feature),
            "share": next(r["share"] for r in rows if r["feature"] == feature),
            "rows": [row for row in rows if row["feature"] == feature],
            "texts": _by_prompt([text for text in texts if text["feature"] == feature], tables),
        }
        for feature in features
    ]


def _by_prompt(
    texts: Sequence[Mapping[str, Any]], tables: Report
) -> list[tuple[str, list[dict[str, Any]]]]:
    """(id of the prompt, its texts) with the tokens of each: (text, class)."""
    names = {**ARMS, "control high": "control held high"}
    by_id: dict[str, list[dict[str, Any]]] = {}
    for text in texts:
        if text["arm"] in names:
            spans = [
                (
                    tables.spell(token),
                    "target" if target else "same" if place < text["parts"] else "",
                )
                for place, (token, target) in enumerate(
                    zip(text["tokens"], text["target"], strict=True)
                )
            ]
            row = {"name": names[text["arm"]], "spans": spans, "surprisal": text["surprisal"]}
            by_id.setdefault(text["id"], []).append(row)
    return list(by_id.items())


def zeros_of(codes: Mapping[str, Any]) -> float:
    """The share of the codes that are exactly zero."""
    return codes["zeros"] / max(codes["zeros"] + codes["active"], 1)
