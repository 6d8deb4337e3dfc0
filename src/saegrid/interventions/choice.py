"""Choice of features to steer with, and what else might have chosen: scores beside one another.

A feature is chosen by the gain in probability of the tokens of its *own words* while it is clamped,
on prompts of their own (stories3M: Spearman .66 with the gain of texts that have the words, against
.20 of meaning and .01 of the logit lens).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from saegrid.features.logits import ADDED, STREAM
from saegrid.interventions.choice_table import GROUPS, LENS_SCORE, MEANING, OWN, RANDOM, SCHEMA
from saegrid.interventions.edits import Change, intervening, special_ids
from saegrid.interventions.live import InterventionError, Live
from saegrid.interventions.prompts import Own
from saegrid.models.load import Loaded

NUMBERS = 1 << 24
"""Logits that are held at a time."""
LENS = 20
"""Tokens that a feature's direction raises most, by the logit lens."""


class Scores(NamedTuple):
    """Scores of features, (feature,) float64 each."""

    own: np.ndarray
    lens: np.ndarray
    confidence: np.ndarray
    kl: np.ndarray


def check_alive(own: dict[int, Own], features: Sequence[int], live: Live) -> None:
    """InterventionError for a feature that never fires: it has no maximum to be multiplied."""
    live.check(list(features))
    for feature in features:
        if feature not in own or not own[feature].largest > 0:
            raise InterventionError(
                f"Feature {feature} of the SAE at {live.site} is dead or nearly so: it fires on "
                "too few tokens of the corpus to have a maximum and words. Take another one."
            )


def lens_tokens(model: Loaded, live: Live, features: Sequence[int]) -> np.ndarray | None:
    """(feature, LENS) ids that the decoder rows raise most, best first; None without a linear path
    to the logits."""
    names = model.unembedding
    if names is None or names.project is not None or live.writes.position not in STREAM:
        return None
    rows = live.rows(list(features)).double()
    rows = rows - rows.mean(1, keepdim=True) if names.kind == "layer" else rows
    if names.norm_weight is not None:
        rows = rows * (model.tensor(names.norm_weight).double() + names.plus)
    if live.writes.position in ADDED:
        rows = rows * model.family.factor(model.model.config.to_dict())
    unembedding = model.tensor(names.unembed)
    parts = [
        (part.float() @ unembedding.float().T).topk(LENS, dim=1).indices.cpu()
        for part in rows.split(max(1, NUMBERS // len(unembedding)))
    ]
    return torch.cat(parts).numpy()


def meaning(model: Loaded, targets: Sequence[int]) -> float:
    """Mean cosine of the input embeddings of tokens, over pairs; NaN of fewer than two."""
    if len(targets) < 2:
        return float("nan")
    rows = model.model.get_input_embeddings().weight[list(targets)].double()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-12)
    n = len(targets)
    return float(((rows @ rows.T).sum() - n) / (n * (n - 1)))


@torch.no_grad()
def scores(
    model: Loaded,
    live: Live,
    own: dict[int, Own],
    features: Sequence[int],
    prompts: Sequence[Sequence[int]],
    strength: float,
) -> Scores:
    """Scores of features, each clamped at `strength` times its own maximum.

    prompts: token ids of one length.
    """
    check_alive(own, features, live)
    ids = torch.tensor([list(prompt) for prompt in prompts]).to(model.device)
    special = torch.tensor(sorted(special_ids(model)), device=model.device)
    counted = ~torch.isin(ids, special)  # predictions made at tokens that are edited
    plain = model.output(ids)[counted].float().log_softmax(-1)
    lens = lens_tokens(model, live, features)
    step = max(1, NUMBERS // (ids.numel() * plain.shape[1]))
    columns = []
    for start in range(0, len(features), step):
        some = list(features[start : start + step])
        change = Change("clamp", some, [strength * own[f].largest for f in some])
        with intervening(model, [(live, change)]):
            logits = model.output(ids.repeat(len(some), 1))
        logits = logits.view(len(some), *ids.shape, -1)[:, counted]
        for number, feature in enumerate(some):
            clamped = logits[number].float().log_softmax(-1)
            path = None if lens is None else torch.from_numpy(lens[start + number])
            columns.append(_score(plain, clamped, list(own[feature].targets), path))
    return Scores(*np.array(columns, np.float64).reshape(-1, 4).T)


def _score(
    plain: Tensor, clamped: Tensor, targets: list[int], lens: Tensor | None
) -> tuple[float, float, float, float]:
    """The scores of one feature; log-probabilities (position, token)."""

    def gain(tokens: list[int] | Tensor) -> float:
        moved = clamped[:, tokens].double().exp() - plain[:, tokens].double().exp()
        return float(moved.sum(1).mean())

    p = plain.double()
    kl = float((p.exp() * (p - clamped.double())).sum(1).mean())
    surest = clamped.double().amax(1).exp() - p.amax(1).exp()
    return gain(targets), gain(lens) if lens is not None else np.nan, float(surest.mean()), kl


def alike(own: dict[int, Own], among: Sequence[int], feature: int, taken: set[int]) -> int:
    """The feature nearest in log density and log maximum that has none of the feature's words.

    taken: features that are not to be taken again where there are others.
    """
    its = own[feature]
    free = [f for f in among if f != feature and not set(own[f].words) & set(its.words)]
    free = [f for f in free if f not in taken] or free
    if not free:
        raise InterventionError(
            f"Feature {feature} has no control: no other feature with words of its own is in the "
            "pool. Give a larger corpus or a wider SAE."
        )

    def distance(other: int) -> tuple[float, int]:
        n = np.log(own[other].n_active / its.n_active)
        largest = np.log(own[other].largest / its.largest)
        return float(n * n + largest * largest), other

    return min(free, key=distance)


def choose(
    own: dict[int, Own], features: Sequence[int], of: Scores, coherence: np.ndarray, n: int
) -> tuple[dict[str, list[int]], dict[int, int]]:
    """The n features of each choice, and the control of each feature that is chosen.

    features: those of the pool, in the order of the scores. The random ones are like those of
    `own` in density and maximum, one each, drawn from the pool.
    """
    features = list(features)

    def best(score: np.ndarray) -> list[int]:
        order = np.lexsort((features, -np.nan_to_num(score, nan=-np.inf)))
        return [features[i] for i in order[:n] if np.isfinite(score[i])]

    groups = {OWN: best(of.own), LENS_SCORE: best(of.lens), MEANING: best(coherence)}
    taken, drawn = set(groups[OWN]), []
    for feature in groups[OWN]:
        drawn.append(alike(own, features, feature, taken))
        taken.add(drawn[-1])
    groups[RANDOM] = list(dict.fromkeys(f for f in drawn if f not in groups[OWN]))
    everyone = dict.fromkeys(f for some in groups.values() for f in some)
    return groups, {f: alike(own, features, f, set()) for f in everyone}


def table(
    own: dict[int, Own],
    features: Sequence[int],
    of: Scores,
    coherence: np.ndarray,
    groups: dict[str, list[int]],
    controls: dict[int, int],
) -> pa.Table:
    """steering_choice.parquet, see `SCHEMA`."""
    rows = [
        {
            "feature": feature,
            "n_active": own[feature].n_active,
            "max_activation": own[feature].largest,
            "words": list(own[feature].words),
            "targets": list(own[feature].targets),
            "share": own[feature].share,
            "own": of.own[i],
            "lens": of.lens[i],
            "meaning": coherence[i],
            "confidence": of.confidence[i],
            "kl": of.kl[i],
            "groups": [name for name in GROUPS if feature in groups[name]],
            "control": controls.get(feature),
        }
        for i, feature in enumerate(features)
    ]
    return pa.Table.from_pylist(rows, SCHEMA)
