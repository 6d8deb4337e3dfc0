"""The probes of a site and its cells: scores, controls, description lengths, what an SAE keeps."""

from typing import Annotated, Any

from pydantic import Field

from saegrid.base.errors import ConfigError
from saegrid.base.registry import entry
from saegrid.base.section import Strict
from saegrid.evidence.probes.linear import LINEAR
from saegrid.stages.readout_texts import READS, cells, conventions, described, section, sites
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Sizes, Stage, Weight


class ProbeSettings(Strict):
    """Probes of the labelled texts beside k chosen units."""

    methods: Annotated[list[str], Field(min_length=1)] = [
        "svm_published", "svm", "l2", "l1", "elastic_net", "difference",
    ]  # fmt: skip
    """Linear probes on all units: svm_published (scikit-learn's defaults), svm (scaled, its penalty
    chosen), l2, l1, elastic_net (logistic regression), difference (of means), unpenalised (logistic
    regression, only where units are fewer than texts)."""
    controls: Annotated[int, Field(ge=0, le=10_000)] = 100
    """Control tasks of each kind, for selectivity; 0: none."""
    orders: Annotated[int, Field(ge=1, le=100)] = 3
    """Orders of the texts over which description lengths are averaged."""
    shuffles: Annotated[int, Field(ge=1, le=100)] = 3
    """Times that labels are shuffled, for chance: fits of each probe beside its own."""


TABLES = ("probes", "selectivity", "lengths", "preserved", "gains")
"""Tables of the stage."""


def check(plan: Plan) -> None:
    """ConfigError where a method is unknown."""
    try:
        for name in section(plan).probes.methods:
            entry(LINEAR, name, "analyses.readout.probes.methods:")
    except ValueError as problem:
        raise ConfigError(str(problem)) from None


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The descriptions, and what is asked of each."""
    check(plan)
    return {**described(plan, at), **section(plan).probes.model_dump(mode="json")}


def code(plan: Plan, at: At) -> list[str]:
    """The modules of the methods."""
    return [LINEAR[name] for name in dict.fromkeys([*section(plan).probes.methods, "l2"])]


def weighs(sizes: Sizes, at: At) -> Weight:
    """Rows of tables."""
    plan = sizes.plan
    several = len(conventions(plan)) * (3 + 2 * len(cells(plan, at.site)))
    return Weight(write=20_000 + 2_500 * several)


READOUT_PROBES = Stage(
    "readout_probes",
    reads=READS,
    writes={name: CORPUS + f"readout/{name}/{{site}}.parquet" for name in TABLES},
    settings=settings,
    code=code,
    part_of="readout",
    ends=sites,
    needs=Needs(memory=4000, minutes=120, group="cells"),
    weighs=weighs,
)
