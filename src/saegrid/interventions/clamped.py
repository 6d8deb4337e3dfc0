"""Features of an SAE held at a value while the model reads texts and goes on with prompts.

    delta         log p(target | clamped) - log p(target), a mean over the target tokens of the
                  feature, over the positions of a text without BOS, and over texts
    specificity   delta of the feature's clamp - delta of its control's: the same tokens, another
                  feature that is about as dense, silent on them, and pushed as far

The target tokens of a feature are those that it is most active on.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch

from saegrid.codes.sparse import Features
from saegrid.interventions.edits import Change, intervening
from saegrid.interventions.generate import generate
from saegrid.interventions.live import Live
from saegrid.interventions.written import spread
from saegrid.models.load import Loaded
from saegrid.text.continued import pieces_of
from saegrid.text.tokenizer import Encoder

CLAMPS = pa.schema([("feature", pa.int64())])
TEXTS = pa.schema([("feature", pa.int64())])
"""Columns of both tables where nothing is clamped."""
TARGETS = 5
"""Target tokens of a feature, at most."""


class Target(NamedTuple):
    """A feature that is clamped, with its control."""

    feature: int
    control: int
    ids: tuple[int, ...]
    """Ids of its target tokens, the strongest first."""
    share: float
    """Share of its activation that falls on them."""
    largest: float
    """Its largest activation."""


def on_tokens(codes: Features, token_id: np.ndarray, feature: int) -> tuple[np.ndarray, np.ndarray]:
    """The ids of the tokens that a feature is active on, and its activation on each, the strongest
    first; ties go to the smaller id."""
    index, value = codes.of(feature)
    ids, place = np.unique(token_id[index], return_inverse=True)
    total = np.bincount(place, value.astype(np.float64), len(ids))
    order = np.argsort(-total, kind="stable")
    return ids[order], total[order]


def targets(
    codes: Features, token_id: np.ndarray, sample: Sequence[int], n: int, least: int
) -> list[Target]:
    """The n features of a sample whose activation falls most on few tokens, each with its control.

    The control is the feature nearest in the number of active tokens that is active on at least
    `least`, on none of the target tokens, and not in the sample; ties go to the smaller number. A
    feature without one is left out.
    """
    active = np.diff(codes.indptr)
    ranked = []
    for feature in sample:
        ids, total = on_tokens(codes, token_id, feature)
        share = float(total[:TARGETS].sum() / total.sum())
        ranked.append((share, int(feature), tuple(ids[:TARGETS].tolist())))
    chosen: list[Target] = []
    for share, feature, ids in sorted(ranked, key=lambda one: (-one[0], one[1])):
        taken = {*sample, *(one.control for one in chosen)}
        control = _control(codes, token_id, active, feature, ids, least, taken)
        if control is not None and len(chosen) < n:
            largest = float(codes.of(feature)[1].max())
            chosen.append(Target(feature, control, ids, share, largest))
    return chosen


def _control(
    codes: Features,
    token_id: np.ndarray,
    active: np.ndarray,
    feature: int,
    ids: Collection[int],
    least: int,
    taken: Collection[int],
) -> int | None:
    far = np.abs(np.log(np.maximum(active, 1)) - np.log(active[feature]))
    for other in np.argsort(far, kind="stable").tolist():
        if active[other] < least or other in taken:
            continue
        if not np.isin(token_id[codes.of(other)[0]], list(ids)).any():
            return other
    return None


class Arm(NamedTuple):
    """A clamp of a feature or of its control."""

    target: Target
    name: str
    feature: int
    value: float


def arms_of(live: Live, chosen: Sequence[Target], strength: float) -> list[Arm]:
    """Each feature and its control clamped high, to 0 and low.

    High is `strength` times the largest activation of the feature, low the same below 0. The value
    of the control is scaled by the norms of the decoder rows, so that both are pushed equally far.
    """
    arms = []
    for target in chosen:
        norm = live.rows([target.feature, target.control]).norm(dim=1).tolist()
        for name, factor in (("high", strength), ("zero", 0.0), ("low", -strength)):
            value = factor * target.largest
            arms.append(Arm(target, name, target.feature, value))
            arms.append(Arm(target, f"control {name}", target.control, value * norm[0] / norm[1]))
    return arms


def change_of(arms: Sequence[Arm]) -> Change:
    """The change of a batch with an arm a row, or several rows an arm."""
    return Change("clamp", [arm.feature for arm in arms], [arm.value for arm in arms])


@torch.no_grad()
def log_probabilities(model: Loaded, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """(row, position, d_vocab) float64 log-probabilities of the next token of equally long rows."""
    ids = torch.tensor(list(rows), device=model.device)
    return torch.log_softmax(model.output(ids).double(), dim=2).cpu()


def deltas(
    model: Loaded, live: Live, arms: Sequence[Arm], texts: Sequence[Sequence[int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(text, arm) the log-probability of the arm's target tokens without it, the change of it by
    the arm, and the KL divergence of the next token from that without to that with the arm."""
    base, delta, kl = (np.zeros((len(texts), len(arms))) for _ in range(3))
    for number, text in enumerate(texts):
        plain = log_probabilities(model, [text])[0, 1:]
        with intervening(model, [(live, change_of(arms))]):
            moved = log_probabilities(model, [text] * len(arms))[:, 1:]
        for place, arm in enumerate(arms):
            ids = list(arm.target.ids)
            base[number, place] = plain[:, ids].mean()
            delta[number, place] = (moved[place][:, ids] - plain[:, ids]).mean()
            kl[number, place] = (plain.exp() * (plain - moved[place])).sum(1).mean()
    return base, delta, kl


def table(
    arms: Sequence[Arm],
    measured: tuple[np.ndarray, np.ndarray, np.ndarray],
    spell: Callable[[int], str],
    norm: float,
) -> pa.Table:
    """clamps.parquet: a row a feature and arm (high, zero, low).

    Columns: feature, control, arm, value, push (its distance from 0 in the model's units over the
    mean norm of the site), targets, share, largest, n_texts, base, delta_target, delta_control,
    specificity with the standard error of its mean over texts, kl, kl_control.
    """
    base, delta, kl = measured
    rows = []
    for place in range(0, len(arms), 2):
        arm, target = arms[place], arms[place].target
        apart = delta[:, place] - delta[:, place + 1]
        error = apart.std(ddof=1) / np.sqrt(len(apart)) if len(apart) > 1 else float("nan")
        rows.append(
            {
                "feature": target.feature,
                "control": target.control,
                "arm": arm.name,
                "value": arm.value,
                "push": norm and arm.value / norm,
                "targets": [spell(token) for token in target.ids],
                "share": target.share,
                "largest": target.largest,
                "n_texts": len(apart),
                "base": base[:, place].mean(),
                "delta_target": delta[:, place].mean(),
                "delta_control": delta[:, place + 1].mean(),
                "specificity": apart.mean(),
                "error": error,
                "kl": kl[:, place].mean(),
                "kl_control": kl[:, place + 1].mean(),
            }
        )
    return pa.Table.from_pylist(rows)


def clamped_texts(
    model: Loaded,
    live: Live,
    arms: Sequence[Arm],
    prompts: Mapping[str, Sequence[int]],
    how: Mapping[str, Any],
    decode: Callable[[list[int]], str],
) -> pa.Table:
    """clamped_texts.parquet: what the model writes after each prompt, with and without an arm.

    All texts of a prompt have the same noise, so that they part only where an arm makes them.
    Columns: feature, arm (none: nothing is clamped), id (of the prompt), tokens, target (of each
    token: one of the feature's), parts (number of the first token that differs from the text
    without), surprisal (mean -ln p of its tokens for the model that nothing is done to).

    prompts: ids of their tokens, by id. how: new_tokens, temperature, seed and ends.
    """
    ids, noise = list(prompts.values()), [(n, how["seed"]) for n in range(len(prompts))]
    drawing = {"temperature": how["temperature"], "ends": how["ends"]}
    plain = generate(model, ids, how["new_tokens"], noise=noise, **drawing).rows()
    moved = generate(
        model,
        ids * len(arms),
        how["new_tokens"],
        [(live, change_of(arms))],
        noise=noise * len(arms),
        **drawing,
    ).rows()
    rows: list[dict[str, Any]] = []
    for target in dict.fromkeys(arm.target for arm in arms):
        own = [("none", plain)] + [
            (arm.name, moved[at * len(ids) : (at + 1) * len(ids)])
            for at, arm in enumerate(arms)
            if arm.target == target
        ]
        for place, name in enumerate(prompts):
            for arm, written in own:
                new, before = written[place], plain[place]
                same = next(
                    (k for k, (a, b) in enumerate(zip(new, before, strict=False)) if a != b),
                    min(len(new), len(before)),
                )
                rows.append(
                    {
                        "feature": target.feature,
                        "arm": arm,
                        "id": name,
                        "tokens": pieces_of(list(ids[place]), new, decode),
                        "target": [token in target.ids for token in new],
                        "parts": same,
                        "surprisal": surprisal(model, ids[place], new),
                    }
                )
    return pa.Table.from_pylist(rows)


def surprisal(model: Loaded, prompt: Sequence[int], new: Sequence[int]) -> float:
    """The mean -ln p of new tokens behind a prompt; NaN of none."""
    if not new:
        return float("nan")
    known = log_probabilities(model, [[*prompt, *new]])[0, len(prompt) - 1 : -1]
    return -float(known.gather(1, torch.tensor(list(new))[:, None]).mean())


def clamp(
    model: Loaded,
    live: Live,
    encoder: Encoder,
    codes: Features,
    tokens: pa.Table,
    items: pa.Table,
    sample: Sequence[int],
    norm: float,
    stop: bool,
    section: Mapping[str, Any],
    say: Callable[[str], None] = print,
) -> tuple[pa.Table, pa.Table]:
    """The tables clamps.parquet and clamped_texts.parquet of a cell.

    tokens, items: of a continued corpus. sample: features that were drawn. norm: mean norm of the
    site. stop: a special token ends a text. section: settings of `analyses.hooks`.
    """
    ids, item = (tokens[name].to_numpy() for name in ("token_id", "item"))
    places = spread(items, section["theme"], section["read"])
    texts, names = items["edited"].to_pylist(), items["id"].to_pylist()
    prompts = {names[n]: encoder.opened(texts[n]) for n in places[: section["shown"]]}
    chosen = targets(codes, ids, sample, section["clamped"], section["least"])
    arms = arms_of(live, chosen, section["strength"])
    say(f"{len(arms)} arms of {len(chosen)} features on {len(places)} texts")
    if not arms:
        return pa.Table.from_pylist([], CLAMPS), pa.Table.from_pylist([], TEXTS)
    measured = deltas(model, live, arms, [ids[item == n].tolist() for n in places])
    how = {name: section[name] for name in ("new_tokens", "temperature", "seed")}
    how["ends"] = encoder.special_ids if stop else []
    written = clamped_texts(model, live, arms, prompts, how, encoder.decode)
    clamps = table(arms, measured, lambda token: encoder.decode([token]), norm)
    return clamps, written
