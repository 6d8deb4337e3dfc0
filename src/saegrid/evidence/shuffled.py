"""Discoveries and confirmations where labels are shuffled."""

import numpy as np

from saegrid.evidence import CONFIRMATION, confirmation, maxima, questions
from saegrid.evidence.discovery import PLAIN, Question
from saegrid.evidence.records import RESULT, Grid, sides_of


def shuffled(grid: Grid) -> dict[str, list[list[int]]]:
    """Discoveries and confirmations of each contrast in twenty rounds of shuffled labels.

    The labels of both parts are those of a permutation, and all else is done as with the data:
    the same threshold over all cells, the same confirmation over all that is discovered.
    """
    plan = grid.plan
    asked = questions.ask(plan, CONFIRMATION, grid.inputs.corpora)
    rounds = range(1, min(maxima.SHUFFLES, plan["permutations"]) + 1)
    return {
        name: [_round(grid, name, asked.named(name), number) for number in rounds]
        for name in plan["contrasts"]
    }


def _round(grid: Grid, name: str, question: Question | None, number: int) -> list[int]:
    """The counts of one round. question: the contrast on confirmation, None where it has none."""
    family = grid.families[RESULT][name].maxima.get(PLAIN)
    alpha = grid.plan["alpha"]
    limit = np.inf if family is None else maxima.threshold(family, alpha)
    parts, total = [], 0
    for one in grid.kinds[RESULT]:
        tails = one.tails.get(name, np.empty((0, 3)))
        large = tails[(tails[:, 0] == number) & (np.abs(tails[:, 2]) >= limit)]
        total += len(large)
        if not len(large) or question is None:
            continue
        feature, sign = large[:, 1].astype(np.int64), np.sign(large[:, 2])
        sides = sides_of(
            grid.inputs, [question], one.cell, CONFIRMATION, lambda _, feature=feature: feature
        )[name]
        parts.append(confirmation.checked(question, sides, sign, number))
    return [total, int(sum((p <= alpha).sum() for p in confirmation.together(parts)))]
