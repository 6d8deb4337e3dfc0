"""Text generated under interventions, token by token with a cache, and what each token carried.

Rows of any length run together, padded on the left. A token is drawn by the Gumbel trick: the
largest of logit / temperature + noise, where the noise belongs to (prompt, seed, step) alone, so
that all arms of an experiment share it and part only where the edit makes them.
"""

import inspect
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saegrid.base.words import Site
from saegrid.interventions.edits import Change, Push, intervening, special_ids
from saegrid.interventions.live import InterventionError, Live
from saegrid.models.hooks import reading
from saegrid.models.load import Loaded

Edits = Sequence[tuple[Live, Change | Push | None]]
Noise = Sequence[tuple[int, int]]
"""The number of the prompt and the seed of each row."""


@dataclass(frozen=True)
class Generated:
    """The new tokens of some rows."""

    ids: np.ndarray
    """(row, step) int64; -1 behind the end of a row."""
    length: np.ndarray
    """(row,) int64: number of new tokens, with the one that ends the text."""
    x: dict[Site, Tensor] = field(default_factory=dict)
    """(row, step, channel) of each site that was asked for: activations at the new tokens
    themselves, as the edits left them; behind the end of a row they mean nothing."""

    def rows(self) -> list[list[int]]:
        """The new tokens of each row."""
        return [ids[:n].tolist() for ids, n in zip(self.ids, self.length, strict=True)]


class Padded(NamedTuple):
    """Rows of one length, padded on the left."""

    ids: Tensor
    """(row, position) int64."""
    seen: Tensor
    """(row, position) int64: 0 on padding."""


def gumbel(noise: Noise, step: int, n: int) -> np.ndarray:
    """(row, n) float64 standard Gumbel noise of a step; equal where prompt and seed are."""
    keys = {key: number for number, key in enumerate(dict.fromkeys(noise))}
    uniform = np.empty((len(keys), n))
    for (prompt, seed), number in keys.items():
        bits = np.random.Philox(key=[prompt, seed], counter=[0, 0, 0, step])
        np.random.Generator(bits).random(out=uniform[number])
    # Half a unit of the last bit up, so that 0 does not come.
    drawn = -np.log(-np.log(uniform + 2.0**-54))
    return drawn[[keys[key] for key in noise]]


def padded(prompts: Sequence[Sequence[int]], filler: int, device: torch.device) -> Padded:
    """The prompts as one batch."""
    width = max(map(len, prompts))
    ids = torch.full((len(prompts), width), filler)
    seen = torch.zeros(len(prompts), width, dtype=torch.int64)
    for row, prompt in enumerate(prompts):
        start = width - len(prompt)
        ids[row, start:] = torch.as_tensor(list(prompt), dtype=torch.int64)
        seen[row, start:] = 1
    return Padded(ids.to(device), seen.to(device))


def check_prompts(model: Loaded, prompts: Sequence[Sequence[int]], new: int) -> None:
    """InterventionError where the model cannot go on with these prompts for `new` tokens."""
    if not model.family.causal or not model.model.can_generate():
        raise InterventionError(
            f"{model.source} cannot generate: a {model.family.name} model does not predict the "
            "next token. Take a causal model."
        )
    if new < 1:
        raise InterventionError(f"At least one token must be generated; got {new}.")
    if not len(prompts):
        raise InterventionError("At least one prompt is needed to generate; got none.")
    for row, prompt in enumerate(prompts):
        if not len(prompt):
            raise InterventionError(
                f"Prompt {row} has no token: give it a word, or begin it with the model's BOS."
            )
        if len(prompt) + new > model.sizes.context:
            raise InterventionError(
                f"Prompt {row} has {len(prompt)} tokens, which with {new} new ones are more than "
                f"the {model.sizes.context} that {model.source} takes: shorten it."
            )
        if not 0 <= min(prompt) <= max(prompt) < model.sizes.d_vocab:
            raise InterventionError(
                f"Prompt {row} has a token id that {model.source} does not know (0 to "
                f"{model.sizes.d_vocab - 1}): use the model's own tokenizer."
            )


class _Steps:
    """Forward passes of a growing batch."""

    def __init__(self, model: Loaded, batch: Padded, cache: bool) -> None:
        self.model, self.batch, self.cached = model, batch, cache
        self.cache: Any = None
        self.places = "position_ids" in inspect.signature(model.model.forward).parameters

    def logits(self) -> Tensor:
        """(row, d_vocab) float32: logits behind the last token."""
        ids, seen = self.batch
        places = (seen.cumsum(1) - 1).clamp(min=0)
        n = 1 if self.cache is not None else ids.shape[1]
        more = {"position_ids": places[:, -n:]} if self.places else {}
        if self.cached:
            more |= {"past_key_values": self.cache}
        output = self.model.model(
            input_ids=ids[:, -n:],
            attention_mask=seen,
            use_cache=self.cached,
            logits_to_keep=1,
            return_dict=True,
            **more,
        )
        self.cache = output.past_key_values if self.cached else None
        return output.logits[:, -1].float()

    def append(self, token: Tensor) -> None:
        """Put a token (row,) behind each row."""
        ids, seen = self.batch
        self.batch = Padded(
            torch.cat([ids, token[:, None]], 1), torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
        )


@torch.no_grad()
def generate(
    model: Loaded,
    prompts: Sequence[Sequence[int]],
    new: int,
    edits: Edits = (),
    *,
    temperature: float = 0.0,
    noise: Noise | None = None,
    positions: str | Tensor = "all",
    special: Collection[int] | None = None,
    ends: Collection[int] | None = None,
    sites: Sequence[Site] = (),
    cache: bool = True,
    form: str = "delta",
) -> Generated:
    """Go on with each prompt for at most `new` tokens.

    Args:
        model: a causal model.
        prompts: token ids of each row, with BOS where the model has one.
        new: number of new tokens.
        edits: changes that are in force, see `intervening`; one for each row, or for groups.
        temperature: 0 takes the likeliest token; else it divides the logits before noise is added.
        noise: prompt and seed of each row; None: its number and 0.
        positions: see `intervening`; a mask is one of the padded batch.
        special: ids of tokens that no edit touches; None: BOS, EOS and padding.
        ends: ids of tokens that end a text; None: BOS (of a text behind this one), EOS and padding.
        sites: sites whose activations at the new tokens are returned, which costs one more pass.
        cache: False runs the whole text again for each token.
        form: see `intervening`.

    Raises:
        InterventionError: the model cannot generate, or a prompt, strength or setting is none.
    """
    check_prompts(model, prompts, new)
    if not (np.isfinite(temperature) and temperature >= 0):
        raise InterventionError(f"temperature must be a number from 0 on; got {temperature}.")
    noise = [(row, 0) for row in range(len(prompts))] if noise is None else list(noise)
    if len(noise) != len(prompts):
        raise InterventionError(
            f"noise must have a prompt and a seed for each of {len(prompts)} rows; got "
            f"{len(noise)}."
        )
    stops = special_ids(model) if ends is None else set(ends)
    filler = min(stops | special_ids(model), default=0)
    steps = _Steps(model, padded(prompts, filler, model.device), cache)
    ids = np.full((len(prompts), new), -1, np.int64)
    going, taken = np.ones(len(prompts), bool), {site: [] for site in sites}
    readers = {site: lambda x, site=site: taken[site].append(x[:, -1].cpu()) for site in sites}
    asked = {"positions": positions, "prompt": steps.batch.ids.shape[1], "special": special}
    context = intervening(model, edits, form=form, **asked) if edits else nullcontext()
    with context, reading(model, readers):
        for step in range(new):
            logits = steps.logits()
            if temperature:
                drawn = torch.from_numpy(gumbel(noise, step, logits.shape[1]))
                logits = logits.cpu() / temperature + drawn.float()
            token = logits.argmax(1).to(model.device)
            chosen = token.cpu().numpy()
            ids[going, step] = chosen[going]
            going &= ~np.isin(chosen, list(stops))
            steps.append(token)
            if not going.any():
                break
        if sites:
            steps.logits()  # the last token is drawn, and was never run
    x = {site: torch.stack(parts[1:], 1) for site, parts in taken.items()}
    return Generated(ids, (ids >= 0).sum(1), x)


@torch.no_grad()
def by_library(
    model: Loaded,
    prompts: Sequence[Sequence[int]],
    new: int,
    edits: Edits = (),
    *,
    positions: str | Tensor = "all",
    special: Collection[int] | None = None,
    ends: Collection[int] | None = None,
    **settings: Any,
) -> list[list[int]]:
    """Go on with each prompt by the library's own `generate`, for beams and whatever else it knows.

    settings: arguments of its own, as num_beams and num_return_sequences, which multiply rows; the
    edits of a prompt's arm hold in all of its rows. Returns the new tokens of each row.
    """
    check_prompts(model, prompts, new)
    stops = special_ids(model) if ends is None else set(ends)
    batch = padded(prompts, min(stops | special_ids(model), default=0), model.device)
    width = batch.ids.shape[1]
    asked = {"positions": positions, "prompt": width, "special": special}
    filler = min(stops, default=0)
    more = {"eos_token_id": sorted(stops) or None, "pad_token_id": filler, "do_sample": False}
    with intervening(model, edits, **asked) if edits else nullcontext():
        ids = model.model.generate(
            input_ids=batch.ids,
            attention_mask=batch.seen,
            max_new_tokens=new,
            **(more | settings),
        )
    rows = []
    for row in ids[:, width:].tolist():
        end = next((i + 1 for i, token in enumerate(row) if token in stops), len(row))
        rows.append(row[:end])
    return rows
