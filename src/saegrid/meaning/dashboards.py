"""Published feature pages as data: read, found again in our texts, and written as a cell's tables.

A file holds JSON objects, one a line (gzipped or not) or as a list, each a feature of a page:

- layer, position, expansion: the page, here the cell L7R-32x;
- label: what the page calls the feature. It is no feature id (originals, F3): `examples.
  published_labels` has the rule, `published.candidates` the ids that it may stand for;
- n_active_positions, or density_pct alone, and max_activation;
- histogram: {x: middles of the bins, y: counts}; null where nobody can read it;
- sequences: the rows shown, strongest first: token_ids, acts, bold_index and bold_token, with
  humicroedit: {id}, the headline; of a page that is a picture alone bold_token and headline;
- writeup_concept, writeup_count, writeup_words: what the source says of the feature, if anything.

The whole word of a row is not taken from the source: rows are found in our own tokens, and the
words of the text around them are made as for any cell (`windows.words_at`): the token `us` is read
as platypus, and `ham` as hamster, which is no food.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.errors import ConfigError, shown
from saegrid.base.words import ORIGINAL, Cell
from saegrid.codes.sparse import Features, from_pairs
from saegrid.features.density import counted, schema
from saegrid.features.histogram import BINS, Histogram
from saegrid.features.statistics import registered

LOOKED_AT = 14_336
"""Features of each SAE that the published study looked at (originals, F4): labels lie below."""

SAID = ("concept", "count", "words")
"""The parts of what a source says of a feature: writeup_concept, writeup_count, writeup_words."""

HISTOGRAMS = pa.schema(
    [
        ("feature", pa.int32()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("counts", pa.list_(pa.int64(), BINS)),
    ]
)
"""Columns of histograms.parquet: the ends and the counts of each feature's published histogram."""


class DashboardError(ConfigError):
    """A file of published pages that cannot be used; the message names file, line and mend."""


class Row(NamedTuple):
    """A row of a page: a token with its neighbours."""

    token: str
    """The active token as text."""
    activation: float | None
    """Its activation, 0 of a filler; None where nobody can read it."""
    headline: str | None
    """Id of the headline."""
    ids: tuple[int, ...] = ()
    """Token ids of the window; empty where nobody can read them."""
    acts: tuple[float, ...] = ()
    """Activations on the window."""
    center: int = 0
    """Place of the active token in the window."""


class Displayed(NamedTuple):
    """A feature as a page displays it."""

    cell: str
    label: int
    n_active: int | None
    """Active masked tokens; None where the page has the density alone."""
    density: float
    """Share of all positions."""
    max_activation: float
    histogram: Histogram | None
    rows: tuple[Row, ...]
    said: Mapping[str, str]
    """The source's own words by `SAID`; empty of a feature that it does not name."""

    def count(self, n_tokens: int) -> int:
        """Active masked tokens; from the density, which is rounded, where nothing else is shown."""
        return round(self.density * n_tokens) if self.n_active is None else self.n_active


# --- reading ----------------------------------------------------------------------------------


def read_dashboards(paths: Iterable[str | Path]) -> list[Displayed]:
    """The features of some files, by cell and label.

    A feature that a later file has again is the same with what the source says of it.

    Raises:
        DashboardError: a line is no JSON, a feature has no tokens or lacks a number, two features
            of a file have one label on a page, or two files do not agree.
    """
    known: dict[tuple[str, int], Displayed] = {}
    for path in paths:
        own: dict[tuple[str, int], str] = {}
        for where, record in _records(Path(path)):
            feature = _displayed(where, record)
            key = feature.cell, feature.label
            if key in own:
                raise DashboardError(
                    f"{where}: the page of {feature.cell} has a feature {feature.label} already, "
                    f"in {own[key].rpartition(': ')[2]}. Labels are unique on a page: leave one "
                    "out."
                )
            own[key] = where
            before = known.get(key)
            if before and before._replace(said={}) != feature._replace(said={}):
                raise DashboardError(
                    f"{where}: feature {feature.label} of {feature.cell} differs from the one of "
                    "an earlier file. Name one of the two files alone."
                )
            said = (dict(before.said) if before else {}) | dict(feature.said)
            known[key] = feature._replace(said=said)
    return [known[key] for key in sorted(known)]


def _records(path: Path) -> Iterator[tuple[str, Any]]:
    """The objects of a file, each with the place where it stands."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, ValueError) as problem:
        raise DashboardError(
            f"{path}: published pages are JSON lines, gzipped or not; this cannot be read: "
            f"{problem}."
        ) from None
    if text.lstrip().startswith("["):
        listed = _parsed(str(path), text)
        yield from ((f"{path}: feature {number}", one) for number, one in enumerate(listed, 1))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            where = f"{path}: line {number}"
            yield where, _parsed(where, line)


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as problem:
        raise DashboardError(
            f"{where}: this is no JSON: {problem}. Each line holds one feature as a JSON object."
        ) from None


def _displayed(where: str, record: Any) -> Displayed:
    """A feature from its object."""
    if not isinstance(record, dict):
        raise DashboardError(f"{where}: a JSON object was expected; got {shown(record)}.")
    try:
        site = f"L{int(record['layer'])}{str(record['position']).upper()}"
        cell, label = f"{site}-{int(record['expansion'])}x", int(record["label"])
        density, largest = float(record["density_pct"]) / 100, float(record["max_activation"])
        active = record.get("n_active_positions")
        rows = tuple(_row(where, cell, label, row) for row in record.get("sequences") or ())
        bars = _bars(record.get("histogram"))
    except (KeyError, TypeError, ValueError) as problem:
        if isinstance(problem, DashboardError):
            raise
        what = f"it lacks {problem}" if isinstance(problem, KeyError) else str(problem)
        raise DashboardError(
            f"{where}: a feature has layer, position, expansion, label, density_pct, "
            f"max_activation and sequences; {what}."
        ) from None
    if not rows:
        raise DashboardError(
            f"{where}: feature {label} of {cell} has no tokens; give the rows of its page under "
            "`sequences`, or leave the feature out."
        )
    if not 0 <= label < LOOKED_AT:
        raise DashboardError(
            f"{where}: the label of a feature lies from 0 to {LOOKED_AT - 1:,}; got {label:,}."
        )
    said = {key: str(record[f"writeup_{key}"]) for key in SAID if record.get(f"writeup_{key}")}
    count = None if active is None else int(active)
    return Displayed(cell, label, count, density, largest, bars, rows, said)


def _row(where: str, cell: str, label: int, record: Mapping[str, Any]) -> Row:
    ids, acts = tuple(record.get("token_ids") or ()), tuple(record.get("acts") or ())
    center, act = int(record.get("bold_index") or 0), record.get("bold_act")
    if len(ids) != len(acts) or (ids and not 0 <= center < len(ids)):
        raise DashboardError(
            f"{where}: a row of feature {label} of {cell} has {len(ids)} token_ids, {len(acts)} "
            f"acts and bold_index {center}; as many of both, and an index among them, were "
            "expected."
        )
    headline = (record.get("humicroedit") or {}).get("id")
    activation = None if act is None else float(act)
    text = None if headline is None else str(headline)
    return Row(str(record["bold_token"]), activation, text, ids, tuple(map(float, acts)), center)


class _Bars(Histogram):
    """A histogram that compares by value."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and all(map(np.array_equal, self, other))

    __hash__ = None  # type: ignore[assignment]


def _bars(record: Mapping[str, Any] | None) -> Histogram | None:
    """The histogram of a page, whose x are the middles of its bins."""
    if record is None:
        return None
    x, y = np.asarray(record["x"], np.float64), np.asarray(record["y"], np.int64)
    if len(x) != BINS or len(y) != BINS:
        raise ValueError(f"a histogram has {BINS} bins, not {len(x)} and {len(y)}")
    half = (x[-1] - x[0]) / (2 * (BINS - 1))
    return _Bars(np.linspace(x[0] - half, x[-1] + half, BINS + 1), y)


def of_page(features: Iterable[Displayed], cell: str) -> list[Displayed]:
    """The features of the page of a cell; none where it has no page."""
    return [feature for feature in features if feature.cell == cell]


def of_cell(features: Sequence[Displayed], cell: str) -> list[Displayed]:
    """The features of the page of a cell; DashboardError where it has no page."""
    own = of_page(features, cell)
    if not own:
        known = sorted({Cell.parse(feature.cell) for feature in features})
        raise DashboardError(
            f"saes.{Cell.parse(cell).sae}.files: no page of {cell} is in these files, which have "
            f"{', '.join(map(str, known)) or 'none'}. Leave the cell out of the grid."
        )
    return own


# --- where its rows stand in our texts -------------------------------------------------------


class Places:
    """The places of published rows among our tokens.

    A window is looked for by its token ids; where that fails, as in another layout of the same
    texts, the token by its text in the edit of the headline of that id.
    """

    def __init__(self, tokens: pa.Table, items: pa.Table) -> None:
        side = tokens["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
        self._ours = np.flatnonzero(side != ORIGINAL)
        self._ids = tokens["token_id"].to_numpy()[self._ours]
        self._row = tokens["row"].to_numpy()[self._ours]
        self._text = tokens["text"].to_pylist()
        self._windows: dict[int, dict[bytes, int]] = {}
        marked = np.flatnonzero(
            tokens["in_edit"].to_numpy(zero_copy_only=False) & (side != ORIGINAL)
        )
        of = tokens["item"].to_numpy()[marked]
        ids = dict(zip(items["item"].to_pylist(), map(str, items["id"].to_pylist()), strict=True))
        self._edits: dict[str, list[int]] = {}
        for item, token in zip(of.tolist(), marked.tolist(), strict=True):
            self._edits.setdefault(ids[item], []).append(token)

    def of(self, rows: Sequence[Row]) -> np.ndarray:
        """(row,) int64: the token index of each row's active token, -1 where it is not there.

        Several rows with the same token of one headline stand at its tokens in their order.
        """
        taken: set[int] = set()
        places = np.full(len(rows), -1, np.int64)
        for number, row in enumerate(rows):
            place = self._by_window(row)
            if place < 0:
                place = self._by_text(row, taken)
            taken.add(place)
            places[number] = place
        return places

    def _by_window(self, row: Row) -> int:
        n = len(row.ids)
        if not n:
            return -1
        if n not in self._windows:
            starts = np.flatnonzero(self._row[: len(self._row) - n + 1] == self._row[n - 1 :])
            keys = np.lib.stride_tricks.sliding_window_view(self._ids.astype(np.int64), n)[starts]
            known: dict[bytes, int] = {}
            for start, key in zip(starts.tolist(), keys, strict=True):
                known[key.tobytes()] = -1 if key.tobytes() in known else start
            self._windows[n] = known
        start = self._windows[n].get(np.array(row.ids, np.int64).tobytes(), -1)
        return -1 if start < 0 else int(self._ours[start + row.center])

    def _by_text(self, row: Row, taken: set[int]) -> int:
        wanted = row.token.strip()
        for token in self._edits.get(row.headline or "", ()):
            if token not in taken and self._text[token].strip() == wanted:
                return token
        return -1


# --- as the tables of a cell ------------------------------------------------------------------


class Imported(NamedTuple):
    """The tables of a cell that is known by its page alone."""

    codes: Features
    """Activations that the rows show; features are numbered by their labels."""
    table: pa.Table
    """features.parquet with the numbers of the page."""
    histograms: pa.Table
    """Histograms of the page, columns as `HISTOGRAMS`."""
    facts: dict[str, Any]
    """Counts and densities of the page, keys as `density.facts`."""


def imported(
    features: Sequence[Displayed], tokens: pa.Table, items: pa.Table, kept: np.ndarray, layout: str
) -> Imported:
    """The tables of a page's features.

    Codes hold the activations that the rows show, no others: of a feature with more active tokens
    than rows a part. Numbers and histogram are those of the page. Of a page that is a picture the
    order of the rows is known and no activation: the first has as many as there are rows, the last
    1, so that nobody takes them for activations (`stands_in`).

    Raises:
        DashboardError: a row stands nowhere in our texts, or two rows do not agree on a token.
    """
    places, cell = Places(tokens, items), features[0].cell
    captured = np.flatnonzero(
        tokens["in_edit"].to_numpy(zero_copy_only=False)
        & ~tokens["special"].to_numpy(zero_copy_only=False)
        & np.append(kept, False)[tokens["item"].to_numpy()]
    )
    entries: list[tuple[int, int, float]] = []
    for feature in features:
        values: dict[int, float] = {}
        for place, row, act in zip(*_values(feature, places), strict=True):
            start = place - row.center
            at = range(start, start + len(row.acts)) if row.acts else [place]
            for token, value in zip(at, row.acts or [act], strict=True):
                if values.setdefault(token, value) != value:
                    raise DashboardError(
                        f"published pages: feature {feature.label} of {cell} has the activations "
                        f"{values[token]:g} and {value:g} on one token, in two of its rows. Mend "
                        "the file."
                    )
        entries += [(feature.label, token, value) for token, value in values.items() if value > 0]
    columns = [np.array(column) for column in zip(*entries, strict=True)]
    label, token, value = columns if columns else [np.zeros(0, np.int64)] * 3
    every = np.union1d(captured, token).astype(np.int64)
    codes = from_pairs(label, token, value.astype(np.float32), every, LOOKED_AT)
    count = counted(tokens, kept, codes.token, layout)
    table = _table(features, count.n_tokens, count.n_edit)
    densities = table["density"].to_numpy()
    facts = {
        "d_sae": LOOKED_AT,
        "n_tokens": count.n_tokens,
        "n_masked": int(count.masked.sum()),
        "n_context": 0,
        "n_captured": len(every),
        "n_active": len(features),
        "dead_share": None,
        "median_density": float(np.median(densities)),
        "max_density": float(densities.max()),
        "l0_masked": None,
        "l0_context": None,
        "l0": None,
    }
    return Imported(codes, table, _histograms(table["feature"].to_pylist(), features), facts)


def stands_in(feature: Displayed) -> bool:
    """Return True if the order of a feature's rows is known and not their activations."""
    return any(row.activation is None for row in feature.rows)


def _values(feature: Displayed, places: Places) -> tuple[list[int], Sequence[Row], list[float]]:
    """The places of a feature's rows, the rows, and their activations."""
    at = places.of(feature.rows).tolist()
    if -1 in at:
        row = feature.rows[at.index(-1)]
        raise DashboardError(
            f"published pages: the row of feature {feature.label} of {feature.cell} with the token "
            f"{row.token!r} of headline {row.headline} stands nowhere in the texts of this study. "
            "It takes the published corpus: see config/dashboards.yaml."
        )
    n = len(feature.rows)
    acts = [float(n - k) if row.activation is None else row.activation
            for k, row in enumerate(feature.rows)]  # fmt: skip
    return at, feature.rows, acts


def _table(features: Sequence[Displayed], n_tokens: int, n_edit: int) -> pa.Table:
    """features.parquet: the densest first, ties by label; a statistic that no page has is null."""
    n = np.array([feature.count(n_tokens) for feature in features], np.int64)
    order = np.lexsort(([feature.label for feature in features], -n))
    ranked, n = [features[k] for k in order], n[order]
    fields = schema(registered())
    columns = {
        "feature": [feature.label for feature in ranked],
        "n_active": n,
        "density": n / n_tokens,
        "density_in_edit": n / n_edit,
        "max_activation": [feature.max_activation for feature in ranked],
        "rank": np.arange(len(ranked)),
    }
    arrays = [
        pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(len(ranked), field.type)
        for field in fields
    ]
    return pa.Table.from_arrays(arrays, schema=fields)


def _histograms(order: Sequence[int], features: Sequence[Displayed]) -> pa.Table:
    """The published histograms in this order of labels; empty bars where nobody can read one."""
    by_label = {feature.label: feature for feature in features}
    rows = []
    for label in order:
        bars, top = by_label[label].histogram, by_label[label].max_activation
        low, high = (bars.edges[0], bars.edges[-1]) if bars else (0.0, top)
        counts = bars.counts.tolist() if bars else [0] * BINS
        rows.append({"feature": label, "low": low, "high": high, "counts": counts})
    return pa.Table.from_pylist(rows, schema=HISTOGRAMS)


def bars_of(table: pa.Table) -> Histogram:
    """The histograms of histograms.parquet, (feature,) in front."""
    low, high = table["low"].to_numpy(), table["high"].to_numpy()
    counts = np.array(table["counts"].to_pylist(), np.int64).reshape(-1, BINS)
    return Histogram(np.linspace(low, high, BINS + 1, axis=1), counts)
