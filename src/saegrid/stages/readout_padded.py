"""The vectors of labelled texts in rows of one length, by the model itself, at all sites."""

from typing import Any

from saegrid.evidence.probes.conventions import CONVENTIONS, PADDED
from saegrid.stages.places import MODEL, every_site, family_code, on_main
from saegrid.stages.readout_texts import conventions, sites, tokenizer
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Stage, Weight


def names(plan: Plan) -> list[str]:
    """The conventions that read texts in such rows."""
    return [name for name in conventions(plan) if name in PADDED]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The model, the tokenizer with what ends a text, and the sites."""
    return {
        **plan.model.spec,
        **tokenizer(plan),
        "corpus": plan.main,
        "vectors": names(plan),
        "threads": plan.study.threads.capture,
    }


READOUT_PADDED = Stage(
    "readout_padded",
    reads={
        "texts": "readout_texts.table",
        "tokens": on_main("tokens.tokens"),
        "model": MODEL,
    },
    writes={"tensors": every_site(CORPUS + "readout/padded/{site}.safetensors")},
    settings=settings,
    code=lambda plan, at: [*family_code(plan, at), *(CONVENTIONS[name] for name in names(plan))],
    part_of="readout",
    needs=Needs("capture", 60, "capture", gpu=True),
    weighs=lambda sizes, at: Weight(
        write=4 * sizes.text(at.corpus).items * sum(sizes.widths()) * len(sites(sizes.plan))
    ),
)
