"""The items of a corpus, from its files."""

from typing import TYPE_CHECKING, Any

from saegrid.base.registry import lookup
from saegrid.stages.stage import CORPUS, At, Many, Needs, Stage, Weight

if TYPE_CHECKING:
    from saegrid.stages.plan import Plan
    from saegrid.stages.sizes import Sizes


def settings(plan: "Plan", at: At) -> dict[str, Any]:
    """The source, the content of its files, what is stripped and checked."""
    corpus = plan.corpora[at.corpus]
    return {
        "source": corpus.settings.source.model_dump(mode="json"),
        "content": corpus.content,
        "strip": corpus.settings.strip,
        "keep_space": sorted(corpus.settings.keep_space),
        "grades": corpus.settings.grades,
    }


def kind(plan: "Plan", at: At) -> list[str]:
    """Code of the kind of source."""
    name = plan.corpora[at.corpus].settings.source.kind
    return [lookup("saegrid.text.corpora:CORPORA", name, f"corpora.{at.corpus}.source.kind")]


def weighs(sizes: "Sizes", at: At) -> Weight:
    """60 bytes a row, with the tables beside."""
    return Weight(write=60 * sizes.text(at.corpus).items)


ITEMS = Stage(
    "items",
    reads={"source": Many(lambda plan, at: plan.corpora[at.corpus].files, ancient=True)},
    writes={
        "table": CORPUS + "items.parquet",
        "set_aside": CORPUS + "set_aside.parquet",
        "facts": CORPUS + "corpus.json",
    },
    settings=settings,
    code=kind,
    needs=Needs(memory=2000, minutes=20, group="corpus"),
    weighs=weighs,
)
