"""The store of a streamed corpus: its activations at all sites of the grid, in shards.

Shards are no outputs, since Snakemake deletes these before a job: outputs are the facts of each
site with the checksums of its shards.
"""

from saegrid.base.digest import digest
from saegrid.base.io import canonical
from saegrid.capture.sizes import HEADER
from saegrid.stages.places import MODEL, VERIFIED, every_site, family_code, streamed
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Settings, Sizes, Stage, Weight
from saegrid.store.manifest import beside
from saegrid.store.settings import settings_of

ENTRY = 20
"""Bytes of an entry beside its activations: three numbers."""


def identity(plan: Plan, at: At) -> str:
    """The digest under which a store lies: all that decides its bytes, but not how far it goes.

    Files are not in it: the store knows their digests, and stays as far as they have not changed.
    Neither is where the model lies, nor the list of sites.
    """
    corpus, model = plan.corpora[at.corpus], plan.study.model
    source = corpus.settings.source
    written = {"delimiter", "quotes", "encoding", "compression", "separator"}
    chosen = source.model_dump(mode="json", include={"kind", "repo", "revision", *written})
    deciding = {
        "code": plan.specs.code(FILL_STORE, at),
        "model": plan.model.identity,
        "tokenizer": plan.model.tokenizer or list(plan.model.tokenizer_named),
        "bos": model.bos,
        "special_tokens": corpus.settings.special_tokens,
        "source": {**chosen, "column": source.columns.text},
        "settings": settings_of(corpus.store).deciding,
        "threads": plan.study.threads.capture,
    }
    return digest(canonical(deciding))


def settings(plan: Plan, at: At) -> Settings:
    """The filling, without the list of sites."""
    plan.check_layers()
    corpus, model = plan.corpora[at.corpus], plan.study.model
    return {
        "model": {**model.model_dump(mode="json"), "name": model.path},
        "tokenizer": plan.model.tokenizer_named[0],
        "source": corpus.settings.source.model_dump(mode="json"),
        "content": corpus.content,
        "settings": corpus.store,
        "special_tokens": corpus.settings.special_tokens,
        "share": corpus.settings.set_aside,
        "store": identity(plan, at),
        "threads": plan.study.threads.capture,
    }


def weighs(sizes: Sizes, at: At) -> Weight:
    """Entries of all sites."""
    widths = sizes.widths()
    entry = sum(widths) * sizes.itemsize + ENTRY * len(widths)
    return Weight(write=sizes.text(at.corpus).captured * entry + HEADER * len(widths))


READS = {
    "source": Many(lambda plan, at: plan.corpora[at.corpus].files, ancient=True),
    "model": MODEL,
    "verified": VERIFIED,
}

FILL_STORE = Stage(
    "fill_store",
    reads=READS,
    writes={"facts": every_site(CORPUS + "store/{capture}/{site}.json", beside=beside)},
    settings=settings,
    code=family_code,
    needs=Needs("capture", 600, "capture", gpu=True),
    weighs=weighs,
    parts={"capture": identity},
    only={"corpus": streamed},
)
