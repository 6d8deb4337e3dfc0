"""The page of a survey: sizes of all sites, dimensions that stand out, corpora compared, topics."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "spec", "cut")
"""Keys that `facts` must hold."""
NAMED = 6
"""Dimensions that stand out which the page names, of each site."""

LAYERS = (
    Column("corpus", "corpus"),
    Column("site", "site"),
    Column(
        "normed", "normed", definition="none, layer (no scale or shift) or final (the model's own)"
    ),
    Column("tokens", "of", definition="all tokens, or one: the last of the corpus"),
    Column("n", "tokens", "{:,}"),
    Column("sum", "sum", "{:,.6g}", "of all numbers of the tokens"),
    Column("max", "max", "{:.6g}", "the largest number"),
    Column("average", "average", "{:.4g}", "sum / (tokens x dimensions)"),
    Column("norm", "norm", "{:.5g}", "mean Euclidean norm of a token"),
    Column("anisotropy", "anisotropy", "{:.4f}", "mean cosine of two different tokens"),
    Column("n_outliers", "stand out", "{:,}", "dimensions that stand out; see below"),
    Column("outliers", "which", definition=f"at most {NAMED}, the farthest first"),
)
PAIRS = (
    Column("site", "site"),
    Column("corpus_a", "corpus a"),
    Column("corpus_b", "corpus b"),
    Column("mean_cosine", "cosine of means", "{:.4f}", "of the two corpora's mean activations"),
    Column("sd_correlation", "correlation of deviations", "{:.4f}", "Pearson's, over dimensions"),
    Column(
        "largest_distance",
        "largest distance",
        "{:.3f}",
        "of two means of a dimension, in units of the pooled deviation",
    ),
    Column("at_dimension", "at dimension", "{:d}"),
    Column("outliers_a", "stand out in a", "{:,}"),
    Column("outliers_b", "in b", "{:,}"),
    Column("outliers_both", "in both", "{:,}"),
)
TOPICS = (
    Column("corpus", "corpus"),
    Column("topic", "topic"),
    Column("word_share", "share of words", "{:.5f}", "words that are on the topic / all words"),
    Column("text_share", "share of texts", "{:.4f}", "texts with such a word / all texts"),
    Column("words", "words", "{:,}"),
    Column("n_words", "of", "{:,}", "all words"),
    Column("texts", "texts", "{:,}"),
    Column("n_texts", "of", "{:,}", "all texts"),
)


def survey_page(
    facts: Mapping[str, Any],
    layers: pa.Table,
    dimensions: pa.Table,
    pairs: pa.Table,
    topics: pa.Table | None = None,
    figures: Sequence[tuple[str, str]] = (),
) -> str:
    """The text of survey.html. The same arguments give the same bytes.

    facts: study, model, spec, cut (of dimensions that stand out), and where known `title`.
    layers, dimensions, pairs: see `survey.Survey`. topics: see `base_rates.table`, None without
    lists. figures: (path relative to the page, caption).
    """
    require(facts, REQUIRED, "The facts of a page of a survey")
    tables = [
        (
            "Sites",
            "Numbers of the activations at each site: of all tokens, and of one, the last.",
            LAYERS,
            _with_outliers(layers, dimensions),
        )
    ]
    if pairs.num_rows:
        words = "By mean and deviation of each dimension over all tokens, of what is normed alike."
        tables.append(("Corpora compared", words, PAIRS, pairs.to_pylist()))
    if topics is not None:
        words = "What concepts of features must be held against; a word of two topics counts twice."
        tables.append(("How common topics are", words, TOPICS, topics.to_pylist()))
    return render_study(
        "survey.html.jinja",
        facts,
        f"{facts['study']}: survey of the activations",
        figures,
        dict.fromkeys(layers["site"].to_pylist()),
        tables=tables,
    )


def _with_outliers(layers: pa.Table, dimensions: pa.Table) -> list[dict[str, Any]]:
    """The rows of layers; those of all tokens with the dimensions that stand out."""
    out = dimensions.filter(pc.field("outlier"))
    where = list(zip(out["corpus"].to_pylist(), out["site"].to_pylist(), strict=True))
    far = np.maximum(*(np.abs(out[name].to_numpy()) for name in ("mean_robust", "sd_robust")))
    outliers: dict[tuple[str, str], list[int]] = {}
    numbers = out["dimension"].to_pylist()
    for at in np.argsort(-far, kind="stable"):
        outliers.setdefault(where[at], []).append(numbers[at])
    rows = []
    for row in layers.to_pylist():
        own = outliers.get((row["corpus"], row["site"]), []) if row["tokens"] == "all" else None
        more = {"n_outliers": None, "outliers": ""}
        if own is not None:
            tail = ", …" if len(own) > NAMED else ""
            more = {"n_outliers": len(own), "outliers": ", ".join(map(str, own[:NAMED])) + tail}
        rows.append({**row, **more})
    return rows
