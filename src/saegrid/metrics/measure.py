"""The measurement of all metrics of an SAE, in one pass over tokens that it did not learn from."""

from collections.abc import Iterable, Mapping
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np

from saegrid.base.registry import pick
from saegrid.base.words import Site
from saegrid.metrics import METRICS
from saegrid.metrics.codes import BLOCK, Coder, decode, widened
from saegrid.metrics.lights import READINGS, lights
from saegrid.metrics.metric import Block, Metric, MetricsError, Subject, Values
from saegrid.metrics.sources import Source, Tokens, at_most
from saegrid.saes.joined import Joined
from saegrid.saes.sae import SAE, as_compared, as_written, blocks

READ = 4096
"""Number of tokens that are read at a time for a mean."""
LEARNED = 100_000
"""Number of training tokens of a store, the first ones, whose mean is taken; for files it is the
mean of all."""


def mean_of(x: np.ndarray | Joined, rows: np.ndarray) -> np.ndarray:
    """The mean (d_model,) float64 of some rows of x."""
    total = np.zeros(x.shape[1])
    for start, stop in blocks(len(rows), READ):
        total += widened(x[rows[start:stop]]).sum(axis=0)
    return total / len(rows)


class Measured(NamedTuple):
    """The results of all metrics."""

    values: Values
    more: dict[str, Any]
    """Entries of metrics.json that are no numbers, see `Metric.more`."""


def measure(
    subject: Subject,
    coder: Coder,
    parts: Iterable[np.ndarray],
    targets: Iterable[np.ndarray | None] = repeat(None),
) -> Measured:
    """Measure all metrics over blocks of stored activations (token, d_model).

    x_hat is compared with what the SAE reads: of a centred SAE with activations less their mean
    over channels, as whoever trained it did. A transcoder's is compared with `targets`: the same
    tokens (token, d_out) at the site that it writes.
    """
    metrics: list[Metric] = [pick(METRICS, name, "Metric")(subject) for name in METRICS]
    sae = subject.sae
    for x, y in zip(parts, targets, strict=False):
        z, wide = coder.codes(x), widened(x)
        compared = as_compared(sae, wide, None if y is None else widened(y))
        block = Block(compared, as_written(sae, wide, decode(sae, z)), z)
        for metric in metrics:
            metric.add(block)
    measured = Measured({}, {})
    for metric in metrics:
        measured.values.update(metric.values())
        measured.more.update(metric.more())
    return measured


def _mean(sae: SAE, tokens: Tokens, written: Tokens | None) -> np.ndarray:
    """(d_out,) float64: mean of the tokens that may be learned from, as they are reconstructed."""
    side = tokens if written is None else written
    mean = mean_of(side.x, side.learned)[None]
    return as_compared(sae, mean, mean)[0]


def _check_same(tokens: Tokens, written: Tokens, name: str, other: str) -> None:
    """MetricsError unless two sites hold the same tokens, split alike."""
    same = tokens.x.shape[0] == written.x.shape[0]
    same = same and np.array_equal(tokens.measured, written.measured)
    if not same or not np.array_equal(tokens.learned, written.learned):
        raise MetricsError(
            f"{name} and {other} must hold the same tokens, for a transcoder reads one and writes "
            "the other. Delete both and capture again."
        )


def metrics_of(
    sae: SAE,
    source: Source,
    settings: Mapping[str, Any],
    memory_mb: int,
    device: str | None = None,
    target: Source | None = None,
) -> dict[str, Any]:
    """The facts of metrics.json.

    Args:
        sae: the SAE to be measured.
        source: the corpus at the site that the SAE reads.
        settings: `cell`, `corpus`, `split` (share, seed), `metrics` (tokens, rows, seed), `model`,
            `threads`.
        memory_mb: megabytes that may be held; they decide no value.
        device: device of torch's products; None: they run on the CPU.
        target: the corpus at the site that a transcoder writes; None for an SAE.

    Raises:
        MetricsError: there are no tokens to measure on, or others at the two sites.
        ValueError: activations and SAE do not fit.
    """
    split, chosen, threads = settings["split"], settings["metrics"], settings["threads"]
    share, order_seed, seed = split["share"], split["seed"], chosen["seed"]
    site = Site.parse(settings["cell"].partition("-")[0])
    tokens = source.split(share, order_seed, chosen["tokens"], LEARNED)
    rows = at_most(tokens.measured, chosen["tokens"], seed)
    written = None
    if target is not None:
        written = target.split(share, order_seed, chosen["tokens"], LEARNED)
        _check_same(tokens, written, source.name, target.name)
    coder = Coder(sae, threads, memory_mb, device, source.name)
    subject = Subject(
        sae,
        _mean(sae, tokens, written),
        coder.reconstruct,
        site,
        seed,
        source.text(share, order_seed, chosen["rows"], seed, settings["model"]),
        settings["model"],
        memory_mb,
        threads,
        None if tokens.ids is None else tokens.ids[rows],
    )
    parts = (tokens.x[rows[start:stop]] for start, stop in blocks(len(rows), BLOCK))
    targets = repeat(None)
    if written is not None:
        targets = (written.x[rows[start:stop]] for start, stop in blocks(len(rows), BLOCK))
    values, more = measure(subject, coder, parts, targets)
    plain = {name: number.value for name, number in values.items()}
    return {
        "cell": settings["cell"],
        "corpus": settings["corpus"],
        "d_model": sae.encoder.d_model,
        "d_sae": sae.encoder.d_sae,
        **({"writes": str(sae.writes)} if sae.writes else {}),
        "tokens": {"n": len(rows), "held_out": len(tokens.measured), **split},
        "metrics": {name: number.as_json() for name, number in values.items()},
        "lights": {
            name: [light._asdict() for light in lights(plain, table)]
            for name, table in READINGS.items()
        },
        **more,
    }
