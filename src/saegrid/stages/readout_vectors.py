"""The vectors of labelled texts at a site: mean, last token, padded as published."""

from typing import Any

from saegrid.evidence.probes.conventions import CONVENTIONS
from saegrid.stages.places import all_activations, on_main
from saegrid.stages.readout_padded import names
from saegrid.stages.readout_texts import conventions, sites
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Sizes, Source, Stage, Weight


def padded(plan: Plan, at: At) -> list[Source]:
    """The vectors of texts in rows of one length, where they are asked for."""
    return [Source("readout_padded.tensors", at)] if names(plan) else []


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The conventions."""
    return {"site": at.site, "corpus": plan.main, "vectors": conventions(plan)}


def weighs(sizes: Sizes, at: At) -> Weight:
    """A vector of each text for each convention."""
    width = dict(zip(map(str, sizes.plan.sites), sizes.widths(), strict=True))[at.site]
    texts = sizes.text(at.corpus).items
    return Weight(write=4 * texts * width * len(conventions(sizes.plan)))


READOUT_VECTORS = Stage(
    "readout_vectors",
    reads={
        "texts": on_main("readout_texts.table"),
        "activations": Many(all_activations),
        "padded": Many(padded),
    },
    writes={"tensors": CORPUS + "readout/sites/{site}.safetensors"},
    settings=settings,
    code=lambda plan, at: [CONVENTIONS[name] for name in conventions(plan)],
    part_of="readout",
    ends=sites,
    needs=Needs(memory=4000, minutes=20, group="cells"),
    weighs=weighs,
)
