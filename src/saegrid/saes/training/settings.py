"""What a training can be told. Torch-free, so that a config is checked before anything runs."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from saegrid.base.registry import nearest, pick
from saegrid.saes.training import RECIPES


class Check(NamedTuple):
    """What a value must be."""

    wanted: str
    fits: Callable[[Any], bool]


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


Number = Annotated[float, Check("a number from 0 on", lambda v: _number(v) and v >= 0)]
Share = Annotated[float, Check("a number in 0..1, below 1", lambda v: _number(v) and 0 <= v < 1)]
Positive = Annotated[float, Check("a number above 0", lambda v: _number(v) and v > 0)]
Part = Annotated[float, Check("a number above 0 and below 1", lambda v: _number(v) and 0 < v < 1)]
Whole = Annotated[int, Check("a whole number from 1 on", lambda v: _whole(v) and v >= 1)]
Count = Annotated[int, Check("a whole number from 0 on", lambda v: _whole(v) and v >= 0)]
Maybe = Annotated[
    int | None,
    Check("a whole number from 1 on, or null", lambda v: v is None or (_whole(v) and v >= 1)),
]
Flag = Annotated[bool, Check("true or false", lambda v: isinstance(v, bool))]
InputScale = Literal["mean", "rms", "none"]


@dataclass(frozen=True)
class Settings:
    """What every recipe can be told; a recipe adds its own, and may repeat some of these with
    another default, which then stand there without a description."""

    steps: Whole = 800
    """Steps of the optimiser."""
    epochs: Count = 0
    """Passes over the tokens, instead of `steps`; 0: `steps` counts."""
    batch: Whole = 512
    """Tokens a step. SAEs that are trained together share it."""
    lr: Number = 4e-3
    """Learning rate of Adam after warm-up."""
    beta1: Share = 0.9
    """First momentum of Adam."""
    beta2: Share = 0.999
    """Second momentum of Adam."""
    warm_up: Share = 0.05
    """Share of the steps over which the learning rate rises."""
    decay: Share = 0.3
    """Share of the steps, the last ones, over which it falls to zero."""
    clip: Number = 1.0
    """Largest norm of the gradient; 0: any."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the dense products; weights and their moments are float32."""
    input_scale: InputScale = "mean"
    """Activations are multiplied so that their mean norm, or the root of their mean squared norm,
    is sqrt(d_model). What is written takes raw activations."""
    whiten: Literal["none", "zca", "pca"] = "none"
    """What is learned from is x' = A (x - mean), whose covariance is the identity (see `whiten`),
    and then scaled. What is written takes raw activations, as does its health; the history tells
    of x'."""
    non_negative: Flag = False
    """Decoder rows have no negative numbers, as those of NMF, so that features add and never take
    away; activations need not be positive, for the bias is free."""
    init: Literal["data", "random"] = "random"
    """First directions of the features: `data` (tokens less their mean) or `random`."""
    dead_after: Whole = 50_000
    """Tokens without activation after which a feature counts as dead in training."""
    hold_out: Share = 0.1
    """Share of the texts that are not learned from. Health and `held_*` are measured on at most
    4,096 of their tokens. SAEs that are trained together share it."""
    validate_every: Count = 200
    """Steps between two measurements on held-out tokens; 0: once a pass over the tokens."""
    patience: Count = 0
    """Measurements without a better loss after which training stops, and the best weights are
    kept; 0: never. The tokens are those that health is measured on: needs `hold_out`."""
    log_every: Whole = 50
    """Steps between two rows of the history."""


@dataclass(frozen=True)
class AuxiliarySettings(Settings):
    """Recipes whose dead features learn what the others leave over."""

    aux: Number = 1 / 32
    """Weight of the auxiliary loss, by which dead features explain what is left over; 0: none."""
    k_aux: Whole = 32
    """Dead features a token in the auxiliary loss."""


@dataclass(frozen=True)
class L1Settings(Settings):
    """Recipes with an L1 term that is a sum over features."""

    l1: Number = 5.0
    """Weight of the sparsity term, at the end."""
    l1_warm_up: Share = 0.05
    """Share of the steps over which it rises from zero."""


@dataclass(frozen=True)
class MeanSettings(Settings):
    """Recipes whose error and sparsity terms are means over dimensions and over features, on raw
    activations at a constant learning rate."""

    lr: Number = 1e-3
    warm_up: Share = 0.0
    decay: Share = 0.0
    input_scale: InputScale = "none"
    l1: Number = 1e-3
    """Weight of the sparsity term. As strong as one that is a sum over features, beside an error
    that is a sum over dimensions, where it is d_sae / d_model times as large."""


def check_width(recipe: str, told: Settings, d_sae: int) -> None:
    """ValueError where more features are to be active than there are."""
    for key in ("k", "l0"):
        value = getattr(told, key, None)
        if value is not None and value > d_sae:
            raise ValueError(
                f"The setting {key} of the recipe {recipe} must be at most d_sae, {d_sae:,}; got "
                f"{value:,}. Lower it, or raise expansion."
            )


def n_steps(told: Settings, n_tokens: int) -> int:
    """Steps of a training on so many tokens."""
    return ceil(told.epochs * n_tokens / told.batch) if told.epochs else told.steps


def _check_of(kind: Any) -> Check:
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return Check(" or ".join(map(str, choices)), lambda value: value in choices)
    return kind.__metadata__[0]


def parse(recipe: str, given: dict[str, Any]) -> Any:
    """The settings of a recipe, defaults filled in.

    Raises:
        ValueError: names the recipe or setting that is unknown, or what a value must be, or two
            settings that exclude each other.
    """
    kind = pick(RECIPES, recipe, "The recipe").settings
    known = get_type_hints(kind, include_extras=True)
    for key, value in given.items():
        if key not in known:
            raise ValueError(
                f"The setting {key!r} of the recipe {recipe} is unknown."
                f"{nearest(key, list(known))} Known: {', '.join(sorted(known))}."
            )
        check = _check_of(known[key])
        if not check.fits(value):
            raise ValueError(
                f"The setting {key} of the recipe {recipe} must be {check.wanted}; got {value!r}."
            )
    told = kind(**given)
    if told.non_negative and told.whiten != "none":
        raise ValueError(
            f"The settings non_negative and whiten of the recipe {recipe} exclude each other: rows "
            "that are not negative in whitened units are so in raw ones. Leave one of them out."
        )
    if told.patience and not told.hold_out:
        raise ValueError(
            f"The setting patience of the recipe {recipe} needs held-out tokens to stop by: raise "
            "hold_out, or set patience to 0."
        )
    return told
