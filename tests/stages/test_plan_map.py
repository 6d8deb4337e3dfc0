"""The jobs of the map of concepts: one a study, from the tables of all cells on the main corpus."""

import json

from asking import STUDY, cell_at, config, jobs_of, plan_of, spec
from saegrid.stages import targets
from saegrid.stages.stage import Source
from studies import tiny


def grid(layers=(1,), **more):
    """A plan of the tiny study with these layers."""
    rows = [{"layers": list(layers), "positions": ["a", "r"], "saes": ["8x"]}]
    return plan_of(tiny(grid=rows, **more))


def concepts_of(plan):
    """The specs of what each cell is about."""
    return {str(c): spec(plan, "concepts", cell_at("headlines", str(c))) for c in plan.cells}


def test_pages_have_the_map_and_it_is_no_analysis():
    plan = grid()
    for target in ("pages", "all"):
        names = [job.stage.name for job in jobs_of(plan, target)]
        assert names.count("concept_map") == names.count("map") == 1
    assert "results/tiny/map.html" in targets.files(plan.graph, "pages")
    assert not {"map", "concept_map"} & set(targets.names(plan.graph))


def test_it_reads_every_cell_on_the_main_corpus():
    plan = grid((1, 2))
    sources = plan.graph.stages["concept_map"].read("best").of(plan, STUDY)
    assert sources == [
        Source("concepts.best", cell_at("headlines", str(cell))) for cell in plan.cells
    ]
    assert json.loads(spec(plan, "concept_map"))["cells"] == [
        [str(cell), "none"] for cell in plan.cells
    ]


def test_a_new_cell_makes_the_map_again_and_no_other_cell():
    before, after = grid(), grid((1, 2))
    for stage in ("concept_map", "map"):
        assert spec(before, stage) != spec(after, stage)
    old, new = concepts_of(before), concepts_of(after)
    assert len(new) == 4 and {cell: new[cell] for cell in old} == old


def test_frozen_saes_are_named():
    frozen = {
        "source": "train", "recipe": "topk", "expansion": 8, "corpus": "generated",
        "settings": {"k": 8, "steps": 40, "freeze": "decoder"},
    }  # fmt: skip
    rows = [{"layers": [1], "positions": ["r"], "saes": ["8x", "fixed"]}]
    plan = plan_of(tiny(grid=rows, saes={**config()["saes"], "fixed": frozen}))
    cells = dict(json.loads(spec(plan, "concept_map"))["cells"])
    assert cells == {"L1R-8x": "none", "L1R-fixed": "decoder"}


def test_the_title_makes_the_page_again_and_not_the_tables():
    before, after = grid(), grid(pages={"title": "other"})
    assert spec(before, "concept_map") == spec(after, "concept_map")
    assert spec(before, "map") != spec(after, "map")
