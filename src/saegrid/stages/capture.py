"""Activations of a corpus at all sites of the grid, in one pass of the model.

A capture lies under a digest of all that decides the values but the list of sites: another model,
text or dtype writes elsewhere, and a layer more computes the new sites only.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saegrid.base.digest import digest
from saegrid.base.io import canonical
from saegrid.capture.sizes import HELD, activation_bytes
from saegrid.models.memory import needed
from saegrid.stages.places import MODEL, VERIFIED, family_code
from saegrid.stages.settled import is_recorded
from saegrid.stages.stage import CORPUS, At, Needs, Source, Stage, Weight, Write
from saegrid.text.shards import numbers

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """All that decides the values, without the list of sites."""
    plan.check_layers()
    return {
        **plan.model.spec,
        "tokens": plan.corpora[at.corpus].settings.tokens.model_dump(mode="json"),
        "threads": plan.study.threads.capture,
        **({"shard": numbers(at.shard)} if at.shard else {}),
    }


def identity(plan: "Plan", at: At) -> str:
    """The digest under which a capture lies: where the model lies does not count."""
    spec = json.loads(plan.graph.spec("capture", At(at.corpus)))
    for key in ("path", "tokenizer", "device"):
        spec["model"].pop(key)
    return digest(canonical(spec))


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Activations of the sites that are not finished already: these are linked."""
    plan, text = sizes.plan, sizes.part(at)
    if plan.model.sizes is None:
        return None
    spec = plan.graph.spec("capture", at)
    by_layer: dict[int, list[int]] = {}
    for site in plan.sites:
        (path,) = plan.graph.paths(Source("capture.activations", at._replace(site=str(site))))
        finished = Path(path).parent / "store" / Path(path).name
        if not is_recorded(str(finished), spec):
            by_layer.setdefault(site.layer, []).append(plan.model.width(site))
    layers = [activation_bytes(text.captured, w, sizes.itemsize) for w in by_layer.values()]
    size, largest = sum(layers), max(layers, default=0)
    if needed(plan.model.stored()) <= plan.study.memory.capture * 10**6:
        return Weight(write=size, passing=size if size > HELD else 0)
    stream = text.positions * plan.model.sizes.d_model * sizes.itemsize
    return Weight(write=size, passing=2 * stream + (largest if largest > HELD else 0))


CAPTURE = Stage(
    "capture",
    reads={
        "tokens": "tokens.tokens",
        "spans": "tokens.spans",
        "model": MODEL,
        "verified": VERIFIED,
    },
    writes={
        "activations": Write(
            CORPUS + "activations/{capture}{shard}/{site}.safetensors",
            each={"site": lambda plan: plan.sites},
        )
    },
    settings=settings,
    code=family_code,
    needs=Needs(memory="capture", minutes=240, threads="capture", gpu=True),
    weighs=weighs,
    parts={"capture": identity},
)
