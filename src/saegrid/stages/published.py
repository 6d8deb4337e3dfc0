"""Published features beside those of a cell: which one is it, and what is said of it?"""

from typing import Annotated

from pydantic import Field

from saegrid.base.section import Strict
from saegrid.stages.import_dashboards import contents, files
from saegrid.stages.places import cells, layout
from saegrid.stages.stage import CELL, At, Many, Needs, Panel, Plan, Stage, Weight
from saegrid.stages.stage import Settings as Values


class Settings(Strict):
    """Published features are looked for among those of the cells."""

    files: Annotated[list[str], Field(min_length=1)]
    """Files of published pages, JSON lines, gzipped or not. A page belongs to the cell of its
    layer, position and expansion, such as L7R-32x; other cells have none."""


def named(plan: Plan) -> tuple[str, list[str]]:
    """The key of the files in the config, and these."""
    return "analyses.published.files", plan.study.analyses.published.files


def settings(plan: Plan, at: At) -> Values:
    """The cell, the content of the files, the rules by which top tokens are chosen, and whether
    the cell is the page itself."""
    chosen = plan.settings(at.cell, "top_tokens")
    rules = {"n": chosen["n"], "window": chosen["window"], "edges": chosen["published"]}
    itself = {"itself": plan.saes.is_displayed(at.cell)}
    return {
        "cell": at.cell,
        "content": contents(*named(plan)),
        **rules,
        **itself,
        **layout(plan, at),
    }


PUBLISHED = Stage(
    "published",
    reads={
        "pages": Many(lambda plan, at: files(*named(plan)), ancient=True),
        "features": "encode.features",
        "table": "density.table",
        "concepts": "concepts.table",
        "tokens": "tokens.tokens",
        "texts": "items.table",
        "selection": "selection.selection",
    },
    writes={"table": CELL + "published.parquet"},
    config=Settings,
    ends=cells,
    settings=settings,
    needs=Needs(memory=4000, minutes=20, group="pages"),
    weighs=lambda sizes, at: Weight(write=500_000),
    shows=(
        Panel(
            "published",
            "On the published pages",
            "The published feature that this one is taken for: verdict same where at least 9 "
            "tenths of the tokens of its rows are among the top tokens here and as many tokens are "
            "active (2 more or less), near from half of them. MAX and active tokens are those of "
            "the page; what it is about, of how many rows, and the words are the source's own.",
            "saegrid.meaning.published:panel",
            "published.table",
        ),
    ),
)
