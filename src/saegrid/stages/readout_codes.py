"""The codes of the vectors of labelled texts by the SAE of a cell, and their reconstruction."""

from typing import Any

from saegrid.stages.places import ENCODER, VERIFIED, reader, weighed
from saegrid.stages.readout_texts import cells, conventions
from saegrid.stages.stage import CORPUS, At, Needs, One, Plan, Sizes, Source, Stage, Weight


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The cell and the conventions."""
    return {"cell": at.cell, "vectors": conventions(plan)}


def weighs(sizes: Sizes, at: At) -> Weight:
    """Codes and reconstructions; encoder and decoder are read once."""
    sae, texts = sizes.sae(at.cell), sizes.text(at.corpus).items
    write = texts * len(conventions(sizes.plan)) * (8 * sae.l0 + 4 * sae.d_model)
    return Weight(write=write, read=2 * sae.matrix)


READOUT_CODES = Stage(
    "readout_codes",
    reads={
        "vectors": One(lambda plan, at: Source("readout_vectors.tensors", at)),
        "sae": ENCODER,
        "verified": VERIFIED,
    },
    writes={"tensors": CORPUS + "readout/cells/{cell}.safetensors"},
    settings=settings,
    code=reader,
    part_of="readout",
    ends=cells,
    needs=Needs("encode", 30, "encode", gpu=True, hub=True),
    weighs=weighs,
    only={"cell": weighed},
)
