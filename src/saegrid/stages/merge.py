"""The sparse features of a cell from those of the shards of its corpus."""

from saegrid.stages.places import of_every_shard, sharded
from saegrid.stages.stage import CELL, Needs, Stage, Weight

MERGE = Stage(
    "merge",
    reads={"shards": of_every_shard("encode.features")},
    writes={"features": CELL + "features.safetensors"},
    settings=lambda plan, at: {"shards": len(plan.corpora[at.corpus].shards)},
    needs=Needs(memory=2000, minutes=10, priority=2, group="cells"),
    weighs=lambda sizes, at: Weight(write=sizes.features(at.cell, sizes.text(at.corpus).captured)),
    only={"corpus": sharded},
)
