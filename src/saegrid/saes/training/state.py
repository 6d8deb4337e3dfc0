"""The state of an SAE in training: parameters, moments, counters, and the file that keeps them."""

import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saegrid.base import io
from saegrid.base.recorded import recorded_spec
from saegrid.base.registry import pick
from saegrid.saes.training import RECIPES
from saegrid.saes.training.adam import Adam, Astray, confine, normalise, project
from saegrid.saes.training.recipe import Batch, Moment, Outcome, Recipe, Start
from saegrid.saes.training.settings import Settings, check_width, n_steps, parse
from saegrid.saes.training.stream import Stream
from saegrid.saes.training.whiten import Affine, whitening_of

BAR = 20
"""Characters of the progress bar."""
SAMPLE = 1 << 16
"""Largest number of tokens that first directions are drawn from."""

CONE = 0.8
"""Least cosine of a soft-frozen decoder row with its first one."""


class Run(NamedTuple):
    """An SAE to be trained."""

    recipe: str
    """Name of the recipe in RECIPES."""
    settings: dict[str, Any]
    """Settings of the recipe."""
    expansion: int
    """Expansion: d_sae / d_model."""
    seed: int = 0
    """Seed of the first directions and of all later draws of the recipe."""


class World(NamedTuple):
    """The facts that all SAEs on a stream share."""

    stream: Stream
    order_seed: int
    norm: float
    """Mean norm of the training tokens."""
    mean: np.ndarray
    """(d_model,) float64: mean of the training tokens."""
    variance: float
    """Mean squared distance of the training tokens from their mean."""
    measured: np.ndarray
    """(token, d_model) float32: held-out tokens, in their order."""
    affine: Affine | None = None
    """The whitening of the activations, or None. Norm, mean and variance are those of x'; `stream`
    and `measured` stay raw."""

    def mixed(self) -> np.ndarray:
        """The held-out tokens, shuffled like batches. In the order of the texts, neighbours use the
        same features, and a term of a batch (KL) would not compare with that of training."""
        order = np.random.default_rng(self.order_seed).permutation(len(self.measured))
        return self.measured[order]

    def whitened(self, kind: str) -> "World":
        """The world of SAEs that learn from these activations whitened by `zca` or `pca`; `none`
        gives this one."""
        if kind == "none":
            return self
        affine, norm, variance = whitening_of(self.stream, kind)
        mean = np.zeros_like(self.mean)
        return self._replace(norm=norm, mean=mean, variance=variance, affine=affine)

    def scale(self, settings: Settings) -> float:
        """The factor that activations are multiplied by."""
        square = self.variance + float(self.mean @ self.mean)
        root = float(np.sqrt(len(self.mean)))
        return {"mean": root / self.norm, "rms": root / np.sqrt(square), "none": 1.0}[
            settings.input_scale
        ]


class State:
    """A training that can be stopped after any step and taken up again."""

    def __init__(self, run: Run, world: World, path: Path | None = None, name: str = "") -> None:
        """Start a training, or take it up from its file.

        Args:
            run: the SAE to be trained.
            world: the facts of its stream.
            path: file that keeps the training while it runs; None: it is not kept.
            name: beginning of its lines in the log.
        """
        self.run, self.world, self.path, self.name = run, world, path, name
        self.recipe: Recipe = pick(RECIPES, run.recipe, "The recipe")
        self.settings: Settings = parse(run.recipe, run.settings)
        # Steps that are not counted in passes need not wait for the end of a store.
        self.steps = n_steps(self.settings, world.stream.n_train if self.settings.epochs else 0)
        self.scale = float(world.scale(self.settings))
        self.variance = world.variance * self.scale**2
        self.d_sae = run.expansion * world.stream.d_model
        check_width(run.recipe, self.settings, self.d_sae)
        if self.settings.patience and not len(world.measured):
            raise ValueError(
                "The setting patience needs held-out tokens to stop by: raise hold_out, or set it "
                "to 0."
            )
        self.step, self.best_loss, self.waited = 0, float("inf"), 0
        self.astray: Astray | None = None
        self.rows: list[dict[str, Any]] = []
        self.best: dict[str, Tensor] = {}
        self.idle = torch.zeros(self.d_sae, dtype=torch.int64)
        self.parameters = self._start()
        decoder = self.recipe.decoder
        still = {"decoder": decoder, "encoder": self.recipe.encoder}.get(self.settings.freeze)
        fixed = {*self.recipe.buffers, still}
        trained = {n: p for n, p in self.parameters.items() if n not in fixed}
        soft = self.settings.freeze == "soft"
        self.first_rows = {decoder: self.parameters[decoder].clone()} if soft else {}
        for parameter in trained.values():
            parameter.requires_grad_()
        self.optimiser = Adam(trained, self.settings.beta1, self.settings.beta2)
        self._load()
        self.clock, self.clock_step = time.monotonic(), self.step

    # --- the beginning ---------------------------------------------------------------------------

    @property
    def view(self) -> tuple[str, float]:
        """The kind of whitening and the scale, which identify its `transform`."""
        return self.settings.whiten, self.scale

    def transform(self, raw: np.ndarray) -> Tensor:
        """Raw activations (token, d_model), whitened and then scaled for this training."""
        x = raw if self.world.affine is None else self.world.affine(raw)
        return torch.from_numpy(np.multiply(x, np.float32(self.scale)))

    def _sample(self, n: int, seed: int) -> Tensor:
        return self.transform(self.world.stream.sample(n, seed))

    def _start(self) -> dict[str, Tensor]:
        """The first parameters, made by the recipe from unit rows."""
        settings, generator = self.settings, torch.Generator().manual_seed(self.run.seed)
        mean = torch.from_numpy((self.world.mean * self.scale).astype(np.float32))
        rows = torch.randn(self.d_sae, len(mean), generator=generator)
        wanted = (
            settings.batch
            if settings.init == "random"
            else max(settings.batch, min(self.d_sae, SAMPLE))
        )
        sample = self._sample(wanted, self.run.seed)
        if settings.init == "data":
            chosen = torch.randint(len(sample), (self.d_sae,), generator=generator)
            # A little noise tells apart two features that begin at one token.
            rows = sample[chosen] - mean + 0.1 * rows * (self.variance / len(mean)) ** 0.5
        if settings.non_negative:
            kept = rows.relu()
            # A row of zeros would never learn.
            rows = torch.where(kept.norm(dim=1, keepdim=True) > 0, kept, rows.abs())
        rows /= rows.norm(dim=1, keepdim=True).clamp_min(1e-12)
        some = torch.randperm(len(sample), generator=generator)[: settings.batch]
        begin = Start(rows, mean, sample[some])
        return {
            name: value.contiguous() for name, value in self.recipe.start(begin, settings).items()
        }

    # --- a step ----------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """True where the training has come to its end, stopped early, or gone astray."""
        return (
            self.astray is not None
            or self.step >= self.steps
            or 0 < self.settings.patience <= self.waited
        )

    def rate(self) -> float:
        """The learning rate of the next step."""
        settings = self.settings
        rise = min(1.0, (self.step + 1) / max(1.0, settings.warm_up * self.steps))
        fall = min(1.0, (self.steps - self.step) / max(1.0, settings.decay * self.steps))
        return settings.lr * rise * fall

    def _batch(self, x: Tensor, learn: bool = True) -> Batch:
        dead = (self.idle >= self.settings.dead_after).nonzero()[:, 0]
        return Batch(x, self.variance, dead, self.step / self.steps, learn)

    def learn(self, x: Tensor) -> None:
        """Take one step on a scaled batch x (token, d_model); the training ends if it goes
        astray."""
        try:
            self._learn(x)
        except Astray as problem:
            self.astray = problem
            print(f"{self.name}step {self.step}: {problem}", flush=True)

    def _learn(self, x: Tensor) -> None:
        rate, settings = self.rate(), self.settings
        outcome = self.recipe.step(self.parameters, self._batch(x), settings)
        norm = self._update(outcome, rate)
        self.idle += len(x)
        self.idle[outcome.fired] = 0
        self.step += 1
        if self.recipe.after is not None:
            seed = self.run.seed * 1_000_003 + self.step
            moment = Moment(self.step, self.steps, seed, self.idle, self.optimiser, self._sample)
            self.recipe.after(self.parameters, moment, settings)
            if settings.non_negative or self.first_rows:
                self._keep()
        self._record(outcome, rate, norm)

    def _update(self, outcome: Outcome, rate: float) -> float:
        """Take one step of Adam; return the norm of the gradient before clipping."""
        loss = outcome.reconstruction + outcome.sparsity + outcome.auxiliary
        if loss.requires_grad:
            for parameter in self.optimiser.parameters.values():
                parameter.grad = None
            loss.backward()
        decoder = self.optimiser.parameters.get(self.recipe.decoder)
        if self.recipe.unit_decoder and decoder is not None:
            project(decoder.detach(), decoder.grad)
        norm = self.optimiser.norm()
        clip = self.settings.clip
        self.optimiser.step(rate, min(1.0, clip / (norm + 1e-6)) if clip else 1.0)
        self._keep()
        return norm

    def _keep(self) -> None:
        """Project the decoder, unless it is frozen, onto its constraints: near its start,
        non-negative numbers, rows of norm one. The later ones lead no row out of the earlier."""
        decoder = self.optimiser.parameters.get(self.recipe.decoder)
        if decoder is None:
            return
        for first in self.first_rows.values():
            confine(decoder, first, CONE)
        if self.settings.non_negative:
            decoder.detach().clamp_(min=0.0)
        if self.recipe.unit_decoder:
            normalise(decoder)

    # --- the history -----------------------------------------------------------------------------

    def _record(self, outcome: Outcome, rate: float, norm: float) -> None:
        """Add a row to the history every `log_every` steps, with each measurement, and at the
        end."""
        settings = self.settings
        measure = self.step == self.steps or self._is_due()
        if not (measure or self.step % settings.log_every == 0):
            return
        row = {"step": self.step, "tokens": self.step * settings.batch, "lr": rate}
        row |= self._numbers(outcome, settings.batch)
        row |= {
            "dead_share": float((self.idle >= settings.dead_after).double().mean()),
            "gradient_norm": norm,
        }
        held = self._measure() if measure and len(self.world.measured) else {}
        row |= {f"held_{name}": held.get(name) for name in NUMBERS}
        self.rows.append(row)
        self._print(row)
        if held and settings.patience:
            self._compare(held["loss"])

    def _is_due(self) -> bool:
        """Return True if held-out tokens are measured after this step."""
        settings, stream = self.settings, self.world.stream
        if settings.validate_every:
            return self.step % settings.validate_every == 0
        if stream.exceeds(self.step * settings.batch):  # within the first pass
            return False
        return self.step % -(-stream.n_train // settings.batch) == 0

    def _numbers(self, outcome: Outcome, n: int) -> dict[str, float]:
        terms = (outcome.reconstruction, outcome.sparsity, outcome.auxiliary)
        reconstruction, sparsity, auxiliary = (
            float(t.detach()) if isinstance(t, Tensor) else t for t in terms
        )
        squared = float(outcome.squared) / n
        values = (
            reconstruction + sparsity + auxiliary,
            reconstruction,
            sparsity,
            auxiliary,
            squared / self.scale**2 / self.world.stream.d_model,
            squared / self.variance,
            outcome.l0(),
        )
        return dict(zip(NUMBERS, values, strict=True))

    @torch.no_grad()
    def _measure(self) -> dict[str, float]:
        """The numbers of the held-out tokens: means over their batches, weighted by tokens."""
        x = self.transform(self.world.mixed())
        total = dict.fromkeys(NUMBERS, 0.0)
        for part in x.split(self.settings.batch):
            outcome = self.recipe.step(
                self.parameters, self._batch(part, learn=False), self.settings
            )
            for name, value in self._numbers(outcome, len(part)).items():
                total[name] += value * len(part) / len(x)
        return total

    def _compare(self, loss: float) -> None:
        """Keep the weights if their held-out loss is the lowest so far."""
        self.waited += 1
        if loss < self.best_loss:
            self.best_loss, self.waited = loss, 0
            self.best = {name: p.detach().clone() for name, p in self.parameters.items()}

    def _print(self, row: dict[str, Any]) -> None:
        rate = (self.step - self.clock_step) / max(time.monotonic() - self.clock, 1e-9)
        held = "" if row["held_fvu"] is None else f"  held out: fvu {row['held_fvu']:.4f}"
        bar = f"{'#' * (BAR * self.step // self.steps):.<{BAR}}"
        print(
            f"{self.name}[{bar}] step {self.step}/{self.steps}  loss {row['loss']:.4f}  fvu "
            f"{row['fvu']:.4f}  l0 {row['l0']:.2f}  dead {row['dead_share']:.3f}{held}  "
            f"{rate * self.settings.batch:,.0f} tokens/s, "
            f"{(self.steps - self.step) / rate:.0f} s left",
            flush=True,
        )

    def final(self) -> dict[str, Tensor]:
        """The final parameters: the best ones if training can stop early, else the last ones."""
        parameters = self.best or self.parameters
        return {name: value.detach() for name, value in parameters.items()}

    # --- the file --------------------------------------------------------------------------------

    def _identity(self) -> str:
        """The identity of this training; only a file with the same one is taken up."""
        stream, world = self.world.stream, self.world
        facts = [*self.run, vars(self.settings), stream.d_model, self.steps, world.order_seed]
        return io.canonical([facts, world.norm, world.variance, float(world.mean.sum())])

    def _tensors(self) -> dict[str, Tensor]:
        tensors = {f"parameter.{n}": p.detach() for n, p in self.parameters.items()}
        for name, (first, second) in self.optimiser.moments.items():
            tensors |= {f"first.{name}": first, f"second.{name}": second}
        tensors |= {f"start.{name}": value for name, value in self.first_rows.items()}
        return tensors | {"idle": self.idle}

    def save(self) -> None:
        """Write the state to its file, if the training has a path."""
        if self.path is None:
            return
        numbers = [self.step, self.optimiser.count, self.waited, self.best_loss, self.rows]
        header = {"numbers": json.dumps(numbers)}
        best = {f"best.{name}": value for name, value in self.best.items()}
        io.write_tensors(self.path, self._tensors() | best, self._identity(), header)

    def _load(self) -> None:
        """Take up the training from its file; a file of another training is ignored."""
        if self.path is None or not self.path.is_file():
            return
        if recorded_spec(self.path) != self._identity():
            return
        numbers = json.loads(io.read_header(self.path)["numbers"])
        self.step, self.optimiser.count, self.waited, self.best_loss, self.rows = numbers
        kept = io.read_tensors(self.path, framework="pt")
        with torch.no_grad():
            for name, value in self._tensors().items():
                value.copy_(kept[name])
        self.best = {n[5:]: value for n, value in kept.items() if n.startswith("best.")}
        print(f"{self.name}goes on after step {self.step} of {os.fspath(self.path)}", flush=True)


NUMBERS = ("loss", "reconstruction", "sparsity", "auxiliary", "mse", "fvu", "l0")
"""Columns of the history: numbers of a batch, and as `held_*` those of held-out tokens."""
