"""The settings of trainings. They import without torch, so that a config is checked before a
run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, isfinite
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

from saegrid.base.errors import shown
from saegrid.base.registry import nearest, pick
from saegrid.base.section import EXPONENT
from saegrid.saes.training import RECIPES


class Check(NamedTuple):
    """A condition on a value, with the words that describe it."""

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
"""Largest values of some settings, and the largest of all others; a larger number is a slip."""
InputScale = Literal["mean", "rms", "none"]


@dataclass(frozen=True)
class Settings:
    """The settings of every recipe. A recipe adds its own, and may repeat some of these with
    another default, then without a description."""

    steps: Whole = 800
    """Number of steps of the optimiser."""
    epochs: Count = 0
    """Number of passes over the tokens, instead of `steps`; 0: `steps` counts."""
    batch: Whole = 512
    """Number of tokens a step. SAEs that are trained together share it."""
    lr: Number = 4e-3
    """Learning rate of Adam after warm-up."""
    beta1: Share = 0.9
    """First momentum of Adam."""
    beta2: Share = 0.999
    """Second momentum of Adam."""
    warm_up: Share = 0.05
    """Share of the steps over which the learning rate rises."""
    decay: Share = 0.3
    """Share of the steps, the last ones, over which the learning rate falls to zero."""
    clip: Number = 1.0
    """Largest norm of the gradient; a larger one is scaled down; 0: no limit."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Number type of the dense products; weights and their moments are float32."""
    input_scale: InputScale = "mean"
    """Scaling of the activations: their mean norm, or the root of their mean squared norm, becomes
    sqrt(d_model). The SAE that is written takes raw activations."""
    whiten: Literal["none", "zca", "pca"] = "none"
    """Whitening of the activations: the SAE learns from x' = A (x - mean), whose covariance is the
    identity (see `whiten`), then scaled. The SAE that is written takes raw activations, and its
    health is measured on them; the history is of x'."""
    non_negative: Flag = False
    """True where decoder rows hold no negative numbers, as those of NMF, so that features only add;
    activations need not be positive, for the bias is free."""
    init: Literal["data", "random"] = "random"
    """First directions of the features: `data` (tokens less their mean) or `random`."""
    freeze: Literal["none", "decoder", "encoder", "soft"] = "none"
    """Part that stays as it began, which makes the SAE a null beside trained ones (arXiv
    2602.14111): the matrix of the `decoder` or of the `encoder`, with biases and thresholds
    learned, or `soft`: decoder rows keep a cosine of 0.8 or more with their first ones. Tied
    weights are one matrix: `decoder` and `encoder` are the same. With `init: data` first rows are
    tokens, and no random directions; with `whiten` all this is of x'."""
    dead_after: Whole = 50_000
    """Number of tokens without activation after which a feature counts as dead in training."""
    hold_out: Share = 0.1
    """Share of the texts that are held out from training. Health and `held_*` are measured on at
    most 4,096 of their tokens. SAEs that are trained together share it."""
    validate_every: Count = 200
    """Number of steps between two measurements on held-out tokens; 0: one a pass over the
    tokens."""
    patience: Count = 0
    """Number of measurements without a better loss after which training stops and keeps the best
    weights; 0: it never stops early. The tokens are those that health is measured on, so that
    `hold_out` must be above 0."""
    log_every: Whole = 50
    """Number of steps between two rows of the history."""

    @property
    def frozen(self) -> bool:
        """True where the SAE is a null: its directions are not, or hardly, learned."""
        return self.freeze != "none"


@dataclass(frozen=True)
class AuxiliarySettings(Settings):
    """The settings of recipes whose dead features learn the residual of the others."""

    aux: Number = 1 / 32
    """Weight of the auxiliary loss, by which dead features explain the residual; 0: none."""
    k_aux: Whole = 32
    """Number of dead features a token in the auxiliary loss."""


@dataclass(frozen=True)
class L1Settings(Settings):
    """The settings of recipes with an L1 term that is a sum over features."""

    l1: Number = 5.0
    """Weight of the sparsity term after its warm-up."""
    l1_warm_up: Share = 0.05
    """Share of the steps over which the weight of the sparsity term rises from zero."""


@dataclass(frozen=True)
class MeanSettings(Settings):
    """The settings of recipes whose error and sparsity terms are means over dimensions and over
    features, on raw activations at a constant learning rate."""

    lr: Number = 1e-3
    warm_up: Share = 0.0
    decay: Share = 0.0
    input_scale: InputScale = "none"
    l1: Number = 1e-3
    """Weight of the sparsity term, a mean over features. It must be d_sae / d_model times as large
    to be as strong as the weight of a sum over features beside a sum over dimensions."""


def check_width(recipe: str, settings: Settings, d_sae: int) -> None:
    """Raise ValueError if more features are to be active than the SAE has."""
    for key in ("k", "l0"):
        value = getattr(settings, key, None)
        if value is not None and value > d_sae:
            raise ValueError(
                f"The setting {key} of the recipe {recipe} must be at most d_sae, {d_sae:,}; got "
                f"{value:,}. Lower it, or raise expansion."
            )


def n_steps(settings: Settings, n_tokens: int) -> int:
    """The number of steps of a training on `n_tokens` tokens."""
    return ceil(settings.epochs * n_tokens / settings.batch) if settings.epochs else settings.steps


def _check_of(kind: Any) -> Check:
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        return Check(" or ".join(map(str, choices)), lambda value: value in choices)
    return kind.__metadata__[0]


def problems(recipe: str, values: Mapping[str, Any], limits: bool = True) -> list[str]:
    """All mistakes in the settings of a recipe, a sentence each.

    A sentence names an unknown recipe or setting, the condition that a value breaks, or two
    settings that exclude each other. limits: numbers beyond `LIMITS` are mistakes, as they are in
    a config.
    """
    try:
        kind = pick(RECIPES, recipe, "The recipe").settings
    except ValueError as problem:
        return [str(problem)]
    known = get_type_hints(kind, include_extras=True)
    mistakes = []
    for key, value in values.items():
        where = f"of the recipe {recipe}"
        if key not in known:
            mistakes.append(
                f"The setting {shown(key)} {where} is unknown.{nearest(str(key), list(known))} "
                f"Known: {', '.join(sorted(known))}."
            )
            continue
        check, limit = _check_of(known[key]), LIMITS.get(key, LIMIT)
        if not check.fits(value):
            mend = ""
            if isinstance(value, str) and EXPONENT.fullmatch(value):
                mend = f" YAML takes it for a text: write {float(value):.1e}."
            mistakes.append(
                f"The setting {key} {where} must be {check.wanted}; got {shown(value)}.{mend}"
            )
        elif limits and _number(value) and value > limit:
            got = f"{value:,}" if value < 10**18 else shown(value)
            mistakes.append(f"The setting {key} {where} must be at most {limit:,}; got {got}.")
    if mistakes:
        return mistakes
    settings = kind(**values)
    if settings.non_negative and settings.whiten != "none":
        mistakes.append(
            f"The settings non_negative and whiten of the recipe {recipe} exclude each other: rows "
            "that are not negative in whitened units are so in raw ones. Leave one of them out."
        )
    if settings.patience and not settings.hold_out:
        mistakes.append(
            f"The setting patience of the recipe {recipe} needs held-out tokens to stop by: raise "
            "hold_out, or set patience to 0."
        )
    return mistakes


def parse(recipe: str, values: dict[str, Any]) -> Any:
    """The settings of a recipe, with its defaults; ValueError with all `problems` but limits."""
    if mistakes := problems(recipe, values, limits=False):
        raise ValueError("\n".join(mistakes))
    return pick(RECIPES, recipe, "The recipe").settings(**values)
