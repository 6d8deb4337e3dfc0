"""Arms of a steering experiment: ways to steer towards the words of a feature, at equal shifts.

The feature itself; a control, another feature of like density that has none of its words; the
difference of means of the activations at its words and elsewhere; its words in the prompt instead
of any edit. A dose is a multiple of the feature's own largest activation; of the other arms it is
the one that moves the site as far.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from saegrid.interventions.dose_table import CONTROL, FEATURE, MEANS, PROMPT
from saegrid.interventions.edits import Change, Push
from saegrid.interventions.live import Live
from saegrid.interventions.prompts import Own


class Settings(NamedTuple):
    """Settings that decide the texts."""

    doses: Sequence[float]
    seeds: int
    new: int
    temperature: float
    template: str
    """Text before a prompt, with {words}."""


@dataclass(frozen=True, eq=False)
class Arm:
    """One way to steer towards the words of a feature."""

    feature: int
    name: str
    dose: float = 0.0
    value: float = 0.0
    """The feature's own z."""
    norm_share: float = 0.0
    change: Change | Push | None = None
    prefix: tuple[int, ...] = ()
    """Tokens behind BOS, before the prompt."""


class Place(NamedTuple):
    """Activations of the site that is edited, in numbers."""

    norm: float
    """Mean norm of a token that is not special."""
    means: dict[int, np.ndarray]
    """By feature: mean at the tokens of its words less the mean elsewhere, of norm one."""


def place_of(
    x: np.ndarray, token: np.ndarray, ids: np.ndarray, own: dict[int, Own], features: Sequence[int]
) -> Place:
    """The norm and the differences of means of captured activations.

    x: (token, channel) numbers; token: (token,) their indices; ids: (corpus token,) token ids.
    """
    total, here = x.sum(0, dtype=np.float64), ids[token]
    means = {}
    for feature in features:
        at = np.isin(here, own[feature].targets)
        if at.any() and not at.all():
            inside = x[at].sum(0, dtype=np.float64)
            apart = inside / at.sum() - (total - inside) / (~at).sum()
            means[feature] = apart / np.linalg.norm(apart)
    return Place(float(np.linalg.norm(x.astype(np.float64), axis=1).mean()), means)


def arms_of(
    own: dict[int, Own],
    features: Sequence[int],
    controls: dict[int, int],
    live: Live,
    place: Place,
    settings: Settings,
    encode: Callable[[str], list[int]],
) -> list[Arm]:
    """All arms of some features. encode: token ids of a text, without BOS."""
    every = [*features, *(controls[f] for f in features)]
    norms = live.rows(every).double().norm(dim=1).cpu().numpy()
    arms = []
    for number, feature in enumerate(features):
        row, other = norms[number], norms[len(features) + number]
        for dose in settings.doses:
            value = dose * own[feature].largest
            shared = {"dose": dose, "value": value, "norm_share": value * row / place.norm}
            matched = value * row / other if other > 0 else 0.0
            arms.append(Arm(feature, FEATURE, change=Change("clamp", feature, value), **shared))
            clamp = Change("clamp", controls[feature], matched)
            arms.append(Arm(feature, CONTROL, change=clamp, **shared))
            if feature in place.means:
                push = Push(place.means[feature], value * row)
                arms.append(Arm(feature, MEANS, change=push, **shared))
        words = " and ".join(own[feature].words[:3])
        arms.append(
            Arm(feature, PROMPT, prefix=tuple(encode(settings.template.format(words=words))))
        )
    return arms


def together(arms: Sequence[Arm]) -> Change | Push | None:
    """The changes of arms of one kind as one change, an arm each."""
    changes = [arm.change for arm in arms]
    values = [0.0 if c is None else c.value for c in changes]
    if isinstance(changes[0], Push):
        return Push(np.array([c.direction for c in changes]), values)
    return changes[0] and Change("clamp", [c.feature for c in changes], values)


def batches(arms: Sequence[Arm], size: int) -> Iterator[list[Arm]]:
    """Arms of one kind, at most `size` of them; their order does not matter to a result."""
    kinds: dict[type, list[Arm]] = {}
    for arm in arms:
        kinds.setdefault(type(arm.change), []).append(arm)
    for some in kinds.values():
        for start in range(0, len(some), max(1, size)):
            yield some[start : start + max(1, size)]


def begun(arm: Arm, text: Sequence[int], special: set[int]) -> list[int]:
    """A text with the arm's prefix behind its BOS."""
    first = 1 if text and text[0] in special else 0
    return [*text[:first], *arm.prefix, *text[first:]]
