"""Names of the features of a cell, their scores, and the scores of names of other features."""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base.errors import ConfigError
from saegrid.features.examples import QUANTILES
from saegrid.meaning.names.contexts import KINDS, SHOWN, Drawn, table_rows
from saegrid.meaning.names.namer import (
    DETECTION,
    FUZZING,
    TASKS,
    Answer,
    Calls,
    Case,
    Namer,
    Subject,
)
from saegrid.meaning.names.scores import NOTHING, Score, score

STRONG = "strong"
AGAINST = {
    "random": "against any words",
    "meaning": "against words near in meaning",
    "form": "against words spelled alike",
}
NUMBER, TEXT = pa.float64(), pa.string()
SCHEMA = pa.schema(
    [
        ("feature", pa.int32()),
        ("name", TEXT),
        ("namer", TEXT),
        ("why", TEXT),
        ("n_shown", pa.int32()),
        *((f"detection{end}", NUMBER) for end in ("", "_low", "_high")),
        *((f"detection_{part}", NUMBER) for part in ("sensitivity", "specificity", *KINDS, STRONG)),
        *((f"n_{part}", pa.int32()) for part in ("active", *KINDS)),
        ("why_detection", TEXT),
        *((f"fuzzing{end}", NUMBER) for end in ("", "_low", "_high")),
        *((f"n_{part}", pa.int32()) for part in ("right", "wrong")),
        ("why_fuzzing", TEXT),
        ("donor", pa.int32()),
        ("null_detection", NUMBER),
        *((f"null_detection_{part}", NUMBER) for part in (*KINDS, STRONG)),
        ("null_fuzzing", NUMBER),
        ("why_null", TEXT),
    ]
)
"""Columns of names.parquet. A name or score that is not there is null, with the reason in `why`,
`why_detection`, `why_fuzzing` or `why_null`; where some contexts were not answered these say how
many. n_active, n_random, n_meaning, n_form, n_right and n_wrong count answered contexts.
detection_random and so on are balanced accuracies with the silent contexts of one kind,
detection_strong that with the strongest fifth of those on which the feature fires. donor is
the feature whose name gives the scores that begin with null."""
CONTEXTS = pa.schema(
    [
        ("feature", pa.int32()),
        ("use", TEXT),
        ("kind", TEXT),
        ("item", pa.int32()),
        ("token_index", pa.int64()),
        ("activation", pa.float32()),
        ("truth", pa.bool_()),
        ("text", TEXT),
        ("start", pa.int32()),
        ("stop", pa.int32()),
        ("word", TEXT),
        ("verdict", pa.bool_()),
        ("null_verdict", pa.bool_()),
        ("why", TEXT),
    ]
)
"""Columns of names_contexts.parquet: the contexts that were used, in the order in which they were
asked; verdict by the feature's own name, null_verdict by its donor's."""


class Outcome(NamedTuple):
    """The names of a cell."""

    names: pa.Table
    contexts: pa.Table
    missing: Mapping[str, int]
    """Answers that are missing, by reason."""


def most(n_features: int, n_scored: int, batch: int) -> int:
    """The largest number of calls that so many features can take: one for the name, and for its own
    and its donor's name those of detection (n_scored contexts on which it fires, and as many
    silent ones) and of fuzzing (as many right and wrong ones, together n_scored at most)."""
    judged = ceil(2 * n_scored / batch) + ceil(n_scored / batch)
    return n_features * (1 + 2 * judged)


def run(
    drawn: Mapping[int, Sequence[Drawn]],
    donors: Mapping[int, int],
    namer: Namer,
    kind: str,
    say: Callable[[Sequence[str]], None] = print,
    concepts: Mapping[int, Mapping[str, Any]] | None = None,
    most_calls: int | None = None,
    price: Sequence[float] | None = None,
) -> Outcome:
    """Name the features and score the names.

    drawn: contexts by feature. donors: of each feature the one whose name it gets in the null.
    kind: name of the namer. concepts: rows of concepts.parquet by feature. most_calls: calls to a
    model above which nothing is asked, but ConfigError raised. price: of a million tokens of
    prompts, and of answers. say: whoever is told of the calls before the first, in lines.
    """
    subjects = [subject_of(f, of, (concepts or {}).get(f)) for f, of in drawn.items()]
    calls = planned(subjects, drawn, donors, namer)
    say([_words(calls, kind, price)])
    if most_calls is not None and calls.n > most_calls:
        raise ConfigError(
            f"analyses.names.most_calls: at most {most_calls:,} calls may be made, and {calls.n:,} "
            "would be. Raise it, or name fewer features or score fewer contexts."
        )
    able = [subject for subject in subjects if subject.contexts]
    names = {s.feature: Answer(None, "it fires on no text of the half for names") for s in subjects}
    names.update(zip((s.feature for s in able), namer.name(able), strict=True))
    own = {f: names[f].value for f in drawn}
    verdicts = _judged(drawn, own, namer)
    null = {f: own[donors[f]] if f in donors else None for f in drawn}
    null_verdicts = _judged(drawn, null, namer)
    rows = [_row(f, names[f], kind, of, verdicts, null_verdicts, donors) for f, of in drawn.items()]
    return Outcome(
        pa.Table.from_pylist(rows, SCHEMA),
        _contexts(drawn, verdicts, null_verdicts),
        _missing(names, verdicts, null_verdicts),
    )


def planned(
    subjects: Sequence[Subject],
    drawn: Mapping[int, Sequence[Drawn]],
    donors: Mapping[int, int],
    namer: Namer,
) -> Calls:
    """The calls that a run still has to make, at most: what is not known, such as a question for a
    name that has yet to come, is counted in full."""
    able = [subject for subject in subjects if subject.contexts]
    names = {subject.feature: namer.known(subject) or "?" * 40 for subject in able}
    total = namer.calls(able, [])
    for of in (names, {f: names.get(donors.get(f, -1)) for f in names}):
        cases = [
            Case(name, task, [d.context for d in drawn[f] if d.use == task])
            for f, name in of.items()
            if name
            for task in TASKS
        ]
        total += namer.calls([], cases)
    return total


def _words(calls: Calls, kind: str, price: Sequence[float] | None) -> str:
    cost = calls.cost(price)
    tokens = f"about {calls.tokens_in:,} tokens in, at most {calls.tokens_out:,} out"
    paid = "" if cost is None else f", about {cost:.2f} of the currency of `price`"
    return f"names: {calls.n:,} calls to {kind} at most" + (f", {tokens}{paid}" if calls.n else "")


def subject_of(feature: int, of: Sequence[Drawn], concept: Mapping[str, Any] | None) -> Subject:
    """A feature with its shown contexts, to be named; concept: its row of concepts.parquet."""
    shown = [one for one in of if one.use == SHOWN]
    top = max((one.activation for one in shown), default=1.0)
    strength = [one.activation / top for one in shown]
    return Subject(feature, [one.context for one in shown], strength, concept)


Verdicts = Mapping[tuple[int, str], Sequence[Answer]]
"""Answers by feature and task, in the order of its contexts."""


def _judged(
    drawn: Mapping[int, Sequence[Drawn]], names: Mapping[int, str | None], namer: Namer
) -> Verdicts:
    """The verdicts on the contexts of each feature that has a name."""
    keys, cases = [], []
    for feature, of in drawn.items():
        for task in TASKS:
            contexts = [one.context for one in of if one.use == task]
            name = names[feature]
            if name and contexts:
                keys.append((feature, task))
                cases.append(Case(name, task, contexts))
    return dict(zip(keys, namer.judge(cases), strict=True))


def _scored(
    of: Sequence[Drawn], answers: Sequence[Answer] | None, task: str, part: str | None = None
) -> Score:
    """The score of verdicts; part: with the silent contexts of one kind, or with the strongest
    fifth of the others."""
    if not answers:
        return NOTHING
    ours = [one for one in of if one.use == task]
    pairs = [
        (one.truth, np.nan if answer.value is None else float(answer.value))
        for one, answer in zip(ours, answers, strict=True)
        if part is None or _counts(one, part)
    ]
    truth, verdict = np.array(pairs, float).reshape(-1, 2).T
    return score(truth == 1, verdict)


def _counts(one: Drawn, part: str) -> bool:
    """Return True if a context counts in a score of this part."""
    if part == STRONG:
        return not one.truth or one.kind == f"q{QUANTILES}"
    return one.truth or one.kind == part


def _why(
    name: str | None,
    of: Sequence[Drawn],
    answers: Sequence[Answer] | None,
    task: str,
    result: Score,
) -> str | None:
    """The reason for a score that is missing or that leaves contexts out."""
    if name is None:
        return "it has no name"
    if answers is None:
        lacks = "has another captured word on which it is silent"
        return f"no text of the half for scores {lacks if task == FUZZING else 'can be asked'}"
    reasons = [answer.why for answer in answers if answer.value is None]
    if reasons:
        first = max(set(reasons), key=lambda why: (reasons.count(why), str(why)))
        return f"{len(reasons)} of {len(answers)} contexts not answered: {first}"
    missing = "that it fires on" if not result.n_yes else "on which it is silent"
    return None if result.n_yes and result.n_no else f"no text of the half for scores {missing}"


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _row(
    feature: int,
    name: Answer,
    kind: str,
    of: Sequence[Drawn],
    verdicts: Verdicts,
    null_verdicts: Verdicts,
    donors: Mapping[int, int],
) -> dict[str, Any]:
    row: dict[str, Any] = {"feature": feature, "name": name.value, "namer": kind, "why": name.why}
    row["n_shown"] = sum(one.use == SHOWN for one in of)
    null_why = None
    for task in TASKS:
        answers, null = verdicts.get((feature, task)), null_verdicts.get((feature, task))
        result = _scored(of, answers, task)
        row |= {task: _number(result.value), f"{task}_low": _number(result.low)}
        row |= {f"{task}_high": _number(result.high)}
        row[f"why_{task}"] = _why(name.value, of, answers, task, result)
        null_score = _scored(of, null, task)
        row[f"null_{task}"] = _number(null_score.value)
        if null is None and answers is not None:
            null_why = "its donor has no name" if feature in donors else "no other feature is named"
        elif null is not None and null_why is None:
            null_why = _why("", of, null, task, null_score)
        if task == FUZZING:
            row |= {"n_right": result.n_yes, "n_wrong": result.n_no}
            continue
        row["n_active"] = result.n_yes
        row["detection_sensitivity"] = _number(result.sensitivity)
        row["detection_specificity"] = _number(result.specificity)
        for part in (*KINDS, STRONG):
            row[f"null_detection_{part}"] = _number(_scored(of, null, task, part).value)
            result = _scored(of, answers, task, part)
            row[f"detection_{part}"] = _number(result.value)
            if part != STRONG:
                row[f"n_{part}"] = result.n_no
    return {**row, "donor": donors.get(feature), "why_null": null_why}


def _contexts(
    drawn: Mapping[int, Sequence[Drawn]], verdicts: Verdicts, null_verdicts: Verdicts
) -> pa.Table:
    """The rows of names_contexts.parquet."""
    rows = []
    for feature, of in drawn.items():
        number = dict.fromkeys(TASKS, 0)
        for one, row in zip(of, table_rows(of), strict=True):
            if one.use in number:
                at = number[one.use]
                number[one.use] += 1
                answer, null = (
                    judged[feature, one.use][at] if (feature, one.use) in judged else Answer(None)
                    for judged in (verdicts, null_verdicts)
                )
                why = answer.why or null.why
                row |= {"verdict": answer.value, "null_verdict": null.value, "why": why}
            rows.append(row)
    return pa.Table.from_pylist(rows, CONTEXTS)


def _missing(names: Mapping[int, Answer], *judged: Verdicts) -> dict[str, int]:
    """Answers that are missing, by reason, the commonest first."""
    answers = [*names.values(), *(a for of in judged for several in of.values() for a in several)]
    reasons = [answer.why for answer in answers if answer.value is None and answer.why]
    counts = {why: reasons.count(why) for why in dict.fromkeys(reasons)}
    return dict(sorted(counts.items(), key=lambda item: -item[1]))


def median_of(table: pa.Table, column: str) -> float | None:
    """The median of a column, nulls left out; None without any."""
    known = [value for value in table[column].to_pylist() if value is not None]
    return float(np.median(known)) if known else None


def detection(table: pa.Table) -> float | None:
    """The median detection of the named features of a cell."""
    return median_of(table, DETECTION)


def null_detection(table: pa.Table) -> float | None:
    """The median detection with names of other features."""
    return median_of(table, f"null_{DETECTION}")


def rows_of_features(table: pa.Table) -> dict[int, list[dict[str, str]]]:
    """The rows of the panel on the page of each feature: its name, then a score in each."""
    return {row["feature"]: _panel(row) for row in table.to_pylist()}


def _panel(row: Mapping[str, Any]) -> list[dict[str, str]]:
    name = row["name"] if row["name"] is not None else f"none: {row['why']}"
    scores = {DETECTION: DETECTION, f"{DETECTION}_{STRONG}": "where it fires most strongly"}
    scores |= {f"{DETECTION}_{kind}": AGAINST[kind] for kind in KINDS} | {FUZZING: FUZZING}
    rows = [{"": "name", "its own": name, "of another": "–"}]
    for score_, words in scores.items():
        ends = row.get(f"{score_}_low"), row.get(f"{score_}_high")
        own = _interval(row[score_], *ends) if score_ in TASKS else _two(row[score_])
        rows.append({"": words, "its own": own, "of another": _two(row[f"null_{score_}"])})
    return rows


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    return "–" if value is None else f"{value:.2f} ({low:.2f} to {high:.2f})"


def remarks(outcome: Outcome) -> list[str]:
    """Lines about answers that are missing, and how they are asked again."""
    n = sum(outcome.missing.values())
    if not n:
        return []
    reasons = [f"{count:,} answers are missing: {why}" for why, count in outcome.missing.items()]
    again = "what was answered is kept; `--forcerun names` asks for the rest"
    return [*reasons[:5], again]
