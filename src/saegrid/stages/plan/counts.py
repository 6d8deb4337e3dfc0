"""Sizes of a study's corpora, model and SAEs, from what is there: files made, else a guess."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from saegrid.base import io
from saegrid.base.paths import expand, expand_all
from saegrid.base.recorded import recorded_spec
from saegrid.base.registry import pick
from saegrid.base.tensors import header
from saegrid.base.words import ORIGINAL, Cell
from saegrid.models import family_of, sizes_of
from saegrid.models.files import model_files
from saegrid.saes.formats import FORMATS
from saegrid.saes.training.settings import parse
from saegrid.stages.estimate import BYTES, Sae, Text, Weights
from saegrid.stages.plan.files import Plan
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.items import Bad, both_texts

CHARACTERS = 4.0
"""Characters a token where a text has not been tokenised yet; English is between 4 and 4.5."""
SAMPLED, DRAWN, LARGEST = 20_000, 300, 256 << 20
"""Rows of a source that are looked at; texts of a grammar that are drawn for that; bytes from which
a source is too large."""
STREAMED = 100
"""Tokens of a row of a streamed text, guessed."""
L0 = 50
"""Active features a token where a checkpoint does not say: Llama Scope's."""
EXPANSION = 32
"""d_sae / d_model where neither a checkpoint nor its name says."""


# --- corpora -----------------------------------------------------------------------------------


def source_bytes(plan: Plan, name: str) -> int:
    """Bytes of the local files of a corpus."""
    return sum(Path(path).stat().st_size for path in plan.source_files(name))


def text_of(plan: Plan, name: str) -> Text:
    """Counts of a corpus: those of its tokens.json where it has the present spec, else a guess."""
    if plan.is_streamed(name):
        return streamed(plan, name)
    facts = made(f"{plan.root}/{name}/tokens.json", plan.tokens_spec, name)
    chosen = plan.study.corpora[name].tokens
    if facts is None:
        return guessed(plan, name)
    filtered = plan.rows_depend_on_filter(name)
    every = facts["kept" if filtered else "all"]
    edits = facts["masked"]["in_rows"] - facts["masked"]["special"]
    context = round((every["tokens_mean"] or 0) * every["items"]) - every["masked_edited"]
    wanted = context if chosen.context == "all" else min(chosen.context, context)
    kept = made(f"{plan.root}/{name}/selection.json", plan.selection_spec, name)
    share = kept["kept"] / max(kept["total"], 1) if kept and not filtered else 1.0
    return Text(
        items=every["items"],
        positions=facts["positions"],
        rows=facts["rows"],
        captured=wanted
        + (edits if chosen.edited else 0)
        + (replaced(f"{plan.root}/{name}/spans.parquet") if chosen.original else 0),
        masked=round(share * (edits or context)),
        counted=round(share * (context + edits)),
    )


def streamed(plan: Plan, name: str) -> Text:
    """Counts of a streamed corpus: those of its store if it has the present spec, else a guess."""
    facts = made(plan.activations(name, str(plan.sites[0])), plan.store_spec, name)
    if facts is not None:
        texts, tokens, entries = (facts[key] for key in ("texts", "tokens", "entries"))
        return Text(texts, tokens + texts, texts, entries, entries, tokens)
    corpus, size = plan.study.corpora[name], source_bytes(plan, name)
    tokens = int(
        min(size / CHARACTERS or float("inf"), corpus.store.max_tokens or float("inf"), 1e12)
    )
    rows = max(1, tokens // STREAMED)
    entries = tokens if corpus.store.choice == "all" else rows
    how = "the size of its files" if size else "max_tokens"
    return Text(rows, tokens + rows, rows, entries, entries, tokens, how)


def replaced(spans: str) -> int:
    """Tokens that the edits replaced, on the original side; one for several edits counts once."""
    columns = ["side", "row", "edit_start", "edit_stop"]
    there = io.read_table(spans, columns).to_pydict()
    rows = zip(*(there[name] for name in columns), strict=True)
    edits = {tuple(edit) for side, *edit in rows if side == ORIGINAL}
    return len({(row, at) for row, start, stop in edits for at in range(start, stop)})


def made(path: str, spec: Callable[[str], str], name: str) -> dict[str, Any] | None:
    """The facts of a corpus' JSON file if it was made with the present spec."""
    if not Path(path).is_file() or recorded_spec(path) != spec(name):
        return None
    return io.read_json(path)


def guessed(plan: Plan, name: str) -> Text:
    """Counts of a corpus that is not tokenised yet, from the first rows of its files."""
    corpus, size = plan.study.corpora[name], source_bytes(plan, name)
    if corpus.source.kind == "hub" or size > LARGEST:
        edited = int(size / CHARACTERS)
        items, originals, original, edits = max(1, edited // 20), 0, 0, 0
        how = "the size of its files" if size else "nothing: it lies on the hub"
    else:
        seen, share = sampled(plan, name)
        items, originals = int(len(seen) * share), int(len({o for o, *_ in seen if o}) * share)
        edited, edits = (int(share * sum(tokens_in(s[i]) for s in seen)) for i in (1, 2))
        original = int(share * sum(tokens_in(text) for text in {s[0] for s in seen}))
        how = f"{len(seen):,} rows and {CHARACTERS:g} characters a token"
    chosen, context = corpus.tokens, edited - edits
    wanted = context if chosen.context == "all" else min(chosen.context, context)
    rows = items + originals
    return Text(
        items=items,
        # A row begins with a special token in most models.
        positions=edited + original + rows,
        rows=rows,
        captured=wanted + edits * (int(chosen.edited) + int(chosen.original)),
        masked=edits or context,
        counted=edited,
        guess=how,
    )


def sampled(plan: Plan, name: str) -> tuple[list[tuple[str | None, str, str | None]], float]:
    """Texts of the first rows (original, edited or plain, edit), and what all come to: a factor."""
    source = expand_all(plan.study.corpora[name].source.model_dump(mode="json"))
    columns = {k: v for k, v in source["columns"].items() if v and k != "id"} or {"text": "text"}
    most = DRAWN if source["kind"] == "generated" else SAMPLED
    found, seen, read = [], 0, 0
    for row in islice(pick(CORPORA, source["kind"], "Corpus kind")(source), most):
        seen += 1
        read += sum(len(value) + 1 for value in row.values.values() if value)
        with suppress(Bad):
            texts = {key: row.values.get(column) or "" for key, column in columns.items()}
            found.append(both_texts(texts))
    if seen < most:
        total = float(seen)
    elif source["kind"] == "generated":
        total = source["n"]
    elif source["kind"] == "parquet":
        total = sum(pq.read_metadata(path).num_rows for path in plan.source_files(name))
    else:
        total = max(seen, source_bytes(plan, name) * seen / read)
    return found, total / max(seen, 1)


def tokens_in(text: str | None) -> float:
    """Tokens of a text, guessed; a text has at least one."""
    return max(1.0, len(text) / CHARACTERS) if text else 0.0


# --- the model ---------------------------------------------------------------------------------


def weights_of(plan: Plan) -> Weights | None:
    """Sizes of the model; None where it is on the hub. Without tensors they are guessed high."""
    config, folder = plan.model_config(), plan.model_folder()
    if config is None or folder is None:
        return None
    family, sizes = family_of(config, plan.study.model.family), sizes_of(config)
    itemsize = BYTES[plan.study.model.dtype]
    block = 4 * sizes.d_model**2 + 3 * sizes.d_model * sizes.d_mlp
    embedding = 2 * sizes.d_vocab * sizes.d_model
    shapes = tensor_sizes(folder) if plan.model_files() else {}
    if shapes:
        inside = re.compile(rf"(^|\.){re.escape(family.blocks)}\.\d+\.")
        blocks = sum(n for tensor, n in shapes.items() if inside.search(tensor))
        block, embedding = blocks // sizes.n_layers, sum(shapes.values()) - blocks
    stored = sum(Path(path).stat().st_size for path in plan.model_files())
    return Weights(block, embedding, sizes.n_layers, sizes.d_model, itemsize, stored)


def tensor_sizes(folder: Path) -> dict[str, int]:
    """Numbers in each tensor of a model folder, from the headers of its files."""
    return {
        tensor: prod(entry.shape)
        for path in model_files(folder)
        for tensor, entry in header(path).entries.items()
    }


# --- SAEs --------------------------------------------------------------------------------------


def sae_of(plan: Plan, cell: str) -> Sae | None:
    """Sizes of a cell's SAE: of its training, of its checkpoint, or as its name says.

    None where they follow from a model on the hub.
    """
    site, name = Cell.parse(cell)
    width = plan.width(site)
    if plan.is_trained(cell):
        if not width:
            return None
        settings = plan.settings(cell, "train")
        told = parse(settings["recipe"], settings["settings"])
        l0 = round(getattr(told, "k", None) or getattr(told, "l0", None) or L0)
        return Sae(width, settings["expansion"] * width, 4, l0)
    given = plan.checkpoint(cell)
    facts = {}
    if given["path"]:
        form = pick(FORMATS, given["format"], "format")
        path = Path(expand(given["path"])) / form.files[0]
        facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    said = re.search(r"(\d+)x", name) or re.search(r"(\d+)x", given["repo"] or "")
    expansion = int(said[1]) if said else EXPANSION
    d_model = int(facts.get("d_model") or facts.get("d_in") or width)
    if not d_model:
        return None
    dtype = str(facts.get("dtype", "bfloat16")).removeprefix("torch.")
    return Sae(
        d_model,
        int(facts.get("d_sae") or expansion * d_model),
        BYTES.get(dtype, 4),
        int(facts.get("k") or facts.get("top_k") or L0),
    )
