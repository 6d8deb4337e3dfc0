"""The tables of a cell from the published pages of its features, where there are no weights."""

from saegrid.base.digest import file_digests
from saegrid.base.paths import expand
from saegrid.base.words import Cell
from saegrid.features.statistics import STATISTICS
from saegrid.stages.places import layout
from saegrid.stages.stage import CELL, At, Many, Needs, Plan, Settings, Stage, Weight, local_file


def files(key: str, named: list[str]) -> list[str]:
    """The paths of the files of published pages that the config names under a key."""
    return [str(local_file(key, path)) for path in named]


def contents(key: str, named: list[str]) -> list[str]:
    """Digests of the bytes of these files."""
    return file_digests([expand(path) for path in files(key, named)])


def named(plan: Plan, at: At) -> tuple[str, list[str]]:
    """The key of a cell's files in the config, and these."""
    sae = Cell.parse(at.cell).sae
    return f"saes.{sae}.files", plan.study.saes[sae].files


def settings(plan: Plan, at: At) -> Settings:
    """The cell, the content of the files, the layout of the texts in which their rows stand."""
    return {
        "cell": at.cell,
        "content": contents(*named(plan, at)),
        "statistics": list(STATISTICS),
        **layout(plan, at),
    }


IMPORT_DASHBOARDS = Stage(
    "import_dashboards",
    reads={
        "pages": Many(lambda plan, at: files(*named(plan, at)), ancient=True),
        "tokens": "tokens.tokens",
        "texts": "items.table",
        "selection": "selection.selection",
    },
    writes={
        "features": CELL + "features.safetensors",
        "table": CELL + "features.parquet",
        "histograms": CELL + "histograms.parquet",
    },
    settings=settings,
    needs=Needs(memory=2000, minutes=5, group="cells"),
    weighs=lambda sizes, at: Weight(write=1_000_000),
    only={"cell": lambda plan: plan.saes.pattern(plan.saes.displayed)},
    everywhere=True,
)
