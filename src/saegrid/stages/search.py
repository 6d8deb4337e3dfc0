"""Features of all cells that answer queries: words in stored codes, prompts through the model."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.section import Strict
from saegrid.stages import places
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Sizes, Source, Stage, Weight, Write


class Settings(Strict):
    """Features that answer queries, over all cells; `saegrid search` asks the same of a finished
    study."""

    words: list[str] = []
    """Words, or several in a row, that are looked up in the stored codes: no model."""
    prompts: list[str] = []
    """Texts that run through the model."""
    pairs: list[Annotated[list[str], Field(min_length=2)]] = []
    """Pairs of texts, with what is looked for and without; further ones are without too."""
    top: Annotated[int, Field(ge=1, le=1000)] = 10
    """Features of a query."""


def section(plan: Plan) -> Settings:
    """The settings of the analysis."""
    return plan.study.analyses.search


def runs_model(plan: Plan) -> bool:
    """Return True if a query runs through the model."""
    return bool(section(plan).prompts or section(plan).pairs)


def check(named: Settings) -> None:
    """ConfigError where there is nothing to look for, or a text is blank."""
    key = "analyses.search"
    if not (named.words or named.prompts or named.pairs):
        raise ConfigError(f"{key}: names no words, prompts or pairs to look for. Name one.")
    pairs = [text for pair in named.pairs for text in pair]
    for name, texts in {"words": named.words, "prompts": named.prompts, "pairs": pairs}.items():
        if any(not text.strip() for text in texts):
            raise ConfigError(f"{key}.{name}: a text is blank and has no token. Take it out.")


def weighed(plan: Plan) -> list[At]:
    """The cells whose SAE has weights; ConfigError where a prompt is asked for and none has."""
    cells = [at for at in places.cells(plan) if not plan.saes.is_displayed(at.cell)]
    if not cells and runs_model(plan):
        raise ConfigError(
            "analyses.search.prompts and pairs run through the model and SAEs, and no cell of the "
            "study has weights. Take them out, or ask for words."
        )
    return cells


def saes(plan: Plan, at: At) -> list[Source]:
    """The files of all SAEs, two of each, where a query runs through the model."""
    cells = weighed(plan) if runs_model(plan) else []
    return [one for cell in cells for one in places.sae(plan, cell)]


def model(plan: Plan, at: At) -> list[str]:
    """Files of the model, where a query runs through it."""
    return list(plan.model.files) if runs_model(plan) else []


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cells, and the model where a query runs through it."""
    check(section(plan))
    names = {
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "corpus": plan.main,
        "named": plan.study.model.path,
        "cells": [cell.cell for cell in places.cells(plan)],
    }
    if not runs_model(plan):
        return names
    parses = plan.study.corpora[plan.main].special_tokens == "parse"
    return {
        **names,
        **plan.model.spec,
        "tokenizer": plan.model.tokenizer,
        "parses": parses,
        "weighed": [cell.cell for cell in weighed(plan)],
        "threads": plan.study.threads.capture,
    }


def code(plan: Plan, at: At) -> list[str]:
    """Code that knows the model and reads the formats of the SAEs."""
    if not runs_model(plan):
        return []
    return sorted({*plan.model.code, *(plan.saes.reader(cell.cell) for cell in weighed(plan))})


def gpu(plan: Plan, at: At) -> int:
    """A GPU for the model, where a query runs through it."""
    return plan.gpu() if runs_model(plan) else 0


def hub(plan: Plan, at: At) -> int:
    """Checkpoints that may have to be fetched, where a query runs through them."""
    return int(runs_model(plan) and any(plan.saes.from_hub(one.cell) for one in weighed(plan)))


def weighs(sizes: Sizes, at: At) -> Weight:
    """Encoders are read once, whatever the number of prompts."""
    cells = weighed(sizes.plan) if runs_model(sizes.plan) else []
    return Weight(write=200_000, read=sum(sizes.sae(cell.cell).matrix for cell in cells))


SEARCH = Stage(
    "search",
    reads={
        "features": places.of_every_cell("encode.features"),
        "top": places.of_every_cell("top_tokens.top"),
        "tokens": places.on_main("tokens.tokens"),
        "saes": Many(saes, counted=False),
        "model": Many(model, ancient=True),
    },
    writes={
        "table": STUDY + "search.parquet",
        "tokens_table": STUDY + "search_tokens.parquet",
        "page": Write(STUDY + "search.html", report=("search", "Search")),
    },
    config=Settings,
    ends=places.once,
    settings=settings,
    code=code,
    needs=Needs("capture", 240, "capture", gpu=gpu, hub=hub),
    weighs=weighs,
)
