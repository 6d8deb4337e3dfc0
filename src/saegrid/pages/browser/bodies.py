"""JSON of the features, rows and items of a page, in page order."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from saegrid.codes.sparse import Features
from saegrid.features.histogram import Histogram
from saegrid.pages.browser import pack, shown
from saegrid.pages.browser.shown import Tokens, Windows

BLOCK = 2048
"""Features whose JSON is made at once: an array of texts holds at most 2 GiB."""


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
    """The word without capitals and the blanks around it, for counting (example,)."""
    effects: np.ndarray
    """Tokens of the logit effects."""
    tokens: np.ndarray
    """Tokens that features are summed up by."""


def texts(
    view: Windows, tokens: Tokens, logits: pa.Table | None, frequent: pa.StringArray
) -> Texts:
    """All texts of a page, each distinct string once. frequent: tokens of the features."""
    word = view.table["word"].combine_chunks()
    trimmed = pc.utf8_trim_whitespace(word)
    nothing = pa.array([], pa.string())
    strings, codes = pack.encode_strings(
        view.tokens,
        tokens.text.take(pa.array(_row_tokens(view, tokens)[1])),
        word,
        pc.if_else(pc.equal(trimmed, ""), word, pc.utf8_lower(trimmed)),
        nothing if logits is None else logits["token"].combine_chunks(),
        frequent,
    )
    return Texts(strings, *codes)


def effects(
    logits: pa.Table | None, codes: np.ndarray, place: np.ndarray, n: int
) -> pa.StringArray:
    """Per feature {bottom: [token, effect, ...], top: [...]} as JSON, by rank; null where none."""
    if logits is None:
        return pa.nulls(n, pa.string())
    side = pc.equal(logits["side"].cast(pa.string()), "top").to_numpy()
    row = 2 * place[logits["feature"].to_numpy()] + side
    order = np.lexsort((logits["rank"].to_numpy(), row))
    order = order[row[order] >= 0]
    effect = pack.rounded(logits["effect"].to_numpy()[order], 4)
    pairs = pc.binary_join_element_wise(pack.integers(codes[order]), pack.scalars(effect), ",")
    listed = pack.lists(pairs, np.searchsorted(row[order], np.arange(2 * n + 1)))
    listed = pack.unless(listed, "[]")
    return pack.unless(pack.objects({"bottom": listed[::2], "top": listed[1::2]}), "{}")


def features(
    view: Windows,
    table: pa.Table,
    bars: Histogram,
    effects: pa.StringArray,
    tokens: Tokens,
    values: Features,
    texts: Texts,
    panels: pa.StringArray,
) -> list[str]:
    """JSON of each feature of a chunk.

    h counts of the histogram and e its ends; l logit effects; y rows of the panels; s the value of
    shade 255; x [group, examples, ...]; and per example r place of its row, p position of the
    centre, i place of its item, o headline, w word, a exact peak, c centre in the window, t window
    tokens, f their flags, z [position, shade, ...] over the whole row.
    """
    n = len(table)
    example, position, value = shown.row_activations(view, tokens, values)
    order = view.order[example]
    scale = table["max_activation"].to_numpy().astype(np.float32).copy()
    np.maximum.at(scale, order, value)
    shade = np.clip(np.rint(255 * value / scale[order]), 1, 255).astype(np.int64)
    shades = np.stack([position, shade], axis=1).ravel()
    shade_cuts = 2 * np.searchsorted(example, np.arange(len(view.order) + 1))
    flags = _flags(tokens, view.index, np.isnan(view.activations))
    each = {
        "r": _places(view.table["row"]),
        "p": view.table["position"].to_numpy(),
        "i": _places(view.table["item"]),
        "o": tokens.group[view.table["token_index"].to_numpy()],
        "w": texts.words,
        "a": pack.floats(view.table["activation"].to_numpy()),
        "c": view.table["center"].to_numpy(),
    }
    groups, group_cuts = _groups(view, n)
    ends, scales = pack.rounded(bars.edges[:, [0, -1]]), pack.floats(scale)
    cuts = np.searchsorted(view.order, np.arange(n + 1))
    listed: list[str] = []
    for a in range(0, n, BLOCK):
        b = min(a + BLOCK, n)
        every, span = np.arange(a, b + 1), cuts[a : b + 1]
        within, windows = span - span[0], view.offsets[span[0] : span[-1] + 1]
        columns = {
            **{name: pack.lists(flat, span) for name, flat in each.items()},
            "h": pack.lists(bars.counts.ravel(), every * bars.counts.shape[1]),
            "e": pack.lists(ends, 2 * every),
            "l": effects[a:b],
            "y": panels[a:b],
            "s": pack.scalars(scales[a:b]),
            "x": pack.lists(groups, group_cuts[a : b + 1]),
            "t": pack.lists(pack.lists(texts.windows, windows), within),
            "f": pack.lists(pack.quoted(flags, windows), within),
            "z": pack.lists(pack.lists(shades, shade_cuts[span[0] : span[-1] + 1]), within),
        }
        listed += pack.objects(columns).to_pylist()
    return listed


def _groups(view: Windows, n: int) -> tuple[pa.StringArray, np.ndarray]:
    """The groups of examples as JSON `name,size`, and where each feature starts among them."""
    names = view.table["group"].combine_chunks().dictionary_encode()
    code = names.indices.to_numpy()
    new = np.diff(view.order, prepend=-1) | np.diff(code, prepend=-1)
    first = np.flatnonzero(new)
    spelt = pack.scalars(names.dictionary.to_pylist())
    sizes = pack.integers(np.diff(first, append=len(code)))
    texts = pc.binary_join_element_wise(spelt.take(pa.array(code[first])), sizes, ",")
    return texts, np.searchsorted(view.order[first], np.arange(n + 1))


def rows(view: Windows, tokens: Tokens, values: Features, texts: Texts) -> list[str]:
    """JSON of each shown row: its number, its tokens, their flags."""
    numbers, index, offsets = _row_tokens(view, tokens)
    captured = np.zeros(len(tokens.row), bool)
    captured[values.token] = True
    flags = pack.quoted(_flags(tokens, index, ~captured[index]), offsets)
    columns = pack.integers(numbers), pack.lists(texts.rows, offsets), flags
    return pack.tuples(*columns).to_pylist()


def items(view: Windows, table: pa.Table | None) -> list[str]:
    """JSON of each shown item: its number and, from `table`, id, original, labels [name, value]."""
    numbers = np.unique(view.table["item"].to_numpy())
    bare = pack.tuples(pack.integers(numbers))
    if table is None:
        return bare.to_pylist()
    line = np.full(max(numbers.max(initial=0), pc.max(table["item"]).as_py() or 0) + 2, -1)
    line[table["item"].to_numpy()] = np.arange(len(table))
    known = line[numbers] >= 0
    table = table.take(pa.array(line[numbers], mask=~known))
    own = ("item", "id", "original", "edited", "edit", "group")
    labels = [
        pack.tuples(pack.dumped(name), _scalars(table[name]))
        for name in table.column_names
        if name not in own
    ]
    columns = _scalars(table["id"]), _scalars(table["original"]), pack.tuples(*labels)
    full = pack.tuples(pack.integers(numbers), *columns)
    return pc.if_else(pa.array(known), full, bare).to_pylist()


def _scalars(column: pa.ChunkedArray) -> pa.StringArray:
    """A column as JSON strings, one by one."""
    return pack.scalars(column.cast(pa.string()).to_pylist())


def _places(column: pa.ChunkedArray) -> np.ndarray:
    """The place of each number among the distinct ones, ascending."""
    return np.unique(column.to_numpy(), return_inverse=True)[1]


def _flags(tokens: Tokens, index: np.ndarray, uncaptured: np.ndarray) -> np.ndarray:
    """One digit a token, the sum of its bits: ASCII codes (token,) uint8."""
    bits = (
        shown.SPECIAL * tokens.special[index]
        + shown.IN_EDIT * tokens.in_edit[index]
        + shown.UNCAPTURED * uncaptured
    )
    return (bits + ord("0")).astype(np.uint8)


def _row_tokens(view: Windows, tokens: Tokens) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The distinct rows, their token indices one row after the other, where each row starts."""
    numbers = np.unique(view.table["row"].to_numpy())
    start, stop = (np.searchsorted(tokens.row, numbers, side) for side in ("left", "right"))
    _, index = pack.expand(start, stop)
    return numbers, index, np.concatenate([[0], np.cumsum(stop - start)])
