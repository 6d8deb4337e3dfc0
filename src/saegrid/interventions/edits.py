"""Edits of a site by features of an SAE, while a model runs: clamp, scale, add, ablate.

    delta form    x' = x + sum_j (c_j - z_j(x)) v_j
    splice form   x' = SAE_clamp(x) + e        e = x - SAE(x), a constant

Both keep what the SAE does not explain, and are equal up to rounding; the delta form does not touch
x where nothing is changed. All z are those of the unedited x, in float32, with one cast at the end.
x itself is left as it is: a new tensor takes its place, so that readers keep theirs. A reader that
was hooked before an edit sees the unedited x, one that is hooked within it the edited one.
"""

import inspect
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from saegrid.base.errors import shown
from saegrid.base.words import Site
from saegrid.interventions.live import Active, InterventionError, Live
from saegrid.models.hooks import editing, reading
from saegrid.models.load import Loaded

KINDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "clamp": lambda z, value: value - z,
    "scale": lambda z, value: (value - 1) * z,
    "add": lambda z, value: value.expand_as(z),
    "ablate": lambda z, value: -z,
}
"""Changes of z by their kinds: functions of z and of a value, both (token,)."""
POSITIONS = ("all", "prompt", "generated")
FORMS = ("delta", "splice", "without error")
"""Ways to put a change in; the last one leaves the SAE's reconstruction alone in the site."""


@dataclass(frozen=True)
class Change:
    """A change of one feature in all rows, or of another one in each arm of a batch.

    Rows are the arms in order, each as often as the rows are a multiple of them (beams).
    """

    kind: str
    """clamp: z becomes the value. scale: z is multiplied with it. add: it is added to z. ablate: z
    becomes 0."""
    feature: int | Sequence[int] | np.ndarray
    """Number of the feature, or one for each arm."""
    value: float | Sequence[float] | np.ndarray = 0.0
    """Value of the kind, or one for each arm; in the units of z."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InterventionError(
                f"The kind of a change must be one of {', '.join(KINDS)}; got {shown(self.kind)}."
            )
        _arms(self.value, "a strength", np.float64)
        _arms(self.feature, "a feature", np.int64)


@dataclass(frozen=True)
class Push:
    """A direction, in the model's units, that is added to the site: none of the SAE's own."""

    direction: np.ndarray
    """(channel,), or (arm, channel)."""
    value: float | Sequence[float] | np.ndarray = 1.0
    """Factor of the direction, or one for each arm."""

    def __post_init__(self) -> None:
        _arms(self.value, "a strength", np.float64)


def _arms(values: Any, what: str, dtype: Any) -> np.ndarray:
    """(arm,) numbers; InterventionError for one that is not finite."""
    array = np.atleast_1d(np.asarray(values))
    if array.ndim > 1 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise InterventionError(
            f"{what[0].upper()}{what[1:]} must be a finite number, or one for each row; got "
            f"{shown(array.tolist() if np.ndim(values) else values)}."
        )
    if dtype is np.int64 and (array % 1).any():
        raise InterventionError(f"A feature must be a whole number; got {shown(array.tolist())}.")
    return array.astype(dtype)


@dataclass
class Tokens:
    """The tokens of the forward pass that is under way: those that are edited."""

    model: Loaded
    positions: str | Tensor
    special: Collection[int]
    prompt: int | None
    """Length of the prompt; None: that of the first pass."""
    arms: int
    edited: Tensor = field(default_factory=lambda: torch.empty(0))
    """(token,) int64: numbers of the edited tokens, row by row."""
    arm: Tensor = field(default_factory=lambda: torch.empty(0))
    """(token,) int64: arm of each edited token."""

    @contextmanager
    def followed(self) -> Iterator[None]:
        """A context in which these are the tokens of each forward pass."""
        with ExitStack() as hooks:
            # Some models with a head run the blocks without calling their body.
            for module in {self.model.model, self.model.body}:
                handle = module.register_forward_pre_hook(self._see, with_kwargs=True)
                hooks.callback(handle.remove)
            yield

    def _see(self, module: Any, args: tuple, kwargs: dict[str, Any]) -> None:
        self._begin(inspect.signature(module.forward).bind_partial(*args, **kwargs).arguments)

    def _begin(self, arguments: dict[str, Any]) -> None:
        arguments = {**arguments, **arguments.get("kwargs", {})}
        ids, cache = arguments.get("input_ids"), arguments.get("past_key_values")
        rows, n = (arguments["inputs_embeds"] if ids is None else ids).shape[:2]
        device = self.model.device
        # A call of length 1 is a step of generation or a prompt of one token: the cache knows.
        before = 0 if cache is None else int(cache.get_seq_length())
        if self.prompt is None:
            self.prompt = before + n
        if rows % self.arms:
            raise InterventionError(
                f"{self.arms} features or strengths, one for each row, do not fit {rows} rows: the "
                "rows must be a multiple of them (beams and returned sequences multiply rows)."
            )
        edited = torch.ones(rows, n, dtype=torch.bool, device=device)
        if ids is not None and self.special:
            edited &= ~torch.isin(ids, torch.tensor(sorted(self.special), device=device))
        seen = arguments.get("attention_mask")
        if isinstance(seen, Tensor) and seen.ndim == 2:
            edited &= seen[:, -n:].to(device).bool()
        edited &= self._chosen(rows, torch.arange(before, before + n, device=device))
        self.edited = edited.flatten().nonzero()[:, 0]
        self.arm = self.edited // (n * (rows // self.arms))

    def _chosen(self, rows: int, position: Tensor) -> Tensor:
        """(row, position) or (position,) bool: positions that are asked for."""
        if self.positions == "prompt":
            return position < self.prompt
        if self.positions == "generated":
            return position >= self.prompt
        if isinstance(self.positions, str):
            return torch.ones_like(position, dtype=torch.bool)
        mask = self.positions.to(position.device)
        if rows % len(mask):
            raise InterventionError(
                f"A mask of positions has {len(mask)} rows; the batch has {rows}, which must be a "
                "multiple of them."
            )
        known = torch.zeros(len(mask), len(position), dtype=torch.bool, device=position.device)
        inside = position < mask.shape[1]
        known[:, inside] = mask[:, position[inside]].bool()
        return known.repeat_interleave(rows // len(mask), dim=0)


class Edit:
    """The changes of one SAE, as a function of the activations of its site."""

    def __init__(
        self, live: Live, changes: Sequence[Change | Push], tokens: Tokens, form: str
    ) -> None:
        self.live, self.tokens, self.form = live, tokens, form
        self.changes = [change for change in changes if isinstance(change, Change)]
        pushes = [change for change in changes if isinstance(change, Push)]
        n, device = tokens.arms, live.device

        def table(columns: list[np.ndarray], dtype: torch.dtype) -> Tensor:
            wide = [np.broadcast_to(column, (n,)) for column in columns]
            return torch.as_tensor(np.array(wide).reshape(-1, n).T.copy(), dtype=dtype).to(device)

        # (arm, change)
        features = table([_arms(c.feature, "", np.int64) for c in self.changes], torch.int64)
        self.feature = live.check(features)
        self.value = table([_arms(c.value, "", np.float64) for c in self.changes], torch.float32)
        kinds, self.place = torch.unique(self.feature, return_inverse=True)
        self.rows = live.rows(kinds)
        self.pushed = torch.zeros(n, live.sae.decoder.d_model, device=device)
        for push in pushes:
            factor = table([_arms(push.value, "", np.float64)], torch.float32)
            direction = np.broadcast_to(push.direction, self.pushed.shape)
            self.pushed += factor * torch.as_tensor(direction.copy(), dtype=torch.float32)
        self.pushes = bool(pushes)
        self.seen: Tensor | None = None

    def see(self, x: Tensor) -> None:
        """Keep the activations that a transcoder reads, until what it writes is reached."""
        self.seen = x

    def __call__(self, x: Tensor) -> Tensor:
        """The activations (row, position, channel) that take the place of x."""
        edited, whole = self.tokens.edited, x.flatten(0, 1)
        if not len(edited):
            return x
        read = whole if self.seen is None else self.seen.flatten(0, 1)
        every = len(edited) == len(whole)
        y, read = (whole, read) if every else (whole[edited], read[edited])
        wide = torch.promote_types(x.dtype, torch.float32)
        new = self._delta if self.form == "delta" else self._splice
        replaced = new(read, y.to(wide)).to(x.dtype)
        if every:
            return replaced.view(x.shape)
        return whole.index_copy(0, edited, replaced).view(x.shape)

    def _moves(self, read: Tensor) -> tuple[Tensor, Tensor]:
        """Features (token, change) and the changes of their z, float32."""
        arm = self.tokens.arm
        feature, value = self.feature[arm], self.value[arm]
        z = torch.zeros_like(value)
        if any(change.kind != "add" for change in self.changes):
            z = self.live.own(read, feature)
        moves = [KINDS[c.kind](z[:, i], value[:, i]) for i, c in enumerate(self.changes)]
        return feature, torch.stack(moves, 1) if moves else z

    def _delta(self, read: Tensor, y: Tensor) -> Tensor:
        arm, delta = self.tokens.arm, y.new_zeros(())
        if self.changes:
            move = self._moves(read)[1]
            scale = self.live.scale(read)
            move = move if scale is None else move * scale
            if len(self.feature) == 1:
                delta = move @ self.rows[self.place[0]]
            elif len(self.changes) == 1:
                delta = move * self.rows[self.place[:, 0]][arm]
            else:
                delta = torch.einsum("tn,tnd->td", move, self.rows[self.place[arm]])
        return y + (delta + self.pushed[arm] if self.pushes else delta)

    def _splice(self, read: Tensor, y: Tensor) -> Tensor:
        active = self.live.encode(read)
        feature, move = self._moves(read)
        token = torch.arange(len(read), device=move.device)[:, None].expand_as(feature)
        joined = Active(
            torch.cat([active.token, token.flatten()]),
            torch.cat([active.feature, feature.flatten()]),
            torch.cat([active.z, move.flatten()]),
        )
        order = joined.token.argsort(stable=True)
        x_hat = self.live.reconstruct(read, Active(*(part[order] for part in joined)))
        x_hat = x_hat + self.pushed[self.tokens.arm] if self.pushes else x_hat
        if self.form == "without error":
            return x_hat
        return x_hat + error_of(self.live, read, y, active)


def error_of(live: Live, read: Tensor, y: Tensor, active: Active) -> Tensor:
    """(token, channel): y less its reconstruction, without a gradient.

    With one the error would take back every change of z: the gradient at z were exactly 0.
    """
    return (y - live.reconstruct(read, active)).detach()


def special_ids(model: Loaded) -> set[int]:
    """The ids of BOS, EOS and padding in the model's config."""
    config, ids = model.model.config, set()
    for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
        value = getattr(config, name, None)
        ids |= set(value) if isinstance(value, list | tuple) else {value}
    return {int(token) for token in ids if token is not None}


@contextmanager
def intervening(
    model: Loaded,
    edits: Sequence[tuple[Live, Change | Push | None]],
    *,
    positions: str | Tensor = "all",
    prompt: int | None = None,
    special: Collection[int] | None = None,
    form: str = "delta",
) -> Iterator[None]:
    """A context in which features of SAEs are changed whenever the model runs.

    Args:
        model: the model.
        edits: changes, each with its SAE; those of one SAE are made at once. None changes nothing,
            for the SAE spliced in as it is.
        positions: all, prompt, generated, or a mask (row, position) of the whole text; positions
            are counted by the cache, and a mask ends where it is silent.
        prompt: length of the prompt in tokens; None: that of the first pass in the context.
        special: ids of tokens that are left alone; None: the model's BOS, EOS and padding.
        form: delta, splice, or `without error`, which is the SAE spliced in, without and with
            changes.

    Raises:
        InterventionError: a feature, strength, position or form is none, or rows do not fit.
    """
    if form not in FORMS:
        raise InterventionError(f"form must be one of {', '.join(FORMS)}; got {shown(form)}.")
    if isinstance(positions, str) and positions not in POSITIONS:
        raise InterventionError(
            f"positions must be one of {', '.join(POSITIONS)}, or a mask (row, position); got "
            f"{shown(positions)}."
        )
    changes: dict[Live, list[Change | Push]] = {}
    for live, change in edits:
        changes.setdefault(live, []).extend([change] if change else [])
    special = special_ids(model) if special is None else special
    tokens = Tokens(model, positions, special, prompt, arms_of(edits))
    each = [Edit(live, some, tokens, form) for live, some in changes.items()]
    at: dict[Site, list[Edit]] = {}
    for edit in each:
        at.setdefault(edit.live.writes, []).append(edit)
    readers: dict[Site, list[Edit]] = {}
    for edit in each:
        if edit.live.sae.writes is not None:
            readers.setdefault(edit.live.site, []).append(edit)
    with ExitStack() as stack:
        stack.enter_context(tokens.followed())
        stack.enter_context(reading(model, {s: _each(some) for s, some in readers.items()}))
        stack.enter_context(editing(model, {s: _chain(some) for s, some in at.items()}))
        yield


def arms_of(edits: Sequence[tuple[Live, Change | Push | None]]) -> int:
    """The number of arms of some changes; InterventionError where they differ."""
    sizes = set()
    for change in (change for _, change in edits if change):
        sizes.add(len(_arms(change.value, "a strength", np.float64)))
        if isinstance(change, Change):
            sizes.add(len(_arms(change.feature, "a feature", np.int64)))
        else:
            sizes.add(len(np.atleast_2d(change.direction)))
    if len(sizes - {1}) > 1:
        raise InterventionError(
            f"Features and strengths must be one, or as many as there are arms; got "
            f"{' and '.join(map(str, sorted(sizes)))} of them."
        )
    return max(sizes, default=1)


def _chain(edits: Sequence[Edit]) -> Callable[[Tensor], Tensor]:
    def change(x: Tensor) -> Tensor:
        for edit in edits:
            x = edit(x)
        return x

    return change


def _each(edits: Sequence[Edit]) -> Callable[[Tensor], None]:
    def see(x: Tensor) -> None:
        for edit in edits:
            edit.see(x)

    return see
