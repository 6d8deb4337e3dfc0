"""Sizes of a study's corpora and SAEs, from the files that are there, else guessed."""

import json
import re
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.parquet as pq

from saegrid.base import io
from saegrid.base.paths import expand
from saegrid.base.registry import pick
from saegrid.base.words import ORIGINAL, Cell
from saegrid.capture.sizes import HEADER
from saegrid.saes.formats import FORMATS
from saegrid.stages.settled import is_recorded
from saegrid.stages.stage import At, Source
from saegrid.text.corpora import CORPORA
from saegrid.text.corpora.items import Bad, both_texts

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan

ITEMSIZE = {"float32": 4, "float16": 2, "bfloat16": 2}
"""Bytes of a stored number."""
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


class Text(NamedTuple):
    """Counts of a corpus, read or guessed."""

    items: int
    positions: int
    """Model input positions, both sides."""
    rows: int
    captured: int
    """Tokens that a capture keeps."""
    masked: int
    """Tokens of edits that densities count."""
    counted: int
    """Tokens that densities are shares of."""
    guess: str = ""
    """How the counts were guessed; empty where they were read from tokens.json."""


class Sae(NamedTuple):
    """Sizes of a sparse autoencoder."""

    d_model: int
    d_sae: int
    itemsize: int
    """Bytes of a stored number."""
    l0: int
    """Active features a token: k, or what the checkpoint was made for."""

    @property
    def matrix(self) -> int:
        """Bytes of its encoder's rows, and of its decoder's."""
        return self.d_model * self.d_sae * self.itemsize


class Sizes:
    """Sizes of a study; each is looked up once."""

    def __init__(self, plan: "Plan") -> None:
        self.plan = plan
        self.itemsize = ITEMSIZE[plan.study.model.dtype]
        self.texts: dict[str, Text] = {}
        self._saes: dict[str, Sae | None] = {}

    def text(self, corpus: str) -> Text:
        """Counts of a corpus."""
        if corpus not in self.texts:
            self.texts[corpus] = text_of(self.plan, corpus)
        return self.texts[corpus]

    def part(self, at: At) -> Text:
        """Counts of a job's shard: about as many as of every other."""
        text, of = self.text(at.corpus), len(self.plan.corpora[at.corpus].shards) if at.shard else 1
        return text._replace(
            positions=-(-text.positions // of),
            rows=-(-text.rows // of),
            captured=-(-text.captured // of),
        )

    def sae(self, cell: str) -> Sae | None:
        """Sizes of a cell's SAE; None where they follow from a model on the hub."""
        if cell not in self._saes:
            self._saes[cell] = sae_of(self.plan, cell)
        return self._saes[cell]

    def features(self, sae: Sae, captured: int) -> int:
        """Bytes of features.safetensors where every token has `l0` active features: a float32 and
        an int32 each."""
        return captured * (sae.l0 * 8 + 8) + (sae.d_sae + 1) * 8 + HEADER

    def active(self, at: At) -> int:
        """Features of a cell that are active on a masked token, at most."""
        sae = self.sae(at.cell)
        return 0 if sae is None else min(sae.d_sae, sae.l0 * self.text(at.corpus).masked)

    def shown(self, at: At) -> int:
        """Features of a cell that get examples, at most: each needs its share of activations."""
        sae, text = self.sae(at.cell), self.text(at.corpus)
        cut = self.plan.settings(at.cell, "top_tokens")["cut"]
        least = max(1, int(-(-cut * text.counted // 1)))
        return 0 if sae is None else min(sae.d_sae, sae.l0 * text.masked // least)


# --- corpora -----------------------------------------------------------------------------------


def text_of(plan: "Plan", name: str) -> Text:
    """Counts of a corpus: those of its tokens.json where it has the present spec, else a guess."""
    if plan.corpora[name].is_streamed:
        return streamed(plan, name)
    facts = finished(plan, Source("tokens.facts", At(name)))
    corpus = plan.corpora[name]
    chosen = corpus.settings.tokens
    if facts is None:
        return guessed(plan, name)
    every = facts["kept" if corpus.is_filtered else "all"]
    edits = facts["masked"]["in_rows"] - facts["masked"]["special"]
    context = round((every["tokens_mean"] or 0) * every["items"]) - every["masked_edited"]
    wanted = context if chosen.context == "all" else min(chosen.context, context)
    kept = finished(plan, Source("selection.facts", At(name)))
    share = kept["kept"] / max(kept["total"], 1) if kept and not corpus.is_filtered else 1.0
    (spans,) = plan.graph.paths(Source("tokens.spans", At(name)))
    return Text(
        items=every["items"],
        positions=facts["positions"],
        rows=facts["rows"],
        captured=wanted
        + (edits if chosen.edited else 0)
        + (replaced(spans) if chosen.original else 0),
        masked=round(share * (edits or context)),
        counted=round(share * (context + edits)),
    )


def streamed(plan: "Plan", name: str) -> Text:
    """Counts of a streamed corpus: those of its store if it has the present spec, else a guess."""
    site = str(plan.sites[0])
    facts = finished(plan, Source("fill_store.facts", At(name, site=site)))
    if facts is not None:
        texts, tokens, entries = (facts[key] for key in ("texts", "tokens", "entries"))
        return Text(texts, tokens + texts, texts, entries, entries, tokens)
    corpus = plan.corpora[name]
    size, store = corpus.stored(), corpus.settings.store
    tokens = int(min(size / CHARACTERS or float("inf"), store.max_tokens or float("inf"), 1e12))
    rows = max(1, tokens // STREAMED)
    entries = tokens if store.choice == "all" else rows
    how = "the size of its files" if size else "max_tokens"
    return Text(rows, tokens + rows, rows, entries, entries, tokens, how)


def replaced(spans: str) -> int:
    """Tokens that the edits replaced, on the original side; one for several edits counts once."""
    columns = ["side", "row", "edit_start", "edit_stop"]
    table = io.read_table(spans, columns).to_pydict()
    rows = zip(*(table[name] for name in columns), strict=True)
    edits = {tuple(edit) for side, *edit in rows if side == ORIGINAL}
    return len({(row, at) for row, start, stop in edits for at in range(start, stop)})


def finished(plan: "Plan", source: Source) -> dict[str, Any] | None:
    """The facts of a JSON file if it records its present spec."""
    (path,) = plan.graph.paths(source)
    present = is_recorded(path, plan.graph.spec(source.stage, source.at))
    return io.read_json(path) if present else None


def guessed(plan: "Plan", name: str) -> Text:
    """Counts of a corpus that is not tokenised yet, from the first rows of its files."""
    corpus = plan.corpora[name]
    size, chosen = corpus.stored(), corpus.settings.tokens
    if corpus.settings.source.kind == "hub" or size > LARGEST:
        edited = int(size / CHARACTERS)
        items, originals, original, edits = max(1, edited // 20), 0, 0, 0
        how = "the size of its files" if size else "nothing: it lies on the hub"
    else:
        seen, share = sampled(plan, name)
        items, originals = int(len(seen) * share), int(len({o for o, *_ in seen if o}) * share)
        edited, edits = (int(share * sum(tokens_in(s[i]) for s in seen)) for i in (1, 2))
        original = int(share * sum(tokens_in(text) for text in {s[0] for s in seen}))
        how = f"{len(seen):,} rows and {CHARACTERS:g} characters a token"
    context = edited - edits
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


def sampled(plan: "Plan", name: str) -> tuple[list[tuple[str | None, str, str | None]], float]:
    """Texts of the first rows (original, edited or plain, edit), and what all come to: a factor."""
    corpus = plan.corpora[name]
    source = corpus.expanded
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
    elif source["kind"] == "parquet":
        total = sum(pq.read_metadata(path).num_rows for path in corpus.files)
    else:
        total = max(seen, corpus.stored() * seen / read)
    return texts, total / max(seen, 1)


def tokens_in(text: str | None) -> float:
    """Tokens of a text, guessed; a text has at least one."""
    return max(1.0, len(text) / CHARACTERS) if text else 0.0


# --- SAEs --------------------------------------------------------------------------------------


def sae_of(plan: "Plan", cell: str) -> Sae | None:
    """Sizes of a cell's SAE: of its training, of its checkpoint, or as its name says.

    None where they follow from a model on the hub.
    """
    site, name = Cell.parse(cell)
    width = plan.model.width(site)
    if plan.saes.is_trained(cell):
        if not width:
            return None
        recipe = plan.trainings.recipe(cell)
        l0 = round(getattr(recipe, "k", None) or getattr(recipe, "l0", None) or L0)
        return Sae(width, plan.settings(cell, "train")["expansion"] * width, 4, l0)
    checkpoint = plan.saes.checkpoint(cell)
    facts = {}
    if checkpoint["path"]:
        form = pick(FORMATS, checkpoint["format"], "format")
        path = Path(expand(checkpoint["path"])) / form.files[0]
        facts = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    named = re.search(r"(\d+)x", name) or re.search(r"(\d+)x", checkpoint["repo"] or "")
    expansion = int(named[1]) if named else EXPANSION
    d_model = int(facts.get("d_model") or facts.get("d_in") or width)
    if not d_model:
        return None
    dtype = str(facts.get("dtype", "bfloat16")).removeprefix("torch.")
    return Sae(
        d_model,
        int(facts.get("d_sae") or expansion * d_model),
        ITEMSIZE.get(dtype, 4),
        int(facts.get("k") or facts.get("top_k") or L0),
    )
