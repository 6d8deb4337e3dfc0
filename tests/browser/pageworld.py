"""The arguments of a page: a made-up cell with a vocabulary that breaks careless pages."""

from typing import Any

import numpy as np
import pyarrow as pa

from saegrid.codes.sparse import Features
from saegrid.features.density import density

NASTY = (
    "</script>", " <b>&amp;", "&amp;", " 😀", " مرحبا", "\ufffd", "<0xE2>", " " + "x" * 300,
    "\n", "\t", "  ", "", " <!--", "\u202eabc", " ]]>", "'\"`${}", "\u2028", "\x07",
)  # fmt: skip
"""Tokens that must reach the document as text."""

SPEC = '{"cell":"L1R-8x","note":"<b>\\"&"}'


def world(
    n_features: int = 40,
    n_items: int = 60,
    d_sae: int = 512,
    top: int = 20,
    samples: int = 15,
    rate: float = 0.25,
    vocabulary: int = 400,
    per_row: tuple[int, int] = (8, 20),
    seed: int = 0,
    edits: bool = True,
) -> dict[str, Any]:
    """The arguments of `page`: headlines of a BOS, a few words, an edit of one to three tokens;
    without `edits` plain texts."""
    rng = np.random.default_rng(seed)
    words = [f" {''.join(rng.choice(list('abcdefghij'), 5))}" for _ in range(vocabulary)]
    strings = np.array([*NASTY, *words], object)
    tokens, captured = _tokens(rng, strings, n_items, per_row)
    marked = tokens["in_edit"] if edits else captured
    masked = np.flatnonzero(marked & ~tokens["special"] & (tokens["item"] % 7 != 3))
    if not edits:
        tokens |= {"in_edit": np.zeros_like(captured), "side": np.full(len(captured), "plain")}
    n = len(tokens["row"])
    n_counted = int(((tokens["item"] % 7 != 3) & ~tokens["special"]).sum())
    ids = np.sort(rng.choice(d_sae, n_features, replace=False))
    columns: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for k, feature in enumerate(ids.tolist()):
        share = rate * (1 + k % 9) / 5
        index = np.flatnonzero(captured & (rng.random(n) < share * 0.3))
        index = np.union1d(index, rng.choice(masked, max(1, int(share * len(masked) / 4))))
        columns[feature] = index, (0.3 + rng.gamma(2, 0.5, len(index))).astype(np.float32)
    lengths = np.zeros(d_sae, np.int64)
    for feature, (index, _) in columns.items():
        lengths[feature] = len(index)
    values = Features(
        data=np.concatenate([columns[f][1] for f in sorted(columns)]),
        indices=np.concatenate([columns[f][0] for f in sorted(columns)]).astype(np.int32),
        indptr=np.concatenate([[0], np.cumsum(lengths)]),
        token=np.flatnonzero(captured),
    )
    items = np.arange(n_items)
    kept = items % 7 != 3
    table = density(values, pa.table(tokens), kept)
    features = table.to_pylist()
    shown = [_shown(rng, row, columns, masked, captured, tokens, top, samples) for row in features]
    tops = [line for first, _ in shown for line in first]
    rest = [line for _, second in shown for line in second]
    return {
        "cell_facts": {
            "study": "made", "corpus": "up", "cell": "L1R-8x", "model": "toy", "site": "L1R",
            "sae": "8x", "d_sae": d_sae, "layout": "headline", "mask": "tokens",
            "n_tokens": n_counted, "n_masked": len(masked), "n_items": n_items,
            "density_cut": 0.001, "spec": SPEC, "more": {"threshold": 0.3},
        },
        "features": table,
        "top_tokens": pa.Table.from_pylist(tops),
        "examples": pa.Table.from_pylist(rest),
        "tokens": pa.table(tokens),
        "values": values,
        "selection": pa.table({"item": items.astype(np.int32), "kept": kept}),
        "items": pa.table(
            {
                "item": items.astype(np.int32),
                "id": [str(1000 + i) for i in items],
                "original": [f"the original <i>{i}</i>" for i in items],
                "edited": ["" for _ in items],
                "edit": ["" for _ in items],
                "group": (items // 2).astype(np.int32),
                "meanGrade": items / 10,
            }
        ),
        "concepts": pa.Table.from_pylist(
            [
                {
                    "feature": row["feature"], "kind": ("meaning", "letter", "coherent")[k % 3],
                    "label": ("kids", 'starts with "c"', None)[k % 3], "concept": "kids",
                    "n_concept": (17, 3, 0)[k % 3], "n_shown": 20, "p_maxt": 0.3, "q": 0.9,
                    "p_coherence": 0.01, "n_near": 14,
                    "n_letter": 19, "n_ending": 3, "n_word": 4, "n_token": 5, "n_start": 6,
                    "n_stop": 7,
                }
                for k, row in enumerate(features)
            ]
        ),
        "logits": pa.Table.from_pylist(
            [
                {"feature": row["feature"], "side": side, "rank": r,
                 "token": str(rng.choice(strings)),
                 "effect": np.float32((1 if side == "top" else -1) * (1 - r / 10)).item()}
                for row in features for side in ("bottom", "top") for r in range(10)
            ]
        ),
    }  # fmt: skip


def _tokens(
    rng: np.random.Generator, strings: np.ndarray, n_items: int, per_row: tuple[int, int]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The columns of tokens.parquet and which tokens are captured."""
    rows = [int(rng.integers(*per_row)) for _ in range(n_items)]
    n = sum(rows)
    row = np.repeat(np.arange(n_items), rows)
    position = np.concatenate([np.arange(length) for length in rows])
    rank = np.minimum((rng.random(n) ** 3 * len(strings)).astype(int), len(strings) - 1)
    code = np.where(rng.random(n) < 0.3, rng.integers(0, len(NASTY), n), rank)
    text = strings[code].copy()
    special = position == 0
    text[special] = "<|begin_of_text|>"
    start = np.array([rng.integers(1, length - 1) for length in rows])[row]
    in_edit = (position >= start) & (position < start + 1 + row % 3)
    return {
        "row": row.astype(np.int32), "position": position.astype(np.int32),
        "token_id": code.astype(np.int32), "text": text, "side": np.full(n, "edited", object),
        "group": (row // 2).astype(np.int32), "item": row.astype(np.int32), "special": special,
        "in_edit": in_edit,
    }, (in_edit | (rng.random(n) < 0.3)) & ~special  # fmt: skip


def _shown(rng, feature, columns, masked, captured, tokens, top, samples):
    """Top tokens and sampled examples of a feature, as rows of their tables."""
    index, data = columns[feature["feature"]]
    mine = np.isin(index, masked)
    index, data = index[mine], data[mine]
    dense = dict(zip(*(a.tolist() for a in columns[feature["feature"]]), strict=True))
    order = np.lexsort([index, -data])

    def line(k: int, rank: int) -> dict[str, Any]:
        t = int(index[k])
        same = tokens["row"] == tokens["row"][t]
        first, last = np.flatnonzero(same)[[0, -1]].tolist()
        window = range(max(first, t - 5), min(last, t + 5) + 1)
        return {
            "feature": feature["feature"], "example_rank": rank, "token_index": t,
            "row": int(tokens["row"][t]), "position": int(tokens["position"][t]),
            "item": int(tokens["item"][t]), "activation": data[k], "token": tokens["text"][t],
            "word": str(tokens["text"][t]).strip() or "word",
            "window_tokens": [tokens["text"][i] for i in window],
            "window_activations": [dense.get(i, 0.0) if captured[i] else None for i in window],
            "center": t - window[0],
        }  # fmt: skip

    best = [line(k, rank) for rank, k in enumerate(order[:top].tolist())]
    drawn = rng.permutation(len(index))[:samples].tolist()
    names = ("random", "q1", "q2")
    share = max(1, samples // 3)
    return best, [
        {**line(k, rank % share), "group": names[min(rank // share, 2)]}
        for rank, k in enumerate(drawn)
    ]


def tiled(made: dict[str, Any], times: int) -> dict[str, Any]:
    """The same with every feature `times` over, under new ids: a large page, soon made."""
    values, d_sae = made["values"], made["cell_facts"]["d_sae"]
    nnz, n = len(values.data), len(made["features"])

    def again(table: pa.Table) -> pa.Table:
        at = table.column_names.index("feature")
        ids = table["feature"].to_numpy()
        return pa.concat_tables(
            table.set_column(at, "feature", pa.array(ids + d_sae * k)) for k in range(times)
        )

    features = again(made["features"])
    at = features.column_names.index("rank")
    tables = {name: again(made[name]) for name in ("top_tokens", "examples", "concepts", "logits")}
    return {
        **made,
        **tables,
        "cell_facts": {**made["cell_facts"], "d_sae": d_sae * times},
        "features": features.set_column(at, "rank", pa.array(np.arange(n * times))),
        "values": Features(
            data=np.tile(values.data, times),
            indices=np.tile(values.indices, times),
            indptr=np.concatenate([[0], *(values.indptr[1:] + nnz * k for k in range(times))]),
            token=values.token,
        ),
    }


def cells() -> pa.Table:
    """Facts of the cells of a made-up study, one of them without numbers."""
    rows = [
        {
            "cell": f"L{layer}{position}-{sae}", "layer": layer, "position": position, "sae": sae,
            "d_model": 64, "d_sae": 64 * int(sae[:-1]), "n_tokens": 9984, "n_masked": 926,
            "n_active": 1279 - layer, "n_above_1e-3": 148 - layer, "n_above_1e-2": 5, "l0": 50.25,
            "median_density": None if layer == 8 else 0.0003, "max_density": 0.0887,
            "n_judged": 900 + layer, "n_meaning": 2 * (layer % 3), "n_coherent": layer // 8,
            "n_form": int(position == "R"), "n_concepts": layer % 3,
            "concepts": ["kids", "<b>sex</b>"][: layer % 3],
        }
        for sae in ("32x", "8x") for layer in (15, 8, 31) for position in "RMA"
        if (layer, position, sae) != (31, "A", "8x")
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


STUDY = {"study": "made", "model": "toy", "corpus": "up", "spec": SPEC, "more": {"seed": 0}}

CORPORA = [
    {
        "name": "up", "role": "main", "total": 9652, "n_set_aside": 17,
        "n_masked": 937, "n_replaced": 743,
        "filters": [{"comparator": "ge 2.0", "kept": 630}, {"comparator": "gt 2.0", "kept": 322}],
        "tokens_per_text": {"min": 5, "median": 15, "mean": 15.8437, "max": 35},
        "edit_lengths": {"1": 420, "2": 150, "3": 60},
    }
]  # fmt: skip
