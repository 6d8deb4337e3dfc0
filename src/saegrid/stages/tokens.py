"""The tokens of a corpus: rows of model input, and where texts and edits stand in them."""

from saegrid.base.registry import lookup
from saegrid.stages.stage import (
    CORPUS,
    At,
    Figure,
    Needs,
    One,
    Plan,
    Settings,
    Source,
    Stage,
    Weight,
)


def selection(plan: Plan, at: At) -> Source | None:
    """The filter, where the rows hold the kept items only."""
    return Source("selection.selection", at) if plan.corpora[at.corpus].is_filtered else None


def drawn(plan: Plan, at: At) -> Source | None:
    """The tokens that the model drew after the texts, where these are prompts."""
    return Source("continuations.drawn", at) if plan.corpora[at.corpus].is_continued else None


def settings(plan: Plan, at: At) -> Settings:
    """The tokenizer with its content, the layout, the mask."""
    corpus, (tokenizer, revision) = plan.corpora[at.corpus], plan.model.tokenizer_named
    return {
        "tokenizer": tokenizer,
        "revision": revision,
        "content": plan.model.tokenizer,
        "bos": plan.study.model.bos,
        "layout": corpus.settings.layout,
        "row_length": corpus.settings.row_length,
        "mask": corpus.settings.mask,
        "max_length": corpus.max_length,
        "special_tokens": corpus.settings.special_tokens,
        "chat": corpus.settings.chat and corpus.settings.chat.model_dump(mode="json"),
    }


def code(plan: Plan, at: At) -> list[str]:
    """The layout and the mask."""
    chosen, key = plan.corpora[at.corpus].settings, f"corpora.{at.corpus}"
    return [
        lookup("saegrid.text.layouts:LAYOUTS", chosen.layout, f"{key}.layout"),
        lookup("saegrid.text.masks:MASKS", chosen.mask, f"{key}.mask"),
    ]


TOKENS = Stage(
    "tokens",
    reads={"table": "items.table", "selection": One(selection), "drawn": One(drawn)},
    writes={
        "tokens": CORPUS + "tokens.parquet",
        "spans": CORPUS + "spans.parquet",
        "facts": CORPUS + "tokens.json",
    },
    settings=settings,
    code=code,
    needs=Needs(memory=4000, minutes=20, priority=1, group="corpus"),
    weighs=lambda sizes, at: Weight(write=8 * sizes.text(at.corpus).positions),
    shows=(
        Figure("edit_lengths", "saegrid.pages.figures.edit_lengths:draw", of_edits=True),
        Figure("tokens_per_text", "saegrid.pages.figures.tokens_per_text:draw"),
    ),
)
