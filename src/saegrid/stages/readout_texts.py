"""The labelled texts of a readout: classes, word types, tokens, and the fold of each."""

import re
from typing import Any

from saegrid.base.errors import ConfigError
from saegrid.base.registry import entry, nearest
from saegrid.base.words import SITE_PATTERN, Site
from saegrid.evidence.probes.conventions import CONVENTIONS, PADDED
from saegrid.models import family_of
from saegrid.stages.places import on_main, once
from saegrid.stages.stage import CORPUS, At, Many, Needs, One, Plan, Read, Source, Stage, Weight
from saegrid.text.corpora.items import MADE
from saegrid.text.corpora.rows import CARRIED

REPRESENTATIONS = ("x", "pca", "codes", "random")
"""Descriptions of the texts at a site."""


def section(plan: Plan) -> Any:
    """The settings of the analysis."""
    return plan.study.analyses.readout


def is_causal(plan: Plan) -> bool:
    """True if the model reads from left to right; a model on the hub is taken for one."""
    config = plan.model.config
    return config is None or family_of(config, plan.study.model.family).causal


def is_carried(plan: Plan) -> bool:
    """True if the texts are words in sentences."""
    return plan.corpora[plan.main].settings.source.kind == CARRIED


def conventions(plan: Plan) -> list[str]:
    """The conventions of a study: those named, else all that the model can have."""
    named = section(plan).vectors
    if named is not None:
        return list(dict.fromkeys(named))
    pads = is_causal(plan) and not is_carried(plan)
    return [name for name in CONVENTIONS if name not in PADDED or pads]


def check(plan: Plan) -> None:
    """ConfigError where a name is unknown, or the corpus or the model cannot answer."""
    named, key = section(plan), "analyses.readout"
    corpus = plan.study.corpora[plan.main]
    labels = [*corpus.source.labels, *(MADE if is_carried(plan) else ())]
    try:
        for name in named.vectors or ():
            entry(CONVENTIONS, name, f"{key}.vectors:")
        for name in named.representations:
            entry(dict.fromkeys(REPRESENTATIONS, ""), name, f"{key}.representations:")
    except ValueError as problem:
        raise ConfigError(str(problem)) from None
    for field in ("label", "type"):
        column = getattr(named, field)
        if column is not None and column not in labels:
            raise ConfigError(
                f"{key}.{field}: {plan.main} has no label {column!r}."
                f"{nearest(column, labels)} Its labels: {', '.join(labels) or 'none'}. Name "
                f"the column under corpora.{plan.main}.source.labels."
            )
    if named.classes is not None and len({*named.classes}) != 2:
        raise ConfigError(f"{key}.classes: must be two different names; got {named.classes}.")
    if not plan.corpora[plan.main].has_edits and corpus.tokens.context != "all":
        raise ConfigError(
            f"corpora.{plan.main}.tokens.context: {key} needs every token of its texts; got "
            f"{corpus.tokens.context}. Set it to all."
        )
    _check_padded(plan)
    _check_sites(plan)


def _check_padded(plan: Plan) -> None:
    """ConfigError where texts in padded rows are asked for that the model cannot read."""
    if not {*PADDED} & {*conventions(plan)}:
        return
    if is_carried(plan):
        raise ConfigError(
            "analyses.readout.vectors: padded is of words alone, and those of the corpus "
            f"{plan.main} stand in sentences. Leave padded out."
        )
    if not is_causal(plan):
        raise ConfigError(
            "analyses.readout.vectors: padded feeds pads as tokens, which would change the words "
            f"before them in {plan.study.model.path}, a model that reads both ways. Leave padded "
            "out."
        )


def _check_sites(plan: Plan) -> None:
    """ConfigError where a site is named that the model does not have."""
    family = plan.model.config and family_of(plan.model.config, plan.study.model.family)
    for name in section(plan).sites:
        try:
            site = Site.parse(name)
        except ValueError as problem:
            raise ConfigError(f"analyses.readout.sites: {problem}") from None
        if plan.model.sizes is not None and site.layer >= plan.model.sizes.n_layers:
            reason = f"its layers are 0 to {plan.model.sizes.n_layers - 1}"
        elif family and family.lacks(site.position):
            reason = f"in a {family.name} model {family.lacks(site.position)}"
        else:
            continue
        raise ConfigError(
            f"analyses.readout.sites: {plan.study.model.path} has no site {name}: {reason}. Mend "
            "the site."
        )


def sites(plan: Plan) -> list[At]:
    """The sites of the study's cells, then the further ones, on the main corpus."""
    named = [str(cell.site) for cell in plan.cells if not plan.saes.is_displayed(str(cell))]
    named += [name for name in section(plan).sites if re.fullmatch(SITE_PATTERN, name)]
    return [At(plan.main, site=name) for name in dict.fromkeys(named)]


def cells(plan: Plan, site: str = "") -> list[At]:
    """The cells of a site, or all, on the main corpus; those whose SAE has weights."""
    every = [cell for cell in plan.cells if not plan.saes.is_displayed(str(cell))]
    return [
        At(plan.main, str(cell), site=str(cell.site))
        for cell in every
        if site in ("", str(cell.site))
    ]


def of_site(output: str) -> Many:
    """An output of each cell of the job's site."""
    return Many(lambda plan, at: [Source(output, place) for place in cells(plan, at.site)])


READS: dict[str, str | Read] = {
    "texts": on_main("readout_texts.table"),
    "vectors": One(lambda plan, at: Source("readout_vectors.tensors", at)),
    "codes": of_site("readout_codes.tensors"),
}
"""Inputs of a job of a site, as `evidence.probes.labelled.described` reads them."""


def described(plan: Plan, at: At) -> dict[str, Any]:
    """Settings of a job of a site, as `evidence.probes.labelled.described` reads them."""
    named = section(plan)
    return {
        "site": at.site,
        "cells": [place.cell for place in cells(plan, at.site)],
        "vectors": conventions(plan),
        "representations": list(dict.fromkeys(named.representations)),
        "ks": named.ks,
        "folds": named.folds,
        "draws": named.draws,
        "seed": named.seed,
    }


def tokenizer(plan: Plan) -> dict[str, Any]:
    """The tokenizer with its content."""
    name, revision = plan.model.tokenizer_named
    return {"tokenizer": name, "revision": revision, "content": plan.model.tokenizer}


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The label, what a word type is, the folds, and the tokenizer, which knows what it has no
    token for."""
    check(plan)
    chosen = section(plan).model_dump(
        mode="json", include={"label", "classes", "type", "folds", "seed"}
    )
    own = {"corpus": plan.main, "carried": is_carried(plan), **chosen}
    return {"readout": own, **tokenizer(plan)}


READOUT_TEXTS = Stage(
    "readout_texts",
    reads={
        "table": on_main("items.table"),
        "tokens": on_main("tokens.tokens"),
        "spans": on_main("tokens.spans"),
        "selection": on_main("selection.selection"),
    },
    writes={
        "table": CORPUS + "readout/texts.parquet",
        "facts": CORPUS + "readout/texts.json",
    },
    settings=settings,
    part_of="readout",
    ends=lambda plan: [At(plan.main) for _ in once(plan)],
    needs=Needs(memory=2000, minutes=10, group="study"),
    weighs=lambda sizes, at: Weight(write=60 * sizes.text(at.corpus).items),
)
