"""Activations of a corpus at all sites of the grid, in one pass of the model.

A capture lies under a digest of all that decides the values but the list of sites: another model,
text or dtype writes elsewhere, and a layer more computes the new sites only.
"""

import json
from pathlib import Path

from saegrid.base.digest import digest
from saegrid.base.io import canonical
from saegrid.capture.sizes import HELD, activation_bytes
from saegrid.models.memory import needed
from saegrid.stages.places import MODEL, VERIFIED, every_site, family_code
from saegrid.stages.settled import is_recorded
from saegrid.stages.stage import CORPUS, At, Needs, Plan, Settings, Sizes, Source, Stage, Weight
from saegrid.text.shards import numbers


def settings(plan: Plan, at: At) -> Settings:
    """All that decides the values, without the list of sites."""
    plan.check_layers()
    return {
        **plan.model.spec,
        "tokens": plan.corpora[at.corpus].settings.tokens.model_dump(mode="json"),
        "threads": plan.study.threads.capture,
        **({"shard": numbers(at.shard)} if at.shard else {}),
    }


def identity(plan: Plan, at: At) -> str:
    """The digest under which a capture lies: neither path nor device of the model counts."""
    spec = json.loads(plan.specs.spec("capture", At(at.corpus)))
    for key in ("path", "tokenizer", "device"):
        spec["model"].pop(key)
    return digest(canonical(spec))


def weighs(sizes: Sizes, at: At) -> Weight:
    """Activations of the sites that are not finished already: these are linked. A model that does
    not fit in the job's memory has its residual stream in two files beside them."""
    plan, text = sizes.plan, sizes.part(at)
    spec, layers = plan.specs.spec("capture", at), {}
    for site, width in zip(plan.sites, sizes.widths(), strict=True):
        (path,) = plan.graph.paths(Source("capture.activations", at._replace(site=str(site))))
        if not is_recorded(str(Path(path).parent / "store" / Path(path).name), spec):
            size = activation_bytes(text.captured, [width], sizes.itemsize)
            layers[site.layer] = layers.get(site.layer, 0) + size
    size, largest = sum(layers.values()), max(layers.values(), default=0)
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
    writes={"activations": every_site(CORPUS + "activations/{capture}{shard}/{site}.safetensors")},
    settings=settings,
    code=family_code,
    needs=Needs("capture", 240, "capture", gpu=True, priority=1),
    weighs=weighs,
    parts={"capture": identity},
)
