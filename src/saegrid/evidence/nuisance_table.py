"""nuisances.parquet: words and nuisances of the texts of a corpus, one row an item and side."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED, ORIGINAL
from saegrid.evidence.nuisances import Numbers, ending_of, replaced, word_of
from saegrid.evidence.texts import TEXT
from saegrid.text.frequency import frequency

SCHEMA = pa.schema(
    [
        ("item", pa.int32()),
        ("side", pa.string()),
        ("word", pa.string()),
        ("frequency", pa.float64()),
        ("n_tokens", pa.int32()),
        ("position", pa.int32()),
        ("length", pa.int32()),
        ("capital", pa.bool_()),
        ("ending", pa.int32()),
        ("surprisal", pa.float64()),
    ]
)
"""Columns: side (edited, original, text), word (of the edit, or of what it replaced: the last one
of several; of an unpaired text none), frequency (of that word; of an unpaired text the mean over
its words), n_tokens (of the span), position (tokens of the text before it), length (tokens of the
text), ending (0 none, then ing, ed, ly, ion, er, s), surprisal (mean over the tokens, nats)."""


def table(
    items: pa.Table, spans: pa.Table, surprisal: pa.Table, source: str, counted: pa.Table
) -> tuple[pa.Table, str]:
    """The table of a corpus, and where its frequencies come from.

    counted: the items whose words are counted where no list of frequencies is taken.
    """
    original, edited = items["original"].to_pylist(), items["edited"].to_pylist()
    words = {
        EDITED: [word_of(edit) for edit in items["edit"].to_pylist()],
        ORIGINAL: [word_of(replaced(a, b)) for a, b in zip(original, edited, strict=True)],
    }
    side = np.asarray(spans["side"].cast(pa.string()))
    keys = list(zip(spans["item"].to_pylist(), side, strict=True))
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    row = np.array(list(first.values()))
    order = np.lexsort((side[row], spans["item"].to_numpy()[row]))
    row = row[order]
    at = {keys[r]: place for place, r in enumerate(row)}
    place = _places(spans, side, np.array([at[key] for key in keys], int))
    item, side = spans["item"].to_numpy()[row], side[row]
    plain = (side != EDITED) & (side != ORIGINAL)
    own = [
        "" if is_plain else words[one][i]
        for i, one, is_plain in zip(item, side, plain, strict=True)
    ]
    texts = [t for name in ("original", "edited") for t in counted[name].to_pylist() if t]
    values, words_of_source = frequency(_spoken(own, plain, item, edited), texts, source)
    means = _means(values, _counts(own, plain, item, edited))
    unexpected = {
        (i, one): value
        for i, one, value in zip(
            surprisal["item"].to_pylist(),
            surprisal["side"].to_pylist(),
            surprisal["mean"].to_pylist(),
            strict=True,
        )
    }
    columns = {
        "item": item,
        "side": [TEXT if is_plain else str(one) for one, is_plain in zip(side, plain, strict=True)],
        "word": own,
        "frequency": means,
        **place,
        "capital": [
            (edited[i] if is_plain else word)[:1].isupper()
            for i, word, is_plain in zip(item, own, plain, strict=True)
        ],
        "ending": [ending_of(word) for word in own],
        "surprisal": [
            unexpected.get((int(i), str(one))) for i, one in zip(item, side, strict=True)
        ],
    }
    arrays = [pa.array(columns[field.name], field.type, from_pandas=True) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA), words_of_source


def _places(spans: pa.Table, side: np.ndarray, at: np.ndarray) -> dict[str, np.ndarray]:
    """Tokens of each span, before it and of its text, over all lines of the text. at: (line,) the
    row of each; lines before an edit end with an empty span, those after it begin with one."""
    names = ("start", "stop", "edit_start", "edit_stop")
    start, stop, first, last = (spans[name].to_numpy() for name in names)
    plain = (side != EDITED) & (side != ORIGINAL)
    begin, end = np.where(plain, start, first), np.where(plain, stop, last)
    values = {"n_tokens": end - begin, "position": begin - start, "length": stop - start}
    return {name: np.bincount(at, value).astype(int) for name, value in values.items()}


def _spoken(
    own: Sequence[str], plain: np.ndarray, item: np.ndarray, edited: Sequence[str]
) -> list[str]:
    """The words whose frequencies are wanted: of unpaired texts all of theirs."""
    out: list[str] = []
    for word, is_plain, i in zip(own, plain, item, strict=True):
        out += edited[i].split() if is_plain else [word]
    return out


def _counts(
    own: Sequence[str], plain: np.ndarray, item: np.ndarray, edited: Sequence[str]
) -> np.ndarray:
    return np.array(
        [len(edited[i].split()) if p else 1 for p, i in zip(plain, item, strict=True)], int
    )


def _means(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means of runs of values; NaN of an empty run."""
    ends = np.concatenate([[0], np.cumsum(values)])
    stop = np.cumsum(counts)
    total = ends[stop] - ends[stop - counts]
    return np.divide(total, counts, out=np.full(len(counts), np.nan), where=counts > 0)


def read(table: pa.Table, n: int) -> tuple[dict[str, Numbers], dict[str, list[str]]]:
    """The nuisances and the words of a corpus by side, (item,) each. n: items of the corpus."""
    side = np.array(table["side"].to_pylist(), object)
    numbers, words = {}, {}
    for name in dict.fromkeys(side):
        rows = table.filter(pa.array(side == name))
        item = rows["item"].to_numpy()

        def column(
            key: str, rows: pa.Table = rows, item: np.ndarray = item, fill: float = np.nan
        ) -> np.ndarray:
            values = np.full(n, fill)
            values[item] = [fill if v is None else float(v) for v in rows[key].to_pylist()]
            return values

        keys = ("frequency", "n_tokens", "position", "length", "capital", "surprisal")
        ending = column("ending", fill=0).astype(int)
        numbers[name] = Numbers(*(column(key) for key in keys), ending)
        words[name] = [""] * n
        for i, word in zip(item, rows["word"].to_pylist(), strict=True):
            words[name][i] = word or ""
    return numbers, words


def facts_of(source: str, surprisal: Mapping[str, Any]) -> dict[str, Any]:
    """The origins of frequencies and surprisals, in words."""
    return {
        "frequency_source": source,
        "surprisal": surprisal.get("because") or "of the model itself",
    }
