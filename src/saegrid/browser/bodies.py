"""What a page carries of its features, rows and items, as plain lists in page order."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.browser import pack, shown
from saegrid.browser.shown import Tokens, Windows
from saegrid.histogram import Histogram
from saegrid.sparse import Features


@dataclass(frozen=True)
class Texts:
    """The distinct strings of a page, and its texts as int32 codes into them."""

    strings: list[str]
    windows: np.ndarray
    """Window tokens (flat,)."""
    rows: np.ndarray
    """Tokens of the shown rows, one row after the other."""
    words: np.ndarray
    """The word as it stands (example,)."""
    plain: np.ndarray
    """The word without blanks and capitals, for counting (example,)."""
    effects: np.ndarray
    """Tokens of the logit effects."""


def texts(view: Windows, tokens: Tokens, logits: pa.Table | None) -> Texts:
    """All texts of a page, each distinct string once."""
    word = view.table["word"].combine_chunks()
    nothing = pa.array([], pa.string())
    strings, codes = pack.encode_strings(
        view.tokens,
        tokens.text.take(pa.array(_row_tokens(view, tokens)[1])),
        word,
        pc.utf8_lower(pc.utf8_trim_whitespace(word)),
        nothing if logits is None else logits["token"].combine_chunks(),
    )
    return Texts(strings, *codes)


def columns(features: pa.Table) -> dict[str, list[Any]]:
    """The numbers of every feature."""
    shares = ("density", "density_in_edit", "density_context", "mean_activation")
    return {
        "feature": features["feature"].to_pylist(),
        "n_active": features["n_active"].to_pylist(),
        "max_activation": pack.floats(features["max_activation"].to_numpy()),
        **{name: pack.rounded(features[name].to_numpy()) for name in shares},
    }


def summary(view: Windows, n: int, texts: Texts, tokens: Tokens) -> dict[str, list[Any]]:
    """What the top examples of each feature are about (requirements S0.29).

    words: per feature [word, count, word, count, ...], the most frequent first; n_words and
    n_headlines the distinct ones; terms: shown tokens that no word contains, for the search.
    """
    top = pc.equal(view.table["group"], "top").to_numpy().astype(bool)
    centers = texts.windows[view.offsets[:-1] + view.table["center"].to_numpy()]
    index = view.table["token_index"].to_numpy()
    word, center = texts.plain[top].tolist(), centers[top].tolist()
    headline = tokens.group[index[top]].tolist()
    cuts = np.searchsorted(view.order[top], np.arange(n + 1))
    found: dict[str, list[Any]] = {"words": [], "n_words": [], "n_headlines": [], "terms": []}
    for a, b in pack.pairs(cuts):
        counts = Counter(word[a:b]).most_common()
        spelt = " ".join(texts.strings[code] for code, _ in counts)
        distinct = dict.fromkeys(center[a:b])
        found["words"].append([number for pair in counts for number in pair])
        found["n_words"].append(len(counts))
        found["n_headlines"].append(len(set(headline[a:b])))
        found["terms"].append(
            [code for code in distinct if texts.strings[code].strip().lower() not in spelt]
        )
    return found


def badges(
    topics: pa.Table | None, top_tokens: pa.Table, place: np.ndarray, n: int
) -> list[list[list[str]]]:
    """Per feature [kind, text] for its topic, its form, and its commonest letter and ending.

    kind: topic or form where the judgement holds, else share. In the published study top tokens
    have a `label`, the wrong number that the published page gave the feature: it is told too.
    """
    listed: list[list[list[str]]] = [[] for _ in range(n)]
    if "label" in top_tokens.column_names:
        told = zip(
            place[top_tokens["feature"]].tolist(), top_tokens["label"].to_pylist(), strict=True
        )
        for at, label in dict(told).items():
            listed[at].append(["share", f"published as {label}"])
    for row in [] if topics is None else topics.to_pylist():
        if place[row["feature"]] < 0:
            continue
        mine = listed[place[row["feature"]]]
        if row["topic"] is not None:
            kind = "topic" if row.get("found", True) else "share"
            mine.append([kind, f"{row['topic']} {row['n_topic']}/{row['n_shown']}"])
        for where, name in (("starts", "letter"), ("ends", "suffix")):
            if row[name]:
                kind = "form" if (row["form"] or "").startswith(where) else "share"
                count = f"{row['n_' + name]}/{row['n_shown']}"
                mine.append([kind, f'{where} with "{row[name]}" {count}'])
    return listed


def effects(
    logits: pa.Table | None, codes: np.ndarray, place: np.ndarray, n: int
) -> list[dict[str, Any]]:
    """Per feature {l: {top: [token, effect, ...], bottom: [...]}}, by rank; {} where none."""
    listed: list[dict[str, Any]] = [{} for _ in range(n)]
    if logits is None:
        return listed
    at = place[logits["feature"].to_numpy()].tolist()
    side, code = logits["side"].to_pylist(), codes.tolist()
    effect = pack.rounded(logits["effect"].to_numpy(), 4)
    for i in np.argsort(logits["rank"].to_numpy(), kind="stable").tolist():
        if at[i] >= 0:
            sides = listed[at[i]].setdefault("l", {})
            sides.setdefault(side[i], []).extend((code[i], effect[i]))
    return listed


def features(
    view: Windows,
    table: pa.Table,
    bars: list[Histogram],
    tokens: Tokens,
    values: Features,
    texts: Texts,
) -> list[dict[str, Any]]:
    """What a chunk holds of each feature.

    h counts of the histogram and e its ends; s the value of shade 255; x [group, examples, ...];
    and per example r place of its row, p position of the centre, i place of its item, o headline,
    w word, a exact peak, c centre in the window, t window tokens, f their flags, z [position,
    shade, ...] over the whole row.
    """
    example, position, value = shown.row_activations(view, tokens, values)
    order = view.order[example]
    scale = table["max_activation"].to_numpy().astype(np.float32).copy()
    np.maximum.at(scale, order, value)
    shade = np.clip(np.rint(255 * value / scale[order]), 1, 255).astype(np.int64)
    shades = np.stack([position, shade], axis=1).ravel().tolist()
    flags = _flags(tokens, view.index, np.isnan(view.activations))
    parts = {
        "r": _places(view.table["row"]).tolist(),
        "p": view.table["position"].to_pylist(),
        "i": _places(view.table["item"]).tolist(),
        "o": tokens.group[view.table["token_index"].to_numpy()].tolist(),
        "w": texts.words.tolist(),
        "a": pack.floats(view.table["activation"].to_numpy()),
        "c": view.table["center"].to_pylist(),
        "t": pack.slices(texts.windows.tolist(), view.offsets),
        "f": pack.slices(flags, view.offsets),
        "z": pack.slices(shades, 2 * np.searchsorted(example, np.arange(len(view.order) + 1))),
    }
    group = view.table["group"].to_pylist()
    scales = pack.floats(scale)
    ends = [pack.rounded(bar.edges[[0, -1]]) for bar in bars]
    listed = []
    for k, (a, b) in enumerate(pack.pairs(np.searchsorted(view.order, np.arange(len(table) + 1)))):
        groups = [part for pair in Counter(group[a:b]).items() for part in pair]
        mine = {name: part[a:b] for name, part in parts.items()}
        listed.append(
            {"h": bars[k].counts.tolist(), "e": ends[k], "s": scales[k], "x": groups, **mine}
        )
    return listed


def rows(view: Windows, tokens: Tokens, values: Features, texts: Texts) -> list[list[Any]]:
    """Of each shown row: its number, its tokens, their flags."""
    numbers, index, offsets = _row_tokens(view, tokens)
    captured = np.zeros(len(tokens.row), bool)
    captured[values.token] = True
    codes = pack.slices(texts.rows.tolist(), offsets)
    flags = pack.slices(_flags(tokens, index, ~captured[index]), offsets)
    return [list(row) for row in zip(numbers.tolist(), codes, flags, strict=True)]


def items(view: Windows, table: pa.Table | None) -> list[list[Any]]:
    """Of each shown item: its number; from `table` its id, original, labels [name, value]."""
    numbers = np.unique(view.table["item"].to_numpy())
    if table is None:
        return [[number] for number in numbers.tolist()]
    line = np.full(max(numbers.max(initial=0), pc.max(table["item"]).as_py() or 0) + 2, -1)
    line[table["item"].to_numpy()] = np.arange(len(table))
    lines = line[numbers].tolist()
    known = ("item", "id", "original", "edited", "edit", "group")
    labels = [name for name in table.column_names if name not in known]
    texts_ = {name: table[name].cast(pa.string()).to_pylist() for name in ("id", *labels)}
    originals = table["original"].to_pylist()
    return [
        [number]
        if at < 0
        else [number, texts_["id"][at], originals[at], [[x, texts_[x][at]] for x in labels]]
        for number, at in zip(numbers.tolist(), lines, strict=True)
    ]


def _places(column: pa.ChunkedArray) -> np.ndarray:
    """The place of each number among the distinct ones, ascending."""
    return np.unique(column.to_numpy(), return_inverse=True)[1]


def _flags(tokens: Tokens, index: np.ndarray, uncaptured: np.ndarray) -> str:
    """One digit a token: the sum of its bits."""
    bits = (
        shown.SPECIAL * tokens.special[index]
        + shown.IN_EDIT * tokens.in_edit[index]
        + shown.UNCAPTURED * uncaptured
    )
    return (bits + ord("0")).astype(np.uint8).tobytes().decode()


def _row_tokens(view: Windows, tokens: Tokens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct rows, their token indices one row after the other, where each row starts."""
    numbers = np.unique(view.table["row"].to_numpy())
    start, stop = (np.searchsorted(tokens.row, numbers, side) for side in ("left", "right"))
    _, index = pack.expand(start, stop)
    return numbers, index, np.concatenate([[0], np.cumsum(stop - start)])
