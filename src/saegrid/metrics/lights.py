"""The health of an SAE as lights, green, amber or red, with advice (S2.9, S3.6).

There are three tables of limits. `BY_NUMBER` holds those of S2.9 unchanged. They come from one
shape (d_model 640, d_sae 2560, about 4,000 tokens) and do not transfer to others: `BY_SHAPE` holds
the same limits carried over to other shapes.

- A density stands for the number of active features: 0.02 to 0.1 of 2560 is L0 51.2 to 256.
- A dead rate falls with the number of tokens. It is compared at the number at which an average
  feature has fired as often as it did there at the lowest good density.
- Dead features are zeros in the Gini index as well: their own light counts them, so it is taken
  over the others.
- Cosines are chance-corrected as kappas are, (c - null) / (1 - null): 0 is a random dictionary of
  the same shape, 1 are equal directions. The mean of a random dictionary is 0 at any shape.

`TARGETS` holds the aims of the Scaling Monosemanticity recipe at a million features; for dead ones
the source states two, 2 % and less than 1 %: the range between them is amber. A feature counted as
dead there after 10^7 silent tokens; on fewer tokens more features count as dead.
"""

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from typing import NamedTuple

COLOURS = GREEN, AMBER, RED = ("green", "amber", "red")
D_MODEL, D_SAE, N_TOKENS, LEAST_L0 = 640, 2560, 4000, 50
"""The shape of the runs behind S2.9's limits, and the smallest L0 that is good there."""
EXPOSURE = N_TOKENS * LEAST_L0 / D_SAE
"""Number of times that an average feature fired in these runs, at which dead rates are compared."""
NULL_P95, NULL_MAX = 1.645 / sqrt(D_MODEL), 0.20
"""95th percentile and maximum of the cosines of a random dictionary of that shape."""


class Limits(NamedTuple):
    """The limits of a light: green from bottom to top, red below low and above high, else amber."""

    name: str
    metric: str
    """Name of the value that is judged."""
    words: str
    """The limits in the words of their source."""
    low: float
    bottom: float
    top: float
    high: float
    when_low: str
    """Advice for a low value."""
    when_high: str
    colour_of_low: str = RED
    reached: bool = False
    """True where the value `high` itself counts as high."""


class Light(NamedTuple):
    """A value with its judgement."""

    name: str
    metric: str
    value: float | None
    state: str
    """State of the value: good, low, high, between (two ranges) or unknown."""
    colour: str
    words: str
    advice: str


# The weight of sparsity is `l1`, `kl` or `sparsity`, as the recipe has it.
FEWER = "Too many features are active: raise the weight of sparsity, or lower k."
MORE = "Too few features are active: lower the weight of sparsity, or raise k."
REVIVE = (
    "Many features never fire: lower the weight of sparsity, raise k, take a smaller d_sae, train "
    "on more tokens, or revive them (auxiliary loss, resampling)."
)
EXPLAIN = (
    "Too little is explained: raise k, lower the weight of sparsity, take a larger d_sae, or train "
    "on more tokens."
)
ROOM = "No feature is dead: no defect, but a larger d_sae or a smaller k may find more."
UNEVEN = (
    "A few features do most of the work: raise k, lower the weight of sparsity, or take a smaller "
    "d_sae."
)
EVEN = "All features are used alike: raise the weight of sparsity, or lower k."
ALIKE = (
    "Many directions are alike: take a smaller d_sae, raise the weight of sparsity, or train on "
    "more tokens."
)
DUPLICATES = "Some features are duplicates: take a smaller d_sae, or train on more tokens."

# Ends that S2.9 gives as a range (high > .2-.3) are certain at the far end only. ~0 is below 0.01
# of a share, and below 0.1 of a Gini index; ~1 is above 0.7, since S2.9 calls 0.722 high.
# No dead feature is low, but no defect: amber, as S2.9 has nothing against its first row there.
BY_NUMBER = (
    Limits(
        *("density", "density", "good .02-.1, high > .2-.3, low < .01"),
        *(0.01, 0.02, 0.1, 0.3, MORE, FEWER),
    ),
    Limits(
        *("dead rate", "dead_rate", "good .05-.2, high > .3, low ~0"),
        *(0.01, 0.05, 0.2, 0.3, ROOM, REVIVE, AMBER),
    ),
    Limits(
        *("Gini", "gini", "good .2-.6, high ~1, low ~0"),
        *(0.1, 0.2, 0.6, 0.7, EVEN, UNEVEN),
    ),
    Limits(
        *("cosine, mean", "decoder_cosine_mean", "good <= .2-.3, high >= .3-.5"),
        *(-inf, -inf, 0.2, 0.5, "", ALIKE, RED, True),
    ),
    Limits(
        *("cosine, p95", "decoder_cosine_p95", "good <= .5-.6"),
        *(-inf, -inf, 0.5, 0.6, "", ALIKE),
    ),
    Limits(
        *("cosine, max", "decoder_cosine_max", "~1: duplicates"),
        *(-inf, -inf, 0.9, 0.99, "", DUPLICATES),
    ),
)
"""The limits of S2.9."""


def above_null(value: float, null: float) -> float:
    """The chance-corrected cosine: 0 is that of a random dictionary, 1 that of equal directions."""
    return (value - null) / (1 - null)


def _carried() -> tuple[Limits, ...]:
    density, dead, gini, mean, p95, largest = BY_NUMBER
    l0 = [D_SAE * limit for limit in density[3:7]]
    p95_ends, max_ends = (
        {"top": above_null(limits.top, null), "high": above_null(limits.high, null)}
        for limits, null in ((p95, NULL_P95), (largest, NULL_MAX))
    )
    return (
        Limits("L0", "l0", "good 51-256, high > 512-768, low < 26", *l0, MORE, FEWER),
        dead._replace(
            metric="dead_rate_at_exposure",
            words=f"{dead.words}, where an average feature has fired {EXPOSURE:.0f} times",
        ),
        gini._replace(metric="gini_of_active", words=f"{gini.words}, without dead features"),
        mean,
        p95._replace(
            metric="decoder_cosine_p95_above_null",
            words="good <= .47-.57 above a random dictionary's",
            **p95_ends,
        ),
        largest._replace(
            metric="decoder_cosine_max_above_null",
            words="~1: duplicates, above a random dictionary's",
            **max_ends,
        ),
    )


BY_SHAPE = _carried()
"""`BY_NUMBER` carried over to other widths, L0 and numbers of tokens."""

TARGETS = (
    Limits("L0", "l0", "aimed at < 300", *(-inf, -inf, 300, 300, "", FEWER)),
    Limits(
        *("explained variance", "r2", "aimed at >= .65"),
        *(0.65, 0.65, inf, inf, EXPLAIN, ""),
    ),
    Limits(
        *("dead rate", "dead_rate", "aimed at <= .02, elsewhere < .01; silent on 10^7 tokens"),
        *(-inf, -inf, 0.01, 0.02, "", REVIVE),
    ),
)
"""The aims of S3.6."""

READINGS = {"by_number": BY_NUMBER, "by_shape": BY_SHAPE, "targets": TARGETS}
"""All tables of limits, by the names of their lights in metrics.json."""


def lights(values: Mapping[str, float | None], table: Sequence[Limits] = BY_NUMBER) -> list[Light]:
    """The light of each row of a table, from values by the names of metrics; unknown ones are
    amber."""
    return [_light(limits, values.get(limits.metric)) for limits in table]


def _light(limits: Limits, value: float | None) -> Light:
    state, colour, advice = "between", AMBER, ""
    if value is None:
        state = "unknown"
    elif limits.bottom <= value <= limits.top:
        state, colour = "good", GREEN
    else:
        advice = limits.when_low if value < limits.bottom else limits.when_high
        if value < limits.low:
            state, colour = "low", limits.colour_of_low
        elif value > limits.high or (limits.reached and value == limits.high):
            state, colour = "high", RED
    return Light(limits.name, limits.metric, value, state, colour, limits.words, advice)
