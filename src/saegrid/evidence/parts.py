"""Parts of the texts: one to search in, one to confirm on, one that is looked at once, others."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saegrid.evidence import CONFIRMATION, DISCOVERY, TEST, USUAL
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.texts import Texts
from saegrid.text.split import mix

SHARE = 0.7
"""Share of the originals that is searched where nothing is named."""
Part = Mapping[str, Any]
"""A part: {corpus, split} or {corpus, share: [from, to], seed}; a split of null is the whole."""


def parts(
    main: str, splits: Sequence[str], holdouts: Sequence[str], named: Mapping[str, Any]
) -> dict[str, Part]:
    """The parts of a study by name, discovery first.

    main: name of the main corpus; splits: those of its items; holdouts: names of other corpora.
    named: discovery, confirmation, test (a split of the main corpus or the name of a corpus, or
    None), beyond (a list of such), share (or None) and seed.

    Where a share is named, or nothing is and there are no usual splits, originals of the main
    corpus are cut by seed: a share of them to search in, the others to confirm on.
    """
    wanted = {name: named.get(name) for name in (DISCOVERY, CONFIRMATION, TEST)}
    known = {*splits, *holdouts}
    chosen: dict[str, Part] = {}
    if named.get("share") is not None and (wanted[DISCOVERY] or wanted[CONFIRMATION]):
        raise Unusable(
            "analyses.tests.share: cuts the main corpus, so that discovery and confirmation cannot "
            "be named too. Leave out one or the other."
        )
    if named.get("share") is None and not any(wanted.values()) and USUAL[CONFIRMATION] in known:
        wanted = {name: split if split in known else None for name, split in USUAL.items()}
    if wanted[DISCOVERY] is None and wanted[CONFIRMATION] in holdouts:
        chosen[DISCOVERY] = {"corpus": main, "split": None}
    elif wanted[DISCOVERY] is None and wanted[CONFIRMATION] is None:
        share, seed = named.get("share") or SHARE, named["seed"]
        chosen[DISCOVERY] = {"corpus": main, "share": [0.0, share], "seed": seed}
        chosen[CONFIRMATION] = {"corpus": main, "share": [share, 1.0], "seed": seed}
    elif wanted[DISCOVERY] is None or wanted[CONFIRMATION] is None:
        key = DISCOVERY if wanted[DISCOVERY] is None else CONFIRMATION
        raise Unusable(
            f"analyses.tests.{key}: must be named where the other part is. Name a split of {main} "
            f"({_listed(splits)}) or a corpus ({_listed(holdouts)})."
        )
    for name, value in wanted.items():
        if value is not None:
            chosen[name] = _part(main, splits, holdouts, f"analyses.tests.{name}", value)
    names = [name for name in wanted if name in chosen]
    ordered = [(name, f"analyses.tests.{name}", chosen[name]) for name in names]
    for value in named.get("beyond") or []:
        key = "analyses.tests.beyond"
        ordered.append((value, key, _part(main, splits, holdouts, key, value)))
    _apart(ordered)
    return {name: part for name, _, part in ordered}


def chosen(texts: Texts, part: Part) -> np.ndarray:
    """(item,) bool: the items of a part of their corpus."""
    if "share" in part:
        low, high = part["share"]
        key = mix(texts.cluster.astype(np.uint64) + (np.uint64(part["seed"]) << np.uint64(32)))
        drawn = (key >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return (drawn >= low) & (drawn < high)
    if part["split"] is None:
        return np.ones(texts.n, bool)
    return np.array([one == part["split"] for one in texts.labels["split"]], bool)


def _part(main: str, splits: Sequence[str], holdouts: Sequence[str], key: str, value: str) -> Part:
    if value in splits:
        return {"corpus": main, "split": value}
    if value in holdouts:
        return {"corpus": value, "split": None}
    raise Unusable(
        f"{key}: {value!r} is neither a split of {main} ({_listed(splits)}) nor a corpus of role "
        f"holdout or reference ({_listed(holdouts)})."
    )


def _apart(named: Sequence[tuple[str, str, Part]]) -> None:
    """Unusable where two parts, each with its key, have texts in common."""
    for place, (_, key, part) in enumerate(named):
        for before, _, other in named[:place]:
            if _meet(part, other):
                raise Unusable(
                    f"{key}: has texts of {before}; a finding is confirmed on texts that it was "
                    "not found in. Name another split or corpus."
                )


def _meet(part: Part, other: Part) -> bool:
    """True if two parts may have a text in common."""
    if part["corpus"] != other["corpus"]:
        return False
    if "share" in part and "share" in other and part["seed"] == other["seed"]:
        (low, high), (begin, end) = part["share"], other["share"]
        return low < end and begin < high
    split, another = part.get("split"), other.get("split")
    return split is None or another is None or split == another


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
