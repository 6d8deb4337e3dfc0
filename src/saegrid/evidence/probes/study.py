"""Classifiers of a study: of its texts alone, and of a site with its cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from saegrid.base import io
from saegrid.base.registry import pick
from saegrid.base.words import EDITED, ORIGINAL
from saegrid.capture import activations
from saegrid.codes.sparse import read_features
from saegrid.evidence import parts, texts
from saegrid.evidence.probes import ceiling, table
from saegrid.evidence.probes.material import CELL, SITE, TEXTS, Activations, Material
from saegrid.evidence.probes.problem import Corpus, Problem, problem
from saegrid.evidence.probes.representations import BASELINES, REPRESENTATIONS
from saegrid.evidence.probes.table import Answer, Base
from saegrid.evidence.probes.target import METRICS, Probe
from saegrid.evidence.probes.targets import PROBES
from saegrid.evidence.texts import TEXT, Texts
from saegrid.saes.joined import open_rows


class Study(NamedTuple):
    """The texts of a study and what is predicted of them."""

    settings: Mapping[str, Any]
    """Settings of the probes, with label, high, low, classes and seed of the plan."""
    corpora: Mapping[str, Corpus]
    parts: Mapping[str, Any]
    problems: list[Problem]


def read(settings: Mapping[str, Any], files: Any) -> Study:
    """The study of a job. settings: probes, names, corpora, and those of the section; files: paths
    plan, texts, tokens, spans, and of the texts' job nuisances."""
    plan = io.read_json(files.plan)
    of_plan = {key: plan[key] for key in ("label", "high", "low", "classes", "seed")}
    chosen = {**settings["probes"], **of_plan}
    beside = getattr(files, "nuisances", None)
    corpora = {}
    for number, name in enumerate(settings["corpora"]):
        tables = (io.read_table(of[number]) for of in (files.texts, files.tokens, files.spans))
        one = texts.texts(*tables, plan["seed"])
        corpora[name] = _with_words(one, beside[number]) if beside else Corpus(one)
    of_study = {name: part for name, part in plan["parts"].items() if part["corpus"] in corpora}
    problems = [problem(name, corpora, of_study, chosen) for name in settings["names"]]
    return Study(chosen, corpora, of_study, problems)


def _with_words(one: Texts, path: str) -> Corpus:
    """A corpus with its words, and their frequency, form and surprisal. path: of nuisances."""
    from saegrid.evidence import nuisance_table  # takes a second to load

    numbers, _ = nuisance_table.read(io.read_table(path), one.n)
    return Corpus(one, numbers, spoken(one))


def spoken(one: Texts) -> dict[str, list[str]]:
    """(item,) the words of each view."""
    from saegrid.evidence.nuisances import replaced

    if not one.is_paired:
        return {TEXT: [text or "" for text in one.labels["edited"]]}
    pairs = list(zip(one.labels["original"], one.labels["edited"], strict=True))
    edits = one.labels.get("edit") or [replaced(after, before) for before, after in pairs]
    return {EDITED: list(edits), ORIGINAL: [replaced(*pair) for pair in pairs]}


# --- the texts alone ------------------------------------------------------------------------


def of_texts(
    study: Study, grades: Mapping[str, str] | None, vectors: Sequence[Activations] = ()
) -> tuple[Answer, list[dict[str, Any]]]:
    """The classifiers of the texts alone, and facts of each probe.

    grades: label columns `mean` and `digits`, the grades one digit a judge; None without any.
    """
    material = Material(list(study.corpora.values()), vectors=vectors)
    whole, facts = Answer([], [], {}), []
    more = [name for name in _wanted(study, TEXTS) if name not in BASELINES]
    for one in study.problems:
        answer, base = table.baselines(material, one, more, study.settings)
        add(whole, answer)
        for key in ("y", "cluster", "part", "fold"):
            whole.tensors[f"{one.name}/{key}"] = getattr(one, key)
        facts.append(_facts(study, one, base, grades))
        print(f"{one.name}: {len(one.y):,} texts, {len(answer.summary)} classifiers", flush=True)
    return whole, facts


def _facts(
    study: Study, one: Problem, base: Base | None, grades: Mapping[str, str] | None
) -> dict[str, Any]:
    probe: Probe = pick(PROBES, one.name, "Probe")
    best, reason = _ceiling(study, one, grades)
    rows = one.searched
    return {
        "name": one.name,
        "title": probe.title,
        "question": probe.question,
        "words": one.words,
        "kind": one.kind,
        "metric": METRICS[one.kind],
        "n": len(rows),
        "n_clusters": len(np.unique(one.cluster[rows])),
        "n_class": int(one.y[rows].sum()) if one.kind == "classes" else None,
        "parts": {name: int((one.part == n).sum()) for n, name in enumerate(one.parts)},
        "left_out": one.left_out,
        "folds": one.n_folds,
        "baseline": base.name if base else None,
        "ceiling": best,
        "ceiling_words": reason,
    }


def _ceiling(
    study: Study, one: Problem, grades: Mapping[str, str] | None
) -> tuple[float | None, str]:
    """The ceiling from the noise of grades, and words for it."""
    label = study.settings["label"]
    if one.name == "edited":
        return None, "Which span is the edited one is known without noise."
    if grades is None or grades["mean"] != label:
        return (
            None,
            f"The grades of which {label} is the mean are not known (corpora.<name>.grades).",
        )
    part = study.parts[one.parts[0]]
    corpus = study.corpora[part["corpus"]].texts
    chosen = np.flatnonzero(parts.chosen(corpus, part))
    digits = corpus.labels.get(grades["digits"])
    rho = ceiling.reliability([digits[i] for i in chosen]) if digits is not None else None
    if rho is None:
        return None, "The grades say nothing of their noise: fewer than two of a text."
    y = np.full(corpus.n, np.nan)
    y[one.item[one.searched]] = one.y[one.searched]
    value = ceiling.ceiling(rho, one.kind, corpus.labels[label][chosen], y[chosen])
    return value, (
        f"The best score of a reader who knows what many judges would say; reliability of the mean "
        f"of the judges {rho:.3f}, ICC(1, k)."
    )


# --- a site ---------------------------------------------------------------------------------


def of_site(
    study: Study,
    tensors: Mapping[str, np.ndarray],
    site: str,
    site_files: Sequence[Sequence[str]],
    neuron_files: Sequence[Sequence[str]],
    cells: Mapping[str, Sequence[str]],
) -> Answer:
    """The classifiers of a site and its cells.

    tensors: of the texts' job; site_files, neuron_files: files of activations of each corpus, none
    where they are not wanted; cells: files of features of each corpus, by cell.
    """
    whole = Answer([], [], {})
    corpora = list(study.corpora.values())
    material = Material(
        corpora, opened(site_files), opened(neuron_files), seed=study.settings["seed"]
    )
    draws, seed = study.settings["draws"], study.settings["seed"]
    drawn = {one.name: table.draws(one, draws, seed) for one in study.problems}
    for cell, files in [(None, ()), *cells.items()]:
        names = _wanted(study, CELL if cell else SITE)
        if not names:
            continue
        own = material.with_features([read_features(path) for path in files]) if cell else material
        for one in study.problems:
            base = base_of(tensors, one.name)
            place = {"site": site, "cell": cell}
            answer, _ = table.ask(own, one, names, study.settings, place, base, drawn[one.name])
            add(whole, answer)
            print(f"{cell or site} {one.name}: {len(answer.summary)} classifiers", flush=True)
    return whole


def base_of(tensors: Mapping[str, np.ndarray], name: str) -> Base | None:
    """The baseline of a probe from the tensors of the texts' job."""
    if f"{name}/offset" not in tensors:
        return None
    offset, prediction = (tensors[f"{name}/{key}"].astype(float) for key in ("offset", "base"))
    return Base("", offset, prediction)


def counted(paths: Sequence[str], counts: Sequence[int]) -> list[list[str]]:
    """Paths in lists of these lengths."""
    left = iter(paths)
    return [[next(left) for _ in range(count)] for count in counts]


def write(answer: Answer, study: Study, output: Any, spec: str) -> None:
    """Write an answer. output: paths summary, folds, tensors."""
    columns = table.schema(list(study.parts))
    io.write_table(output.summary, table.table(answer.summary, columns), spec)
    io.write_table(output.folds, table.table(answer.folds, table.FOLDS), spec)
    io.write_tensors(output.tensors, answer.tensors, spec)


def add(whole: Answer, answer: Answer) -> None:
    """Add an answer to another; predictions of a probe one below the other."""
    whole.folds.extend(answer.folds)
    whole.summary.extend(answer.summary)
    for key, value in answer.tensors.items():
        known = whole.tensors.get(key)
        whole.tensors[key] = value if known is None else np.vstack([known, value])


def _wanted(study: Study, of: str) -> list[str]:
    """The representations of an origin that the settings name."""
    names = study.settings["representations"]
    every = {n: pick(REPRESENTATIONS, n, "Representation") for n in dict.fromkeys(names)}
    return [name for name, representation in every.items() if representation.of == of]


def opened(files: Sequence[Sequence[str]]) -> list[Activations]:
    """Activations of each corpus, shards one below the other."""
    out = []
    for paths in files:
        token = np.concatenate([activations.read(path)[1] for path in paths])
        out.append(Activations(open_rows(paths), token))
    return out


def vectors(model: Mapping[str, Any], study: Study, tokens: Sequence[str]) -> list[Activations]:
    """Input embeddings of the tokens that stand in a text, for each corpus. tokens: paths."""
    from saegrid.models.load import load

    weight = load(model).model.get_input_embeddings().weight.detach().float().cpu().numpy()
    out = []
    for path, corpus in zip(tokens, study.corpora.values(), strict=True):
        ids = io.read_table(path, ["token_id"])["token_id"].to_numpy()
        token = np.unique(np.concatenate([v.token for v in corpus.texts.views.values()]))
        out.append(Activations(weight[ids[token]], token))
    return out
