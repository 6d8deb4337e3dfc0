"""Dose-response of steering: texts written under the arms, and what they and neutral texts tell.

Noise by (prompt, seed, step) is shared by all arms, so that texts part only where an edit makes
them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from saegrid.evidence.intervals import exact
from saegrid.interventions.arms import Arm, Settings, batches, begun, together
from saegrid.interventions.dose_table import CONTROL, FEATURE, NONE, SCHEMA, TEXTS
from saegrid.interventions.edits import intervening, special_ids
from saegrid.interventions.generate import generate
from saegrid.interventions.live import Live
from saegrid.interventions.prompts import Own, hits
from saegrid.models.load import Loaded

ROWS = 480
"""Texts that are written at a time."""
NUMBERS = 1 << 24
"""Logits that are held at a time."""


Key = tuple[Arm, int, int]
"""Arm, prompt and seed of a text."""
Written = dict[Key, list[int]]
"""New tokens of each text."""


def write(
    model: Loaded, live: Live, arms: Sequence[Arm], prompts: Sequence[Sequence[int]], of: Settings
) -> Written:
    """The texts of all arms, from each prompt with each seed."""
    special, written = special_ids(model), {}
    places = [(prompt, seed) for prompt in range(len(prompts)) for seed in range(of.seeds)]
    for some in batches(arms, ROWS // len(places)):
        keys = [(arm, *place) for arm in some for place in places]
        rows = [begun(arm, prompts[prompt], special) for arm, prompt, _ in keys]
        change = together(some)
        result = generate(
            model,
            rows,
            of.new,
            [(live, change)] if change else [],
            temperature=of.temperature,
            noise=[key[1:] for key in keys],
        )
        written |= dict(zip(keys, result.rows(), strict=True))
    return written


@torch.no_grad()
def surprisals(model: Loaded, rows: Sequence[tuple[Sequence[int], Sequence[int]]]) -> np.ndarray:
    """(row,) float64: mean -log p of new tokens behind a prompt, under the model as it is; NaN
    where there is none. rows: prompt and new tokens of each."""
    means = np.full(len(rows), np.nan)
    lengths = [len(prompt) + len(new) for prompt, new in rows]
    order = sorted((i for i, (_, new) in enumerate(rows) if new), key=lambda i: (lengths[i], i))
    step = max(1, NUMBERS // (max(lengths, default=1) * model.sizes.d_vocab))
    for start in range(0, len(order), step):
        some = order[start : start + step]
        # Padding stands on the right: a causal model never looks at it.
        ids = torch.zeros(len(some), lengths[some[-1]], dtype=torch.int64)
        for line, i in zip(ids, some, strict=True):
            line[: lengths[i]] = torch.tensor([*rows[i][0], *rows[i][1]])
        ids = ids.to(model.device)
        log_p = model.output(ids)[:, :-1].double().log_softmax(-1)
        chosen = log_p.gather(-1, ids[:, 1:, None])[..., 0].cpu().numpy()
        for line, i in zip(chosen, some, strict=True):
            means[i] = -line[len(rows[i][0]) - 1 : lengths[i] - 1].mean()
    return means


def rep3(ids: Sequence[int]) -> float:
    """Fraction of runs of three tokens that stood before; 0 of fewer than three tokens."""
    runs = list(zip(ids, ids[1:], ids[2:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


class Neutral(NamedTuple):
    """Effects on neutral texts."""

    delta_target: float
    kl: float


@torch.no_grad()
def on_neutral(
    model: Loaded,
    live: Live,
    arms: Sequence[Arm],
    texts: Sequence[Sequence[int]],
    own: dict[int, Own],
) -> dict[Arm, Neutral]:
    """Effects of arms on the predictions within texts of one length."""
    special = special_ids(model)
    ids = torch.tensor([list(text) for text in texts]).to(model.device)
    counted = ~torch.isin(ids, torch.tensor(sorted(special), device=model.device))
    plain = model.output(ids)[counted].double().log_softmax(-1)
    before = {
        feature: plain[:, list(own[feature].targets)].logsumexp(1)
        for feature in {arm.feature for arm in arms}
    }
    result = {}
    for some in batches(arms, NUMBERS // (ids.numel() * plain.shape[1])):
        # Prefixes are of different lengths.
        for group in [[arm] for arm in some] if some[0].prefix else [some]:
            rows = torch.tensor(
                [begun(arm, text, special) for arm in group for text in ids.tolist()]
            )
            change = together(group)
            with intervening(model, [(live, change)] if change else []):
                logits = model.output(rows.to(model.device))
            logits = logits.view(len(group), len(ids), rows.shape[1], -1)
            shifted = logits[:, :, -ids.shape[1] :][:, counted]
            for arm, one in zip(group, shifted, strict=True):
                log_p = one.double().log_softmax(-1)
                target = log_p[:, list(own[arm.feature].targets)].logsumexp(1)
                kl = (plain.exp() * (plain - log_p)).sum(1).mean()
                result[arm] = Neutral(float((target - before[arm.feature]).mean()), float(kl))
    return result


class Shown(NamedTuple):
    """A text as it is shown."""

    before: str
    text: str
    parting: int
    n_hits: int


def shown(
    decode: Callable[[list[int]], str],
    prompt: Sequence[int],
    new: Sequence[int],
    plain: Sequence[int],
    words: Sequence[str],
) -> Shown:
    """A text behind its prompt, where it parts from the text without an edit, and its hits."""
    before = decode(list(prompt))
    text = decode([*prompt, *new])[len(before) :]
    same = next(
        (i for i, pair in enumerate(zip(new, plain, strict=False)) if len(set(pair)) > 1),
        min(len(new), len(plain)),
    )
    shared = decode([*prompt, *new[:same]])[len(before) :]
    return Shown(before, text, len(shared), len(hits(text, set(words))))


def measure(
    model: Loaded,
    live: Live,
    part: str,
    arms: Sequence[Arm],
    prompts: Sequence[Sequence[int]],
    neutral: Sequence[Sequence[int]],
    own: dict[int, Own],
    of: Settings,
    decode: Callable[[list[int]], str],
) -> tuple[pa.Table, pa.Table]:
    """The rows of `SCHEMA` and of `TEXTS` of a part."""
    none = Arm(-1, NONE)
    written = write(model, live, [none, *arms], prompts, of)
    effects = on_neutral(model, live, arms, neutral, own)
    keys = list(written)
    # Behind the prompt alone: a prefix is no part of what a reader of the text has.
    behind = [(prompts[prompt], new) for (_, prompt, _), new in written.items()]
    surprisal = dict(zip(keys, surprisals(model, behind), strict=True))
    texts: dict[Key, Shown] = {}
    for arm, prompt, seed in keys:
        words = own[arm.feature].words if arm.change or arm.prefix else ()
        plain = written[none, prompt, seed]
        new = written[arm, prompt, seed]
        texts[arm, prompt, seed] = shown(decode, prompts[prompt], new, plain, words)
    places = [key[1:] for key in keys if key[0] is none]
    means = {arm: _means(arm, places, surprisal, written) for arm in [none, *arms]}
    by_dose = {(a.feature, a.name, a.dose): effects[a].delta_target for a in arms}
    rows = []
    for arm in arms:
        words = set(own[arm.feature].words)
        n_with = sum(texts[arm, *place].n_hits > 0 for place in places)
        without = np.mean([bool(hits(texts[none, *place].text, words)) for place in places])
        control = by_dose.get((arm.feature, CONTROL, arm.dose)) if arm.name == FEATURE else None
        rows.append(
            {
                **_arm(part, arm),
                "value": arm.value,
                "norm_share": arm.norm_share,
                **_inclusion(n_with, len(places), float(without)),
                "surprisal": means[arm][0],
                "surprisal_plain": means[none][0],
                "rep3": means[arm][1],
                "rep3_plain": means[none][1],
                "delta_target": effects[arm].delta_target,
                "specificity": None if control is None else effects[arm].delta_target - control,
                "kl": effects[arm].kl,
            }
        )
    lines: list[dict[str, Any]] = [
        {
            **_arm(part, arm),
            "prompt": prompt,
            "seed": seed,
            **texts[arm, prompt, seed]._asdict(),
            "surprisal": surprisal[arm, prompt, seed],
        }
        for arm, prompt, seed in keys
    ]
    return pa.Table.from_pylist(rows, SCHEMA), pa.Table.from_pylist(lines, TEXTS)


def _means(
    arm: Arm,
    places: Sequence[tuple[int, int]],
    surprisal: Mapping[Key, float],
    written: Written,
) -> tuple[float, float]:
    """Mean surprisal and mean rep3 of the texts of an arm."""
    values = [surprisal[arm, *place] for place in places]
    repeated = [rep3(written[arm, *place]) for place in places]
    return float(np.nanmean(values)), float(np.mean(repeated))


def _arm(part: str, arm: Arm) -> dict[str, Any]:
    """The columns that name an arm."""
    return {"part": part, "feature": arm.feature, "arm": arm.name, "dose": arm.dose}


def _inclusion(n_with: int, n: int, without: float) -> dict[str, Any]:
    """The columns of texts with one of the feature's own words, with the exact interval.

    without: share of the texts without an edit that have one.
    """
    low, high = exact(np.array([n_with]), np.array([n]))
    return {
        "n_texts": n,
        "n_with": n_with,
        "inclusion": n_with / n,
        "low": float(low[0]),
        "high": float(high[0]),
        "inclusion_plain": without,
        "gain": n_with / n - without,
    }
