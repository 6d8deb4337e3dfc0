"""What a training can be told. Torch-free, so that a config is checked before anything runs."""

from dataclasses import dataclass, fields
from typing import Any

from saegrid.registry import entry, nearest


@dataclass(frozen=True)
class Settings:
    """What every recipe can be told."""

    steps: int = 800
    """Steps of the optimiser."""
    batch: int = 512
    """Tokens a step."""
    lr: float = 4e-3
    """Learning rate of Adam after warm-up."""
    beta1: float = 0.9
    """First momentum of Adam."""
    beta2: float = 0.999
    """Second momentum of Adam."""
    warm_up: float = 0.05
    """Share of the steps over which the learning rate rises."""
    decay: float = 0.3
    """Share of the steps, the last ones, over which it falls to zero."""
    clip: float = 1.0
    """Largest norm of the gradient."""
    init: str = "random"
    """First directions of the features: `data` (tokens less their mean) or `random`."""
    dead_after: int = 50_000
    """Tokens without activation after which a feature counts as dead in training."""
    aux: float = 1 / 32
    """Weight of the auxiliary loss, by which dead features explain what is left over; 0: none."""
    k_aux: int = 32
    """Dead features a token in the auxiliary loss."""
    hold_out: float = 0.1
    """Share of the tokens on which health is measured, at most 4,096 of them."""
    log_every: int = 50
    """Steps between two rows of the history."""


@dataclass(frozen=True)
class TopKSettings(Settings):
    """TopK: a fixed number of features a token."""

    k: int = 32
    """Active features a token."""


@dataclass(frozen=True)
class JumpReLUSettings(Settings):
    """JumpReLU: a learned threshold a feature, pulled towards a mean number of features a token."""

    l0: float = 32.0
    """Mean number of active features a token that is aimed at."""
    l0_weight: float = 1.0
    """Weight of (l0 / aim - 1)^2 in the loss, after warm-up."""
    bandwidth: float = 2.0
    """Width of the window around a threshold in which it feels a gradient, scaled units."""


SETTINGS = {"jumprelu": JumpReLUSettings, "topk": TopKSettings}
"""Settings of each recipe in `saegrid.saes.training.RECIPES`."""

SHARES = ("warm_up", "decay", "hold_out")
CHOICES = {"init": ("data", "random")}


def parse(recipe: str, given: dict[str, Any]) -> Any:
    """The settings of a recipe, defaults filled in.

    Raises:
        ValueError: names the recipe or setting that is unknown, or what a value must be.
    """
    entry(dict.fromkeys(SETTINGS, ""), recipe, "The recipe")
    kind = SETTINGS[recipe]
    known = {field.name: field.type for field in fields(kind)}
    for key, value in given.items():
        if key not in known:
            raise ValueError(
                f"The setting {key!r} of the recipe {recipe} is unknown."
                f"{nearest(key, list(known))} Known: {', '.join(sorted(known))}."
            )
        _check(recipe, key, value, known[key])
    return kind(**given)


def _check(recipe: str, key: str, value: Any, kind: type) -> None:
    """Refuse a value of the wrong type or range."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if key in CHOICES:
        fits, wanted = value in CHOICES[key], " or ".join(CHOICES[key])
    elif kind is int:
        fits, wanted = number and isinstance(value, int) and value >= 1, "a whole number from 1 on"
    elif key in SHARES:
        fits, wanted = number and 0 <= value < 1, "a number in 0..1, below 1"
    else:
        fits, wanted = number and value >= 0, "a number from 0 on"
    if not fits:
        raise ValueError(
            f"The setting {key} of the recipe {recipe} must be {wanted}; got {value!r}."
        )
