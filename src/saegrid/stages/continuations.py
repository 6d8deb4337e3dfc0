"""Tokens that the model draws after the prompts of a corpus, which are then its text."""

from saegrid.stages.places import MODEL, VERIFIED, family_code
from saegrid.stages.stage import CORPUS, NOTHING, At, Needs, Plan, Settings, Stage, Weight


def settings(plan: Plan, at: At) -> Settings:
    """The model, its tokenizer, and how tokens are drawn."""
    tokenizer, revision = plan.model.tokenizer_named
    corpus = plan.corpora[at.corpus].settings
    drawn = corpus.source.model_dump(include={"new_tokens", "temperature", "stop", "seed"})
    return {
        **plan.model.spec,
        "tokenizer": tokenizer,
        "revision": revision,
        "content": plan.model.tokenizer,
        "bos": plan.study.model.bos,
        "threads": plan.study.threads.capture,
        "special_tokens": corpus.special_tokens,
        "drawn": drawn,
    }


def continued(plan: Plan) -> str:
    """Pattern of the corpora whose texts are prompts."""
    names = [name for name in plan.study.corpora if plan.corpora[name].is_continued]
    return "|".join(names) or NOTHING


CONTINUATIONS = Stage(
    "continuations",
    reads={"texts": "items.table", "model": MODEL, "verified": VERIFIED},
    writes={"drawn": CORPUS + "continuations.parquet"},
    settings=settings,
    code=family_code,
    needs=Needs("capture", 240, "capture", gpu=True),
    weighs=lambda sizes, at: Weight(write=4 * sizes.text(at.corpus).captured),
    only={"corpus": continued},
)
