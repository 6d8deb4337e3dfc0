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
ROUNDING = 1e-9
"""Distance from a whole number that is one of rounding: 90 x 0.7 is 63."""
Part = Mapping[str, Any]
"""A part: {corpus, split} or {corpus, share: [from, to], seed}; a split of null is the whole.
`by` beside a share: originals are cut class by class of this label, see `balanced`."""


def parts(
    main: str, splits: Sequence[str], holdouts: Sequence[str], named: Mapping[str, Any]
) -> dict[str, Part]:
    """The parts of a study by name, discovery first.

    main: name of the main corpus; splits: those of its items; holdouts: names of other corpora.
    named: discovery, confirmation, test (a split of the main corpus or the name of a corpus, or
    None), beyond (a list of such), share (or None), seed, and balanced with label.

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
        how = {"seed": seed, **({"by": named.get("label")} if named.get("balanced") else {})}
        chosen[DISCOVERY] = {"corpus": main, "share": [0.0, share], **how}
        chosen[CONFIRMATION] = {"corpus": main, "share": [share, 1.0], **how}
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
    """(item,) bool: the items of a part of their corpus, of which `texts` are all.

    Of a share without `by` each original falls by its own number and the seed alone, so that a
    corpus may grow and the counts are those of tossed coins.
    """
    if "by" in part:
        return balanced(texts, part)
    if "share" in part:
        low, high = part["share"]
        drawn = (_key(texts.cluster, part["seed"]) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return (drawn >= low) & (drawn < high)
    if part["split"] is None:
        return np.ones(texts.n, bool)
    return np.array([one == part["split"] for one in texts.labels["split"]], bool)


def balanced(texts: Texts, part: Part) -> np.ndarray:
    """(item,) bool: the items of a share of the originals that is as near to it as can be, in each
    class of the label `by` and in all.

    Originals stand in the order of their class, that of their first text, and within it in one that
    the seed decides. Of n, number i (from 0) is taken where floor((i + 1) s) > floor(i s): a share
    s of every run of them, off by less than one. A label of numbers, or none, has one class. The
    part from s to 1 has the others.
    """
    low, high = part["share"]
    share = low or high
    number, first, own = np.unique(texts.cluster, return_index=True, return_inverse=True)
    kind = np.array(["" if one is None else str(one) for one in _classes(texts, part["by"])])
    order = np.lexsort((_key(number, part["seed"]), kind[first]))
    place = np.empty(len(number), np.int64)
    place[order] = np.arange(len(number))
    before, after = (np.floor(n * share + ROUNDING) for n in (place, place + 1))
    taken = after > before
    return (taken if low == 0 else ~taken)[own]


def _classes(texts: Texts, label: str | None) -> Sequence[Any]:
    """(item,) the classes of a label; one of a label of numbers, and of none."""
    column = list(texts.labels.get(label, ())) if label else []
    is_text = any(isinstance(one, str) for one in column)
    return column if is_text else [""] * texts.n


def _key(cluster: np.ndarray, seed: int) -> np.ndarray:
    """(cluster,) uint64: random numbers of originals by their own number and the seed."""
    return mix(cluster.astype(np.uint64) + (np.uint64(seed) << np.uint64(32)))


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
