"""Agreement of attributions with true ablation, within prompts, and the completeness of sums.

Correlations are taken within a prompt and averaged over prompts, with a bootstrap interval over
prompts. They are taken over features that were drawn by seed among the active ones; features that
were added because they rank high are apart, since they are chosen by what is judged.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:  # which takes torch: what shows the table does without
    from saegrid.interventions.attribution import Attributed

DRAWS, LEVEL = 2000, 0.95
"""Resamples of prompts, and the level of intervals."""
GRADIENT, INTEGRATED, ACTIVATION = "gradient", "integrated", "activation"
SIZE = "activation, size of effect"
PREDICTORS = {
    GRADIENT: "attribution by one gradient",
    INTEGRATED: "integrated gradients",
    ACTIVATION: "sum of activations",
    SIZE: "sum of activations, against the size of the effect",
}
DRAWN, WITH_TOP, ALL, SUMS = "drawn", "drawn and top", "all active", "sums"
SCHEMA = pa.schema(
    [
        ("sample", pa.string()),
        ("predictor", pa.string()),
        ("statistic", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int32()),
    ]
)
"""Columns of agreement.parquet; n: prompts that have the number."""


class Chosen(NamedTuple):
    """Pairs of prompt and feature that are ablated."""

    pair: np.ndarray
    """(chosen,) int64: numbers of the pairs, ascending."""
    drawn: np.ndarray
    """(chosen,) bool: drawn by seed among the active features of its prompt."""
    top: np.ndarray
    """(chosen,) bool: among those with the largest attributions of its prompt."""
    whole: np.ndarray
    """(chosen,) bool: all active features of its prompt are ablated."""


def sampled(
    attributed: "Attributed", prompts: int, features: int, top: int, whole: int, seed: int
) -> Chosen:
    """The pairs that are ablated.

    Args:
        attributed: attributions on all prompts.
        prompts: number of prompts, the first ones.
        features: number of active features of a prompt that are drawn.
        top: number of those with the largest attributions.
        whole: number of prompts, the first ones, of which all active features are taken.
        seed: of the draw; with the number of the prompt it decides.
    """
    parts: list[np.ndarray] = []
    for number in range(min(prompts, len(attributed.prompts["total"]))):
        own = attributed.of(number)
        rng = np.random.default_rng([seed, number])
        drawn, high = np.zeros(len(own), bool), np.zeros(len(own), bool)
        drawn[rng.choice(len(own), min(features, len(own)), replace=False)] = True
        high[ranked(np.abs(attributed.attribution[own])) <= top] = True
        every = np.full(len(own), number < whole)
        kept = drawn | high | every
        parts.append(np.stack([own, drawn, high, every])[:, kept])
    pair, *flags = np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1)
    return Chosen(pair, *(flag.astype(bool) for flag in flags))


def ranked(values: np.ndarray) -> np.ndarray:
    """(value,) int64 ranks from 1, the largest first; ties go to the earlier one."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks


def ablation_table(attributed: "Attributed", chosen: Chosen, effect: np.ndarray) -> pa.Table:
    """ablation.parquet: a row a pair that was ablated, by prompt, then by feature.

    effect: L less L without the feature. `drawn`, `top` and `whole` say why it was ablated. Ranks
    count the active features of the prompt: by the size of the attribution, by activation, and
    where all of them were ablated by the size of the effect.
    """
    pair = chosen.pair
    ranks = {name: np.zeros(len(attributed.prompt), np.int64) for name in ("attribution", "z")}
    by_effect = np.zeros(len(pair), np.int64)
    for number in np.unique(attributed.prompt[pair]).tolist():
        own = attributed.of(number)
        ranks["attribution"][own] = ranked(np.abs(attributed.attribution[own]))
        ranks["z"][own] = ranked(attributed.activation[own])
        rows = np.flatnonzero((attributed.prompt[pair] == number) & chosen.whole)
        by_effect[rows] = ranked(np.abs(effect[rows]))
    return pa.table(
        {
            "prompt": pa.array(attributed.prompt[pair], pa.int32()),
            "feature": pa.array(attributed.feature[pair], pa.int32()),
            "effect": effect,
            "attribution": attributed.attribution[pair],
            "integrated": pa.array(attributed.integrated[pair], from_pandas=True),
            "activation": attributed.activation[pair],
            "drawn": chosen.drawn,
            "top": chosen.top,
            "whole": chosen.whole,
            "attribution_rank": pa.array(ranks["attribution"][pair], pa.int32()),
            "activation_rank": pa.array(ranks["z"][pair], pa.int32()),
            "effect_rank": pa.array(by_effect, pa.int32(), mask=~chosen.whole),
        }
    )


def agreement(
    ablations: pa.Table, sums: Mapping[str, np.ndarray], top: int = 10, seed: int = 0
) -> pa.Table:
    """agreement.parquet: see `SCHEMA`.

    Over features that were drawn, over these and the top ones, and over all where all were ablated:
    Pearson and Spearman of each of `PREDICTORS` with the effect; where all were, also the share of
    the `top` largest effects that are among the `top` largest of the predictor. Of sums: medians
    over prompts of completeness, see `completeness`.
    """
    column = {name: ablations[name].to_numpy() for name in ablations.column_names}
    samples = {
        DRAWN: column["drawn"],
        WITH_TOP: column["drawn"] | column["top"],
        ALL: column["whole"],
    }
    prompts = [np.flatnonzero(column["prompt"] == p) for p in np.unique(column["prompt"])]
    rows = []
    for sample, kept in samples.items():
        parts = [own[kept[own]] for own in prompts if kept[own].any()]
        for predictor in PREDICTORS:
            values, effect = _compared(column, predictor)
            for name, statistic in _statistics(sample, top).items():
                several = np.array([statistic(values[own], effect[own]) for own in parts])
                rows.append((sample, predictor, name, *interval(several, np.mean, seed)))
    for (predictor, name), several in completeness(sums).items():
        rows.append((SUMS, predictor, name, *interval(several, np.median, seed)))
    table = pa.table(dict(zip(SCHEMA.names, zip(*rows, strict=True), strict=True)))
    numbers = [
        pa.array(np.array(table[name].to_pylist(), float), from_pandas=True)
        if pa.types.is_floating(SCHEMA.field(name).type)
        else table[name].combine_chunks()
        for name in SCHEMA.names
    ]
    return pa.table(dict(zip(SCHEMA.names, numbers, strict=True))).cast(SCHEMA)


def _compared(column: Mapping[str, np.ndarray], predictor: str) -> tuple[np.ndarray, np.ndarray]:
    """The values of a predictor, and the effects that it is held against."""
    if predictor == SIZE:
        return column[ACTIVATION], np.abs(column["effect"])
    return column["attribution" if predictor == GRADIENT else predictor], column["effect"]


Statistic = Callable[[np.ndarray, np.ndarray], float]


def _statistics(sample: str, top: int) -> dict[str, Statistic]:
    both: dict[str, Statistic] = {"pearson": pearson, "spearman": spearman}
    return both | {"top": lambda a, b: top_share(a, b, top)} if sample == ALL else both


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation; NaN where one of the two does not vary, or there are fewer than 3."""
    if len(a) < 3:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else np.nan


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation of ranks, ties at the mean of theirs."""
    if np.isnan(a).any() or np.isnan(b).any():
        return np.nan
    return pearson(_mean_ranks(a), _mean_ranks(b))


def _mean_ranks(values: np.ndarray) -> np.ndarray:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def top_share(values: np.ndarray, effect: np.ndarray, top: int) -> float:
    """Share of the `top` largest effects that are among the `top` largest values, both by size; NaN
    for fewer than twice as many features."""
    if len(values) < 2 * top or np.isnan(values).any():
        return np.nan
    first, second = (ranked(np.abs(one)) <= top for one in (values, effect))
    return float((first & second).sum() / top)


def completeness(sums: Mapping[str, np.ndarray]) -> dict[tuple[str, str], np.ndarray]:
    """(prompt,) residuals by predictor and name.

    identity: |features + error + bias - total| / (|features| + |error| + |bias| + |total|), which
    is rounding alone. completeness: |sum over features - (L - L without any feature)| / |L - L
    without any feature|.
    """
    parts = [sums[name] for name in ("features", "error", "bias")]
    off = np.abs(sum(parts) - sums["total"])
    size = sum(np.abs(part) for part in [*parts, sums["total"]])
    change = sums["difference"] - sums["without"]
    result = {(GRADIENT, "identity"): off / np.where(size > 0, size, 1)}
    with np.errstate(divide="ignore", invalid="ignore"):
        for predictor, name in ((GRADIENT, "features"), (INTEGRATED, "integrated")):
            share = np.abs(sums[name] - change) / np.abs(change)
            result[predictor, "completeness"] = np.where(np.isfinite(share), share, np.nan)
    return result


def interval(
    values: np.ndarray, of: Callable[..., np.ndarray], seed: int
) -> tuple[float, float, float, int]:
    """A mean or median over prompts, its percentile interval over `DRAWS` resamples of prompts, and
    their number; prompts without the value are left out."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.nan, np.nan, np.nan, 0
    rng = np.random.default_rng(seed)
    drawn = of(known[rng.integers(len(known), size=(DRAWS, len(known)))], axis=1)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(of(known)), float(low), float(high), len(known)


def value(table: pa.Table, sample: str, predictor: str, statistic: str) -> float | None:
    """A number of agreement.parquet; None where it has none."""
    wanted = {"sample": sample, "predictor": predictor, "statistic": statistic}
    rows = [row for row in table.to_pylist() if wanted.items() <= row.items()]
    return rows[0]["value"] if rows else None


def of_gradient(table: pa.Table) -> float | None:
    """Pearson's correlation of one gradient with true ablation."""
    return value(table, DRAWN, GRADIENT, "pearson")


def of_activation(table: pa.Table) -> float | None:
    """Pearson's correlation of plain activation with true ablation."""
    return value(table, DRAWN, ACTIVATION, "pearson")
