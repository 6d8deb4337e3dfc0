"""Clamped features while a model writes: log-probabilities of their tokens, and its texts."""

from saegrid.stages.places import (
    MODEL,
    VERIFIED,
    cells,
    family_code,
    of_every_cell,
    on_main,
    once,
    sae,
)
from saegrid.stages.stage import STUDY, At, Many, Needs, Plan, Source, Stage, Weight
from saegrid.stages.stage import Settings as Values


def saes(plan: Plan, at: At) -> list[Source]:
    """The files of the SAE of each cell, in the order of the grid."""
    return [source for place in cells(plan) for source in sae(plan, place)]


def settings(plan: Plan, at: At) -> Values:
    """The model, its tokenizer, and where a text ends."""
    tokenizer, revision = plan.model.tokenizer_named
    return {
        **plan.model.spec,
        "hooks": plan.settings("", "hooks"),
        "cells": list(map(str, plan.cells)),
        "tokenizer": tokenizer,
        "revision": revision,
        "content": plan.model.tokenizer,
        "bos": plan.study.model.bos,
        "special_tokens": plan.corpora[plan.main].settings.special_tokens,
        "stop": plan.corpora[plan.main].settings.source.stop,
        "threads": plan.study.threads.capture,
    }


HOOKS_CLAMPS = Stage(
    "hooks_clamps",
    reads={
        **{name: f"hooks.{name}" for name in ("facts", "features", "choice")},
        "table": on_main("items.table"),
        "tokens": on_main("tokens.tokens"),
        "codes": of_every_cell("encode.features"),
        "saes": Many(saes, counted=False),
        "model": MODEL,
        "verified": VERIFIED,
    },
    writes={name: STUDY + f"hooks/{name}.parquet" for name in ("clamps", "clamped_texts")},
    settings=settings,
    code=lambda plan, at: sorted(
        {*family_code(plan, at), *(plan.saes.reader(str(cell)) for cell in plan.cells)}
    ),
    part_of="hooks",
    ends=once,
    needs=Needs("capture", 60, "capture", gpu=True),
    weighs=lambda sizes, at: Weight(write=200_000),
)
