"""The sparse features of a cell: z of every captured token, of a shard or of the whole corpus."""

from saegrid.stages.places import ENCODER, VERIFIED, activations, reader, weighed
from saegrid.stages.stage import CELL, At, Needs, One, Plan, Settings, Sizes, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The cell and its threads; the capture, which is in the path of what is read."""
    stage = plan.graph.stages[activations(plan, at).stage]
    parts = plan.graph.parts(stage, at.corpus)
    return {"cell": at.cell, "threads": plan.study.threads.encode, **parts}


def weighs(sizes: Sizes, at: At) -> Weight:
    """The encoder's rows are read once."""
    written = sizes.features(at.cell, sizes.part(at).captured)
    return Weight(write=written, read=sizes.sae(at.cell).matrix)


ENCODE = Stage(
    "encode",
    reads={"activations": One(activations, settled=True), "sae": ENCODER, "verified": VERIFIED},
    writes={"features": CELL + "features{shard}.safetensors"},
    sections=("encode",),
    settings=settings,
    code=reader,
    needs=Needs("encode", 20, "encode", gpu=True, hub=True, priority=2, group="encoders"),
    weighs=weighs,
    whole="merge",
    only={"cell": weighed},
    displayed="import_dashboards",
    everywhere=True,
)
