"""The base rate of each topic in the corpora of a survey."""

from typing import Any

from saegrid.base.digest import file_digest
from saegrid.stages.stage import (
    STUDY,
    At,
    Many,
    Needs,
    Plan,
    Sizes,
    Source,
    Stage,
    Weight,
    local_file,
)
from saegrid.stages.survey import corpora
from saegrid.text.lexicons.lexicon import topic_file


def word_lists(plan: Plan) -> dict[str, str]:
    """Files of word lists, by the key that names them."""
    lexicons = plan.study.lexicons
    lists = {f"concepts.lexicons: {name}": topic_file(name) for name in lexicons}
    lists["survey.lists"] = plan.study.survey.lists
    return {key: str(path) for key, path in lists.items() if path}


def texts(plan: Plan, at: At) -> list[Source]:
    """For each corpus a file from which its texts are known: of a store that of its first site."""
    site = str(plan.sites[0]) if plan.sites else ""
    sources = [plan.corpora[name].texts() for name in corpora(plan)]
    return [source._replace(at=source.at._replace(site=site)) for source in sources]


def settings(plan: Plan, at: At) -> dict[str, Any]:
    """The corpora with their files, and the lists with their content."""
    files = [plan.graph.paths(source)[0] for source in texts(plan, at)]
    parts = [
        plan.corpora[name].texts_settings(path)
        for name, path in zip(corpora(plan), files, strict=True)
    ]
    lists = word_lists(plan)
    content = [file_digest(local_file(key, path)) for key, path in lists.items()]
    return {"parts": parts, "lists": list(lists.values()), "content": content}


def weighs(sizes: Sizes, at: At) -> Weight:
    """The texts of streamed corpora are read again."""
    plan = sizes.plan
    streamed = [plan.corpora[name] for name in corpora(plan) if plan.corpora[name].is_streamed]
    return Weight(write=100_000, read=sum(corpus.stored() for corpus in streamed))


BASE_RATES = Stage(
    "base_rates",
    reads={"texts": Many(texts)},
    writes={"table": STUDY + "survey/base_rates.parquet"},
    settings=settings,
    needs=Needs(memory=1000, minutes=60, group="study"),
    weighs=weighs,
)
