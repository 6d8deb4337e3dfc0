"""The tests of a study: discoveries over all cells, their confirmation, and the nulls beside.

Cells whose SAE is frozen form families of their own: they are a null, made by the same code.
"""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pyarrow as pa

from saegrid.base.words import EDITED
from saegrid.evidence import CONFIRMATION, DISCOVERY, TEST, confirmation, questions
from saegrid.evidence.confirmation import Checked
from saegrid.evidence.counts import facts, summary
from saegrid.evidence.described import described, discoveries
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.examples import SCHEMA as EXAMPLES
from saegrid.evidence.questions import Asked, Corpus
from saegrid.evidence.records import (
    FROZEN,
    NEW_WORDS,
    RESULT,
    SHORTLIST,
    Discovered,
    Grid,
    Inputs,
    Outcome,
    Rows,
    Searched,
    sides_of,
    weights_of,
)
from saegrid.evidence.shuffled import shuffled


def test_grid(inputs: Inputs) -> Outcome:
    """All tables of the tests of a study."""
    grid = searched(inputs)
    parts = grid.plan["parts"]
    seen = _words_of(grid.asked, inputs.corpora[parts[DISCOVERY]["corpus"]])
    for rows in grid.rows.values():
        _confirm(inputs, rows, CONFIRMATION, "confirm")
        _mark(rows, grid.columns, grid.plan["alpha"])
        if seen:
            _confirm(inputs, rows, CONFIRMATION, NEW_WORDS, seen=seen)
        for name in parts:
            if name not in (DISCOVERY, CONFIRMATION):
                _confirm(inputs, rows, name, name, confirmed_only=name == TEST)
    details = [one for kind in grid.kinds for one in described(grid, kind)]
    by_cell = summary(grid)
    return Outcome(
        {
            one.cell: confirmation.table_of_cell(one.table, grid.columns[one.cell])
            for one in inputs.cells
        },
        by_cell,
        discoveries(details, grid.plan),
        pa.Table.from_pylist([row for one in details for row in one.examples], EXAMPLES),
        facts(grid, shuffled(grid), by_cell),
    )


def searched(inputs: Inputs) -> Grid:
    """The discoveries of all cells."""
    plan = inputs.plan
    kinds = {
        RESULT: [one for one in inputs.cells if one.frozen == "none"],
        FROZEN: [one for one in inputs.cells if one.frozen != "none"],
    }
    families, columns, rows = {}, {}, {}
    for kind, cells in kinds.items():
        largest = [one.maxima for one in cells]
        families[kind] = {n: confirmation.family(largest, n) for n in plan["contrasts"]}
        for one in cells:
            columns[one.cell] = confirmation.discovered(
                one.table, families[kind], one.maxima, plan["alpha"]
            )
        rows[kind] = {n: Rows(list(_discovered(cells, columns, n))) for n in plan["contrasts"]}
    asked = questions.ask(plan, DISCOVERY, inputs.corpora)
    return Grid(inputs, asked, kinds, families, columns, rows)


def _discovered(
    cells: Iterable[Searched], columns: Mapping[str, dict[str, np.ndarray]], name: str
) -> Iterator[Discovered]:
    for one in cells:
        rows = one.rows(name)
        rows = rows[columns[one.cell]["discovered"][rows] == 1]
        statistic = one.table["statistic"].to_numpy()[rows]
        feature = one.table["feature"].to_numpy()[rows]
        order = np.argsort(-np.abs(statistic), kind="stable")
        yield Discovered(one, feature[order], rows[order], np.sign(statistic[order]))


def _confirm(
    inputs: Inputs,
    rows: Mapping[str, Rows],
    part: str,
    name: str,
    seen: frozenset[str] | None = None,
    confirmed_only: bool = False,
) -> None:
    """Add the numbers of a part to the discoveries: effect_, statistic_, p_single_ and p_{name}."""
    plan = inputs.plan
    wanted = [contrast for contrast, of in rows.items() if of.n]
    asked = questions.ask(plan, part, inputs.corpora, wanted, seen)
    kept: dict[str, list[tuple[int, np.ndarray, Checked]]] = {n: [] for n in wanted}
    for contrast, reason in asked.skipped.items():
        rows[contrast].skipped[name] = reason
    for cell in dict.fromkeys(one.searched.cell for n in wanted for one in rows[n].of):
        places = {}
        for question in asked.questions:
            of = rows[question.name]
            for at, one in enumerate(of.of):
                if one.searched.cell == cell:
                    chosen = of.chosen(at, confirmed_only)
                    if len(chosen):
                        places[question.name] = (at, chosen)
        present = [question for question in asked.questions if question.name in places]

        def features(
            name: str, places: Mapping[str, tuple[int, np.ndarray]] = places
        ) -> np.ndarray:
            at, chosen = places[name]
            return rows[name].of[at].feature[chosen]

        for contrast, sides in sides_of(inputs, present, cell, part, features).items():
            at, chosen = places[contrast]
            question = asked.named(contrast)
            sign = rows[contrast].of[at].sign[chosen]
            checked = confirmation.checked(question, sides, sign)
            if name == "confirm":
                checked = checked._replace(
                    effects={**checked.effects, **_interval(inputs, question, sides)}
                )
            kept[contrast].append((at, chosen, checked))
    for contrast, parts in kept.items():
        together = confirmation.together([one for *_, one in parts])
        for (at, chosen, checked), p in zip(parts, together, strict=True):
            numbers = {
                f"effect_{name}": checked.effects["effect"],
                f"statistic_{name}": checked.statistic,
                f"p_single_{name}": checked.single,
                f"p_{name}": p,
            }
            numbers |= {
                f"{key}_{name}": checked.effects[key]
                for key in ("low", "high")
                if key in checked.effects
            }
            for key, values in numbers.items():
                whole = np.full(len(rows[contrast].of[at].feature), np.nan)
                whole[chosen] = values
                rows[contrast].numbers[at][key] = whole


def _interval(inputs: Inputs, question: Question, sides: Sides) -> dict[str, np.ndarray]:
    """Bootstrap interval of the effects of the first features of a contrast."""
    n = sides.a.shape[1]
    first = np.arange(min(n, SHORTLIST))
    weights = weights_of(inputs.plan, question)
    low, high, *_ = confirmation.drawn_intervals(question, sides.of(first), weights)
    fill = np.full(n - len(first), np.nan)
    return {"low": np.append(low, fill), "high": np.append(high, fill)}


def _mark(
    rows: Mapping[str, Rows], columns: Mapping[str, dict[str, np.ndarray]], alpha: float
) -> None:
    """Say which discoveries are confirmed, in the rows and in the columns of their cells."""
    for of in rows.values():
        for one, numbers in zip(of.of, of.numbers, strict=True):
            p = numbers.get("p_confirm", np.full(len(one.feature), np.nan))
            numbers["confirmed"] = np.where(np.isnan(p), np.nan, p <= alpha)
            own = columns[one.searched.cell]
            own["p_confirm"][one.row] = p
            own["confirmed"][one.row] = numbers["confirmed"]
            own["effect_confirm"][one.row] = numbers.get("effect_confirm", np.nan)


def _words_of(asked: Asked, corpus: Corpus) -> frozenset[str]:
    """The edit words of discovery, casefolded; none of unpaired texts."""
    if EDITED not in corpus.words:
        return frozenset()
    items = {int(i) for question in asked.questions for i in question.design.item}
    return frozenset(corpus.words[EDITED][i].casefold() for i in items)
