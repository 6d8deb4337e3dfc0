"""Effects of what texts have or have not: a word of a concept, or the firing of a theme.

Concepts and themes are things that a text has or has not, as features are, and are put to the same
contrasts with the same permutations. Beside the tests stand plain figures of a graded label: how
often it is high where a text has the thing, how far it lies from that of the other texts of the
same original (`inside`), and both once more without the texts of the thing's commonest word: a
concept may be one joke told many times.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from scipy import sparse

from saegrid.base.words import EDITED
from saegrid.evidence import (
    DISCOVERY,
    confirmation,
    discovery,
    exchange,
    intervals,
    maxima,
    parts,
    questions,
)
from saegrid.evidence.contrast import main_view
from saegrid.evidence.discovery import Question, Sides
from saegrid.evidence.questions import Corpus

SidesOf = Callable[[Question, str], Sides]
"""Function of a contrast and a part that gives (text, thing) values, 0 where it has it not."""
HasOf = Callable[[str], sparse.csc_matrix]
"""Function of a corpus that gives (item, thing) values of its texts."""

TESTS = pa.schema(
    [
        ("contrast", pa.string()),
        ("thing", pa.int32()),
        ("part", pa.string()),
        ("n_a", pa.int32()),
        ("n_b", pa.int32()),
        ("fire_a", pa.int32()),
        ("fire_b", pa.int32()),
        ("effect", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("statistic", pa.float64()),
        ("p_single", pa.float64()),
        ("p_maxt", pa.float64()),
    ]
)
"""One row a contrast, thing and part. On discovery statistic and p are two-sided, and p_maxt is
over all things of the contrast; on other parts they are of the things that discovery found, in its
direction. effect: share of texts of side a that have the thing less that of side b, of scores
Spearman's rho; low, high: its cluster-bootstrap interval."""
FIGURES = pa.schema(
    [
        ("thing", pa.int32()),
        ("part", pa.string()),
        ("without", pa.string()),
        ("n_texts", pa.int32()),
        ("n_high", pa.int32()),
        ("share_high", pa.float64()),
        ("share_low_end", pa.float64()),
        ("share_high_end", pa.float64()),
        ("cluster_low", pa.float64()),
        ("cluster_high", pa.float64()),
        ("base", pa.float64()),
        ("n_inside", pa.int32()),
        ("inside", pa.float64()),
        ("inside_low", pa.float64()),
        ("inside_high", pa.float64()),
    ]
)
"""One row a thing, part, and word that is left out (null: none). n_texts have it, n_high of these a
high label; share_high with its exact interval, which takes texts for independent, and that of the
cluster bootstrap, null without any high one; base: the share of all texts. inside: mean difference
of the label from the mean of the other texts of the same original, over n_inside texts that have
such, with its cluster-bootstrap interval."""


def tests(
    plan: Mapping[str, Any],
    corpora: Mapping[str, Corpus],
    sides_of: SidesOf,
    least: int,
    alpha: float | None,
    only: Sequence[str] | None = None,
    things: Mapping[str, np.ndarray] | None = None,
) -> pa.Table:
    """The contrasts of a plan on things, see `TESTS`.

    least: texts that must have a thing. alpha: family-wise level by which things go on to the other
    parts; None: all do. only: contrasts, by default all. things: those of each contrast, by default
    all.
    """
    lines: list[pa.Table] = []
    chosen: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for part in plan["parts"]:
        for question in questions.ask(plan, part, corpora, only).questions:
            sides = sides_of(question, part)
            if part == DISCOVERY:
                own = None if things is None else things[question.name]
                table, chosen[question.name] = _searched(question, sides, least, alpha, plan, own)
            elif question.name in chosen and len(chosen[question.name][0]):
                table = _confirmed(question, sides, *chosen[question.name], part, plan)
            else:
                continue
            lines.append(table)
    return pa.concat_tables([TESTS.empty_table(), *lines])


def _searched(
    question: Question,
    sides: Sides,
    least: int,
    alpha: float | None,
    plan: Mapping[str, Any],
    things: np.ndarray | None,
) -> tuple[pa.Table, tuple[np.ndarray, np.ndarray]]:
    """The rows of discovery, and which things go on, with their signs."""
    thing = np.flatnonzero(sides.active() >= least)
    thing = thing if things is None else np.intersect1d(thing, things)
    own = sides.of(thing)
    tested = discovery.plain(question, own)
    p = maxima.adjusted(tested.statistic, tested.maxima)
    table = _rows(question, own, thing, DISCOVERY, tested.statistic, tested.p, p, plan)
    on = np.ones(len(thing), bool) if alpha is None else p <= alpha
    return table, (thing[on], np.sign(tested.statistic[on]))


def _confirmed(
    question: Question,
    sides: Sides,
    thing: np.ndarray,
    sign: np.ndarray,
    part: str,
    plan: Mapping[str, Any],
) -> pa.Table:
    own = sides.of(thing)
    checked = confirmation.checked(question, own, sign)
    (p,) = confirmation.together([checked])
    return _rows(question, own, thing, part, checked.statistic, checked.single, p, plan)


def _rows(
    question: Question,
    sides: Sides,
    thing: np.ndarray,
    part: str,
    statistic: np.ndarray,
    single: np.ndarray,
    p: np.ndarray,
    plan: Mapping[str, Any],
) -> pa.Table:
    rng = exchange.generator(plan["seed"], f"bootstrap {part}")
    weights = intervals.resampled(question.design.cluster, plan["bootstrap"], rng)
    drawn = confirmation.drawn_intervals(question, sides, weights)
    known = discovery.effects(question, sides)
    columns = {
        "contrast": pa.array([question.name] * len(thing), pa.string()),
        "thing": thing,
        "part": pa.array([part] * len(thing), pa.string()),
        **{name: known[name] for name in ("n_a", "n_b", "fire_a", "fire_b", "effect")},
        "low": drawn.low,
        "high": drawn.high,
        "statistic": statistic,
        "p_single": single,
        "p_maxt": p,
    }
    return discovery.to_table(columns, TESTS)


class _Labelled(NamedTuple):
    """The texts of a part that have a graded label."""

    item: np.ndarray
    label: np.ndarray
    cluster: np.ndarray
    inside: np.ndarray
    """(text,) label less the mean of the others of its original; NaN without others."""


def figures(plan: Mapping[str, Any], corpora: Mapping[str, Corpus], has_of: HasOf) -> pa.Table:
    """The figures of a graded label, see `FIGURES`; no row where the plan has no such label."""
    lines = []
    for name, part in plan["parts"].items():
        corpus = corpora[part["corpus"]]
        texts = _labelled(plan, part, corpus)
        if texts is None:
            continue
        has = has_of(part["corpus"])[texts.item].tocsc()
        has.sort_indices()
        rng = exchange.generator(plan["seed"], f"bootstrap figures {name}")
        weights = intervals.resampled(texts.cluster, plan["bootstrap"], rng)
        nothing = [None] * has.shape[1]
        lines += _figures(texts, has, weights, plan["high"], name, nothing)
        words = corpus.words.get(EDITED)
        if words is not None:
            said = np.array([words[i].casefold() for i in texts.item], object)
            rest, left = _without_commonest(has, said)
            lines += _figures(texts, rest, weights, plan["high"], name, left)
    return pa.Table.from_pylist(lines, FIGURES)


def _without_commonest(
    has: sparse.csc_matrix, said: np.ndarray
) -> tuple[sparse.csc_matrix, list[str | None]]:
    """(text, thing) without the texts of the commonest word of each thing, and these words."""
    kept, left = np.ones(len(has.data), bool), []
    for thing in range(has.shape[1]):
        part = slice(has.indptr[thing], has.indptr[thing + 1])
        words = said[has.indices[part]]
        left.append(commonest(words.tolist()) if len(words) else None)
        kept[part] = words != left[-1]
    rest = has.copy()
    rest.data = np.where(kept, 1, 0).astype(np.float32)
    rest.eliminate_zeros()
    return rest, left


def commonest(words: Sequence[str]) -> str:
    """The commonest word, of equally common ones the first in the order of the alphabet."""
    return min(Counter(words).items(), key=lambda entry: (-entry[1], entry[0]))[0]


def _labelled(plan: Mapping[str, Any], part: Mapping[str, Any], corpus: Corpus) -> _Labelled | None:
    texts = corpus.texts
    label = texts.labels.get(plan["label"]) if plan["label"] else None
    if plan["high"] is None or not isinstance(label, np.ndarray):
        return None
    usable = parts.chosen(texts, part) & texts.views[main_view(texts)].present & ~np.isnan(label)
    item = np.flatnonzero(usable)
    _, cluster = np.unique(texts.cluster[item], return_inverse=True)
    values, n = label[item], np.bincount(cluster)[cluster]
    total = np.bincount(cluster, values)[cluster]
    with np.errstate(invalid="ignore", divide="ignore"):
        others = np.where(n > 1, (total - values) / (n - 1), np.nan)
    return _Labelled(item, values, texts.cluster[item], values - others)


def _figures(
    texts: _Labelled,
    has: sparse.csc_matrix,
    weights: np.ndarray,
    high: float,
    part: str,
    without: Sequence[str | None],
) -> list[dict[str, Any]]:
    """The figures of all things of a part; without: the word that is left out of each."""
    of = sparse.csr_matrix(has.T, dtype=np.float64)
    of.data[:] = 1
    is_high, known = texts.label >= high, ~np.isnan(texts.inside)
    inside = np.where(known, texts.inside, 0.0)
    n, n_high, n_inside = (
        np.rint(of @ one).astype(np.int64)
        for one in (np.ones(len(known)), is_high * 1.0, known * 1.0)
    )
    exact = intervals.exact(n_high, n)
    drawn = weights.astype(np.float64)
    cluster = _intervals(of, is_high * 1.0, np.ones(len(known)), drawn)
    beside = _intervals(of, inside, known * 1.0, drawn)
    with np.errstate(invalid="ignore", divide="ignore"):
        share, mean = n_high / n, (of @ inside) / n_inside
    base = float(is_high.mean()) if len(is_high) else None
    lines, has_words = [], any(word is not None for word in without)
    for thing, word in enumerate(without):
        if has_words and word is None:
            continue  # no text has it
        lines.append(
            {
                "thing": thing,
                "part": part,
                "without": word,
                "n_texts": int(n[thing]),
                "n_high": int(n_high[thing]),
                "share_high": _known(share[thing]),
                "share_low_end": float(exact[0][thing]),
                "share_high_end": float(exact[1][thing]),
                "cluster_low": _known(cluster[0][thing]) if n_high[thing] else None,
                "cluster_high": _known(cluster[1][thing]) if n_high[thing] else None,
                "base": base,
                "n_inside": int(n_inside[thing]),
                "inside": _known(mean[thing]),
                "inside_low": _known(beside[0][thing]),
                "inside_high": _known(beside[1][thing]),
            }
        )
    return lines


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _intervals(
    of: sparse.csr_matrix, value: np.ndarray, counts: np.ndarray, drawn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(thing,) cluster-bootstrap intervals of means of a value over the texts of each thing."""
    return intervals.percentiles(
        intervals.ratio(of, drawn * value[:, None], drawn * counts[:, None])
    )
