"""The store of a streamed corpus: its activations at all sites of the grid, in shards.

Shards are no outputs, since Snakemake deletes these before a job: outputs are the facts of each
site with the checksums of its shards.
"""

from typing import TYPE_CHECKING, Any

from saegrid.base.digest import digest
from saegrid.base.io import canonical
from saegrid.capture.sizes import HEADER
from saegrid.stages.places import MODEL, VERIFIED, family_code
from saegrid.stages.stage import CORPUS, At, Many, Needs, Stage, Weight, Write
from saegrid.store.settings import settings_of

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes

ENTRY = 20
"""Bytes of an entry beside its activations: three numbers."""


def identity(plan: "Plan", at: At) -> str:
    """The digest under which a store lies: all that decides its bytes, but not how far it goes.

    Files are not in it: the store knows their digests, and stays as far as they have not changed.
    Neither is where the model lies, nor the list of sites.
    """
    corpus, model = plan.corpora[at.corpus], plan.study.model
    source = corpus.settings.source
    chosen = source.model_dump(mode="json", include={"kind", "separator", "repo", "revision"})
    deciding = {
        "code": plan.graph.code(FILL_STORE, at),
        "model": plan.model.identity,
        "tokenizer": plan.model.tokenizer or [model.tokenizer, model.revision],
        "bos": model.bos,
        "source": {**chosen, "column": source.columns.text},
        "settings": settings_of(corpus.store).deciding,
        "threads": plan.study.threads.capture,
    }
    return digest(canonical(deciding))


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The filling, without the list of sites."""
    plan.check_layers()
    corpus, model = plan.corpora[at.corpus], plan.study.model
    return {
        "model": {**model.model_dump(mode="json"), "name": model.path},
        "tokenizer": model.tokenizer or model.path,
        "source": corpus.settings.source.model_dump(mode="json"),
        "content": corpus.content,
        "settings": corpus.store,
        "store": identity(plan, at),
        "threads": plan.study.threads.capture,
    }


def weighs(sizes: "Sizes", at: At) -> Weight | None:
    """Entries of all sites."""
    plan, text = sizes.plan, sizes.text(at.corpus)
    if plan.model.sizes is None:
        return None
    widths = [plan.model.width(site) for site in plan.sites]
    entry = sum(widths) * sizes.itemsize + ENTRY * len(widths)
    return Weight(write=text.captured * entry + HEADER * len(widths))


READS = {
    "source": Many(lambda plan, at: plan.corpora[at.corpus].files, ancient=True),
    "model": MODEL,
    "verified": VERIFIED,
}

FILL_STORE = Stage(
    "fill_store",
    reads=READS,
    writes={
        "facts": Write(
            CORPUS + "store/{capture}/{site}.json", each={"site": lambda plan: plan.sites}
        )
    },
    settings=settings,
    code=family_code,
    needs=Needs(memory="capture", minutes=600, threads="capture", gpu=True),
    weighs=weighs,
    parts={"capture": identity},
)
