"""The page of a readout: what two classes of texts can be told by, and in how many units."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.digest import file_digests
from saegrid.base.section import Positive, Seed, Strict
from saegrid.evidence.probes.conventions import CONVENTIONS
from saegrid.pages.browser import SECTIONS
from saegrid.stages.evidence import frozen
from saegrid.stages.places import on_main, once
from saegrid.stages.readout_localisation import LocalisationSettings
from saegrid.stages.readout_probes import ProbeSettings
from saegrid.stages.readout_texts import cells, conventions, section, sites
from saegrid.stages.readout_units import UnitSettings
from saegrid.stages.stage import (
    STUDY,
    At,
    Many,
    Needs,
    Plan,
    Source,
    Stage,
    Write,
    local_file,
)


class Settings(Strict):
    """Texts of two classes, such as words of two genders: what their vectors and codes tell, beside
    neurons, principal components, random directions and SAEs with a frozen decoder."""

    label: str
    """Label of the texts with two classes."""
    classes: list[str] | None = None
    """The two classes, that which is predicted last; null: the two that the label has, sorted."""
    type: str | None = None
    """Label that says which word type a text is of: texts of one type are in one fold. null: the
    text itself, whatever its case."""
    vectors: Annotated[list[str], Field(min_length=1)] | None = None
    """Conventions of the vector of a text: mean (over its tokens), last (its last token), padded
    (as published: no BOS, mean over a row filled up with end-of-text tokens). null: all that the
    model can have."""
    sites: list[str] = []
    """Further sites without an SAE, such as L0N for the neurons of layer 0."""
    representations: Annotated[list[str], Field(min_length=1)] = ["x", "pca", "codes", "random"]
    """Descriptions of the texts at a site: x (its channels), pca, codes of each cell, random (codes
    in random directions, as many as features)."""
    ks: list[Annotated[Positive, Field(le=10_000)]] = [1, 2, 5, 10, 20, 50, 100]
    """Numbers of units of sparse probes."""
    folds: Annotated[int, Field(ge=2, le=50)] = 5
    """Parts of the word types, each predicted after learning from the others."""
    draws: Annotated[int, Field(ge=20, le=10_000)] = 200
    """Draws of word types behind intervals."""
    seed: Seed = 0
    """Seed of folds, draws and random directions."""
    published: str | None = None
    """YAML file with the numbers of a published study, which stand beside those here; null: none.
    resources/gender/published.yaml is of 312 words of two genders."""
    probes: ProbeSettings = ProbeSettings()
    """Probes with their controls."""
    units: UnitSettings = UnitSettings()
    """Tests of each unit."""
    localisation: LocalisationSettings = LocalisationSettings()
    """In how few units the classes lie."""


def outputs(plan: Plan) -> list[str]:
    """The tables of the sites that the page is made of."""
    parts = [s for s in plan.graph.present if s.part_of == "readout" and "site" in s.wildcards]
    return [
        f"{stage.name}.{name}"
        for stage in parts
        for name in stage.writes
        if stage.write(name).path.endswith(".parquet")
    ]


def tables(plan: Plan, at: At) -> list[Source]:
    """Each of these tables of every site, site by site."""
    return [Source(output, place) for output in outputs(plan) for place in sites(plan)]


def published(plan: Plan, at: At) -> list[str]:
    """The file of a published study, where one is named."""
    path = section(plan).published
    return [str(local_file("analyses.readout.published", path))] if path else []


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The names that stand on the page, the tables that it is made of, and the content of the file
    of a published study."""
    return {
        "published": file_digests(published(plan, at)),
        "study": plan.study.study,
        "title": plan.study.pages.title,
        "model": plan.study.model.path,
        "corpus": plan.main,
        "vectors": conventions(plan),
        "sites": [place.site for place in sites(plan)],
        "cells": [place.cell for place in cells(plan)],
        "frozen": {place.cell: frozen(plan, place.cell) for place in cells(plan)},
        "outputs": outputs(plan),
    }


READOUT = Stage(
    "readout",
    reads={
        "facts": on_main("readout_texts.facts"),
        "texts": on_main("readout_texts.table"),
        "tables": Many(tables),
        "published": Many(published, ancient=True),
    },
    writes={"page": Write(STUDY + "probes.html", report=("probes", "Probes"))},
    config=Settings,
    ends=once,
    settings=settings,
    code=lambda plan, at: [*SECTIONS.values(), *(CONVENTIONS[name] for name in conventions(plan))],
    needs=Needs(memory=2000, minutes=10, group="study"),
)
