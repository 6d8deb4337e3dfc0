"""Blanks filled in by a model while a feature is clamped: what changes, next to nothing clamped.

Only the logits behind the last token are computed. Their softmax and all sums are float64. Contexts
of one length run together, as many at a time as the length says, the last ones filled up: so a
number depends on its blank and its arm alone.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from saegrid.interventions.blanks import Blanks, Grades
from saegrid.interventions.edits import Change, intervening
from saegrid.interventions.live import InterventionError, Live
from saegrid.interventions.raising import Arm
from saegrid.models.load import Loaded
from saegrid.models.tiles import TILE_TOKENS

SHOWN = 5
"""Tokens that are shown of a prediction."""
OF_EDITS = ("edit", "replaced", "edit_over_replaced")
OF_BLANKS = ("words", "grade", "covered", "extra_surprisal", "kl")
MEASURES = {
    "edit": "change of log p of the first token of the edit, in nats",
    "replaced": "the same of the word that was replaced",
    "edit_over_replaced": "the first less the second",
    "words": "change of the probability of the feature's own words: first tokens of the edits of "
    "the texts of the search in which it is strongest",
    "grade": "change of the expected grade of what is filled in: mean over the tokens that an edit "
    "of the search begins with, each with the mean grade of these edits, weighed by p",
    "covered": "change of the probability of all tokens that an edit of the search begins with",
    "extra_surprisal": "cross-entropy of what is filled in under the unchanged model, less that "
    "model's own entropy, in nats",
    "kl": "KL divergence of the changed from the unchanged prediction, in nats",
    "slope": "change of log p of an edit for one more grade, among the edits of one original",
}
"""Measures with their definitions; the last one is made from the first."""
UNCHANGED = {
    "edit": "log p of the first token of the edit, in nats",
    "replaced": "log p of that of the word that was replaced, in nats",
    "grade": "expected grade of what is filled in",
    "covered": "probability of all tokens that an edit of the search begins with",
    "entropy": "entropy of the prediction, in nats",
}
"""Means of the unchanged model, next to which the changes stand."""


@dataclass(frozen=True)
class Changes:
    """Changes that arms make."""

    of_edits: dict[str, np.ndarray]
    """(edit, arm) float64 by name, see `OF_EDITS`."""
    of_blanks: dict[str, np.ndarray]
    """(blank, arm) float64 by name, see `OF_BLANKS`; NaN where it cannot be told."""
    unchanged: dict[str, np.ndarray]
    """(edit,) float64 by name, see `UNCHANGED`: the prediction of the unchanged model."""
    before: np.ndarray
    """(shown blank, SHOWN) int64: the likeliest tokens, nothing changed, and their p below."""
    before_p: np.ndarray
    after: np.ndarray
    """(shown blank, arm, SHOWN) int64, and their p."""
    after_p: np.ndarray


class _Tile(NamedTuple):
    ids: np.ndarray
    """(row, position) int64."""
    numbers: np.ndarray
    """(row,) int64: numbers of the contexts; those from `n` on only fill it."""
    n: int


def tiles(model: Loaded, contexts: Sequence[np.ndarray]) -> Iterator[_Tile]:
    """Contexts of one length each, in tiles whose height follows from the length."""
    lengths = np.array([len(one) for one in contexts])
    for length in np.unique(lengths):
        height = 1 if model.family.experts else max(1, TILE_TOKENS[model.device.type] // length)
        same = np.flatnonzero(lengths == length)
        for start in range(0, len(same), height):
            numbers = same[start : start + height]
            filled = np.resize(numbers, height)
            yield _Tile(np.stack([contexts[i] for i in filled]), filled, len(numbers))


@torch.inference_mode()
def predictions(
    model: Loaded,
    contexts: Sequence[np.ndarray],
    clamp: Callable[[np.ndarray], tuple[Live, Change]] | None = None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Numbers of contexts (row,) with log p (row, d_vocab) float64 of what comes behind each.

    clamp: function from the numbers of contexts to a change, one feature and value for each.
    """
    for tile in tiles(model, contexts):
        ids = torch.from_numpy(tile.ids).to(model.device)
        edits = intervening(model, [clamp(tile.numbers)]) if clamp else nullcontext()
        with edits:
            hidden = model.hidden(ids)[:, -1]
        logits = model.logits(hidden)
        logits = logits.cpu() if logits.device.type == "mps" else logits
        logs = logits.double().log_softmax(1).cpu().numpy()[: tile.n]
        if not np.isfinite(logs).all():
            raise InterventionError(
                f"{model.source}: NaN or infinity in the logits of a clamped feature. Take smaller "
                "doses, or dtype bfloat16 or float32 instead of float16."
            )
        yield tile.numbers[: tile.n], logs


def check_model(model: Loaded, of: Blanks) -> None:
    """InterventionError where the model cannot fill these blanks in."""
    if not model.family.causal:
        raise InterventionError(
            f"{model.source} cannot fill a word in: a {model.family.name} model does not predict "
            "the next token. Take a causal model."
        )
    longest = max(map(len, of.contexts))
    if longest > model.sizes.context:
        raise InterventionError(
            f"A headline has {longest} tokens before its edit; {model.source} takes at most "
            f"{model.sizes.context}. Set max_length of the corpus."
        )
    tokens = np.concatenate([*of.contexts, of.edit, of.replaced])
    if not 0 <= tokens.min() <= tokens.max() < model.sizes.d_vocab:
        raise InterventionError(
            f"A headline has a token id that {model.source} does not know (0 to "
            f"{model.sizes.d_vocab - 1}): use the model's own tokenizer."
        )


def fill_in(
    model: Loaded,
    of: Blanks,
    grades: Grades,
    arms: Sequence[Arm],
    opened: Callable[[str], Live],
    shown: Sequence[int] = (),
    say: Callable[[str], None] = print,
) -> Changes:
    """Changes that each arm makes in the predictions behind blanks.

    opened: function from a cell to its SAE. shown: blanks of which the likeliest tokens are kept.
    """
    check_model(model, of)
    n, shown = len(of.contexts), list(shown)
    base = np.empty((n, model.sizes.d_vocab))
    for numbers, logs in predictions(model, of.contexts):
        base[numbers] = logs
    scored = _Scored(of, grades, arms, base)
    before = scored.likeliest(base[shown])
    after = np.zeros((len(shown), len(arms), SHOWN), np.int64)
    after_p = np.zeros(after.shape)
    place = {blank: i for i, blank in enumerate(shown)}
    for cell in dict.fromkeys(arm.of.cell for arm in arms):
        live, own = opened(cell), [i for i, arm in enumerate(arms) if arm.of.cell == cell]
        feature, value = (
            np.array([getattr(arms[i], k) for i in own]) for k in ("feature", "value")
        )

        def clamp(numbers, live=live, feature=feature, value=value):
            arm = numbers % len(feature)
            return live, Change("clamp", feature[arm], value[arm])

        rows = [context for context in of.contexts for _ in own]
        for numbers, logs in predictions(model, rows, clamp):
            for number, log in zip(numbers, logs, strict=True):
                blank, arm = int(number) // len(own), own[int(number) % len(own)]
                scored.add(blank, arm, log)
                if blank in place:
                    tokens, p = scored.likeliest(log[None])
                    after[place[blank], arm], after_p[place[blank], arm] = tokens[0], p[0]
        say(f"filling: {cell}, {len(own)} arms on {n:,} headlines")
    all_of = scored.of_edits, scored.of_blanks, scored.unchanged()
    return Changes(*all_of, *before, after, after_p)


class _Scored:
    """Measures of predictions next to those of the unchanged model."""

    def __init__(self, of: Blanks, grades: Grades, arms: Sequence[Arm], base: np.ndarray) -> None:
        self.of, self.grades, self.arms, self.base = of, grades, arms, base
        order = np.argsort(of.blank, kind="stable")
        self.edits = np.split(order, np.searchsorted(of.blank[order], range(1, len(of.contexts))))
        shape = (len(of.blank), len(arms)), (len(of.contexts), len(arms))
        self.of_edits = {name: np.full(shape[0], np.nan) for name in OF_EDITS}
        self.of_blanks = {name: np.full(shape[1], np.nan) for name in OF_BLANKS}

    def add(self, blank: int, arm: int, log: np.ndarray) -> None:
        """Take in the prediction (d_vocab,) of an arm behind a blank."""
        base, edits = self.base[blank], self.edits[blank]
        edit, replaced = (
            log[ids[edits]] - base[ids[edits]] for ids in (self.of.edit, self.of.replaced)
        )
        for name, change in zip(OF_EDITS, (edit, replaced, edit - replaced), strict=True):
            self.of_edits[name][edits, arm] = change
        p, q = np.exp(log), np.exp(base)
        words, known = self.arms[arm].words, self.grades.token
        covered = p[known].sum(), q[known].sum()
        values = {
            "words": p[words].sum() - q[words].sum() if len(words) else np.nan,
            "covered": covered[0] - covered[1],
            "extra_surprisal": (q * base).sum() - (p * base).sum(),
            "kl": (p * (log - base)).sum(),
            "grade": self.expected(p) - self.expected(q),
        }
        for name, value in values.items():
            self.of_blanks[name][blank, arm] = value

    def expected(self, p: np.ndarray) -> float:
        """The expected grade of what is filled in."""
        known, grade = self.grades
        return (p[known] * grade).sum() / p[known].sum() if len(known) else np.nan

    def unchanged(self) -> dict[str, np.ndarray]:
        """The prediction of the unchanged model behind the blank of each edit."""
        each = [(np.exp(base), base) for base in self.base]
        of_blanks = {
            "grade": [self.expected(q) for q, _ in each],
            "covered": [q[self.grades.token].sum() for q, _ in each],
            "entropy": [-(q * base).sum() for q, base in each],
        }
        logs = {
            name: self.base[self.of.blank, ids]
            for name, ids in (("edit", self.of.edit), ("replaced", self.of.replaced))
        }
        return logs | {name: np.array(one)[self.of.blank] for name, one in of_blanks.items()}

    def likeliest(self, logs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The likeliest tokens (row, SHOWN) and their p; of equal ones the smaller id first."""
        tokens = np.argsort(-logs, axis=1, kind="stable")[:, :SHOWN]
        return tokens, np.exp(np.take_along_axis(logs, tokens, 1))
