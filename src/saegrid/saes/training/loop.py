"""The training loop that all recipes share.

A recipe says which parameters it adds and what one step costs; the loop does the rest: scaling,
order of the tokens, Adam, schedule, clipping, norms, history, health.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from saegrid.registry import pick
from saegrid.saes.formats.sae_lens import FACTS, WEIGHTS, config, view
from saegrid.saes.health import health
from saegrid.saes.joined import Joined, open_rows
from saegrid.saes.sae import blocks, widen
from saegrid.saes.store import Tensors
from saegrid.saes.training import RECIPES
from saegrid.saes.training.adam import Adam
from saegrid.saes.training.settings import Settings, parse
from saegrid.words import Site

Parameters = dict[str, Tensor]
"""W_enc (feature, d_model), b_enc (feature,), W_dec (feature, d_model), b_dec (d_model,)."""

HELD_OUT = 4096
"""Most tokens that health is measured on."""


class Batch(NamedTuple):
    """What a recipe gets for a step."""

    x: Tensor
    """(token, d_model), scaled."""
    variance: float
    """Mean squared distance of the tokens from their mean, scaled: the unit of the loss."""
    dead: Tensor
    """(n_dead,) ids of the features that have not been active for long."""
    progress: float
    """Share of the steps that are done."""


class Outcome(NamedTuple):
    """One step's loss and what it is made of."""

    loss: Tensor
    """What is minimised."""
    fvu: Tensor
    """Mean squared error of a token over the variance."""
    l0: float
    """Mean number of active features of a token."""
    fired: Tensor
    """(feature,) bool: active in this batch."""


class Recipe(NamedTuple):
    """A way to train."""

    architecture: str
    """SAELens' name of what comes out."""
    start: Callable[[Parameters, Tensor, Any], Parameters]
    """Parameters besides the four, given these, one scaled batch and the settings."""
    step: Callable[[Parameters, Batch, Any], Outcome]
    """Loss of a batch, given the parameters and the settings."""
    finish: Callable[[Parameters, float, Any], tuple[dict[str, Any], Parameters]]
    """More keys of cfg.json and more tensors, given the scale that is folded into them."""


class Trained(NamedTuple):
    """A trained SAE that takes raw activations."""

    cfg: dict[str, Any]
    """cfg.json."""
    tensors: dict[str, np.ndarray]
    """sae_weights.safetensors, float32."""
    history: pa.Table
    """step, tokens, lr, loss, mse, fvu, l0, dead_share, gradient_norm; one row a `log_every`."""
    health: dict[str, Any]
    """fvu, l0 and dead_rate on held-out tokens: value, n, definition (see `saes.health`)."""


def train(
    x: np.ndarray | str | Path | Sequence[str | Path],
    recipe: str,
    settings: dict[str, Any],
    *,
    expansion: int,
    seed: int,
    threads: int = 1,
    site: Site,
    metadata: dict[str, Any] | None = None,
) -> Trained:
    """Train an SAE; equal arguments give equal bytes on one type of machine.

    Args:
        x: raw activations (token, d_model), or activations files that hold them as `x`: one, or
            those of all shards in order.
        recipe: a name in RECIPES.
        settings: settings of the recipe (`training.settings`).
        expansion: d_sae / d_model.
        seed: of first directions, order of the tokens and choice of the held-out ones.
        threads: fixed, since sums depend on it in the last bits.
        site: where x was read, for cfg.json.
        metadata: more facts for cfg.json.

    Raises:
        ValueError: a setting is unknown or wrong, x is not finite, or has too few tokens.
    """
    chosen, told = pick(RECIPES, recipe, "The recipe"), parse(recipe, settings)
    files = [x] if isinstance(x, str | Path) else x
    data = x if isinstance(x, np.ndarray) else open_rows(files)
    where = f"activations of {site}" if isinstance(x, np.ndarray) else ", ".join(map(str, files))
    with _threads(threads):
        run = _Run(data, where, chosen, told, expansion * data.shape[1], seed)
        history = pa.Table.from_pylist([row for row in run.steps() if row])
        cfg, tensors = run.folded(site, {"recipe": recipe, **(metadata or {})})
        sae = view(Path(FACTS), cfg, lambda: Tensors(Path(WEIGHTS), tensors))
        found = health(sae, widen(data[run.held_out]))
    told_health = "  ".join(f"{name} {entry['value']:.4f}" for name, entry in found.items())
    print(f"held out ({len(run.held_out)} tokens): {told_health}", flush=True)
    cfg["metadata"]["health"] = found
    return Trained(cfg, tensors, history, found)


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """n threads for torch and for numpy, as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n, "blas"):
            yield
    finally:
        torch.set_num_threads(before)


def _moments(
    data: np.ndarray | Joined, rows: np.ndarray, where: str
) -> tuple[float, np.ndarray, float]:
    """Mean norm, mean (d_model,) and mean squared distance from it, in float64."""
    norm, square, total = 0.0, 0.0, np.zeros(data.shape[1])
    for start, stop in blocks(len(rows), 8192):
        part = widen(data[rows[start:stop]]).astype(np.float64)
        if not np.isfinite(part).all():
            bad = rows[start:stop][~np.isfinite(part).all(axis=1)][0]
            raise ValueError(f"{where}: row {bad} of x holds NaN or infinity.")
        squares = np.einsum("td,td->t", part, part)
        norm += np.sqrt(squares).sum()
        square += squares.sum()
        total += part.sum(axis=0)
    mean = total / len(rows)
    return norm / len(rows), mean, square / len(rows) - mean @ mean


class _Run:
    """One training: data, parameters and optimiser."""

    def __init__(
        self,
        data: np.ndarray | Joined,
        where: str,
        recipe: Recipe,
        told: Settings,
        d_sae: int,
        seed: int,
    ) -> None:
        n, d_model = data.shape
        self.data, self.recipe, self.told, self.seed = data, recipe, told, seed
        self.generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(n, generator=self.generator).numpy()
        held = min(int(n * told.hold_out), HELD_OUT) or min(n, HELD_OUT)
        self.held_out = np.sort(order[:held])
        self.rows = np.sort(order[held:]) if told.hold_out else np.arange(n)
        if len(self.rows) < 2:
            raise ValueError(f"{where}: training needs tokens; got {n}.")
        norm, mean, variance = _moments(data, self.rows, where)
        if not variance > 0:
            raise ValueError(f"{where}: all rows of x are equal, there is nothing to learn.")
        self.scale = float(np.sqrt(d_model) / norm)
        self.variance = variance * self.scale**2
        b_dec = torch.from_numpy((mean * self.scale).astype(np.float32))
        self.parameters = self._start(b_dec, d_sae)
        self.idle = torch.zeros(d_sae, dtype=torch.int64)
        values = list(self.parameters.values())
        self.optimiser = Adam(values, told.beta1, told.beta2)

    def _batch(self, chosen: Tensor) -> Tensor:
        """(token, d_model) scaled tokens of the training rows."""
        part = widen(self.data[self.rows[chosen.numpy()]])
        return torch.from_numpy(np.multiply(part, np.float32(self.scale)))

    def _start(self, b_dec: Tensor, d_sae: int) -> Parameters:
        """Unit decoder rows, the encoder their transpose, and what the recipe adds."""
        told, generator = self.told, self.generator
        rows = torch.randn(d_sae, len(b_dec), generator=generator)
        if told.init == "data":
            chosen = torch.randint(len(self.rows), (d_sae,), generator=generator)
            # A little noise tells apart two features that begin at one token.
            rows = self._batch(chosen) - b_dec + 0.1 * rows * (self.variance / len(b_dec)) ** 0.5
        rows = rows / rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
        four = {"W_enc": rows.clone(), "b_enc": torch.zeros(d_sae), "W_dec": rows, "b_dec": b_dec}
        sample = self._batch(torch.randint(len(self.rows), (told.batch,), generator=generator))
        four |= self.recipe.start(four, sample, told)
        return {name: value.requires_grad_() for name, value in four.items()}

    def _chosen(self) -> Iterator[Tensor]:
        """Batches of training rows: one shuffled pass after another."""
        pool = torch.empty(0, dtype=torch.int64)
        while True:
            while len(pool) < self.told.batch:
                more = torch.randperm(len(self.rows), generator=self.generator)
                pool = torch.cat([pool, more])
            yield pool[: self.told.batch]
            pool = pool[self.told.batch :]

    def _rate(self, step: int) -> float:
        told = self.told
        rise = min(1.0, (step + 1) / max(1.0, told.warm_up * told.steps))
        fall = min(1.0, (told.steps - step) / max(1.0, told.decay * told.steps))
        return told.lr * rise * fall

    def steps(self) -> Iterator[dict[str, Any] | None]:
        """Train; a row of the history after every `log_every` steps and after the last."""
        told, chosen = self.told, self._chosen()
        for step in range(told.steps):
            rate = self._rate(step)
            dead = (self.idle >= told.dead_after).nonzero()[:, 0]
            batch = Batch(self._batch(next(chosen)), self.variance, dead, step / told.steps)
            outcome = self.recipe.step(self.parameters, batch, told)
            norm = self._update(outcome.loss, rate)
            self.idle = torch.where(outcome.fired, 0, self.idle + told.batch)
            if (step + 1) % told.log_every == 0 or step + 1 == told.steps:
                yield self._row(step + 1, rate, outcome, norm)

    def _update(self, loss: Tensor, rate: float) -> float:
        """One step of Adam; decoder rows keep norm one. Norm of the gradient before clipping."""
        loss.backward()
        W = self.parameters["W_dec"]
        with torch.no_grad():
            # The part of the gradient along a row would only change its norm.
            W.grad -= (W.grad * W).sum(dim=1, keepdim=True) * W
        values = list(self.parameters.values())
        norm = torch.nn.utils.clip_grad_norm_(values, self.told.clip, error_if_nonfinite=True)
        self.optimiser.step(rate)
        with torch.no_grad():
            W /= W.norm(dim=1, keepdim=True).clamp_min(1e-12)
        return float(norm)

    def _row(self, step: int, rate: float, outcome: Outcome, norm: float) -> dict[str, Any]:
        fvu = float(outcome.fvu)
        dead = float((self.idle >= self.told.dead_after).double().mean())
        loss = float(outcome.loss.detach())
        print(
            f"step {step}/{self.told.steps}  loss {loss:.4f}  fvu {fvu:.4f}  "
            f"l0 {outcome.l0:.2f}  dead {dead:.3f}",
            flush=True,
        )
        return {
            "step": step,
            "tokens": step * self.told.batch,
            "lr": rate,
            "loss": loss,
            "mse": fvu * self.variance / self.scale**2 / self.data.shape[1],
            "fvu": fvu,
            "l0": outcome.l0,
            "dead_share": dead,
            "gradient_norm": norm,
        }

    def folded(
        self, site: Site, metadata: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """cfg.json and tensors with the scale folded in: raw activations in, raw x_hat out."""
        kept = {name: value.detach() for name, value in self.parameters.items()}
        keys, more = self.recipe.finish(kept, self.scale, self.told)
        tensors = {
            "W_enc": kept["W_enc"].T,
            "b_enc": kept["b_enc"] / self.scale,
            "W_dec": kept["W_dec"],
            "b_dec": kept["b_dec"] / self.scale,
            **more,
        }
        arrays = {name: np.ascontiguousarray(t.numpy()) for name, t in tensors.items()}
        facts = {"settings": vars(self.told), "seed": self.seed, "input_scale": self.scale}
        d_in, d_sae = arrays["W_enc"].shape
        return config(
            self.recipe.architecture, site, d_in, d_sae, metadata={**facts, **metadata}, **keys
        ), arrays
