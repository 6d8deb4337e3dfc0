"""Records that the tests of a study are made of: the search of each cell, and its discoveries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.evidence import exchange, intervals, questions
from saegrid.evidence.confirmation import Family
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.questions import Asked, Corpus

RESULT, FROZEN = "result", "frozen"
NEW_WORDS = "new_words"
"""Name of the texts of confirmation whose edit words do not stand in discovery."""
SHORTLIST = 300
"""Discoveries of a contrast and cell that get intervals and rates, the largest statistics first."""
Chosen = Callable[[str], np.ndarray]


class Searched(NamedTuple):
    """The discovery of a cell, as the stage `contrasts` wrote it."""

    cell: str
    frozen: str
    """Part of its SAE that was frozen in training; none: a result."""
    table: pa.Table
    maxima: Mapping[str, np.ndarray]
    tails: Mapping[str, np.ndarray]

    def rows(self, contrast: str) -> np.ndarray:
        """Rows of the table that are of a contrast."""
        return np.flatnonzero(np.array(self.table["contrast"].to_pylist(), object) == contrast)


class Beside(NamedTuple):
    """Further tables of a cell on the main corpus, and densities on the reference corpus."""

    densities: pa.Table
    top_tokens: pa.Table
    reference: pa.Table | None


class Inputs(NamedTuple):
    """All that the tests of a study are made from."""

    plan: Mapping[str, Any]
    corpora: Mapping[str, Corpus]
    cells: Sequence[Searched]
    features: Callable[[str, str], Features]
    """Function of cell and corpus that reads the codes."""
    beside: Callable[[str], Beside]
    head: Mapping[str, Any]
    """Facts of tests.json that are known before."""
    untrained: Mapping[str, Any]
    """Counts of the study of the untrained model by contrast."""


class Outcome(NamedTuple):
    """The tables of the tests of a study."""

    cells: dict[str, pa.Table]
    """tests.parquet by cell, see `confirmation.CELL_SCHEMA`."""
    summary: pa.Table
    discoveries: pa.Table
    examples: pa.Table
    facts: dict[str, Any]


class Discovered(NamedTuple):
    """The features of a cell that a contrast discovers."""

    searched: Searched
    feature: np.ndarray
    row: np.ndarray
    """Rows in the table of the cell."""
    sign: np.ndarray


class Rows:
    """The discoveries of a contrast over cells of one kind, with numbers that are added."""

    def __init__(self, of: Sequence[Discovered]) -> None:
        self.of = [one for one in of if len(one.feature)]
        self.numbers: list[dict[str, np.ndarray]] = [{} for _ in self.of]
        self.skipped: dict[str, str] = {}

    @property
    def n(self) -> int:
        """Number of discoveries."""
        return sum(len(one.feature) for one in self.of)

    def column(self, name: str) -> np.ndarray:
        """A number of all discoveries, NaN where it was not made."""
        parts = [
            numbers.get(name, np.full(len(one.feature), np.nan))
            for one, numbers in zip(self.of, self.numbers, strict=True)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def pairs(self) -> Iterator[tuple[Discovered, dict[str, np.ndarray]]]:
        """The discoveries of each cell with their numbers."""
        return zip(self.of, self.numbers, strict=True)

    def chosen(self, at: int, confirmed_only: bool) -> np.ndarray:
        """Places of the features of a cell that a part is asked about."""
        if confirmed_only:
            return np.flatnonzero(self.numbers[at]["confirmed"] == 1)
        return np.arange(len(self.of[at].feature))


class Grid(NamedTuple):
    """The tests of all cells: what was searched, and what was discovered."""

    inputs: Inputs
    asked: Asked
    """The contrasts on discovery."""
    kinds: Mapping[str, Sequence[Searched]]
    """Cells that are results (RESULT) and cells whose SAE is frozen (FROZEN)."""
    families: Mapping[str, Mapping[str, Family]]
    """By kind and contrast."""
    columns: Mapping[str, dict[str, np.ndarray]]
    """Columns of tests.parquet beside those of discovery, by cell."""
    rows: Mapping[str, Mapping[str, Rows]]
    """Discoveries by kind and contrast."""

    @property
    def plan(self) -> Mapping[str, Any]:
        """The plan of the tests."""
        return self.inputs.plan


def weights_of(plan: Mapping[str, Any], question: Question) -> np.ndarray:
    """(text, draw + 1) weights of the cluster bootstrap of a contrast."""
    rng = exchange.generator(plan["seed"], "bootstrap")
    return intervals.resampled(question.design.cluster, plan["bootstrap"], rng)


def sides_of(
    inputs: Inputs, asked: Sequence[Question], cell: str, part: str, chosen: Chosen
) -> dict[str, Sides]:
    """The pooled activations of chosen features of a cell by contrast, on a part of the texts."""
    if not asked:
        return {}
    corpus, control = inputs.plan["parts"][part]["corpus"], inputs.plan["control"]
    needed = [corpus, *([control] if any(q.design.control for q in asked) else [])]
    features = {name: inputs.features(cell, name) for name in needed}
    return questions.pooled(asked, features, inputs.corpora, corpus, control, chosen)


def joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays one after the other; an empty one of none."""
    return np.concatenate(parts) if parts else np.zeros(0)
