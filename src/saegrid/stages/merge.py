"""The sparse features of a cell from those of the shards of its corpus."""

from typing import TYPE_CHECKING

from saegrid.stages.places import of_every_shard, sharded
from saegrid.stages.stage import CELL, At, Needs, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.sizes import Sizes


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Features of the whole."""
    sae = sizes.sae(at.cell)
    return sae and Weight(write=sizes.features(sae, sizes.text(at.corpus).captured))


MERGE = Stage(
    "merge",
    reads={"shards": of_every_shard("encode.features")},
    writes={"features": CELL + "features.safetensors"},
    settings=lambda plan, at: {"shards": len(plan.corpora[at.corpus].shards)},
    needs=Needs(memory=2000, minutes=10, priority=1, group="cells"),
    weighs=weighs,
    only={"corpus": sharded},
)
