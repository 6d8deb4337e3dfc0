"""What a training can be told. Torch-free, so that a config is checked before anything runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from saegrid.base.errors import shown
from saegrid.base.registry import nearest, pick
from saegrid.base.section import EXPONENT
from saegrid.saes.training import RECIPES


class Check(NamedTuple):
    """What a value must be."""

    wanted: str
    fits: Callable[[Any], bool]


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and (isinstance(value, int) or isfinite(value))


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
LIMITS = {"steps": 10**8, "epochs": 10**5, "batch": 10**7, "lr": 10}
LIMIT = 10**12
"""Largest values of some settings, and of all others: beyond, a number is a slip."""
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


def problems(recipe: str, given: Mapping[str, Any], limits: bool = True) -> list[str]:
    """All that is wrong with the settings of a recipe, a sentence each.

    It names the recipe or setting that is unknown, or what a value must be, or two settings that
    exclude each other. limits: numbers beyond `LIMITS` are wrong, as they are in a config.
    """
    try:
        kind = pick(RECIPES, recipe, "The recipe").settings
    except ValueError as problem:
        return [str(problem)]
    known = get_type_hints(kind, include_extras=True)
    found = []
    for key, value in given.items():
        where = f"of the recipe {recipe}"
        if key not in known:
            found.append(
                f"The setting {shown(key)} {where} is unknown.{nearest(str(key), list(known))} "
                f"Known: {', '.join(sorted(known))}."
            )
            continue
        check, limit = _check_of(known[key]), LIMITS.get(key, LIMIT)
        if not check.fits(value):
            mend = ""
            if isinstance(value, str) and EXPONENT.fullmatch(value):
                mend = f" YAML takes it for a text: write {float(value):.1e}."
            found.append(
                f"The setting {key} {where} must be {check.wanted}; got {shown(value)}.{mend}"
            )
        elif limits and _number(value) and value > limit:
            got = f"{value:,}" if value < 10**18 else shown(value)
            found.append(f"The setting {key} {where} must be at most {limit:,}; got {got}.")
    if found:
        return found
    settings = kind(**given)
    if settings.non_negative and settings.whiten != "none":
        found.append(
            f"The settings non_negative and whiten of the recipe {recipe} exclude each other: rows "
            "that are not negative in whitened units are so in raw ones. Leave one of them out."
        )
    if settings.patience and not settings.hold_out:
        found.append(
            f"The setting patience of the recipe {recipe} needs held-out tokens to stop by: raise "
            "hold_out, or set patience to 0."
        )
    return found


def parse(recipe: str, given: dict[str, Any]) -> Any:
    """The settings of a recipe, defaults filled in; ValueError tells all `problems` but limits."""
    if found := problems(recipe, given, limits=False):
        raise ValueError("\n".join(found))
    return pick(RECIPES, recipe, "The recipe").settings(**given)
