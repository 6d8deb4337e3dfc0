"""The counts of a corpus: tokens that edits replaced, and guesses before it is tokenised."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from saegrid.base.io import read_table
from saegrid.base.registry import pick
from saegrid.base.words import ORIGINAL
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.items import Bad, both_texts
from saegrid.text.corpora.rows import CONTINUED, as_read

CHARACTERS = 4.0
"""Guessed number of characters a token; English has between 4 and 4.5."""
SAMPLED, DRAWN, LARGEST = 20_000, 300, 256 << 20
"""Number of rows of a source that are sampled; number of texts of a grammar that are drawn instead;
bytes above which a source is not read."""


class Text(NamedTuple):
    """The counts of a corpus, read or guessed."""

    items: int
    positions: int
    """Number of model input positions, of both sides."""
    rows: int
    captured: int
    """Number of tokens that a capture keeps."""
    masked: int
    """Number of tokens of edits that densities count."""
    counted: int
    """Number of tokens that densities are shares of."""
    guess: str = ""
    """Basis of guessed counts; empty where they were read from tokens.json."""


def replaced(spans: str) -> int:
    """The number of tokens of originals that edits replaced; one that several replaced counts
    once."""
    columns = ["side", "row", "edit_start", "edit_stop"]
    table = read_table(spans, columns).to_pydict()
    rows = zip(*(table[name] for name in columns), strict=True)
    edits = {tuple(edit) for side, *edit in rows if side == ORIGINAL}
    return len({(row, at) for row, start, stop in edits for at in range(start, stop)})


def guessed(
    source: Mapping[str, Any], files: Sequence[str], stored: int, chosen: Mapping[str, Any]
) -> Text:
    """The guessed counts of a corpus that is not tokenised yet, from the first rows of its files.

    Args:
        source: source of the config, with expanded paths.
        files: its local files.
        stored: bytes of these files.
        chosen: choice of the tokens that are captured.
    """
    if source["kind"] == "hub" or stored > LARGEST:
        edited = int(stored / CHARACTERS)
        items, originals, original, edits = max(1, edited // 20), 0, 0, 0
        how = "the size of its files" if stored else "nothing: it lies on the hub"
    else:
        seen, share = sampled(source, files, stored)
        items, originals = int(len(seen) * share), int(len({o for o, *_ in seen if o}) * share)
        edited, edits = (int(share * sum(tokens_in(s[i]) for s in seen)) for i in (1, 2))
        original = int(share * sum(tokens_in(text) for text in {s[0] for s in seen}))
        how = f"{len(seen):,} rows and {CHARACTERS:g} characters a token"
        if source["kind"] == CONTINUED:
            edited = items * source["new_tokens"]
    context = edited - edits
    wanted = context if chosen["context"] == "all" else min(chosen["context"], context)
    rows = items + originals
    return Text(
        items=items,
        # A row begins with a special token in most models.
        positions=edited + original + rows,
        rows=rows,
        captured=wanted + edits * (int(chosen["edited"]) + int(chosen["original"])),
        masked=edits or context,
        counted=edited,
        guess=how,
    )


def sampled(
    source: Mapping[str, Any], files: Sequence[str], stored: int
) -> tuple[list[tuple[str | None, str, str | None]], float]:
    """The texts of the first rows (original, edited or plain, edit), and the ratio of all rows to
    these."""
    columns = {k: v for k, v in source["columns"].items() if v and k != "id"} or {"text": "text"}
    most = DRAWN if source["kind"] == "generated" else SAMPLED
    texts, seen, read = [], 0, 0
    for row in islice(pick(CORPORA, source["kind"], "Corpus kind")(source), most):
        seen += 1
        read += sum(len(value) + 1 for value in row.values.values() if value)
        with suppress(Bad):
            values = {key: row.values.get(column) or "" for key, column in columns.items()}
            texts.append(both_texts(values))
    if seen < most:
        total = float(seen)
    elif source["kind"] == "generated":
        total = source["n"]
    elif as_read(source)["kind"] == "parquet":
        total = sum(pq.read_metadata(path).num_rows for path in files)
    else:
        total = max(seen, stored * seen / read)
    return texts, total / max(seen, 1)


def tokens_in(text: str | None) -> float:
    """The guessed number of tokens of a text, at least one."""
    return max(1.0, len(text) / CHARACTERS) if text else 0.0
