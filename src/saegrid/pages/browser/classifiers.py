"""The classifiers as the page of findings shows them: curves over k, beside words and ceiling."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from saegrid.pages.browser.sentences import (
    NONE,
    Number,
    Sentence,
    at,
    count,
    decimal,
    gain,
    general,
    is_number,
    sentence,
    slug,
    span,
)

TABLE, JSON = "probes_summary.parquet", "probes.json"
CODES, RAW = "codes", "x"
WORDS = "surprisal"
"""Part of the name of the representation that knows words and surprisal alone."""
USUAL = 20
"""Features of the classifier that prose speaks of, where it was fitted with so many."""

Row = dict[str, Any]


class Lines(NamedTuple):
    """The lines that are drawn of a classifier."""

    codes: list[Row]
    others: list[list[Row]]
    raw: list[Row]
    words: Row | None
    ceiling: float | None


class Probe:
    """A classifier: its facts and the rows of its scores."""

    def __init__(self, facts: Mapping[str, Any], rows: Sequence[Row], frozen: Sequence[str]):
        self.facts = facts
        self.name: str = facts["name"]
        self.title: str = facts.get("title") or self.name
        self.metric: str = facts.get("metric") or "AUC"
        self.anchor = f"p-{slug(self.name)}"
        self.rows = [row for row in rows if row["probe"] == self.name]
        self.frozen = set(frozen)

    @property
    def ks(self) -> list[int]:
        """Numbers of features of the classifiers."""
        of_codes = (row["k"] for row in self.rows if row["representation"] == CODES)
        return sorted({k for k in of_codes if k is not None})

    @property
    def k(self) -> int | None:
        """The number of features that prose speaks of."""
        return None if not self.ks else USUAL if USUAL in self.ks else self.ks[-1]

    def of(self, representation: str, frozen: bool = False) -> list[Row]:
        """The rows of a representation; those of frozen SAEs stand apart."""
        return [
            row
            for row in self.rows
            if row["representation"] == representation and (row["cell"] in self.frozen) == frozen
        ]

    def best(self, frozen: bool = False) -> Row | None:
        """The highest score of codes with `k` features, over cells."""
        own = self.of(CODES, frozen)
        if frozen and not own:
            own = [row for row in self.rows if "frozen" in row["representation"]]
        known = [row for row in own if row["k"] == self.k and is_number(row["score"])]
        return max(known, key=lambda row: row["score"], default=None)

    @property
    def n_cells(self) -> int:
        """Cells among which the best is chosen."""
        return len({row["cell"] for row in self.of(CODES)})

    @property
    def words(self) -> Row | None:
        """The score of words and surprisal alone: of the baseline beside which features are read
        for their gain, where probes.json names it."""
        base = self.facts.get("baseline")
        known = [
            row
            for row in self.rows
            if (row["representation"] == base if base else WORDS in row["representation"].lower())
            and is_number(row["score"])
        ]
        return max(known, key=lambda row: row["score"], default=None)

    @property
    def is_correlation(self) -> bool:
        """True if the metric is a correlation, whose value by chance is 0 and not one half."""
        return not self.metric.lower().startswith("au")

    @property
    def chance_level(self) -> float:
        """The score of a guess."""
        return 0.0 if self.is_correlation else 0.5

    def number(self, row: Row | None, column: str = "score", form: Any = decimal) -> Number:
        """A number of a row; a dash where it is missing."""
        if row is None:
            return Number(NONE, f"{TABLE}: {column}", f"#{self.anchor}")
        keys = ("probe", "site", "cell", "representation", "k")
        where = ", ".join(f"{key}={row[key]}" for key in keys if row.get(key) is not None)
        value = row.get(column)
        text = form(value) if is_number(value) else NONE
        anchor = f"#{self.anchor}-{slug(row['representation'])}"
        return Number(text, f"{TABLE}: {column}[{where}]", anchor)

    def of_json(self, path: str, form: Any = decimal) -> Number:
        """A number of probes.json."""
        value = at(self.facts, path)
        text = form(value) if is_number(value) else NONE
        return Number(text, f"{JSON}: probes[{self.name}].{path}", f"#{self.anchor}-{slug(path)}")

    def ceiling_words(self) -> str:
        """Words for the ceiling, as the end of a sentence."""
        words = str(self.facts.get("ceiling_words") or "the highest score that the label allows.")
        return words[0].lower() + words[1:]

    def quiver(self) -> Sentence | None:
        """The gain of having SAEs among all methods; None where it was not worked out."""
        if not is_number(at(self.facts, "quiver.gain")):
            return None
        return sentence(
            "The best of all methods without an SAE, chosen in the search, reaches ",
            self.of_json("quiver.without"),
            " on the texts kept aside, with SAEs among them ",
            self.of_json("quiver.with"),
            ": a gain of ",
            self.of_json("quiver.gain", gain),
            " (95\u00a0% interval ",
            *span(self.of_json("quiver.low", gain), self.of_json("quiver.high", gain)),
            ").",
        )

    def lines(self) -> Lines:
        """The lines that are drawn: of the best cell, of others, of x at its site, and levels."""
        best = self.best()
        by_cell: dict[str, list[Row]] = {}
        for row in self.of(CODES):
            if row["k"] is not None and is_number(row["score"]):
                by_cell.setdefault(row["cell"], []).append(row)
        for rows in by_cell.values():
            rows.sort(key=lambda row: row["k"])
        cell = best["cell"] if best else None
        raw = [
            row
            for row in self.of(RAW)
            if best and row["site"] == best["site"] and row["k"] is not None
        ]
        ceiling = self.facts.get("ceiling")
        return Lines(
            by_cell.get(cell, []),
            [rows for name, rows in by_cell.items() if name != cell],
            sorted(raw, key=lambda row: row["k"]),
            self.words,
            ceiling if is_number(ceiling) else None,
        )

    def table(self) -> tuple[list[str], list[tuple[str, str, str, list[tuple[str, str]]]]]:
        """Headings of k, and (anchor, representation, cell or site, scores with intervals) of what
        is drawn, frozen SAEs among them."""
        best, frozen = self.best(), self.best(frozen=True)
        ks: list[int | None] = [*self.ks]
        if any(row["k"] is None for row in self.rows):
            ks.insert(0, None)
        groups: dict[tuple[str, str], dict[int | None, Row]] = {}
        for row in self.rows:
            own = best and (row["cell"] == best["cell"] or not row["cell"])
            near = best and row.get("site") in (None, best.get("site"))
            kept = (own and near) or row["representation"] not in (CODES, RAW)
            kept = kept and (not row["cell"] or not best or row["cell"] == best["cell"])
            kept = kept and (near or not best)
            if frozen and row["cell"] == frozen["cell"]:
                kept = True
            if kept:
                where = row["cell"] or row.get("site") or ""
                groups.setdefault((row["representation"], where), {})[row["k"]] = row
        rows, seen = [], set()
        for (representation, where), by_k in groups.items():
            scores = [
                (self.number(by_k.get(k)).text if k in by_k else "", _interval(by_k.get(k)))
                for k in ks
            ]
            anchor = "" if representation in seen else f"{self.anchor}-{slug(representation)}"
            seen.add(representation)
            named = f"{representation} (frozen SAE)" if where in self.frozen else representation
            rows.append((anchor, named, where, scores))
        return ["all of it" if k is None else f"k = {k}" for k in ks], rows

    def by_cell(self) -> list[tuple[str, list[tuple[float | None, str]]]]:
        """(cell, scores by k) of the codes of every cell."""
        cells: dict[str, dict[int, float]] = {}
        for row in self.rows:
            if row["representation"] == CODES and row["k"] is not None and row["cell"]:
                cells.setdefault(row["cell"], {})[row["k"]] = row["score"]
        return [
            (
                f"{cell} (frozen)" if cell in self.frozen else cell,
                [
                    (value, decimal(value)) if is_number(value := by_k.get(k)) else (None, NONE)
                    for k in self.ks
                ],
            )
            for cell, by_k in cells.items()
        ]

    def facts_shown(self) -> list[tuple[str, str, Number]]:
        """(anchor, words, number) of what probes.json says."""
        rows = [
            ("n", "texts", count),
            ("n_clusters", "groups of texts that belong together (clusters)", count),
            ("folds", "folds, none of which divides such a group", general),
            ("chance", f"{self.metric} with labels shuffled", decimal),
            ("ceiling", f"highest {self.metric} that the label allows", decimal),
            ("quiver.without", "best of all methods without an SAE", decimal),
            ("quiver.with", "best of all methods, those with SAEs too", decimal),
            ("quiver.gain", "what SAEs add to it", gain),
            ("quiver.low", "95 % interval of that, from", gain),
            ("quiver.high", "to", gain),
        ]
        return [
            (f"{self.anchor}-{slug(path)}", words, self.of_json(path, form))
            for path, words, form in rows
        ]


def _interval(row: Row | None) -> str:
    if row is None or not (is_number(row.get("low")) and is_number(row.get("high"))):
        return ""
    low, high = decimal(row["low"]), decimal(row["high"])
    return f"both ends {low}" if low == high else f"{low} to {high}"


def classifiers(
    probes: Mapping[str, Any] | None, summary: pa.Table | None, frozen: Sequence[str] = ()
) -> list[Probe]:
    """The classifiers that have scores. probes: probes.json; summary: probes_summary.parquet."""
    if not probes or summary is None:
        return []
    rows = summary.to_pylist()
    every = [Probe(facts, rows, frozen) for facts in probes.get("probes", ())]
    return [probe for probe in every if probe.rows]
