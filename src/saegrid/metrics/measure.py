"""All metrics of an SAE in one pass over tokens that it did not learn from."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid import activations
from saegrid.metrics import METRICS
from saegrid.metrics.codes import BLOCK, Coder, decode, widened
from saegrid.metrics.lights import BY_NUMBER, BY_SHAPE, lights
from saegrid.metrics.metric import Block, Metric, MetricsError, Subject, Text, Values
from saegrid.registry import pick
from saegrid.saes.joined import Joined, open_rows
from saegrid.saes.sae import SAE, blocks
from saegrid.split import held_out
from saegrid.words import Site

READ = 4096
"""Tokens that are read at a time for a mean."""


class Tokens(NamedTuple):
    """The captured tokens of a site: those that are measured, and those learned from."""

    x: np.ndarray | Joined
    """(captured, d_model) as stored."""
    measured: np.ndarray
    """(n,) int64 ascending: rows of x."""
    learned: np.ndarray
    """(n,) int64 ascending: rows of x."""


def split_tokens(
    paths: Sequence[str | Path], row: np.ndarray, share: float, order_seed: int
) -> Tokens:
    """Tokens of the activations files of a site, shards in order.

    row: (token,) of tokens.parquet. share, order_seed: as the training's, see `split`.

    Raises MetricsError where no token falls on one of the sides.
    """
    token = np.concatenate([activations.read(path)[1] for path in paths])
    apart = held_out(row[token], share, order_seed)
    found = Tokens(open_rows(paths), np.flatnonzero(apart), np.flatnonzero(~apart))
    if not len(found.measured) or not len(found.learned):
        raise MetricsError(
            f"{paths[0]}: of {len(token):,} tokens {len(found.measured):,} are held out where "
            f"{share:g} of the rows are; both sides need some. Set hold_out of the SAE's settings, "
            "or of `metrics`, so that some rows fall on either side."
        )
    return found


def at_most(rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Some of the rows, ascending: all, or a seeded sample of n."""
    if len(rows) <= n:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, n, replace=False))


def mean_of(x: np.ndarray | Joined, rows: np.ndarray) -> np.ndarray:
    """(d_model,) float64 mean of some rows of x."""
    total = np.zeros(x.shape[1])
    for start, stop in blocks(len(rows), READ):
        total += widened(x[rows[start:stop]]).sum(axis=0)
    return total / len(rows)


def text_of(tokens: pa.Table, share: float, order_seed: int, n: int, seed: int) -> Text | None:
    """At most n of the rows that are held out, of those with two tokens; None where n is 0.

    tokens: tokens.parquet, its columns row, token_id and special.
    """
    row = tokens["row"].to_numpy()
    starts = np.append(np.flatnonzero(np.diff(row, prepend=-1)), len(row)).astype(np.int64)
    long = np.flatnonzero(np.diff(starts) > 1)
    chosen = long[held_out(long, share, order_seed)]
    if not n or not len(chosen):
        return None
    ids, special = tokens["token_id"].to_numpy().astype(np.int64), tokens["special"]
    known = special.to_numpy(zero_copy_only=False)
    return Text(ids, starts, known, at_most(chosen, n, seed))


def measure(subject: Subject, coder: Coder, parts: Iterable[np.ndarray]) -> Values:
    """The values of all metrics over blocks of stored activations (token, d_model)."""
    metrics: list[Metric] = [pick(METRICS, name, "Metric")(subject) for name in METRICS]
    for x in parts:
        z = coder.codes(x)
        block = Block(widened(x), decode(subject.sae, z), z)
        for metric in metrics:
            metric.add(block)
    found: Values = {}
    for metric in metrics:
        found |= metric.values()
    return found


def metrics_of(
    sae: SAE,
    paths: Sequence[str | Path],
    tokens: pa.Table,
    settings: Mapping[str, Any],
    memory_mb: int,
    device: str | None = None,
) -> dict[str, Any]:
    """The facts of metrics.json.

    Args:
        sae: what is measured.
        paths: activations of its site, shards in order.
        tokens: tokens.parquet of the corpus.
        settings: `cell`, `corpus`, `split` (share, seed), `metrics` (tokens, rows, seed), `model`,
            `threads`.
        memory_mb: megabytes that may be held; decides no value.
        device: where torch multiplies; None: the processor does.

    Raises:
        MetricsError: nothing to measure on.
        ValueError: activations and SAE do not fit.
    """
    split, chosen, threads = settings["split"], settings["metrics"], settings["threads"]
    share, order_seed, seed = split["share"], split["seed"], chosen["seed"]
    site = Site.parse(settings["cell"].partition("-")[0])
    given = split_tokens(paths, tokens["row"].to_numpy(), share, order_seed)
    rows = at_most(given.measured, chosen["tokens"], seed)
    coder = Coder(sae, threads, memory_mb, device, str(paths[0]))
    subject = Subject(
        sae,
        mean_of(given.x, given.learned),
        coder.reconstruct,
        site,
        seed,
        text_of(tokens, share, order_seed, chosen["rows"], seed),
        settings["model"],
        memory_mb,
        threads,
    )
    parts = (given.x[rows[start:stop]] for start, stop in blocks(len(rows), BLOCK))
    values = measure(subject, coder, parts)
    plain = {name: found.value for name, found in values.items()}
    return {
        "cell": settings["cell"],
        "corpus": settings["corpus"],
        "d_model": sae.encoder.d_model,
        "d_sae": sae.encoder.d_sae,
        "tokens": {"n": len(rows), "held_out": len(given.measured), **split},
        "metrics": {name: found.as_json() for name, found in values.items()},
        "lights": {
            name: [light._asdict() for light in lights(plain, table)]
            for name, table in (("by_number", BY_NUMBER), ("by_shape", BY_SHAPE))
        },
    }
