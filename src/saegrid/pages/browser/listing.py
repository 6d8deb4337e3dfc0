"""Columns of the index of a page: numbers, tokens and badges of every feature, in page order."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.features.shares import Shares
from saegrid.features.statistics import registered
from saegrid.meaning.concepts import Rule
from saegrid.meaning.kinds import bearing
from saegrid.pages.browser import pack
from saegrid.pages.browser.bodies import Texts
from saegrid.pages.browser.shown import Tokens, Windows


def columns(features: pa.Table) -> dict[str, list[Any]]:
    """The numbers of every feature."""
    shares = ("density", "density_in_edit", "density_context")
    statistics = (statistic.name for statistic in registered())
    return {
        "feature": features["feature"].to_numpy().tolist(),
        "n_active": features["n_active"].to_numpy().tolist(),
        "max_activation": pack.floats(features["max_activation"].to_numpy()),
        **{name: pack.rounded(features[name].to_numpy()) for name in (*shares, *statistics)},
    }


def frequent(shares: Shares, codes: np.ndarray, place: np.ndarray, n: int) -> list[list[int]]:
    """Per feature [token, firings, token, firings, ...], the most frequent first.

    codes: (row of shares,) the strings of the tokens. Firings are those that n_active counts.
    """
    order = np.argsort(place[shares.feature], kind="stable")
    flat = np.stack([codes[order], shares.count[order]], axis=1).ravel().tolist()
    return pack.slices(flat, 2 * np.searchsorted(place[shares.feature][order], np.arange(n + 1)))


def summary(view: Windows, n: int, texts: Texts, tokens: Tokens) -> dict[str, list[Any]]:
    """The words around the top examples of each feature, beside its tokens (requirements S0.29).

    words: per feature [word, count, word, count, ...], the most frequent first; n_words and
    n_headlines the distinct ones; terms: shown tokens that no word contains, for the search.
    """
    top = pc.equal(view.table["group"], "top").to_numpy().astype(bool)
    order, word = view.order[top], texts.plain[top]
    center = texts.windows[view.offsets[:-1] + view.table["center"].to_numpy()][top]
    headline = tokens.group[view.table["token_index"].to_numpy()[top]]
    owner, first, count = _distinct(order, word)
    by_count = np.lexsort((first, -count, owner))
    owner, first, count = owner[by_count], first[by_count], count[by_count]
    cuts = np.searchsorted(owner, np.arange(n + 1))
    words = np.stack([word[first], count], axis=1).ravel().tolist()
    spelt = pack.slices([texts.strings[code] for code in word[first].tolist()], cuts)
    return {
        "words": pack.slices(words, 2 * cuts),
        "n_words": np.diff(cuts).tolist(),
        "n_headlines": np.bincount(_distinct(order, headline)[0], minlength=n).tolist(),
        "terms": _terms(order, center, word, spelt, texts.strings),
    }


def _distinct(owner: np.ndarray, code: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct pairs: owner, where each first stands, how often; owners ascend."""
    low = code.min(initial=0)
    span = np.int64(code.max(initial=0)) - low + 1
    key, first, count = np.unique(owner * span + code - low, return_index=True, return_counts=True)
    return key // span, first, count


def _terms(
    order: np.ndarray,
    center: np.ndarray,
    word: np.ndarray,
    spelt: list[list[str]],
    strings: list[str],
) -> list[list[int]]:
    """Per feature the centres, as they first appear, that its words in one line do not contain.

    Nearly all are part of their own word, which is checked once for each pair on the page.
    """
    bare = {code: strings[code].strip().lower() for code in np.unique(center).tolist()}
    pair, inverse = np.unique(center * np.int64(len(strings)) + word, return_inverse=True)
    codes = (codes.tolist() for codes in np.divmod(pair, max(len(strings), 1)))
    within = [bare[token] in strings[whole] for token, whole in zip(*codes, strict=True)]
    key = order * np.int64(len(strings)) + center
    apart = np.flatnonzero(~np.isin(key, key[np.array(within, bool)[inverse]]))
    apart = apart[np.sort(np.unique(key[apart], return_index=True)[1])]
    terms: list[list[int]] = [[] for _ in spelt]
    for at, token in zip(order[apart].tolist(), center[apart].tolist(), strict=True):
        if bare[token] not in " ".join(spelt[at]):
            terms[at].append(token)
    return terms


def badges(
    concepts: pa.Table | None, top_tokens: pa.Table, place: np.ndarray, n: int
) -> list[list[list[str]]]:
    """Per feature [kind, text] for what it is about, and for what its rows have in common beside.

    kind: meaning, coherent or form where that is the verdict, else share, of the nearest concept
    that is not. The text names the kind, so that nobody takes a share for a verdict. In the
    published study top tokens have a `label`, the wrong number that the published page gave the
    feature: it is a badge too.
    """
    listed: list[list[list[str]]] = [[] for _ in range(n)]
    if "label" in top_tokens.column_names:
        published = zip(
            place[top_tokens["feature"]].tolist(), top_tokens["label"].to_pylist(), strict=True
        )
        for at, label in dict(published).items():
            listed[at].append(["share", f"published as {label}"])
    for row in [] if concepts is None else concepts.to_pylist():
        if place[row["feature"]] >= 0:
            listed[place[row["feature"]]] += _badges(row)
    return listed


def _badges(row: Mapping[str, Any]) -> list[list[str]]:
    kind, label, of = row["kind"], row["label"], f"/{row['n_shown']}"
    if kind == "meaning":
        return [[kind, f"meaning: {label} {row['n_concept']}{of}"]]
    if kind == "coherent":
        first = [[kind, f"coherent: near words {row['n_near']}{of}, p {row['p_coherence']:.2g}"]]
    else:
        first = [] if label is None else [["form", f"form: {label} {bearing(row)}{of}"]]
    if row["n_concept"]:
        share = f"nearest concept: {row['concept']} {row['n_concept']}{of}"
        first.append(["share", f"{share}, {_short_of(row)}"])
    return first


def _short_of(row: Mapping[str, Any]) -> str:
    """The reason why a concept is not what the feature is about."""
    chances = [p for p in (row["p_maxt"], row["q"]) if p is not None]
    if min(chances, default=1.0) > Rule().alpha:
        return "not beyond chance"
    if row["kind"] != "none":
        return "not the verdict"
    piece = row.get("n_piece")
    return f"{piece} by a piece of other words too" if piece else "too few for meaning"
