"""Tables of what a model wrote: its prompts by theme, features drawn by a rule, and their texts."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.base.words import PROMPT
from saegrid.codes.sparse import Features
from saegrid.metrics.latents import BINS, bins_of, edges

EVERY = "all"
"""Name of the row of all themes."""


def _truth(column: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(column.to_numpy(zero_copy_only=False), bool)


def prompts(
    items: pa.Table, tokens: pa.Table, theme: str | None, unknown: Collection[int]
) -> pa.Table:
    """The prompts of each theme, and of all: one that has several samples counts once.

    Columns: theme, prompts, words (their number), words_mean, tokens (of the prompts),
    tokens_a_word, unknown (share of these that the tokenizer does not know), texts, drawn (tokens),
    drawn_mean (of a text), special (drawn special tokens).

    items, tokens: the tables of a continued corpus. theme: column of the items, None: one row.
    unknown: ids that stand for what the tokenizer does not know.
    """
    n, group = items.num_rows, items["group"].to_numpy()
    first = np.unique(group, return_index=True)[1]
    words = np.array([len(text.split()) for text in items["edited"].to_pylist()])
    item, special = tokens["item"].to_numpy(), _truth(tokens["special"])
    of_prompt = np.array(tokens["side"].cast(pa.string()).to_pylist()) == PROMPT
    ids = tokens["token_id"].to_numpy()

    def by_item(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(item[chosen & (item >= 0)], minlength=n)

    read = by_item(of_prompt & ~special)
    strange = by_item(of_prompt & ~special & np.isin(ids, sorted(unknown)))
    drawn, ended = by_item(~of_prompt & ~special), by_item(~of_prompt & special)
    names = items[theme].to_pylist() if theme else [EVERY] * n
    rows = []
    for name in dict.fromkeys([*names, EVERY]):
        ours = np.array([name in (one, EVERY) for one in names], bool)
        once = np.intersect1d(first, np.flatnonzero(ours))
        rows.append(
            {
                "theme": name,
                "prompts": len(once),
                "words": int(words[once].sum()),
                "words_mean": float(words[once].mean()),
                "tokens": int(read[once].sum()),
                "tokens_a_word": float(read[once].sum() / words[once].sum()),
                "unknown": float(strange[once].sum() / read[once].sum()),
                "texts": int(ours.sum()),
                "drawn": int(drawn[ours].sum()),
                "drawn_mean": float(drawn[ours].mean()),
                "special": int(ended[ours].sum()),
            }
        )
    return pa.Table.from_pylist(rows)


def sampled(features: pa.Table, strata: int, each: int, least: int, seed: int) -> pa.Table:
    """Features drawn at random, as many from each part of the densities.

    The features that are active on at least `least` tokens are put in the order of their density
    and cut into `strata` parts of equal number, stratum 1 the rarest; `each` are drawn from each
    part. features: features.parquet, of which the rows are kept, with a column `stratum` before.
    """
    n = features["n_active"].to_numpy()
    alive = np.flatnonzero(n >= least)
    order = alive[np.argsort(n[alive], kind="stable")]  # a density is n of the same tokens
    generator, places, stratum = np.random.default_rng(seed), [], []
    for number, part in enumerate(np.array_split(order, strata), start=1):
        drawn = np.sort(generator.choice(len(part), min(each, len(part)), replace=False))
        places += part[drawn].tolist()
        stratum += [number] * len(drawn)
    chosen = features.take(pa.array(places, pa.int64()))
    return chosen.add_column(0, "stratum", pa.array(stratum, pa.int32()))


def texts(
    codes: Features,
    tokens: pa.Table,
    items: pa.Table,
    chosen: Sequence[int],
    n: int,
    window: int,
    theme: str | None = None,
) -> pa.Table:
    """The n texts of each feature on which it is strongest, one a row.

    Of a text its strongest token counts; ties go to the earlier text. Columns: feature, rank, item,
    id, theme, activation, center, and of the window of tokens around it: tokens, activations (null
    where none was captured), prompt.
    """
    item, row = tokens["item"].to_numpy(), tokens["row"].to_numpy()
    text = tokens["text"].cast(pa.string())
    side = tokens["side"].cast(pa.string())
    ids, themes = items["id"].to_pylist(), items[theme].to_pylist() if theme else None
    captured = np.zeros(tokens.num_rows, bool)
    captured[codes.token] = True
    rows: list[dict[str, Any]] = []
    for feature in chosen:
        index, value = codes.of(feature)
        order = np.lexsort((index, -value))
        strongest = order[np.sort(np.unique(item[index[order]], return_index=True)[1])][:n]
        known = dict(zip(index.tolist(), value.tolist(), strict=True))
        for rank, at in enumerate(strongest.tolist()):
            center = int(index[at])
            first = max(center - window, int(np.searchsorted(row, row[center], "left")))
            stop = min(center + window + 1, int(np.searchsorted(row, row[center], "right")))
            span = range(first, stop)
            rows.append(
                {
                    "feature": int(feature),
                    "rank": rank,
                    "item": int(item[center]),
                    "id": ids[item[center]],
                    "theme": themes[item[center]] if themes else None,
                    "activation": float(value[at]),
                    "center": center - first,
                    "tokens": text[first:stop].to_pylist(),
                    "activations": [known.get(k, 0.0) if captured[k] else None for k in span],
                    "prompt": [one == PROMPT for one in side[first:stop].to_pylist()],
                }
            )
    return pa.Table.from_pylist(rows)


def latents(codes: Features) -> dict[str, Any]:
    """The sizes of all codes as JSON values: n_tokens, d_sae, zeros (number that are exactly zero),
    active, l0, largest, and counts of those that are not zero between edges."""
    n, active = len(codes.token), len(codes.data)
    return {
        "n_tokens": n,
        "d_sae": codes.d_sae,
        "zeros": n * codes.d_sae - active,
        "active": active,
        "l0": active / max(n, 1),
        "largest": float(codes.data.max(initial=0)),
        "edges": edges().tolist(),
        "counts": np.bincount(bins_of(codes.data), minlength=BINS).tolist(),
    }


def spread(items: pa.Table, theme: str | None, n: int) -> list[int]:
    """The items of n prompts: of each theme in turn the first that is left; of several samples of
    a prompt the first."""
    first = np.sort(np.unique(items["group"].to_numpy(), return_index=True)[1]).tolist()
    names = items[theme].to_pylist() if theme else [EVERY] * items.num_rows
    by_theme: dict[str, list[int]] = {}
    for item in first:
        by_theme.setdefault(names[item], []).append(item)
    turns = max(map(len, by_theme.values()), default=0)
    ordered = [some[k] for k in range(turns) for some in by_theme.values() if k < len(some)]
    return ordered[:n]


def examples(items: pa.Table, tokens: pa.Table, theme: str | None) -> list[dict[str, Any]]:
    """The first prompt of each theme with what was drawn after it: id, theme, prompt, tokens."""
    names = items[theme].to_pylist() if theme else [None] * items.num_rows
    ids, texts = items["id"].to_pylist(), items["edited"].to_pylist()
    side = np.array(tokens["side"].cast(pa.string()).to_pylist())
    drawn = (side != PROMPT) & (tokens["position"].to_numpy() > 0)
    item, words = tokens["item"].to_numpy(), tokens["text"].cast(pa.string())
    rows = []
    for place in spread(items, theme, len(set(names))):
        rows.append(
            {
                "id": ids[place],
                "theme": names[place],
                "prompt": texts[place],
                "tokens": words.filter(pa.array(drawn & (item == place))).to_pylist(),
            }
        )
    return rows


def panel(table: pa.Table) -> list[dict[str, Any]]:
    """Rows of the index: the prompts of each theme with a link to the report."""
    return [
        {
            "theme": row["theme"],
            "href": "report.html",
            "prompts": row["prompts"],
            "words on average": round(row["words_mean"], 1),
            "texts": row["texts"],
            "tokens written": row["drawn"],
        }
        for row in table.to_pylist()
    ]
