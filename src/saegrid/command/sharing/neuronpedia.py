"""Features of a cell in the shape of Neuronpedia's dashboards, as SAEDashboard writes them.

    frac_nonzero  = captured tokens on which the feature fires / captured tokens
    freq_hist     = counts of its activations in 50 bins of equal width, by their middles
    bin_contains  = captured tokens with bin_min <= activation < bin_max / captured tokens, the last
                    bin with its upper edge; silent tokens, which are 0, are in the first bin
    neuron_alignment = the three channels with the largest weights w of its decoder row (of norm one
                    where the SAE's are), w, and |w| / sum of |w| over channels

Tokens are captured ones: all that is known. Each example is the longest run of captured tokens of
its text around the token that it shows, so that every value is one that was computed; with `whole`
it is the whole text, in which a token that was not captured has 0.

Empty, since no stage computes them: correlated_neurons, correlated_features, the histogram of
logits, decoder weights by head, direct feature attribution.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.evidence.exchange import generator
from saegrid.features.histogram import histogram
from saegrid.features.windows import Corpus, row_bounds

BATCH = 128
"""Features of a file: what the site takes in one call."""
TOP = 30
"""Strongest tokens of a feature that are shown, one a text."""
INTERVALS = 5
"""Intervals of equal width from 0 to the largest activation, of which some tokens are shown."""
EACH = 5
"""Tokens of an interval, one a text."""
ALIGNED = 3
"""Channels that a decoder row is aligned with most."""
EMPTY: Mapping[str, tuple[str, ...]] = {
    "correlated_neurons": ("indices", "l1", "pearson"),
    "correlated_features": ("indices", "l1", "pearson"),
    "logits_hist_data_bar": ("heights", "values"),
}
"""Fields that no stage computes, and their parts."""


class Texts(NamedTuple):
    """The texts of a cell, and which of their tokens were captured."""

    corpus: Corpus
    first: np.ndarray
    """(token,) int64: the first token of each token's row that is not special."""
    last: np.ndarray
    """(token,) int64: the last one."""
    captured: np.ndarray
    """(token,) bool."""
    text: list[str]
    """(token,) as the tokenizer gives it."""

    @classmethod
    def of(cls, tokens: pa.Table, captured: np.ndarray) -> "Texts":
        """The texts of a token table. captured: (captured token,) token indices."""
        corpus = Corpus.of(tokens)
        seen = np.zeros(len(corpus.row), bool)
        seen[captured] = True
        return cls(corpus, *row_bounds(corpus, bare=True), seen, corpus.text.to_pylist())

    def around(self, token: int, whole: bool) -> tuple[int, int]:
        """The first token of the example around a token, and the one behind its last."""
        start, stop = int(self.first[token]), int(self.last[token]) + 1
        if whole:
            return start, stop
        unknown = np.flatnonzero(~self.captured[start:stop]) + start
        place = int(np.searchsorted(unknown, token))
        low = int(unknown[place - 1]) + 1 if place else start
        high = int(unknown[place]) if place < len(unknown) else stop
        return low, high


class Source(NamedTuple):
    """A cell as Neuronpedia names it."""

    model: str
    layer: int
    sae_set: str
    dataset: str
    is_there: bool = False
    """True if the site is said to have it under this name."""

    @property
    def source(self) -> str:
        """The name of the SAE within its model, such as 6-res-jb."""
        return f"{self.layer}-{self.sae_set}"


def name_of(neuronpedia: str | None, model: str, layer: int, fallback: str, data: str) -> Source:
    """The name of a cell on Neuronpedia: `gpt2-small/6-res-jb` where it is there under such a name,
    else one from the model's folder and the cell."""
    if neuronpedia:
        home, _, source = neuronpedia.partition("/")
        number, dash, name = source.partition("-")
        if dash and number.isdecimal():
            return Source(home, int(number), name, data, True)
    return Source(model.rstrip("/").rpartition("/")[2], layer, fallback, data)


def plain(value: float) -> float:
    """The shortest decimal number that is the same float32."""
    return float(str(np.float32(value)))


class Known(NamedTuple):
    """Tables and weights of a cell that its dashboards are made from."""

    features: Features
    texts: Texts
    logits: Mapping[int, Mapping[str, Sequence[tuple[str, float]]]]
    """Tokens with effects by feature and side (top, bottom), the strongest first."""
    directions: Mapping[int, np.ndarray]
    """Decoder rows (d_model,) by feature; empty where there are no weights."""
    seed: int = 0
    whole: bool = False


def dashboard(known: Known, source: Source, feature: int) -> dict[str, Any]:
    """A feature in the shape of a dashboard; a silent one has no examples and no histogram."""
    token, value = (np.asarray(part) for part in known.features.of(feature))
    n = len(known.features.token)
    bars = histogram(value) if len(value) else None
    sides = known.logits.get(feature, {})
    body: dict[str, Any] = {"feature_index": feature, **aligned(known.directions.get(feature))}
    for name, parts in EMPTY.items():
        body |= {f"{name}_{part}": [] for part in parts}
    for prefix, side in (("neg", "bottom"), ("pos", "top")):
        body[f"{prefix}_str"] = [text for text, _ in sides.get(side, ())]
        body[f"{prefix}_values"] = [plain(effect) for _, effect in sides.get(side, ())]
    rows = known.texts.corpus.row[known.features.token]
    return body | {
        "frac_nonzero": len(value) / n if n else 0.0,
        "freq_hist_data_bar_values": [plain(v) for v in bars.centers] if bars else [],
        "freq_hist_data_bar_heights": bars.counts.tolist() if bars else [],
        "n_prompts_total": len(np.unique(rows)),
        "n_tokens_in_prompt": int(np.unique(rows, return_counts=True)[1].max()) if n else 0,
        "dataset": source.dataset,
        "decoder_weights_dist": [],
        "activations": list(_activations(known, feature, token, value)),
    }


def aligned(row: np.ndarray | None) -> dict[str, list[Any]]:
    """The channels with the largest weights of a decoder row (d_model,); empty without one."""
    if row is None:
        return {f"neuron_alignment_{part}": [] for part in ("indices", "values", "l1")}
    order = np.lexsort((np.arange(len(row)), -row))[:ALIGNED]
    total = float(np.abs(row.astype(np.float64)).sum())
    return {
        "neuron_alignment_indices": order.tolist(),
        "neuron_alignment_values": [plain(row[i]) for i in order],
        "neuron_alignment_l1": [plain(abs(float(row[i])) / total) if total else 0.0 for i in order],
    }


def _activations(
    known: Known, feature: int, token: np.ndarray, value: np.ndarray
) -> Iterator[dict[str, Any]]:
    """The examples of a feature: its strongest tokens, then some of each interval, from above."""
    if not len(value):
        return
    row = known.texts.corpus.row[token]
    largest = float(value.max())
    for place in _one_a_row(row, np.lexsort((token, -value)))[:TOP]:
        yield _example(known, feature, int(token[place]), (-1, plain(largest), -1))
    edges = np.linspace(0.0, largest, INTERVALS + 1)
    which = np.minimum(np.searchsorted(edges, value, side="right") - 1, INTERVALS - 1)
    n = len(known.features.token)
    rng = generator(known.seed, f"neuronpedia {feature}")
    order = rng.permutation(len(value))
    for interval in reversed(range(INTERVALS)):
        inside = int((which == interval).sum()) + (n - len(value) if interval == 0 else 0)
        shown = _one_a_row(row, order[which[order] == interval])[:EACH]
        bounds = plain(edges[interval]), plain(edges[interval + 1]), inside / n
        for place in sorted(shown, key=lambda p: (-value[p], token[p])):
            yield _example(known, feature, int(token[place]), bounds)


def _one_a_row(row: np.ndarray, order: np.ndarray) -> list[int]:
    """Places in their order, the first of each row alone."""
    first = np.sort(np.unique(row[order], return_index=True)[1])
    return order[first].tolist()


def _example(known: Known, feature: int, token: int, bounds: tuple[float, ...]) -> dict[str, Any]:
    """A token with those around it, and the feature's activation on each."""
    start, stop = known.texts.around(token, known.whole)
    index, value = known.features.of(feature)
    low, high = np.searchsorted(index, [start, stop])
    values = np.zeros(stop - start, np.float32)
    values[index[low:high] - start] = value[low:high]
    return {
        "bin_min": bounds[0],
        "bin_max": bounds[1],
        "bin_contains": bounds[2],
        "tokens": known.texts.text[start:stop],
        "values": [plain(v) for v in values],
        "qualifying_token_index": token - start,
        "dfa_values": [],
        "dfa_maxValue": 0,
        "dfa_targetIndex": -1,
    }


def batches(known: Known, source: Source, features: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Files of dashboards, of at most `BATCH` features each, by id."""
    ids = sorted(set(features))
    for start in range(0, len(ids), BATCH):
        yield {
            "model_id": source.model,
            "layer": source.layer,
            "sae_set": source.sae_set,
            "features": [dashboard(known, source, f) for f in ids[start : start + BATCH]],
        }


def explanation(source: Source, feature: int, text: str, method: str, by: str) -> dict[str, Any]:
    """A name or label of a feature in the shape of Neuronpedia's explanations.

    method: what kind of text it is; by: the model that wrote it, empty of people's.
    """
    return {
        "modelId": source.model,
        "source": source.source,
        "layer": source.source,
        "index": str(feature),
        "description": text,
        "typeName": method,
        "explanationModelName": by,
    }
