"""Published features against those of a cell with codes: which of these does a page show?

A published label is no feature id: L = 64 b + r stands for one of the ids 64 b to 64 b + 63, the
one whose sum of activations on the masked tokens was the (r + 1)-th largest there (originals, F3).
So each label has at most 64 candidates. They are ranked by the tokens that they share with the
page.
"""

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.words import Cell
from saegrid.codes.sparse import Features
from saegrid.features import ordering
from saegrid.features.density import counted
from saegrid.features.examples import LABEL_BATCH, away_from_edges
from saegrid.features.windows import Corpus, words_at
from saegrid.meaning.dashboards import Displayed, Places, stands_in
from saegrid.meaning.kinds import bearing

SAME, NEAR, NONE = "same", "near", "none"
"""Verdicts, see `verdict`."""
ITSELF = "the page itself"
"""In the place of a verdict, where a cell is made from the page."""
SHARE_SAME, SHARE_NEAR = 0.9, 0.5
"""Shares of the tokens shown that a candidate must have: 18 of 20, and 10 of 20."""
MARGIN = 2
"""Active tokens by which the same feature may differ: bfloat16 and other rows move some."""

ORDER_ONLY = "unknown, the page is a picture: the numbers at the rows count them down"
"""The words about activations that nobody can read."""

SCHEMA = pa.schema(
    [
        ("label", pa.int32()),
        ("rank", pa.int32()),
        ("feature", pa.int32()),
        ("n_shown", pa.int32()),
        ("n_found", pa.int32()),
        ("n_shared", pa.int32()),
        ("n_active_published", pa.int32()),
        ("n_active", pa.int32()),
        ("max_published", pa.float64()),
        ("max_activation", pa.float64()),
        ("masked_sum", pa.float64()),
        ("place", pa.int32()),
        ("verdict", pa.string()),
        ("concept", pa.string()),
        ("count", pa.string()),
        ("words", pa.string()),
        ("shown", pa.string()),
        ("ours", pa.string()),
        ("order_only", pa.bool_()),
    ]
)
"""Columns of published.parquet, one row a published feature and a candidate for it."""


class Countable(NamedTuple):
    """The tokens of a corpus as its published pages count and show them."""

    masked: np.ndarray
    """(token,) bool: those that count."""
    selectable: np.ndarray
    """(token,) bool: those of them that a page may show."""
    n_tokens: int
    """Number of tokens that densities divide by."""
    corpus: Corpus

    def words(self, at: np.ndarray) -> list[str]:
        """The whole word around each of some tokens."""
        return words_at(self.corpus, at).to_pylist()


def countable(
    tokens: pa.Table,
    kept: np.ndarray,
    codes: Features,
    layout: str,
    window: tuple[int, int],
    edges: bool,
) -> Countable:
    """The tokens that count, as `density.counted`.

    edges: pages show none nearer than a window to an end of its row (`examples`, published).
    """
    count = counted(tokens, kept, codes.token, layout)
    selectable = count.masked & away_from_edges(tokens, window) if edges else count.masked
    return Countable(count.masked, selectable, count.n_tokens, Corpus.of(tokens))


def compared(
    published: Sequence[Displayed],
    places: Places,
    codes: Features,
    numbers: pa.Table,
    counts: Countable,
    ours: Mapping[int, str],
    n: int = 20,
    itself: bool = False,
) -> pa.Table:
    """published.parquet: the candidates of each published feature of a cell, the best first.

    A row has label and rank of the candidate; feature, its id, null where no feature of the batch
    is active; n_shown, rows of the page with an activation above 0; n_found, those of them that
    stand in our texts; n_shared, those at which the candidate reaches its n-th largest activation
    (ties for the last place count: on the pages these stood in no order); n_active on the page and
    of the candidate; the largest activations; masked_sum, the float64 sum of its activations on the
    masked tokens, and its place by that in the batch, which label % 64 should be; verdict; what the
    source says of the feature (concept, count, words); shown, the whole words of the page's rows;
    ours, what we say of the candidate; and order_only, true of a page that is a picture, of whose
    rows the order is known and no activation.

    Candidates are ranked by n_shared, then by the nearer n_active, then by the larger masked sum.

    Args:
        published: features of the page of this cell.
        places: finds their rows.
        codes: of the cell.
        numbers: features.parquet, with n_active and max_activation.
        counts: the tokens that count.
        ours: what we say of a feature, by id.
        n: rows of a feature on a page.
        itself: the cell is made from the page, so that there is nothing to judge.
    """
    batches: dict[int, Candidates] = {}
    rows: list[dict[str, Any]] = []
    columns = (numbers[name].to_pylist() for name in ("feature", "n_active", "max_activation"))
    known = {at: pair for at, *pair in zip(*columns, strict=True)}
    for feature in published:
        lit = [row for row in feature.rows if row.activation is None or row.activation > 0]
        at = places.of(lit)
        at, batch = at[at >= 0], feature.label // LABEL_BATCH
        if batch not in batches:
            batches[batch] = candidates(codes, known, batch, counts, n)
        own = batches[batch].numbers
        count = feature.count(counts.n_tokens)
        head = {
            "label": feature.label,
            "n_shown": len(lit),
            "n_found": len(at),
            "n_active_published": count,
            "max_published": feature.max_activation,
            "order_only": stands_in(feature),
            "shown": ", ".join(counts.words(at)),
            **{key: feature.said.get(key) for key in ("concept", "count", "words")},
        }
        shared = batches[batch].shared(at)
        order = np.lexsort(
            (own["feature"], -own["masked_sum"], np.abs(own["n_active"] - count), -shared)
        )
        if not len(order):
            rows.append({**head, "rank": 0, "n_shared": 0, "verdict": NONE})
        for rank, k in enumerate(order.tolist()):
            line = {name: column[k].item() for name, column in own.items() if name in SCHEMA.names}
            n_shared = int(shared[k])
            judged = verdict(n_shared, len(lit), line["n_active"] - count)
            judged = ITSELF if itself else judged
            said = {"n_shared": n_shared, "verdict": judged, "ours": ours.get(line["feature"])}
            rows.append({**head, "rank": rank, **line, **said})
    return pa.Table.from_pylist(rows, schema=SCHEMA)


class Candidates(NamedTuple):
    """The features of a batch that are active on a masked token, by id."""

    numbers: dict[str, np.ndarray]
    """feature, n_active, max_activation, masked_sum and place, (candidate,) each."""
    owner: np.ndarray
    """(entry,) the candidate of each activation that is among its n largest."""
    token: np.ndarray
    """(entry,) their token indices."""

    def shared(self, at: np.ndarray) -> np.ndarray:
        """(candidate,) how many of the tokens `at` are among those of its n largest activations."""
        hit = self.owner[np.isin(self.token, at)]
        return np.bincount(hit, minlength=len(self.numbers["feature"]))


def candidates(
    codes: Features,
    known: Mapping[int, Sequence[float]],
    batch: int,
    counts: Countable,
    n: int,
) -> Candidates:
    """The features of a batch with their numbers: n_active and max_activation are those of `known`,
    masked_sum is a float64 sum, place the place by it, ties by id. The n largest activations are
    those from the n-th largest one on a selectable token upwards, all where there are fewer."""
    start = min(batch * LABEL_BATCH, codes.d_sae)
    stop = min(start + LABEL_BATCH, codes.d_sae)
    part = codes.part(start, stop)
    owner, value = part.owners().astype(np.int64), np.asarray(part.data, np.float64)
    hit = counts.masked[part.indices]
    sums = np.bincount(owner[hit], value[hit], minlength=stop - start)
    seen = hit & counts.selectable[part.indices]
    order = np.lexsort((-value[seen], owner[seen]))
    kept = order[ordering.number(owner[seen][order]) < n]
    least = np.full(stop - start, np.inf)
    np.minimum.at(least, owner[seen][kept], value[seen][kept])
    alive = np.unique(owner[hit])
    numbers = np.array([known[feature] for feature in (alive + start).tolist()]).reshape(-1, 2)
    place = np.empty(len(alive), np.int64)
    place[np.lexsort((alive, -sums[alive]))] = np.arange(len(alive))
    columns = {
        "feature": alive + start,
        "n_active": numbers[:, 0].astype(np.int64),
        "max_activation": numbers[:, 1],
        "masked_sum": sums[alive],
        "place": place,
    }
    largest = value >= least[owner]
    return Candidates(columns, np.searchsorted(alive, owner[largest]), part.indices[largest])


def verdict(n_shared: int, n_shown: int, further: int) -> str:
    """same: at least 9 tenths of the tokens shown (18 of 20) and n_active within 2; near: at least
    half of them; none."""
    if n_shared >= max(1, ceil(SHARE_SAME * n_shown)) and abs(further) <= MARGIN:
        return SAME
    return NEAR if n_shared >= max(1, ceil(SHARE_NEAR * n_shown)) else NONE


def said_of(concepts: pa.Table) -> dict[int, str]:
    """Our words about features, by id: the concept or form with its share of the rows, in brackets
    a concept that does not hold."""
    said: dict[int, str] = {}
    for row in concepts.to_pylist():
        kind, of = row["kind"], f"/{row['n_shown']}"
        if kind == "meaning":
            said[row["feature"]] = f"{row['label']} {row['n_concept']}{of}"
        elif row["label"]:
            said[row["feature"]] = f"{row['label']} {bearing(row)}{of}"
        elif row["n_concept"]:
            said[row["feature"]] = f"({row['concept']} {row['n_concept']}{of})"
    return said


# --- what is shown ----------------------------------------------------------------------------


def best(table: pa.Table) -> list[dict[str, Any]]:
    """The best candidate of each published feature."""
    return [row for row in table.to_pylist() if row["rank"] == 0]


def panel(table: pa.Table) -> dict[int, list[dict[str, Any]]]:
    """Rows by feature: the published features whose best candidate it is."""
    rows: dict[int, list[dict[str, Any]]] = {}
    for row in best(table):
        itself = row["verdict"] == ITSELF
        if row["verdict"] == NONE or (itself and not row["concept"]):
            continue
        numbers = {
            "published as": str(row["label"]),
            **_judged(row),
            "active there": row["n_active_published"],
            "MAX there": row["max_published"],
        }
        rows.setdefault(row["feature"], []).append(
            {
                **({} if itself else numbers),
                "the source says": row["concept"] or "–",
                "of its rows": row["count"] or "–",
                "words there": row["words"] or "–",
                "we say": row["ours"] or "–",
                **({"activations": ORDER_ONLY} if row["order_only"] else {}),
            }
        )
    return rows


def summed_up(tables: Mapping[str, pa.Table], corpus: str) -> pa.Table:
    """published.parquet of the study: the best candidate of each published feature of every cell,
    with its cell and the path of its page; those that the source names come first."""
    rows = [
        {"cell": cell, "href": f"{corpus}/cells/{cell}/features.html#{row['feature']}", **row}
        for cell in sorted(tables, key=Cell.parse)
        for row in best(tables[cell])
    ]
    rows.sort(key=lambda row: row["concept"] is None)  # stable
    fields = [pa.field("cell", pa.string()), pa.field("href", pa.string()), *SCHEMA]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def named(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of the index: what the source says of the features that it names, beside what we say."""
    return [
        {
            "feature": f"{row['cell']} #{row['label']}",
            **({"href": row["href"]} if row["verdict"] != NONE else {}),
            "the source says": row["concept"],
            "of 20": row["count"],
            "its words": row["words"] or "–",
            "we say": (row["verdict"] != NONE and row["ours"]) or "–",
            "words of its rows": row["shown"],
            **_judged(row),
        }
        for row in table.to_pylist()
        if row["concept"] is not None
    ]


def verdicts(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of the index: how many features of each page are found again; none where every cell is
    its page itself."""
    rows: dict[str, dict[str, Any]] = {}
    if set(table["verdict"].to_pylist()) <= {ITSELF}:
        return []
    for row in table.to_pylist():
        verdicts = () if row["verdict"] == ITSELF else (SAME, NEAR, NONE)
        first = {"page": row["cell"], "features": 0, **dict.fromkeys(verdicts, 0)}
        own = rows.setdefault(row["cell"], first)
        own["features"] += 1
        if verdicts:
            own[row["verdict"]] += 1
    return [rows[cell] for cell in sorted(rows, key=Cell.parse)]


def _judged(row: Mapping[str, Any]) -> dict[str, str]:
    """The verdict with the tokens that it rests on; nothing where the cell is the page itself."""
    if row["verdict"] == ITSELF:
        return {}
    return {"verdict": row["verdict"], "tokens shared": f"{row['n_shared']} of {row['n_shown']}"}
