"""The page of a search: the features that answer each query, and a prompt token by token."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from saegrid.pages.browser.render import Column, render_study, require

REQUIRED = ("study", "model", "corpus", "spec")
"""Keys that `facts` must hold."""
SCORE = "activation / its 99th percentile on the corpus x ln(tokens / tokens on which it fires)"
BEST = (
    Column("rank", "rank", "{:d}"),
    Column("cell", "cell"),
    Column("feature", "feature", "{:d}"),
    Column("score", "score", "{:.3g}", f"of a word F1 of firing with it; of a prompt {SCORE}"),
    Column("token", "at", "", "token of the prompt on which it is largest"),
    Column("value", "activation", "{:.3g}", "on that token"),
    Column("value_without", "without", "{:.3g}", "its largest on the texts without"),
    Column("precision", "precision", "{:.2f}", "share of its firings that are on the word"),
    Column("recall", "recall", "{:.2f}", "share of the word's occurrences on which it fires"),
    Column("specificity", "specificity", "{:.3%}", "share of other tokens on which it is silent"),
    Column("words", "fires on", "", "commonest words of its top tokens on the corpus"),
)
ONLY = {
    "word": ("precision", "recall"),
    "prompt": ("token", "value"),
    "pair": ("token", "value", "value_without"),
}
"""Columns that one kind of query has and others may not."""


def search_page(
    facts: Mapping[str, Any], table: pa.Table, tokens: pa.Table | None = None, base: str = ""
) -> str:
    """The text of search.html. The same arguments give the same bytes.

    facts: study, model, corpus, spec, and where known `title`, `more` and `per_cell`: the table has
    the best features of each cell. table, tokens: as `ranking.SCHEMA` and `by_prompt.TOKENS` say;
    tokens None where there are no prompts. base: path from the page to the folder of the study,
    with a slash behind it.
    """
    require(facts, REQUIRED, "The facts of a page of a search")
    by_query: dict[int, list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        by_query.setdefault(row["query"], []).append(row)
    prompts = _by_token([] if tokens is None else tokens.to_pylist())
    folder = f"{base}{quote(facts['corpus'])}/cells/"
    sections = [
        {
            "text": rows[0]["text"],
            "kind": rows[0]["kind"],
            "n": rows[0]["n"],
            "n_corpus": rows[0]["n_corpus"],
            "without": rows[0]["without"],
            "columns": _columns(rows[0]["kind"]),
            "rows": [{**row, "rank": row["rank"] + 1, "href": link(folder, row)} for row in rows],
            "tokens": [
                {**token, "features": [{**one, "href": link(folder, one)} for one in features]}
                for token, features in prompts.get(query, [])
            ],
        }
        for query, rows in by_query.items()
    ]
    title = f"{facts['study']}: search"
    return render_study("search.html.jinja", facts, title, sections=sections, score=SCORE)


def link(folder: str, row: Mapping[str, Any]) -> str | None:
    """The address of a feature on its cell's page; None where the page does not show it."""
    if not row["words"]:
        return None
    return f"{folder}{quote(row['cell'])}/features.html#{row['feature']}"


def _columns(kind: str) -> list[Column]:
    others = {name for names in ONLY.values() for name in names} - set(ONLY[kind])
    return [column for column in BEST if column.name not in others]


def _by_token(
    rows: Iterable[dict[str, Any]],
) -> dict[int, list[tuple[dict[str, Any], list[dict[str, Any]]]]]:
    """Tokens of each query in order, each with its features; specials have none."""
    out: dict[int, list[tuple[dict[str, Any], list[dict[str, Any]]]]] = {}
    for row in rows:
        tokens = out.setdefault(row["query"], [])
        if not tokens or tokens[-1][0]["position"] != row["position"]:
            tokens.append((row, []))
        if row["cell"] is not None:
            tokens[-1][1].append(row)
    return out
