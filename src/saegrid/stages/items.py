"""The items of a corpus, from its files."""

from saegrid.base.registry import lookup
from saegrid.stages.stage import CORPUS, At, Many, Needs, Plan, Settings, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The source, the content of its files, what is stripped, checked and set aside."""
    corpus = plan.corpora[at.corpus]
    grades = corpus.settings.grades
    return {
        "source": corpus.settings.source.model_dump(mode="json"),
        "content": corpus.content,
        "strip": corpus.settings.strip,
        "keep_space": sorted(corpus.settings.keep_space),
        "grades": grades.model_dump(mode="json") if grades else None,
        "share": corpus.settings.set_aside,
    }


def code(plan: Plan, at: At) -> list[str]:
    """The kind of source."""
    kind = plan.corpora[at.corpus].settings.source.kind
    return [lookup("saegrid.text.corpora:CORPORA", kind, f"corpora.{at.corpus}.source.kind")]


ITEMS = Stage(
    "items",
    reads={"source": Many(lambda plan, at: plan.corpora[at.corpus].files, ancient=True)},
    writes={
        "table": CORPUS + "items.parquet",
        "set_aside": CORPUS + "set_aside.parquet",
        "facts": CORPUS + "corpus.json",
    },
    settings=settings,
    code=code,
    needs=Needs(memory=2000, minutes=20, priority=1, group="corpus"),
    weighs=lambda sizes, at: Weight(write=60 * sizes.text(at.corpus).items),
)
