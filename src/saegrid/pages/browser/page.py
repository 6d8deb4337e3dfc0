"""The feature browser of a cell: one HTML file that opens offline (design, artefacts)."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.codes.sparse import Features
from saegrid.features.histogram import Histogram
from saegrid.features.shares import Spelled, token_shares
from saegrid.features.statistics import registered
from saegrid.pages.browser import bodies, listing, pack, shown
from saegrid.pages.browser.panels import of_features
from saegrid.pages.browser.render import render, require
from saegrid.pages.browser.shown import Tokens

CHUNK = 64
"""Features, rows or items in one compressed chunk: the page opens a chunk when it is viewed."""

TOKENS = 8
"""Tokens that a feature is summed up by."""

REQUIRED = (
    "study", "corpus", "cell", "model", "site", "sae", "d_sae", "n_tokens", "n_masked", "spec"
)  # fmt: skip
"""Keys that `cell_facts` must hold."""


def page(
    cell_facts: Mapping[str, Any],
    features: pa.Table,
    top_tokens: pa.Table,
    examples: pa.Table | None,
    tokens: pa.Table,
    values: Features,
    concepts: pa.Table | None = None,
    logits: pa.Table | None = None,
    selection: pa.Table | None = None,
    items: pa.Table | None = None,
    panels: Sequence[Mapping[str, Any]] = (),
    bars: Histogram | None = None,
    near: pa.Table | None = None,
    labels: Mapping[int, str] | None = None,
) -> str:
    """The text of features.html. The same arguments give the same bytes.

    cell_facts: `REQUIRED`, and where known mask, layout, n_context, n_items, n_kept, density_cut,
      link (an https address with `{feature}` in it), more (name: value, shown in the footer).
      `spec` is the text of the job's spec.
    features, top_tokens, examples, tokens, selection, items: the artefacts of those names (design);
      without `selection` every item counts as kept, without `items` a row shows no original.
    values: features.safetensors as compressed columns, with `token`, the captured token indices.
    concepts: concepts.parquet, what each feature is about.
    logits: feature, side (top, bottom), rank, token, effect.
    panels: name, heading, words, and rows by feature, see `panels`.
    near: near_misses.parquet.
    labels: those that people gave features of the cell, where they were brought into the results.
    bars: histograms of the features in their order, where `values` hold a part of the activations,
      those that published rows show; shares of tokens are then of this part.
    ValueError where facts are missing or the tables come from different runs.
    """
    require(cell_facts, REQUIRED, "The facts of a cell's page")
    feature = features["feature"].to_numpy().astype(np.int64)
    place = np.full(values.d_sae, -1, np.int64)
    place[feature] = np.arange(len(feature))
    table = Tokens.of(tokens)
    view = shown.windows(shown.examples_of(top_tokens, examples, near), place, table)
    masked = shown.masked_tokens(table, _kept(selection))
    is_whole = bars is None
    bars = shown.histograms(features, values, masked) if bars is None else bars
    spelled = Spelled.of(table.text)
    shares = token_shares(values, spelled, masked, TOKENS)
    texts = bodies.texts(view, table, logits, spelled.names.take(pa.array(shares.code)))
    spec = str(cell_facts["spec"])
    facts = {name: fact for name, fact in cell_facts.items() if name not in ("spec", "more")}
    facts["has_edits"] = bool(table.in_edit.any())
    columns = {
        **listing.columns(features),
        **({} if is_whole else {"n_seen": shown.seen(values, masked)[feature].tolist()}),
        "tokens": listing.frequent(shares, texts.tokens, place, len(feature)),
        **listing.summary(view, len(feature), texts, table),
        "badges": listing.badges(concepts, top_tokens, place, len(feature)),
    }
    index = _index(facts, texts, columns, panels, labels or {})
    effects = bodies.effects(logits, texts.effects, place, len(feature))
    own = of_features(panels, feature)
    opened = bodies.features(view, features, bars, effects, table, values, texts, own)
    return render(
        "page.html.jinja",
        facts=facts,
        more=cell_facts.get("more", {}),
        n_features=len(feature),
        n_examples=len(view.order),
        spec=spec,
        digest=hashlib.sha256(spec.encode()).hexdigest()[:12],
        index=pack.packed(pack.dumped(index)),
        chunks={
            "f": pack.chunks(opened, CHUNK),
            "r": pack.chunks(bodies.rows(view, table, values, texts), CHUNK),
            "i": pack.chunks(bodies.items(view, items), CHUNK),
        },
    )


def _index(
    facts: Mapping[str, Any],
    texts: bodies.Texts,
    columns: Mapping[str, Any],
    panels: Sequence[Mapping[str, Any]],
    labels: Mapping[int, str],
) -> dict[str, Any]:
    """The part of a page that is read when it opens: facts, strings and columns of all features."""
    return {
        "facts": facts,
        "chunk": CHUNK,
        "strings": texts.strings,
        "statistics": [statistic.shown() for statistic in registered()],
        "panels": [[panel["heading"], panel["words"]] for panel in panels],
        **({"labels": {str(f): text for f, text in labels.items()}} if labels else {}),
        "columns": columns,
    }


def neuronpedia(name: str | None) -> str | None:
    """The address of a feature's page on Neuronpedia, `{feature}` in it; None where there is no
    name, or one that is no model and source."""
    known = isinstance(name, str) and re.fullmatch(r"[\w.-]+/[\w.-]+", name)
    return f"https://www.neuronpedia.org/{name}/{{feature}}" if known else None


def _kept(selection: pa.Table | None) -> np.ndarray | None:
    """(item,) bool: True if the item is kept; None if all are."""
    if selection is None:
        return None
    kept = np.zeros((pc.max(selection["item"]).as_py() or 0) + 1, bool)
    kept[selection["item"].to_numpy()] = selection["kept"].to_numpy(zero_copy_only=False)
    return kept
