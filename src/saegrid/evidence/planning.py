"""The plan of the tests: resolved from the config and the texts before any number is made."""

import json
import shutil
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from saegrid.base import io
from saegrid.base.digest import digest
from saegrid.base.registry import nearest
from saegrid.evidence import (
    CONFIRMATION,
    DISCOVERY,
    nuisance_table,
    nuisances,
    parts,
    questions,
    texts,
)
from saegrid.evidence.contrast import Unusable, numbers_of, read
from saegrid.evidence.questions import Corpus
from saegrid.evidence.texts import Texts

HISTORY = "plans.jsonl"
"""Plans with which numbers were made, one a line, beside the results of the study."""
FORMER = "plans"
"""Folder of the results of former plans, each under the digest of its plan."""
KEPT = ("tests.json", "tests.parquet", "discoveries.parquet", "findings.html")
OTHER = ("counts", "changes", "unanswered")
"""Entries of a plan that decide nothing."""
ORDER = ("k3", "k2", "label", "k1")
"""Contrasts by how directly they answer what a study asks."""


def read_corpora(
    items: Sequence[str], tokens: Sequence[str], spans: Sequence[str], seed: int
) -> list[Texts]:
    """The texts of corpora, from the paths of their tables; every token of a text outside the edit
    counts as captured."""
    out = []
    for files in zip(items, tokens, spans, strict=True):
        table, rows, places = (io.read_table(path) for path in files)
        one = texts.texts(table, rows, places, seed)
        out.append(texts.with_context(one, rows, np.arange(rows.num_rows), seed))
    return out


def read_all(
    names: Sequence[str], files: Any, captured: Mapping[str, np.ndarray], seed: int
) -> dict[str, Corpus]:
    """Corpora by name with their nuisances. files: lists of paths texts, tokens, spans, nuisances.
    captured: token indices by corpus."""
    corpora = {}
    paths = zip(files.texts, files.tokens, files.spans, files.nuisances, strict=True)
    for name, (items, tokens, spans, beside) in zip(names, paths, strict=True):
        rows = io.read_table(tokens)
        one = texts.texts(io.read_table(items), rows, io.read_table(spans), seed)
        one = texts.with_context(one, rows, captured[name], seed)
        corpora[name] = Corpus(one, *nuisance_table.read(io.read_table(beside), one.n))
    return corpora


def checked_plan(settings: Mapping[str, Any], corpora: Sequence[Texts]) -> dict[str, Any]:
    """The plan of a study.

    settings: study, main, holdouts, grade, cells and tests, the section of the config. corpora:
    texts of the corpora that are named, the main one first, in the order of `settings["names"]`.

    Raises Unusable with a sentence for each contrast that the texts cannot answer; where the config
    names no contrasts these are left out instead, and stand under `unanswered`.
    """
    wanted = settings["tests"]
    by_name = dict(zip(settings["names"], corpora, strict=True))
    main = by_name[settings["main"]]
    splits = list(dict.fromkeys(main.labels["split"]))
    cut = parts.parts(settings["main"], splits, settings["holdouts"], wanted)
    _check_groups(wanted["nuisances"])
    plan = {
        **{k: wanted[k] for k in ("permutations", "alpha", "q", "min_texts", "seed", "bootstrap")},
        "classes": wanted["classes"],
        "nuisances": wanted["nuisances"],
        "frequency": wanted["frequency"],
        "control": wanted["control"],
        "parts": cut,
        "label": wanted["label"] or settings["grade"],
    }
    plan |= _thresholds(plan, wanted, by_name)
    named = wanted["contrasts"]
    plan["contrasts"] = list(_usual(main, plan) if named is None else dict.fromkeys(named))
    bare = {name: Corpus(one, {}, _no_words(one)) for name, one in by_name.items()}
    problems = _problems(plan, bare)
    if named is not None and problems:
        raise Unusable("\n".join(dict.fromkeys(problems.values())))
    plan["unanswered"] = problems
    plan["contrasts"] = [name for name in plan["contrasts"] if name not in problems]
    if not plan["contrasts"]:
        raise Unusable("\n".join(dict.fromkeys(problems.values())) or _NOTHING)
    plan["primary"] = _primary(wanted["primary"], plan["contrasts"])
    plan["counts"] = {
        name: int(parts.chosen(by_name[part["corpus"]], part).sum()) for name, part in cut.items()
    }
    return plan


_NOTHING = (
    "analyses.tests.label: must name a column of the texts that tells two sets of them apart, or a "
    "number; texts without edits and without a label have nothing to compare."
)


def _usual(main: Texts, plan: Mapping[str, Any]) -> list[str]:
    if not main.is_paired:
        return ["label"] if plan["label"] else []
    labelled = ["k2", "k3", "k3g", "k4"] if plan["high"] is not None else []
    if plan["label"] and not labelled:
        labelled = ["label"]
    return ["k1", *labelled, "k5", *(["k6"] if plan["control"] else [])]


def _no_words(one: Texts) -> dict[str, list[str]]:
    return {"edited": [""] * one.n} if one.is_paired else {}


def _check_groups(groups: Sequence[str]) -> None:
    for name in groups:
        if name not in nuisances.GROUPS:
            known = list(nuisances.GROUPS)
            raise Unusable(
                f"analyses.tests.nuisances: {name!r} is unknown.{nearest(name, known)} "
                f"Known: {', '.join(known)}."
            )


def _problems(plan: Mapping[str, Any], corpora: Mapping[str, Corpus]) -> dict[str, str]:
    """Sentences by contrast, of contrasts that discovery or confirmation cannot answer."""
    problems: dict[str, str] = {}
    for name in plan["contrasts"]:
        try:
            kind, column = read(name)
        except ValueError as problem:
            problems[name] = f"analyses.tests.contrasts: {problem}"
            continue
        main = corpora[plan["parts"][DISCOVERY]["corpus"]].texts
        if kind.paired and not main.is_paired:
            problems[name] = (
                f"analyses.tests.contrasts: {name} compares edits with originals, which these "
                "texts have not. Use the contrast `label`."
            )
        elif kind.labelled and not (column or plan["label"]):
            problems[name] = f"analyses.tests.label: {name} needs a label. {_NOTHING}"
        elif kind.controlled and not plan["control"]:
            problems[name] = (
                f"analyses.tests.control: {name} needs a corpus of random words. Add one of role "
                "control (kind random_edits) and name it here."
            )
    for part in (DISCOVERY, CONFIRMATION):
        where = plan["parts"][part]
        left = [name for name in plan["contrasts"] if name not in problems]
        for name, design in questions.designs(
            {**plan, "contrasts": left}, where, corpora[where["corpus"]], part
        ):
            if isinstance(design, Unusable):
                problems.setdefault(name, str(design))
    return problems


def _thresholds(
    plan: Mapping[str, Any], wanted: Mapping[str, Any], corpora: Mapping[str, Texts]
) -> dict[str, float | None]:
    """High and low of k2 and k3 where the label is a number: as named, else quartiles."""
    part = plan["parts"][DISCOVERY]
    main = corpora[part["corpus"]]
    named = {key: wanted[key] for key in ("high", "low", "same_high", "same_low")}
    label = plan["label"]
    if not label or not isinstance(main.labels.get(label), np.ndarray):
        if label and label not in main.labels:
            numbers_of(main, np.ones(main.n, bool), label)  # raises with the columns that are there
        return dict.fromkeys(named)
    values = numbers_of(main, parts.chosen(main, part), label)[parts.chosen(main, part)]
    low, middle, high = np.quantile(values[~np.isnan(values)], [0.25, 0.5, 0.75])
    out = {
        "high": float(high) if named["high"] is None else named["high"],
        "low": float(low) if named["low"] is None else named["low"],
    }
    out["same_high"] = out["high"] if named["same_high"] is None else named["same_high"]
    half = float(middle) if middle < out["same_high"] else out["low"]
    out["same_low"] = half if named["same_low"] is None else named["same_low"]
    if not out["high"] > out["low"]:
        raise Unusable(
            f"analyses.tests.high: must be above low, {out['low']:g}, for no text can be on both "
            f"sides of k2; got {out['high']:g}. Name both."
        )
    return out


def _primary(named: str | None, contrasts: Sequence[str]) -> str:
    if named is None:
        ranked = [n for key in ORDER for n in contrasts if n.partition(":")[0] == key]
        return (ranked or list(contrasts))[0]
    if named not in contrasts:
        raise Unusable(
            f"analyses.tests.primary: {named!r} is none of the contrasts that are tested: "
            f"{', '.join(contrasts)}."
        )
    return named


def decisive(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of a plan that decide numbers."""
    return {key: value for key, value in plan.items() if key not in OTHER}


def plan_digest(plan: Mapping[str, Any]) -> str:
    """The digest of a plan."""
    return digest(io.canonical(decisive(plan)))


def keep_former(path: str | Path, plan: Mapping[str, Any]) -> list[str]:
    """Sentences about each change of the plan after numbers were made with it; results of the plan
    before are kept in the folder `plans`.

    path: of the plan. The plans with which numbers were made stand in `plans.jsonl` beside it.
    """
    folder = Path(path).parent
    history = folder / HISTORY
    lines = history.read_text(encoding="utf-8").splitlines() if history.is_file() else []
    known = [json.loads(line) for line in lines]
    new = json.loads(io.canonical(decisive(plan)))
    has_numbers = (folder / KEPT[0]).is_file()
    if known and known[-1] != new:
        if has_numbers:
            _archive(folder, plan_digest(known[-1]))
        else:
            known.pop()
    if not known or known[-1] != new:
        known.append(new)
        io.write_text(history, "".join(io.canonical(one) + "\n" for one in known))
    return [_change(old, new, plan_digest(old)) for old, new in pairwise(known)]


def _archive(folder: Path, name: str) -> None:
    kept = folder / FORMER / name[:12]
    kept.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        if (folder / file).is_file():
            shutil.copyfile(folder / file, kept / file)


def _change(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> str:
    before, after = ({**one, **_parts(one)} for one in (old, new))
    keys = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    changes = [
        f"{key} was {_short(before.get(key))} and is {_short(after.get(key))}" for key in keys
    ]
    return (
        f"The plan was changed after its numbers had been made: {'; '.join(changes)}. The results "
        f"of the plan before are kept in {FORMER}/{name[:12]}."
    )


def _parts(plan: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a plan in words, each by its name."""
    words: dict[str, str] = {"parts": ""}
    for name, part in plan["parts"].items():
        if "share" in part:
            low, high = part["share"]
            words[name] = f"the originals of {part['corpus']} from {low:.0%} to {high:.0%}"
            words[name] += ", class by class" if "by" in part else ""
        else:
            split = f" of {part['corpus']}" if part["split"] else part["corpus"]
            words[name] = f"{part['split']}{split}" if part["split"] else f"all of {split}"
    return words


def _short(value: Any) -> str:
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)
