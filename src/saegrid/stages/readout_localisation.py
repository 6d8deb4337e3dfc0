"""Localisation at a site: in how few units a label lies, and how well an SAE serves to read it."""

import json
from typing import Annotated, Any

from pydantic import Field

from saegrid.base.section import Number, Positive, Strict
from saegrid.base.words import Cell, Site
from saegrid.stages.readout_texts import READS, cells, described, section, sites
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Stage, Weight


class LocalisationSettings(Strict):
    """Localisation of a label: curves over the number of units, stable units, the combined
    metric."""

    candidates: Annotated[Positive, Field(le=10_000_000)] | None = None
    """Units to choose from where all descriptions have as many; null: the channels of the narrowest
    site."""
    choices: Annotated[Positive, Field(le=100)] = 3
    """Draws of that many units, whose curves are averaged."""
    shuffles: Annotated[int, Field(ge=0, le=100)] = 1
    """Times that labels are exchanged, for chance."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Share of the full AUROC above .5 that a few units are to reach."""
    halves: Annotated[int, Field(ge=10, le=1000)] = 50
    """Halves of the words in which units are selected."""
    selected: Annotated[Positive, Field(le=1000)] = 10
    """Units that are selected in a half."""
    threshold: Annotated[float, Field(gt=0.5, le=1)] = 0.75
    """Share of halves that must select a unit for it to be stable."""
    l2: Annotated[list[Annotated[Number, Field(gt=0)]], Field(min_length=1)] = [1e-3]
    """Penalties of the fits on all units, of several the best on a fold of the training texts."""


def groups(plan: Plan, site: str) -> dict[str, str]:
    """The group of each cell of a site: SAEs whose settings differ by seed alone are one, with the
    name of the first."""
    first: dict[str, str] = {}
    out = {}
    for place in cells(plan, site):
        name = Cell.parse(place.cell).sae
        own = plan.study.saes[name].model_dump(mode="json", exclude={"seed", "together"})
        key = json.dumps(own, sort_keys=True)
        out[place.cell] = first.setdefault(key, name)
    return out


def candidates(plan: Plan) -> int | None:
    """Units to choose from; None where the widths are known when the vectors are there."""
    named = section(plan).localisation.candidates
    if named is not None or plan.model.sizes is None:
        return named
    return min(plan.model.width(Site.parse(place.site)) for place in sites(plan))


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The settings, the groups of seeds, and what is described."""
    own = section(plan).localisation.model_dump(mode="json")
    own |= {"candidates": candidates(plan), "groups": groups(plan, at.site)}
    return {**described(plan, at), **own}


READOUT_LOCALISATION = Stage(
    "readout_localisation",
    reads=READS,
    writes={
        name: CORPUS + f"readout/localisation/{{site}}-{name}.parquet"
        for name in ("curves", "spread", "stability", "metric", "bands")
    },
    settings=settings,
    part_of="readout",
    ends=sites,
    needs=Needs(memory=4000, minutes=120, group="cells"),
    weighs=lambda sizes, at: Weight(write=500_000),
)
