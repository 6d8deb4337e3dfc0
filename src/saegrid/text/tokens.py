"""Texts to model input: the tokens and spans tables of a corpus (design, artefacts)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from saegrid.base import registry
from saegrid.base.words import ORIGINAL, SIDES
from saegrid.text import chat as chats
from saegrid.text.continued import continued, with_prompts
from saegrid.text.layouts import LAYOUTS
from saegrid.text.layouts.placement import Placement, Plan
from saegrid.text.pairs import Texts, find_edits, gather_texts, set_aside
from saegrid.text.tokenizer import Encoded, Encoder, Special, described, lacking, spelled
from saegrid.text.wrapped import Around, Wrapped

SHOWN = 8
"""Tokens of a part of a row that a line names."""


class Tokens(NamedTuple):
    """The tables of a corpus as model input."""

    tokens: pa.Table
    """One row a model input position; the row number is the token index."""
    spans: pa.Table
    """Places of both texts of every pair, and of the edit in them."""
    facts: dict[str, Any]
    """Counts, see `tokens`; JSON values only."""


def wrap(encoder: Encoder, encoded: Encoded) -> Wrapped:
    """The special tokens around each text: what opens and what closes a row.

    A text that opens with these itself, where special tokens in texts are parsed, gets no others.
    """
    ends = () if encoder.eos is None else (encoder.eos,)
    tokens = list(dict.fromkeys([*encoder.prefix, *encoder.suffix, *ends]))
    number = {special: -1 - place for place, special in enumerate(tokens)}
    n = len(encoded.indptr) - 1
    prefix, suffix = (
        [number[token] for token in side] for side in (encoder.prefix, encoder.suffix)
    )
    whole = Wrapped(tokens, Around.same(prefix, n), Around.same(suffix, n))
    if not encoder.parses or not n:
        return whole
    ids = [encoded.ids[a:b].tolist() for a, b in pairwise(encoded.indptr.tolist())]
    first, last = ([s.id for s in side] for side in (encoder.prefix, encoder.suffix))
    before = [() if first and one[: len(first)] == first else encoder.prefix for one in ids]
    after = [() if last and one[-len(last) :] == last else encoder.suffix for one in ids]
    return whole._replace(before=Around.of(before, number), after=Around.of(after, number))


def make_plan(
    texts: Texts,
    encoder: Encoder,
    wrapped: Wrapped,
    indptr: np.ndarray,
    usable: np.ndarray,
    kept: np.ndarray,
    row_length: int,
) -> Plan:
    """The plan that a layout places tokens by. usable, kept: (item,) bool."""
    number = {special: -1 - place for place, special in enumerate(wrapped.tokens)}

    def originals(items: np.ndarray) -> np.ndarray:
        original = texts.original[items]
        return np.unique(original[original >= 0])

    items, kept_items = np.flatnonzero(usable), np.flatnonzero(usable & kept)
    return Plan(
        indptr=indptr,
        items=items,
        originals=originals(items),
        kept_items=kept_items,
        kept_originals=originals(kept_items),
        prefix=tuple(number[special] for special in encoder.prefix if special in number),
        before=wrapped.before,
        after=wrapped.after,
        eos=number.get(encoder.eos),
        row_length=row_length,
    )


def make_table(
    placement: Placement,
    texts: Texts,
    encoded: Encoded,
    specials: list[Special],
    special_ids: list[int],
    edits: np.ndarray,
) -> tuple[pa.Table, dict[str, int]]:
    """The tokens table, and how many masked tokens stand in the rows or are special.

    What belongs to no text (the BOS of a packed row) has item and group -1.
    """
    count = len(encoded.ids)
    index = np.where(placement.source >= 0, placement.source, count - 1 - placement.source)
    ids = np.append(encoded.ids, np.array([s.id for s in specials], dtype=np.int32))[index]
    words = pa.array(encoded.cut(texts.texts) + [s.text for s in specials], pa.string())
    special = (placement.source < 0) | np.isin(ids, special_ids)

    steps = np.zeros(count + len(specials) + 1, dtype=np.int64)
    starts = encoded.indptr[: len(edits)]
    np.add.at(steps, starts + edits[:, 0], 1)
    np.add.at(steps, starts + edits[:, 1], -1)
    masked = (np.cumsum(steps) > 0)[index]

    owned = placement.text >= 0
    following = np.where(owned, np.arange(len(owned)), len(owned) - 1)
    following = np.minimum.accumulate(following[::-1])[::-1]
    side = texts.side[placement.text[following]]
    table = pa.table(
        {
            "row": placement.row.astype(np.int32),
            "position": placement.position.astype(np.int32),
            "token_id": ids,
            "text": words.take(pa.array(index)),
            "side": pa.DictionaryArray.from_arrays(pa.array(side), pa.array(SIDES)),
            "group": np.where(owned, texts.group[placement.text], np.int32(-1)),
            "item": np.where(owned, texts.item[placement.text], np.int32(-1)),
            "special": special,
            "in_edit": masked & ~special,
        }
    )
    return table, {"in_rows": int(masked.sum()), "special": int((masked & special).sum())}


def make_spans(
    placement: Placement, texts: Texts, indptr: np.ndarray, edits: np.ndarray, items: np.ndarray
) -> pa.Table:
    """The spans table of `items`, by item and side; a text cut by a row end has a line a piece.

    Plain items have a line with an empty edit, so that their texts can be found as well.
    """
    inside = np.flatnonzero(placement.source >= 0)
    text, row = placement.text[inside], placement.row[inside]
    new = np.ones(len(inside), dtype=bool)
    new[1:] = (text[1:] != text[:-1]) | (row[1:] != row[:-1])
    opens = np.flatnonzero(new)
    lengths = np.diff(np.append(opens, len(inside)))
    order = np.argsort(text[opens], kind="stable")
    opens, lengths = opens[order], lengths[order]

    paired = items[texts.original[items] >= 0]
    item = np.concatenate([items, paired])
    wanted = np.concatenate([items, texts.original[paired]])
    first = np.searchsorted(text[opens], wanted, "left")
    pieces = np.searchsorted(text[opens], wanted, "right") - first
    piece = np.repeat(first - np.cumsum(pieces) + pieces, pieces) + np.arange(pieces.sum())
    item, wanted = np.repeat(item, pieces), np.repeat(wanted, pieces)

    opened = inside[opens[piece]]
    start, length = placement.position[opened], lengths[piece]
    before = placement.source[opened] - indptr[wanted]
    edit = np.where((wanted == item)[:, None], edits[item, :2], edits[item, 2:])
    edit = start[:, None] + np.clip(edit - before[:, None], 0, length[:, None])
    side = texts.side[wanted]
    order = np.lexsort((placement.row[opened], side, item))
    columns = {
        "item": item,
        "row": placement.row[opened],
        "start": start,
        "stop": start + length,
        "edit_start": edit[:, 0],
        "edit_stop": edit[:, 1],
    }
    table = pa.table({name: values[order].astype(np.int32) for name, values in columns.items()})
    names = pa.DictionaryArray.from_arrays(pa.array(side[order]), pa.array(SIDES))
    return table.add_column(1, "side", names)


def summarise(lengths: np.ndarray, edits: np.ndarray, paired: np.ndarray) -> dict[str, Any]:
    """Counts over items: tokens of their texts (specials left out) and of their edits."""

    def histogram(values: np.ndarray) -> dict[str, int]:
        sizes, counts = np.unique(values, return_counts=True)
        return {str(s): int(n) for s, n in zip(sizes, counts, strict=True)}

    return {
        "items": len(lengths),
        "pairs": int(paired.sum()),
        "tokens_mean": float(lengths.mean()) if len(lengths) else None,
        "tokens_max": int(lengths.max(initial=0)),
        "masked_edited": int((edits[:, 1] - edits[:, 0]).sum()),
        "masked_original": int((edits[:, 3] - edits[:, 2]).sum()),
        "token_lengths": histogram(lengths),
        "edit_lengths": histogram((edits[:, 1] - edits[:, 0])[paired]),
    }


def counts_of_kept(facts: Mapping[str, Any], spans: pa.Table, kept: np.ndarray) -> dict[str, Any]:
    """`facts` of a corpus (tokens.json) with the counts of the items that the filter keeps.

    Rows of the layout `headline` hold every item, so that a filter does not touch them; what is
    kept is counted here, from spans.parquet and kept (item,) bool. Other layouts counted it.
    """
    if facts["layout"] != "headline":
        return dict(facts)
    side = spans["side"].cast(pa.string()).to_numpy(zero_copy_only=False)
    names = ("item", "start", "stop", "edit_start", "edit_stop")
    item, start, stop, first, last = (spans[name].to_numpy() for name in names)
    text = (side != ORIGINAL) & kept[item]
    other = (side == ORIGINAL) & kept[item]
    edits = np.zeros((int(text.sum()), 4), np.int64)
    edits[:, 1] = (last - first)[text]
    paired = np.isin(item[text], item[other])
    edits[paired, 3] = (last - first)[other]
    return {**facts, "kept": summarise((stop - start)[text], edits, paired)}


def rows_facts(
    encoder: Encoder, wrapped: Wrapped, chat: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The tokens that open a row, that close it and that pad it, each with the reason."""
    facts = {"opening": encoder.opening, "closing": encoder.closing, "padding": encoder.padding}
    facts |= {"absent": dict(encoder.absent)} if encoder.absent else {}
    if chat is None:
        return facts
    because = f"the tokenizer's chat template writes it around a turn of the {chat['role']}"
    around = {"opening": wrapped.first(), "closing": wrapped.last()}
    return facts | {name: described(tokens, because) for name, tokens in around.items()}


def size_facts(table: pa.Table, placement: Placement) -> dict[str, int]:
    """The numbers of rows, of positions and of special tokens at these."""
    return {
        "rows": int(placement.row.max(initial=-1)) + 1,
        "positions": table.num_rows,
        "specials": int(table["special"].to_numpy().sum()),
    }


def written_specials(encoder: Encoder, texts: Sequence[str]) -> dict[str, Any]:
    """The special tokens that are written in texts, and what they are read as."""
    are = "special" if encoder.parses else "plain"
    return {"are": are, **encoder.lookalikes(texts)._asdict()}


def remarks(facts: Mapping[str, Any]) -> Iterator[str]:
    """The choice of the tokens around a text, names of special tokens that are none, and special
    tokens written in texts, a line each."""
    opening, closing = facts["opening"], facts["closing"]
    yield f"rows open with {_few(opening)}: {opening['because']}"
    if closing["tokens"]:
        yield f"rows close with {_few(closing)}: {closing['because']}"
    yield from lacking(facts.get("absent", {}))
    written = facts["special_in_texts"]
    if written["texts"]:
        counts = ", ".join(f"{name} {n:,}" for name, n in written["counts"].items())
        other = "parse makes them special" if written["are"] == "plain" else "plain makes them text"
        yield (
            f"texts that hold what looks like a special token: {written['texts']:,} ({counts}), "
            f"read as {written['are']}; special_tokens: {other}"
        )


def _few(part: Mapping[str, Any]) -> str:
    """The first tokens of a part of a row, in words."""
    tokens = list(map(Special, part["ids"], part["tokens"]))
    return spelled(tokens[:SHOWN]) + (" ..." if len(tokens) > SHOWN else "")


def check(
    items: pa.Table,
    kept: np.ndarray | None,
    layout: str,
    row_length: int,
    max_length: int | None,
    too_long: str,
    chat: Mapping[str, Any] | None = None,
) -> np.ndarray:
    """The filter as (item,) bool; ValueError where the arguments do not fit together."""
    count = items.num_rows
    if not np.array_equal(items["item"].to_numpy(), np.arange(count)):
        raise ValueError(f"items: the column item must count 0 to {count - 1}; it does not.")
    if kept is not None and len(kept) != count:
        raise ValueError(f"kept must have one entry for each of {count} items; got {len(kept)}.")
    if too_long not in ("error", "set_aside"):
        raise ValueError(f"too_long: must be error or set_aside; got {too_long!r}.")
    if layout == "packed" and chat is not None:
        raise ValueError("chat: a turn has a row of its own. Take layout headline.")
    if layout == "packed" and max_length is not None and row_length > max_length:
        raise ValueError(
            f"row_length: {row_length} must not exceed the model's {max_length} positions."
        )
    return np.ones(count, dtype=bool) if kept is None else np.asarray(kept, dtype=bool)


def check_aside(aside: Sequence[Mapping[str, Any]], too_long: str) -> None:
    """ValueError for items that cannot be used where `too_long` is error; it names the first."""
    if aside and too_long == "error":
        raise ValueError(
            f"{len(aside)} item(s) cannot be model input; the first is {aside[0]['id']!r}: "
            f"{aside[0]['reason']}. Shorten or leave out its text, or raise max_length of the "
            "corpus, to the model's context at most."
        )


def tokens(
    items: pa.Table,
    kept: np.ndarray | None,
    encoder: Encoder,
    layout: str,
    mask: str,
    row_length: int = 128,
    max_length: int | None = None,
    too_long: str = "error",
    chat: Mapping[str, Any] | None = None,
    bos: bool | str = "auto",
    drawn: pa.Table | None = None,
) -> Tokens:
    """The tokens and spans of a corpus, and facts (design, artefacts and semantics 2 to 4).

    items: the items table. kept: (item,) bool, the filter; None keeps all. row_length: positions
    of a packed row. max_length: positions the model takes; None asks for no check. too_long: what
    becomes of an item whose text is longer, or has no token: `error` or `set_aside`. chat: each
    text is a turn of a chat, see `text.chat`. bos: what the config says of the model. drawn: the
    tokens that continue each text, which is a prompt then, see `text.continued`.

    Facts: layout, mask, rows, positions, specials, opening, closing and padding (which tokens, and
    why), special_in_texts (special tokens that are written in texts), those of the layout, masked
    (tokens of edits in the rows' items: `made`, `in_rows`, `special` of those, `tail`), set_aside,
    and under `all` and `kept` what `summarise` counts over the items that are not set aside.

    Raises ValueError for settings that are unknown or do not fit, and for items that cannot be
    used where too_long is `error`.
    """
    place = registry.pick(LAYOUTS, layout, "layout")
    kept = check(items, kept, layout, row_length, max_length, too_long, chat)
    texts = gather_texts(items)
    if chat is None:
        encoded = encoder.encode(texts.texts)
        wrapped = wrap(encoder, encoded)
    else:
        encoded, wrapped = chats.encode(encoder, texts.texts, chat, bos)
    read, n_prompt = texts.texts, np.zeros(len(texts.texts), np.int64)
    if drawn is not None:
        whole, encoded, n_prompt = continued(texts.texts, encoded, drawn, encoder.decode)
        texts = texts._replace(texts=whole)
    lengths = np.diff(encoded.indptr)
    around = wrapped.before.sizes + wrapped.after.sizes
    sizes = np.where(lengths, lengths + around, 0)
    aside = set_aside(items, texts, sizes, max_length, layout)
    check_aside(aside, too_long)
    usable = np.ones(items.num_rows, dtype=bool)
    usable[[entry["item"] for entry in aside]] = False
    edits = find_edits(items, texts, encoded, mask)

    placement = place(make_plan(texts, encoder, wrapped, encoded.indptr, usable, kept, row_length))
    placed = np.zeros(items.num_rows, dtype=bool)
    placed[placement.text[(placement.text >= 0) & (placement.text < items.num_rows)]] = True
    placed |= usable & kept
    named = wrapped.tokens, encoder.special_ids
    table, counts = make_table(placement, texts, encoded, *named, edits)
    if drawn is not None:
        before = (wrapped.before.sizes + n_prompt)[placement.text]
        table = with_prompts(table, placement.position < before)
    spans = make_spans(placement, texts, encoded.indptr, edits, np.flatnonzero(placed))
    n_edited = int((edits[placed, 1] - edits[placed, 0]).sum())
    paired, of_items = texts.original >= 0, lengths[: items.num_rows]
    chosen = {"all": usable, "kept": usable & kept}
    facts = {
        "layout": layout,
        "mask": mask,
        **size_facts(table, placement),
        **rows_facts(encoder, wrapped, chat),
        "special_in_texts": written_specials(encoder, read),
        **placement.facts,
        **({} if drawn is None else {"prompt_tokens": int(n_prompt.sum())}),
        "masked": {"made": n_edited, **counts, "tail": n_edited - counts["in_rows"]},
        "set_aside": aside,
        **{
            name: summarise(of_items[which], edits[which], paired[which])
            for name, which in chosen.items()
        },
    }
    return Tokens(table, spans, facts)
