"""The loop that trains any number of SAEs on one stream of activations.

Batches are read, shuffled and scaled once for all; each SAE goes through some of them at a time, so
that its weights stay in the cache, and several go at the same time where there are workers. What
one SAE becomes does not depend on the others, nor on the workers.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from saegrid.base.tensors import Tensors
from saegrid.base.words import Site
from saegrid.saes.formats.sae_lens import FACTS, WEIGHTS, config, view
from saegrid.saes.training.adam import Astray
from saegrid.saes.training.measured import health
from saegrid.saes.training.settings import parse
from saegrid.saes.training.state import NUMBERS, Run, State, World
from saegrid.saes.training.stream import Stream
from saegrid.saes.training.whiten import fold_affine

HELD_OUT = 4096
"""Largest number of tokens that health is measured on."""
CHUNK = 16 << 20
"""Bytes of batches that an SAE is trained on at a time."""
MOST = 64
"""Largest number of batches that an SAE is trained on at a time; states are saved in between."""
SAVE_EVERY = 60.0
"""Seconds between two writings of the file from which a killed training goes on."""

HISTORY = pa.schema(
    [("step", pa.int64()), ("tokens", pa.int64()), ("lr", pa.float64())]
    + [(name, pa.float64()) for name in (*NUMBERS, "dead_share", "gradient_norm")]
    + [(f"held_{name}", pa.float64()) for name in NUMBERS]
)


class Trained(NamedTuple):
    """A trained SAE that takes raw activations."""

    cfg: dict[str, Any]
    """Content of cfg.json."""
    tensors: dict[str, np.ndarray]
    """Content of sae_weights.safetensors, float32."""
    history: pa.Table
    """Table with the columns of HISTORY, a row each `log_every` steps. `loss` = `reconstruction` +
    `sparsity` + `auxiliary`, in the recipe's units; `mse` is per number, in raw units; `held_*` are
    null where held-out tokens were not measured. With `whiten`, all are of whitened activations."""
    health: dict[str, Any]
    """fvu, l0 and dead_rate on raw held-out tokens: value, n, definition (see `measured`)."""


def train(stream: Stream, recipe: str, settings: dict[str, Any], **more: Any) -> Trained:
    """Train one SAE, see `train_many`; `expansion` and `seed` are those of `Run`."""
    run = Run(recipe, settings, more.pop("expansion"), more.pop("seed", 0))
    return train_many(stream, [run], **more)[0]


def train_many(stream: Stream, runs: Sequence[Run], **more: Any) -> list[Trained]:
    """Train SAEs on one stream, see `train_each`; raise Astray if one of them has gone astray."""
    outcomes = train_each(stream, runs, **more)
    for outcome in outcomes:
        if isinstance(outcome, Astray):
            raise outcome
    return outcomes


def train_each(
    stream: Stream,
    runs: Sequence[Run],
    *,
    site: Site,
    order_seed: int = 0,
    threads: int = 1,
    workers: int = 1,
    metadata: dict[str, Any] | None = None,
    kept: Sequence[Path] | None = None,
    save_every: float = SAVE_EVERY,
) -> list[Trained | Astray]:
    """Train SAEs on one stream; equal arguments give equal bytes on one type of machine.

    The SAEs are returned in the order of the runs. A run that goes astray stops no other; its error
    is returned in its place.

    Args:
        stream: raw activations.
        runs: SAEs to be trained; they share `batch`.
        site: site of the activations, for cfg.json.
        order_seed: seed of the order of the tokens.
        threads: threads of each SAE's products; sums depend on their number in the last bits.
        workers: number of SAEs that are trained at the same time; it decides no result.
        metadata: more facts for cfg.json.
        kept: a file for each run, which holds its state while it lasts; a run that was killed goes
            on from there. The caller removes these files.
        save_every: seconds between two writings of these files.

    Raises:
        ValueError: a setting is unknown or wrong, x is not finite, or all tokens are equal.
    """
    with _threads(threads):
        world = world_of(stream, order_seed)
        kinds = [parse(run.recipe, run.settings).whiten for run in runs]
        worlds = {kind: world.whitened(kind) for kind in sorted(set(kinds))}
        names = [f"{i + 1}: " if len(runs) > 1 else "" for i in range(len(runs))]
        paths = kept or [None] * len(runs)
        states = [
            State(run, worlds[kind], path, name)
            for run, kind, path, name in zip(runs, kinds, paths, names, strict=True)
        ]
        _advance(states, workers, save_every)
        facts = {"order_seed": order_seed, **(metadata or {})}
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda state: _trained(state, site, facts), states))


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """A context in which torch and numpy use n threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n, "blas"):
            yield
    finally:
        torch.set_num_threads(before)


def world_of(stream: Stream, order_seed: int) -> World:
    """The facts that the SAEs on a stream share; ValueError if all tokens are equal."""
    norm, mean, variance = stream.moments()
    if not variance > 0:
        raise ValueError("All tokens to learn from are equal: there is nothing to learn.")
    return World(stream, order_seed, norm, mean, variance, stream.measured(HELD_OUT))


def _advance(states: list[State], workers: int, save_every: float) -> None:
    """Train all SAEs to their ends."""
    left = [state for state in states if not state.done]
    if not left:
        return
    batch = states[0].settings.batch
    if any(state.settings.batch != batch for state in states):
        sizes = sorted({state.settings.batch for state in states})
        raise ValueError(f"SAEs that are trained together need one `batch`; got {sizes}.")
    world, at = states[0].world, min(state.step for state in left)
    size = max(1, min(MOST, CHUNK // (4 * batch * world.stream.d_model)))
    source, saved = world.stream.batches(batch, world.order_seed, at), time.monotonic()

    def read(left: list[State], at: int) -> dict[tuple[str, float], list[Tensor]]:
        """The next batches, transformed once for each kind of input that the SAEs take."""
        last = max(state.steps for state in left)
        raw = list(islice(source, max(0, min(size, last - at))))
        views = {state.view: state for state in left}
        return {view: list(map(state.transform, raw)) for view, state in views.items()}

    with ThreadPoolExecutor(workers) as pool, ThreadPoolExecutor(1) as reader:
        coming = reader.submit(read, left, at)
        while left:
            chunk = coming.result()
            n = len(next(iter(chunk.values())))
            coming = reader.submit(read, left, at + n)
            # The largest first, so that no worker is left with it at the end.
            jobs = sorted(left, key=lambda state: -state.d_sae)
            parts = [chunk[state.view] for state in jobs]
            list(pool.map(_through, jobs, parts, [at] * len(jobs)))
            at += n
            left = [state for state in left if not state.done]
            if time.monotonic() - saved >= save_every:
                for state in states:
                    state.save()
                saved = time.monotonic()


def _through(state: State, chunk: list[Tensor], at: int) -> None:
    """Train an SAE on batches, the first of which is batch `at`."""
    for number, x in enumerate(chunk, at):
        if number >= state.step and not state.done:
            state.learn(x)


def _trained(state: State, site: Site, metadata: dict[str, Any]) -> Trained | Astray:
    """The SAE that a training ends with, for raw activations, with its health."""
    run, settings = state.run, state.settings
    final = state.final()
    if state.astray is not None:
        return state.astray
    if not all(bool(value.isfinite().all()) for value in final.values()):
        return Astray("The weights are")
    folded = state.recipe.finish(final, state.scale, settings)
    tensors = {name: np.ascontiguousarray(t.numpy()) for name, t in folded.tensors.items()}
    if state.world.affine is not None:
        centred = folded.keys.get("apply_b_dec_to_input", True)
        tensors = fold_affine(tensors, state.world.affine, centred, folded.unit)
    d_in, d_sae = tensors["W_enc"].shape
    facts = {
        "recipe": run.recipe,
        "settings": vars(settings),
        "seed": run.seed,
        "steps": state.step,
    }
    facts |= {"input_scale": state.scale, **metadata}
    cfg = config(folded.architecture, site, d_in, d_sae, metadata=facts, **folded.keys)
    sae = view(Path(FACTS), cfg, lambda: Tensors(Path(WEIGHTS), tensors))
    held = state.world.measured
    none = not len(held)
    numbers = health(sae, state.world.stream.sample(HELD_OUT, run.seed) if none else held)
    if none:
        for entry in numbers.values():
            entry["definition"] += "; these were learned from, for none are held out"
    shown = "  ".join(f"{name} {entry['value']:.4f}" for name, entry in numbers.items())
    n, kind = numbers["fvu"]["n"], "training" if none else "held-out"
    print(f"{state.name}measured on {n} {kind} tokens: {shown}", flush=True)
    cfg["metadata"]["health"] = numbers
    return Trained(cfg, tensors, pa.Table.from_pylist(state.rows, HISTORY), numbers)
