"""One search over words, concepts, names and labels of all cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from saegrid.base import io
from saegrid.interventions.search import WORD, SearchError
from saegrid.interventions.search.ranking import queries
from saegrid.study.files import from_one

if TYPE_CHECKING:
    import pandas as pd  # slow to import: where a frame is asked for

    from saegrid.study.cell import CellView
    from saegrid.study.study import Study

CONCEPT, NAME, LABEL = TABLES = ("concept", "name", "label")
"""Kinds of hits that are read from tables of the cells."""


def find(
    study: Study,
    texts: Sequence[str],
    without: Sequence[str],
    by: str | None,
    cells: Sequence[str] | None,
    top: int,
    per_cell: bool = False,
) -> pd.DataFrame:
    """The features that stand for some texts; arguments and errors as of `Study.find`."""
    if by in TABLES:
        if without:
            raise SearchError(f"without is for words and prompts; leave it out of a {by}.")
        return _table(study, texts, [by], cells, top, per_cell)
    asked = queries(texts, without, by)
    if asked and asked[0].by == WORD:
        from saegrid.interventions.search.by_word import by_word

        if by == WORD or without:
            table = by_word(asked, study.searched(cells), top, per_cell)
            return from_one(table.to_pandas(), "rank")
        return _table(study, texts, [WORD, *TABLES], cells, top, per_cell)
    from saegrid.interventions.search.by_prompt import by_prompt

    table = by_prompt(asked, study.searched(cells), top, per_cell=per_cell, say=print).table
    return from_one(table.to_pandas(), "rank")


def _table(
    study: Study,
    texts: Sequence[str],
    kinds: Sequence[str],
    cells: Sequence[str] | None,
    top: int,
    per_cell: bool,
) -> pd.DataFrame:
    """The hits of each text by some kinds, the largest scores first, those without one last."""
    import pandas as pd

    from saegrid.interventions.search.ranking import SCHEMA

    files = study.searched(cells)
    views = [study.cell(place.cell) for place in files.places]
    frames, reasons = [], []
    for number, text in enumerate(one.strip() for one in texts):
        rows: list[dict[str, Any]] = []
        if WORD in kinds:
            from saegrid.interventions.search.by_word import by_word

            try:
                rows += by_word(queries([text], by=WORD), files, top, per_cell).to_pylist()
            except SearchError as reason:  # a concept or a name may well be of such a word
                reasons.append(str(reason))
        for view, place in zip(views, files.places, strict=True):
            hits = list(_hits(view, text, kinds))
            words = place.words([hit["feature"] for hit in hits])
            rows += [
                {**hit, "cell": view.name, "words": word}
                for hit, word in zip(hits, words, strict=True)
            ]
        rows.sort(key=lambda row: -1.0 if row["score"] is None else row["score"], reverse=True)
        rows = first_of_each(rows, top) if per_cell else rows[:top]
        frames.append(
            pd.DataFrame(
                [{**row, "query": number, "text": text, "rank": r} for r, row in enumerate(rows, 1)]
            )
        )
    names = [*SCHEMA.names, "hit", "p"]
    if not sum(map(len, frames)):
        kinds_said = ", ".join(kind for kind in kinds if kind != WORD)
        raise SearchError(
            f"{' '.join(reasons)} No {kinds_said} of the cells has it.".strip()
            if reasons
            else f"No {kinds_said} of the cells has {', '.join(map(repr, texts))}."
        )
    return pd.concat(frames, ignore_index=True).reindex(columns=names)


def first_of_each(rows: Sequence[dict[str, Any]], top: int) -> list[dict[str, Any]]:
    """The first rows of each cell, at most `top`, in their order."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row["cell"]] += 1
        if seen[row["cell"]] <= top:
            kept.append(row)
    return kept


def _hits(view: CellView, text: str, kinds: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The features of a cell whose concept, name or label has the text as whole words."""
    has = re.compile(rf"(?<!\w){re.escape(text)}(?!\w)", re.IGNORECASE)
    if CONCEPT in kinds and (view.folder / "concepts.parquet").is_file():
        names = ["feature", "kind", "label", "concept", "share", "p_maxt"]
        for row in io.read_table(view.folder / "concepts.parquet", names).to_pylist():
            title = next((t for t in (row["label"], row["concept"]) if t and has.search(t)), None)
            if row["kind"] == "meaning" and title:
                yield _hit(CONCEPT, row["feature"], title, row["share"]) | {"p": row["p_maxt"]}
    if NAME in kinds and (view.folder / "names.parquet").is_file():
        for row in io.read_table(view.folder / "names.parquet").to_pylist():
            if row["name"] and has.search(row["name"]):
                yield _hit(NAME, row["feature"], row["name"], row["detection"])
    if LABEL in kinds:
        for feature, label in view.labels.items():
            if has.search(label):
                yield _hit(LABEL, feature, label, None)


def _hit(kind: str, feature: int, text: str, score: float | None) -> dict[str, Any]:
    known = score is not None and score == score  # a score of no contexts is not a number
    return {"kind": kind, "feature": feature, "hit": text, "score": score if known else None}
