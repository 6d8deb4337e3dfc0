"""Tests of each unit of a site: which channels, components and features tell the classes apart."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.section import Positive, Strict
from saegrid.base.words import Site
from saegrid.stages.readout_texts import READS, described, section, sites
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Sizes, Stage, Weight


class UnitSettings(Strict):
    """Tests of each unit: Welch's as published, and calibrated ones beside it."""

    alpha: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    """Level of a unit alone, as published."""
    level: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Level of family-wise p, of Bonferroni's and of false discovery rates."""
    permutations: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Exchanges of the labels of word types."""
    listed: Annotated[Positive, Field(le=1000)] = 20
    """Units of each description that are listed with their words, at most."""
    draws: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Simulated units behind each number of the power."""


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The settings of the tests, and what is described."""
    return {**described(plan, at), **section(plan).units.model_dump(mode="json")}


def weighs(sizes: Sizes, at: At) -> Weight:
    """Fourteen numbers of each unit of each description."""
    plan = sizes.plan
    width = plan.model.width(Site.parse(at.site)) if plan.model.sizes else 0
    features = sum(sizes.sae(str(c)).d_sae for c in plan.cells if str(c.site) == at.site)
    units = (2 * width + 2 * features) * len(described(plan, at)["vectors"])
    return Weight(write=8 * 14 * units + 200_000)


READOUT_UNITS = Stage(
    "readout_units",
    reads=READS,
    writes={
        "summary": CORPUS + "readout/units/{site}.parquet",
        "listed": CORPUS + "readout/units/{site}-listed.parquet",
        "histograms": CORPUS + "readout/units/{site}-histograms.parquet",
        "power": CORPUS + "readout/units/{site}-power.parquet",
        "tensors": CORPUS + "readout/units/{site}.safetensors",
    },
    settings=settings,
    part_of="readout",
    ends=sites,
    needs=Needs(memory=4000, minutes=60, group="cells"),
    weighs=weighs,
)
