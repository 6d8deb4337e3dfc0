"""Discoveries in detail: intervals, rates, words, densities and examples."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, ORIGINAL, Cell
from saegrid.evidence import CONFIRMATION, DISCOVERY, TEST, confirmation, questions
from saegrid.evidence.discovery import SCHEMA, Question, Sides
from saegrid.evidence.examples import examples
from saegrid.evidence.questions import Corpus
from saegrid.evidence.records import (
    NEW_WORDS,
    SHORTLIST,
    Beside,
    Discovered,
    Grid,
    sides_of,
    weights_of,
)

NAMED = 5
"""Words that stand for a feature."""
STRONGEST = 20
"""Texts with the largest activations whose words are counted."""
SHOWN = 100
"""Confirmed features of a contrast and cell that get examples."""


class Described(NamedTuple):
    """The discoveries of a contrast in a cell."""

    contrast: str
    of: Discovered
    table: pa.Table
    """Their rows of the table of the cell."""
    columns: Mapping[str, np.ndarray]
    """Their family-wise p and others."""
    numbers: Mapping[str, np.ndarray]
    words: Sequence[str]
    examples: Sequence[Mapping[str, Any]]


def described(grid: Grid, kind: str) -> Iterator[Described]:
    """The discoveries of each contrast and cell of a kind, with their numbers."""
    inputs, plan = grid.inputs, grid.plan
    corpus = inputs.corpora[plan["parts"][DISCOVERY]["corpus"]]
    for question in grid.asked.questions:
        of = grid.rows[kind][question.name]
        weights = weights_of(plan, question) if of.n else None
        for one, checked in of.pairs():
            cell = one.searched.cell
            features = one.feature
            sides = sides_of(
                inputs, [question], cell, DISCOVERY, lambda name, features=features: features
            )[question.name]
            short = sides.of(np.arange(min(len(features), SHORTLIST)))
            drawn = confirmation.drawn_intervals(question, short, weights)
            beside = inputs.beside(cell)
            numbers = {
                **checked,
                **{name: _filled(values, one) for name, values in drawn._asdict().items()},
                **_rates(plan, question, short, weights, one, corpus),
                **_densities(beside, features),
            }
            shown = np.flatnonzero(checked.get("confirmed", np.zeros(1)) == 1)[:SHOWN]
            yield Described(
                question.name,
                one,
                one.searched.table.take(pa.array(one.row)),
                {key: values[one.row] for key, values in grid.columns[cell].items()},
                numbers,
                _words(corpus, question, sides, one, beside),
                list(examples(question, sides, cell, features, shown, corpus, plan)),
            )


def _filled(values: np.ndarray, one: Discovered) -> np.ndarray:
    return np.append(values, np.full(len(one.feature) - len(values), np.nan))


def _rates(
    plan: Mapping[str, Any],
    question: Question,
    short: Sides,
    weights: np.ndarray,
    one: Discovered,
    corpus: Corpus,
) -> dict[str, np.ndarray]:
    """Necessity and sufficiency for a high label, of contrasts of a label of numbers."""
    _, settings = questions.settings_of(plan, question.name)
    label = corpus.texts.labels.get(settings["label"]) if settings["label"] else None
    if plan["high"] is None or not isinstance(label, np.ndarray) or question.design.control:
        return {}
    known = ~np.isnan(label[question.design.item])
    if not known.all() or question.design.view not in (EDITED, "text"):
        return {}
    rates = confirmation.rates(short, label[question.design.item], plan["high"], weights)
    names = {
        "n_fires": rates.n_fires,
        "n_high_fires": rates.n_high_fires,
        "high_given_fires": rates.high_given_fires,
        "high_low": rates.low,
        "high_high": rates.high,
        "high_cluster_low": rates.low_cluster,
        "high_cluster_high": rates.high_cluster,
        "fires_given_high": rates.fires_given_high,
        "label_difference": rates.difference,
    }
    return {name: _filled(np.asarray(values, float), one) for name, values in names.items()}


def _words(
    corpus: Corpus, question: Question, sides: Sides, one: Discovered, beside: Beside
) -> list[str]:
    """The commonest words of the texts on which each feature fires most strongly; of unpaired texts
    those of its top tokens."""
    words = corpus.words.get(EDITED)
    if words is None:
        top = beside.top_tokens
        by_feature: dict[int, Counter[str]] = {}
        for feature, word in zip(top["feature"].to_pylist(), top["word"].to_pylist(), strict=True):
            by_feature.setdefault(feature, Counter())[(word or "").strip()] += 1
        return [_listed(by_feature.get(int(f), Counter())) for f in one.feature]
    out = []
    for at, sign in enumerate(one.sign):
        # Of a feature of the originals the words that were replaced say what it is about.
        replaced = sign < 0 and question.design.other == ORIGINAL
        matrix, said = (sides.b, corpus.words[ORIGINAL]) if replaced else (sides.a, words)
        part = slice(matrix.indptr[at], matrix.indptr[at + 1])
        order = np.argsort(-matrix.data[part], kind="stable")[:STRONGEST]
        items = question.design.item[matrix.indices[part][order]]
        out.append(_listed(Counter(said[i].casefold() for i in items)))
    return out


def _listed(counts: Counter[str]) -> str:
    best = sorted((entry for entry in counts.items() if entry[0]), key=lambda e: (-e[1], e[0]))
    return ", ".join(f"{word} {n}" for word, n in best[:NAMED])


def _densities(beside: Beside, feature: np.ndarray) -> dict[str, np.ndarray]:
    """Densities of features in the edits, around them, and on the reference corpus, with the lift
    of the first over the last (S0.37)."""

    def of(table: pa.Table | None, name: str) -> np.ndarray:
        if table is None:
            return np.full(len(feature), np.nan)
        values = table[name].to_numpy().astype(float)
        known = dict(zip(table["feature"].to_pylist(), values, strict=True))
        return np.array([known.get(int(f), 0.0) for f in feature])

    name = "density_in_edit"
    inside = of(beside.densities, name)
    if np.isnan(inside).all():
        inside = of(beside.densities, "density")
    reference = of(beside.reference, "density")
    with np.errstate(divide="ignore", invalid="ignore"):
        lift = np.where(reference > 0, inside / reference, np.nan)
    return {
        "density_in_edit": inside,
        "density_context": of(beside.densities, "density_context"),
        "density_reference": reference,
        "lift_reference": lift,
    }


COPIED = (
    "statistic",
    "p",
    "effect",
    "auroc",
    "n_a",
    "n_b",
    "fire_a",
    "fire_b",
    "rate_a",
    "rate_b",
)
"""Columns of discoveries.parquet that are those of the cell's table."""


def discoveries(details: Sequence[Described], plan: Mapping[str, Any]) -> pa.Table:
    """discoveries.parquet: one row a contrast, cell and feature."""
    names = _numbers(plan)
    parts = [_table(one, names) for one in details]
    return pa.concat_tables([schema(names).empty_table(), *parts])


def schema(names: Sequence[str]) -> pa.Schema:
    """The columns of discoveries.parquet. names: of the numbers that were made for discoveries."""
    text = ("contrast", "cell", "position", "sae", "frozen", "words")
    kinds = {name: pa.string() for name in text}
    kinds |= {"layer": pa.int32(), "sign": pa.int8(), "confirmed": pa.bool_()}
    kinds |= {field.name: field.type for field in SCHEMA if field.name not in kinds}
    order = ("contrast", "cell", "layer", "position", "sae", "frozen", "feature", "sign", *COPIED)
    order += ("lift", *names, "confirmed", *(f"p_maxt{form}" for form in FORMS), "q", "words")
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in order])


def _numbers(plan: Mapping[str, Any]) -> list[str]:
    """The columns of numbers that were made for discoveries."""
    beyond = [name for name in plan["parts"] if name not in (DISCOVERY, CONFIRMATION, TEST)]
    checked = [
        f"{kind}_{name}"
        for name in ("confirm", NEW_WORDS, TEST, *beyond)
        for kind in ("effect", "statistic", "p_single", "p")
    ]
    return [
        *("lift_low", "lift_high", "low", "high", "low_confirm", "high_confirm", *checked),
        *("n_fires", "n_high_fires", "high_given_fires", "high_low", "high_high"),
        *("high_cluster_low", "high_cluster_high", "fires_given_high", "label_difference"),
        *("density_in_edit", "density_context", "density_reference", "lift_reference"),
    ]


def _table(one: Described, names: Sequence[str]) -> pa.Table:
    n, cell = one.table.num_rows, Cell.parse(one.of.searched.cell)
    missing = np.full(n, np.nan)
    same = {
        "contrast": (one.contrast, pa.string()),
        "cell": (str(cell), pa.string()),
        "layer": (cell.site.layer, pa.int32()),
        "position": (cell.site.position, pa.string()),
        "sae": (cell.sae, pa.string()),
        "frozen": (one.of.searched.frozen, pa.string()),
    }
    return pa.table(
        {
            **{key: pa.array([value] * n, kind) for key, (value, kind) in same.items()},
            "feature": one.table["feature"],
            "sign": pa.array(one.of.sign.astype(np.int8)),
            **{name: one.table[name] for name in COPIED},
            "lift": pa.array(_lift(one.table), from_pandas=True),
            **{
                name: pa.array(np.asarray(one.numbers.get(name, missing), float), from_pandas=True)
                for name in names
            },
            "confirmed": confirmation.booleans(one.numbers.get("confirmed", missing)),
            **{
                name: pa.array(one.columns[name], from_pandas=True)
                for name in (*(f"p_maxt{form}" for form in FORMS), "q")
            },
            "words": pa.array(one.words, pa.string()),
        }
    )


FORMS = ("", "_cell", "_magnitude", "_nuisances", "_word")
"""Endings of the columns of family-wise p."""


def _lift(table: pa.Table) -> np.ndarray:
    """rate_a / rate_b with half a text added to each cell of the 2 x 2 table (Haldane)."""
    fire_a, fire_b, n_a, n_b = (
        np.array([np.nan if v is None else v for v in table[name].to_pylist()], float)
        for name in ("fire_a", "fire_b", "n_a", "n_b")
    )
    return ((fire_a + 0.5) / (n_a + 1)) / ((fire_b + 0.5) / (n_b + 1))
