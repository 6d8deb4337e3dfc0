"""The texts of a probe over all parts of a study: what is learned from, what is predicted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from saegrid.base.registry import pick
from saegrid.evidence import exchange, parts
from saegrid.evidence.contrast import LEAST, Unusable
from saegrid.evidence.probes.target import CLASSES, Labelled, Probe
from saegrid.evidence.probes.targets import PROBES
from saegrid.evidence.texts import Texts
from saegrid.text.split import mix

if TYPE_CHECKING:
    from saegrid.evidence.nuisances import Numbers
else:  # it stands above, and takes a second to load
    Numbers = Any


class Corpus(NamedTuple):
    """A corpus as probes read it."""

    texts: Texts
    numbers: Mapping[str, Numbers] = {}
    """Frequency, form and surprisal of each view."""
    words: Mapping[str, Sequence[str]] = {}
    """(item,) the words of each view."""


class Split(NamedTuple):
    """The texts that a classifier learns from, and those it predicts."""

    train: np.ndarray
    """(text,) rows, ascending."""
    test: np.ndarray


class Problem(NamedTuple):
    """The texts of a probe, those of discovery first."""

    name: str
    kind: str
    y: np.ndarray
    """(row,) float64 what is predicted: 1 and 0, or a number."""
    item: np.ndarray
    """(row,) items of their corpus."""
    corpus: np.ndarray
    """(row,) number of the corpus."""
    view: np.ndarray
    """(row,) number of the view, in `views`."""
    views: list[str]
    cluster: np.ndarray
    """(row,) originals, apart in each corpus."""
    part: np.ndarray
    """(row,) number of the part, in `parts`; 0 is discovery."""
    parts: list[str]
    fold: np.ndarray
    """(row,) int fold; -1 outside discovery."""
    scheme: str
    words: str
    left_out: dict[str, str]
    """Reasons by part that has no such texts."""

    @property
    def searched(self) -> np.ndarray:
        """(text,) rows of discovery."""
        return np.flatnonzero(self.part == 0)

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(self.fold.max()) + 1

    def splits(self) -> list[Split]:
        """One for each fold of discovery; last all of it, to predict the other parts."""
        ours = self.fold >= 0
        each = [
            Split(np.flatnonzero(ours & (self.fold != f)), np.flatnonzero(self.fold == f))
            for f in range(self.n_folds)
        ]
        return [*each, Split(np.flatnonzero(ours), np.flatnonzero(~ours))]

    def shuffled(self, times: int, seed: int) -> np.ndarray:
        """(row, times) float64 labels of discovery moved between whole originals; other rows keep
        theirs."""
        out = np.repeat(self.y[:, None], times, axis=1)
        if not times:
            return out
        rows = self.searched
        rng = exchange.generator(seed, f"probes {self.name}")
        if self.scheme == exchange.FLIPS:
            signs = exchange.signs(self.cluster[rows], times, rng)[:, 1:]
            out[rows] = np.where(signs > 0, out[rows], 1 - out[rows])
        else:
            source = exchange.exchanged(self.cluster[rows], times, rng)[:, 1:]
            out[rows] = self.y[rows][source]
        return out


def problem(
    name: str,
    corpora: Mapping[str, Corpus],
    of_study: Mapping[str, Mapping[str, Any]],
    settings: Mapping[str, Any],
) -> Problem:
    """The texts of a probe.

    corpora: by name, the main one first; of_study: parts by name, discovery first
    (`evidence.parts`); settings: label, high, low, classes, folds, seed. Unusable where discovery
    cannot answer the probe; a part that cannot is left out, and told.
    """
    probe: Probe = pick(PROBES, name, "Probe")
    names = list(corpora)
    chosen: list[tuple[str, int, Labelled]] = []
    left_out: dict[str, str] = {}
    for part, where in of_study.items():
        texts = corpora[where["corpus"]].texts
        if probe.paired and not texts.is_paired:
            problem_of = Unusable(
                f"analyses.probes.probes: {name} needs texts that are edits of originals, which "
                f"those of {where['corpus']} are not. Leave {name} out."
            )
        else:
            try:
                of = probe.texts(texts, parts.chosen(texts, where), settings)
                chosen.append((part, names.index(where["corpus"]), of))
                continue
            except Unusable as reason:
                problem_of = reason
        if not chosen:
            raise problem_of
        left_out[part] = str(problem_of)
    first = chosen[0][2]
    chosen = [one for one in chosen if one[2].kind == first.kind]
    views = list(dict.fromkeys(view for _, _, of in chosen for view in of.view))
    columns: dict[str, list[np.ndarray]] = {
        key: [] for key in ("corpus", "view", "cluster", "part")
    }
    for number, (_, corpus, of) in enumerate(chosen):
        texts = corpora[names[corpus]].texts
        columns["corpus"].append(np.full(len(of.y), corpus))
        columns["view"].append(np.array([views.index(v) for v in of.view])[of.side])
        columns["cluster"].append(texts.cluster[of.item].astype(np.int64) * len(names) + corpus)
        columns["part"].append(np.full(len(of.y), number))
    y = np.concatenate([of.y for _, _, of in chosen])
    cluster = np.concatenate(columns["cluster"])
    n = len(first.y)
    fold = np.full(len(y), -1)
    fold[:n] = folds(cluster[:n], y[:n], settings["folds"], settings["seed"], name)
    return Problem(
        name,
        first.kind,
        y,
        np.concatenate([of.item for _, _, of in chosen]),
        np.concatenate(columns["corpus"]),
        np.concatenate(columns["view"]),
        views,
        cluster,
        np.concatenate(columns["part"]),
        [part for part, _, _ in chosen],
        fold,
        first.scheme,
        first.words,
        left_out,
    )


def folds(cluster: np.ndarray, y: np.ndarray, n: int, seed: int, name: str) -> np.ndarray:
    """(row,) int folds of whole originals, of about equal sizes and means of y.

    Originals stand in order of their number of texts and mean of y, ties by seed; each n in a row
    go to the n folds, in an order drawn by seed. Unusable where there are too few originals, or a
    fold lacks a class.
    """
    ids, number, size = np.unique(cluster, return_inverse=True, return_counts=True)
    if len(ids) < max(n, LEAST):
        raise Unusable(
            f"analyses.probes.probes: {name} has {len(ids)} originals; at least {max(n, LEAST)} "
            f"are needed for {n} folds. Leave {name} out, or name more texts."
        )
    key = mix(ids.astype(np.uint64) + (np.uint64(seed) << np.uint64(32)))
    order = np.lexsort((key, np.bincount(number, y) / size, size))
    of = np.empty(len(ids), int)
    rank = np.arange(len(ids))
    # In each run of n originals the folds are drawn without replacement, by their keys.
    place = np.lexsort((key[order], rank // n))
    of[order[place]] = rank % n
    fold = of[number]
    if set(np.unique(y)) == {0.0, 1.0}:
        for one in range(n):
            if len(np.unique(y[fold == one])) < 2:
                raise Unusable(
                    f"analyses.probes.folds: of {name} a fold of {n} has one class only. Set fewer "
                    "folds, or name more texts."
                )
    return fold


__all__ = ["CLASSES", "Corpus", "Problem", "Split", "folds", "problem"]
