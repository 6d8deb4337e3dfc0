"""Attribution in a cell: its tables, from a model, an SAE and the texts of a corpus."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.interventions.ablation import effects
from saegrid.interventions.agreement import ablation_table, agreement, ranked, sampled
from saegrid.interventions.attribution import Attributed, attribute
from saegrid.interventions.differences import Prompts
from saegrid.interventions.live import Live
from saegrid.interventions.passes import against_best
from saegrid.models.load import Loaded

EXAMPLES = 3
"""Prompts of a feature that its page shows."""


class Tables(NamedTuple):
    """The tables of a cell."""

    attribution: pa.Table
    """A row a feature that is active on a prompt."""
    examples: pa.Table
    """The prompts on which each feature has its largest attributions."""
    prompts: pa.Table
    """A row a prompt."""
    ablation: pa.Table
    agreement: pa.Table


def attributed(
    model: Loaded,
    live: Live,
    prompts: Prompts,
    strings: Sequence[str],
    settings: Mapping[str, Any],
    memory_mb: int,
    say: Callable[[str], Any] = print,
) -> Tables:
    """The tables of a cell.

    Args:
        model: a causal model.
        live: its SAE.
        prompts: the prompts; where none is named, the best other token is taken.
        strings: text of every token id.
        settings: `steps`, `ablated`, `features`, `top`, `whole` and `seed`, see the stage.
        memory_mb: megabytes that encoding may hold.
        say: gets lines about what will be run and what is done.
    """
    n, steps = len(prompts), settings["steps"]
    say(
        f"attribution: {n:,} prompts of {len(prompts.rows.ids):,} tokens at {live.writes}: "
        f"{steps + 1} passes forward and backward, one forward"
    )
    prompts = against_best(model, prompts)
    pairs = attribute(model, live, prompts, steps, memory_mb)
    say(f"attribution: {len(pairs.prompt) / n:,.1f} features are active on a prompt")
    counts = (settings[name] for name in ("ablated", "features", "top", "whole", "seed"))
    chosen = sampled(pairs, *counts)
    effect = effects(model, live, prompts, pairs, chosen.pair, say)
    ablations = ablation_table(pairs, chosen, effect)
    return Tables(
        by_feature(pairs, chosen.pair, effect),
        examples(pairs, chosen.pair, effect, prompts, strings),
        by_prompt(pairs, prompts, strings),
        ablations,
        agreement(ablations, pairs.prompts, settings["top"], settings["seed"]),
    )


def by_feature(pairs: Attributed, ablated: np.ndarray, effect: np.ndarray) -> pa.Table:
    """attribution.parquet: means over all prompts, those on which a feature is silent counted as 0.

    rank: by the mean size of the attribution, the largest first. effect: mean over the `n_ablated`
    prompts on which the feature was ablated, null without any.
    """
    n = len(pairs.prompts["total"])
    feature, number = np.unique(pairs.feature, return_inverse=True)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(number, values, len(feature)) / n

    n_ablated = np.bincount(number[ablated], minlength=len(feature))
    total = np.bincount(number[ablated], effect, len(feature))
    size = mean(np.abs(pairs.attribution))
    none = n_ablated == 0
    return pa.table(
        {
            "feature": pa.array(feature, pa.int32()),
            "attribution": mean(pairs.attribution),
            "size": size,
            "rank": pa.array(ranked(size), pa.int32()),
            "activation": mean(pairs.activation),
            "n_prompts": pa.array(np.bincount(number, minlength=len(feature)), pa.int32()),
            "effect": pa.array(total / np.maximum(n_ablated, 1), mask=none),
            "n_ablated": pa.array(n_ablated, pa.int32()),
        }
    )


def examples(
    pairs: Attributed,
    ablated: np.ndarray,
    effect: np.ndarray,
    prompts: Prompts,
    strings: Sequence[str],
) -> pa.Table:
    """attribution_examples.parquet: the `EXAMPLES` prompts of each feature with the largest
    attributions by size, the largest first; effect: of its ablation there, null without one."""
    order = np.lexsort((pairs.prompt, -np.abs(pairs.attribution), pairs.feature))
    opens = np.searchsorted(pairs.feature[order], pairs.feature[order])
    shown = order[np.arange(len(order)) - opens < EXAMPLES]
    changed = np.full(len(pairs.prompt), np.nan)
    changed[ablated] = effect
    prompt = pairs.prompt[shown]
    return pa.table(
        {
            "feature": pa.array(pairs.feature[shown], pa.int32()),
            "prompt": pa.array(prompt, pa.int32()),
            "text": pa.array([prompts.text[p] for p in prompt.tolist()], pa.string()),
            **_tokens(prompts, strings, prompt),
            "attribution": pairs.attribution[shown],
            "activation": pairs.activation[shown],
            "effect": pa.array(changed[shown], from_pandas=True),
        }
    )


def _tokens(prompts: Prompts, strings: Sequence[str], some: np.ndarray) -> dict[str, pa.Array]:
    """The two tokens of some prompts, as they are spelled."""
    ids = {"token": prompts.plus, "other": prompts.minus}
    return {
        k: pa.array([strings[i] for i in v[some].tolist()], pa.string()) for k, v in ids.items()
    }


def by_prompt(pairs: Attributed, prompts: Prompts, strings: Sequence[str]) -> pa.Table:
    """attribution_prompts.parquet: the two tokens, L, and the sums of `Attributed.prompts`."""
    every = np.arange(len(prompts))
    return pa.table(
        {
            "prompt": pa.array(every, pa.int32()),
            "item": pa.array(prompts.item, pa.int32()),
            "text": pa.array(prompts.text, pa.string()),
            **_tokens(prompts, strings, every),
            "n_tokens": pa.array(np.diff(prompts.rows.starts), pa.int32()),
            "n_features": pa.array(np.bincount(pairs.prompt, minlength=len(prompts)), pa.int32()),
            **{k: pa.array(v, from_pandas=True) for k, v in pairs.prompts.items()},
        }
    )
