"""Sizes of a study's corpora and SAEs, from the files that are there, else guessed."""

from typing import Any

from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.capture.sizes import HEADER
from saegrid.meaning.dashboards import LOOKED_AT
from saegrid.saes import sizes
from saegrid.saes.sizes import Sae
from saegrid.stages.settled import is_recorded
from saegrid.stages.stage import At, Plan, Source
from saegrid.text.counts import CHARACTERS, Text, guessed, replaced

STREAMED = 100
"""Tokens of a row of a streamed text, guessed."""


class Unknown(LookupError):
    """Sizes that are not known before the run: the model lies on the hub."""


class Sizes:
    """Sizes of a study; each is looked up once."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.itemsize = sizes.BYTES[plan.study.model.dtype]
        self.texts: dict[str, Text] = {}
        self._saes: dict[str, Sae | None] = {}

    def text(self, corpus: str) -> Text:
        """Counts of a corpus."""
        if corpus not in self.texts:
            streams = self.plan.corpora[corpus].is_streamed
            self.texts[corpus] = (streamed if streams else tabled)(self.plan, corpus)
        return self.texts[corpus]

    def part(self, at: At) -> Text:
        """Counts of a job's shard: about as many as of every other."""
        text, of = self.text(at.corpus), len(self.plan.corpora[at.corpus].shards) if at.shard else 1
        share = {key: -(-getattr(text, key) // of) for key in ("positions", "rows", "captured")}
        return text._replace(**share)

    def sae(self, cell: str) -> Sae:
        """Sizes of a cell's SAE; Unknown where they follow from a model on the hub."""
        if cell not in self._saes:
            self._saes[cell] = sae_of(self.plan, cell)
        sae = self._saes[cell]
        if sae is None:
            raise Unknown
        return sae

    def widths(self) -> list[int]:
        """Channels of all sites of the grid; Unknown where the model is on the hub."""
        if self.plan.model.sizes is None:
            raise Unknown
        return [self.plan.model.width(site) for site in self.plan.sites]

    def unembedding(self) -> int:
        """Numbers in the model's unembedding; Unknown where the model is on the hub."""
        self.widths()
        return self.plan.model.sizes.d_vocab * self.plan.model.sizes.d_model

    def features(self, cell: str, captured: int) -> int:
        """Bytes of features.safetensors where every token has `l0` active features: a float32 and
        an int32 each."""
        sae = self.sae(cell)
        return captured * (sae.l0 * 8 + 8) + (sae.d_sae + 1) * 8 + HEADER

    def active(self, at: At) -> int:
        """Features of a cell that are active on a masked token, at most."""
        sae = self.sae(at.cell)
        return min(sae.d_sae, sae.l0 * self.text(at.corpus).masked)

    def shown(self, at: At) -> int:
        """Features of a cell that get examples, at most: each needs its share of activations."""
        sae, text = self.sae(at.cell), self.text(at.corpus)
        cut = self.plan.settings(at.cell, "top_tokens")["cut"]
        least = max(1, int(-(-cut * text.counted // 1)))
        return min(sae.d_sae, sae.l0 * text.masked // least)


def sae_of(plan: Plan, cell: str) -> Sae | None:
    """Sizes of a cell's SAE, of its training or of its checkpoint."""
    if plan.saes.is_displayed(cell):
        return Sae(d_model=0, d_sae=LOOKED_AT, itemsize=4, l0=1)
    width = plan.model.width(Cell.parse(cell).site)
    if not plan.saes.is_trained(cell):
        return sizes.of_checkpoint(plan.saes.checkpoint(cell), cell, width)
    expansion = plan.settings(cell, "train")["expansion"]
    return sizes.of_training(width, expansion, plan.trainings.recipe(cell)) if width else None


def tabled(plan: Plan, name: str) -> Text:
    """Counts of a corpus in tables: those of its tokens.json where it has the present spec, else a
    guess."""
    corpus, facts = plan.corpora[name], finished(plan, Source("tokens.facts", At(name)))
    chosen = corpus.settings.tokens
    if facts is None:
        source = corpus.expanded
        return guessed(source, corpus.files, corpus.stored(), chosen.model_dump(mode="json"))
    every = facts["kept" if corpus.is_filtered else "all"]
    edits = facts["masked"]["in_rows"] - facts["masked"]["special"]
    context = round((every["tokens_mean"] or 0) * every["items"]) - every["masked_edited"]
    context -= facts.get("prompt_tokens", 0)
    captured = context if chosen.context == "all" else min(chosen.context, context)
    captured += edits if chosen.edited else 0
    if chosen.original:
        captured += replaced(plan.graph.paths(Source("tokens.spans", At(name)))[0])
    kept = finished(plan, Source("selection.facts", At(name)))
    share = kept["kept"] / max(kept["total"], 1) if kept and not corpus.is_filtered else 1.0
    masked, counted = round(share * (edits or context)), round(share * (context + edits))
    return Text(every["items"], facts["positions"], facts["rows"], captured, masked, counted)


def streamed(plan: Plan, name: str) -> Text:
    """Counts of a streamed corpus: those of its store if it has the present spec, else a guess."""
    facts = finished(plan, Source("fill_store.facts", At(name, site=str(plan.sites[0]))))
    if facts is not None:
        texts, tokens, entries = (facts[key] for key in ("texts", "tokens", "entries"))
        return Text(texts, tokens + texts, texts, entries, entries, tokens)
    corpus = plan.corpora[name]
    stored, store = corpus.stored(), corpus.settings.store
    tokens = int(min(stored / CHARACTERS or float("inf"), store.max_tokens or float("inf"), 1e12))
    rows = max(1, tokens // STREAMED)
    entries = tokens if store.choice == "all" else rows
    how = "the size of its files" if stored else "max_tokens"
    return Text(rows, tokens + rows, rows, entries, entries, tokens, how)


def finished(plan: Plan, source: Source) -> dict[str, Any] | None:
    """The facts of a JSON file if it records its present spec."""
    (path,) = plan.graph.paths(source)
    present = is_recorded(path, plan.specs.spec(source.stage, source.at))
    return io.read_json(path) if present else None
