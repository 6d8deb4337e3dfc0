"""The names of a cell, from its tables and settings."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.paths import expand
from saegrid.base.words import EDITED
from saegrid.codes.sparse import Features
from saegrid.meaning.names import contexts, namer_class
from saegrid.meaning.names.chosen import chosen, donors
from saegrid.meaning.names.namer import Namer
from saegrid.meaning.names.run import Outcome, run


def name_cell(
    features: Features,
    tokens: pa.Table,
    kept: np.ndarray,
    items: pa.Table,
    settings: Mapping[str, Any],
    layout: str = "headline",
    tests: pa.Table | None = None,
    concepts: pa.Table | None = None,
    lists: Mapping[str, frozenset[str]] | None = None,
    answers: str = "answers",
    say: Callable[[Sequence[str]], None] = print,
) -> Outcome:
    """Names of features of a cell with their scores.

    kept: (item,) bool. settings: the section `names` of the config. tests: contrasts.parquet of
    the cell; concepts: concepts.parquet. lists: stems of words by concept, see
    `words.word_lists`. answers: folder of the answers of models.
    """
    of = contexts.material(
        features, tokens, kept, edits_of(tokens, items), layout, settings["seed"]
    )
    words = lists or {}
    known = {row["feature"]: row for row in concepts.to_pylist()} if concepts else {}
    ids = chosen(
        settings["features"],
        n_texts(of),
        searched(tests),
        settings["min_texts"],
        settings["seed"],
    )
    how = contexts.Settings(**{key: settings[key] for key in contexts.Settings._fields})
    drawn = {f: contexts.draw(of, f, words, how, known.get(f)) for f in ids.tolist()}
    return run(
        drawn,
        donors(ids, settings["seed"]),
        namer_of(settings, answers, words),
        settings["namer"],
        say,
        known,
        settings["most_calls"],
        settings["price"],
    )


def namer_of(
    settings: Mapping[str, Any], answers: str, lists: Mapping[str, frozenset[str]]
) -> Namer:
    """The namer of the settings."""
    kind = namer_class(settings["namer"])
    if settings["namer"] == "lexical":
        return kind(lists)
    if settings["namer"] == "local":
        return kind(answers, expand(settings["model"]))
    keys = ("model", "base_url", "key", "timeout", "retries", "at_once", "batch", "options")
    return kind(answers, **{key: settings[key] for key in keys})


def edits_of(tokens: pa.Table, items: pa.Table) -> list[str] | None:
    """(item,) the last word of each edit; None of plain text."""
    if EDITED not in set(tokens["side"].cast(pa.string()).unique().to_pylist()):
        return None
    return [((edit or "").split() or [""])[-1] for edit in items["edit"].to_pylist()]


def n_texts(of: contexts.Material) -> np.ndarray:
    """(feature,) edits, or words of plain text, on which each fires."""
    owner, at = of.features.owners(), of.places.token[of.features.indices]
    owner, at = owner[at >= 0], at[at >= 0]
    new = (np.diff(owner, prepend=-1) != 0) | (np.diff(at, prepend=-1) != 0)
    return np.bincount(owner[new], minlength=of.features.d_sae)


def searched(tests: pa.Table | None, alpha: float = 0.05) -> list[int]:
    """The features that the tests find within the cell, those of the smallest p first.

    tests: contrasts.parquet. A feature counts where a p times the number of tests of its contrast
    (Bonferroni) is at most alpha. Which of them hold over all cells and on other texts is known
    later; those are among these, and have the smallest p.
    """
    if tests is None:
        return []
    contrasts, feature = tests["contrast"].to_pylist(), tests["feature"].to_pylist()
    counts = Counter(contrasts)
    pairs = zip(tests["p"].to_pylist(), feature, contrasts, strict=True)
    ordered = sorted((p, f) for p, f, name in pairs if p is not None and p * counts[name] <= alpha)
    return list(dict.fromkeys(f for _, f in ordered))
