"""The sparse features of a cell: z of every captured token, of a shard or of the whole corpus."""

from typing import TYPE_CHECKING, Any

from saegrid.stages.places import SAE, VERIFIED, activations, reader
from saegrid.stages.stage import CELL, At, Needs, One, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The cell and its threads; the capture, which is in the path of what is read."""
    stage = plan.graph.stages[activations(plan, at).stage]
    return {
        "cell": at.cell,
        **plan.graph.parts(stage, at.corpus),
        "threads": plan.study.threads.encode,
    }


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """The encoder's rows are read once."""
    sae = sizes.sae(at.cell)
    if sae is None:
        return None
    return Weight(write=sizes.features(sae, sizes.part(at).captured), read=sae.matrix)


ENCODE = Stage(
    "encode",
    reads={"activations": One(activations, settled=True), "sae": SAE, "verified": VERIFIED},
    writes={"features": CELL + "features{shard}.safetensors"},
    sections=("encode",),
    settings=settings,
    code=reader,
    needs=Needs(
        memory="encode",
        minutes=20,
        threads="encode",
        gpu=True,
        hub=True,
        priority=1,
        group="encoders",
    ),
    weighs=weighs,
    whole="merge",
)
