"""Kin in a study: where they are looked for, and what runs them again."""

import json

import pytest

from asking import cell_at, changed, inputs, jobs_of, mistakes, plan_of, spec, wants
from saegrid.base.words import Site
from saegrid.config import ConfigError
from saegrid.meaning import CELL, LAYER, WIDTH
from saegrid.stages import targets
from saegrid.stages.kin import compares, others
from saegrid.stages.sizes import Sizes
from studies import tiny

pytestmark = pytest.mark.usefixtures("beside_repository")


def several(layers=(7, 1, 3), positions=("r",), saes=("8x", "4x"), **sections):
    """The plan of cells of two widths, and of a null, in some layers."""
    study = tiny(analyses={"kin": {}}, **sections)
    base = study["saes"]["8x"]
    frozen = base | {"settings": base["settings"] | {"freeze": "decoder"}}
    study["saes"] = {"8x": base, "4x": base | {"expansion": 4}, "frozen": frozen}
    study["grid"] = [{"layers": list(layers), "positions": list(positions), "saes": list(saes)}]
    return plan_of(study)


def kin_spec(plan, cell):
    return spec(plan, "kin", cell_at("headlines", cell))


def test_the_cells_in_which_kin_are_looked_for():
    plan = several(positions=("a", "r"))
    assert others(plan, "L3R-8x") == [
        ("L3R-8x", CELL),
        ("L3R-4x", WIDTH),
        ("L1R-8x", LAYER),
        ("L7R-8x", LAYER),
    ]
    # The first and the last layer have one neighbour.
    assert others(plan, "L1A-4x")[1:] == [("L1A-8x", WIDTH), ("L3A-4x", LAYER)]
    assert others(plan, "L7A-4x")[1:] == [("L7A-8x", WIDTH), ("L3A-4x", LAYER)]
    assert others(several((1,), saes=("8x",)), "L1R-8x") == [("L1R-8x", CELL)]


def test_nulls_are_no_kin_of_others():
    plan = several((1, 3), saes=("8x", "frozen"))
    assert others(plan, "L1R-8x") == [("L1R-8x", CELL), ("L3R-8x", LAYER)]
    assert others(plan, "L1R-frozen") == [("L1R-frozen", CELL), ("L1R-8x", WIDTH)]


def test_inputs_are_those_of_these_cells():
    plan = several()
    place = cell_at("headlines", "L3R-8x")
    cells = ["L3R-8x", "L3R-4x", "L1R-8x", "L7R-8x"]
    folder = "results/tiny/headlines/cells"
    assert inputs(plan, "kin", "features", place) == [
        f"{folder}/{cell}/features.safetensors" for cell in cells
    ]
    files = inputs(plan, "kin", "saes", place)
    assert files[::2] == [f"results/tiny/saes/{cell}/cfg.json" for cell in cells]
    assert [row[0] for row in json.loads(kin_spec(plan, "L3R-8x"))["cells"]] == cells


def test_a_cell_far_away_runs_nothing_again():
    plan, more = several((1, 3, 7)), several((1, 3, 7, 9))
    for cell in ("L1R-8x", "L3R-8x"):
        assert kin_spec(plan, cell) == kin_spec(more, cell)
    assert kin_spec(plan, "L7R-8x") != kin_spec(more, "L7R-8x")
    wider = several((1, 3, 7), positions=("a", "r"))
    assert kin_spec(plan, "L7R-8x") == kin_spec(wider, "L7R-8x")


def test_a_cell_that_changes_runs_its_neighbours_kin_again():
    plan = several((1, 3, 7, 9))
    other = several((1, 3, 7, 9), overrides={"L9R-8x": {"train": {"seed": 5}}})
    again = [str(c) for c in plan.cells if kin_spec(plan, str(c)) != kin_spec(other, str(c))]
    assert again == ["L7R-8x", "L9R-4x", "L9R-8x"]


def test_settings_are_those_of_the_cell():
    plan = several()
    other = changed(plan, lambda study: study["overrides"].update({"L1R-8x": {"kin": {"k": 2}}}))
    again = [str(c) for c in plan.cells if kin_spec(plan, str(c)) != kin_spec(other, str(c))]
    assert again == ["L1R-8x"]


def test_pages_show_kin_where_a_study_names_them():
    plan = several()
    names = [job.stage.name for job in jobs_of(plan)]
    assert names.count("kin") == len(plan.cells) == 6
    page = cell_at("headlines", "L3R-8x")
    (panel,) = json.loads(spec(plan, "page", page))["panels"]
    assert panel["file"] == "kin.parquet"
    assert "kin" not in [job.stage.name for job in jobs_of(plan_of(tiny()))]
    assert mistakes(plan) == []


def test_what_a_job_asks_for():
    plan = several()
    assert wants(plan, "kin", cell_at("headlines", "L3R-8x"))["memory"] == 4000
    weight = plan.graph.stages["kin"].weighs(Sizes(plan), cell_at("headlines", "L3R-8x"))
    assert weight.read == 4 * 64 * 64 * (8 + 4 + 8 + 8)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("L1R-8x", "L3R-8x", True),
        ("L1A-8x", "L3A-8x", True),
        ("L1N-8x", "L1N-4x", True),
        ("L1N-8x", "L3N-8x", False),
        ("L1Z-8x", "L3Z-8x", False),
    ],
)
def test_directions_compare_within_one_space(one, other, alike):
    """Neurons and heads of two layers have nothing in common."""
    assert compares(several(), one, other) == alike


def test_a_transcoder_compares_with_what_it_writes(monkeypatch):
    plan = several()
    writes = {"L1I-t": Site(1, "M"), "L3I-t": Site(3, "M")}
    monkeypatch.setattr(plan.saes, "writes", writes.get)
    assert compares(plan, "L1I-t", "L3I-t")
    assert not compares(plan, "L1I-t", "L1I-8x")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "analyses.kin.k must be at least 1; got 0."),
        ({"k": 99}, "analyses.kin.k must be at most 50; got 99."),
        ({"least": 0}, "analyses.kin.least must be at least 1; got 0."),
        ({"silent": "some"}, "analyses.kin.silent must be"),
        ({"lest": 2}, "analyses.kin.lest is not a key. Did you mean 'least'?"),
    ],
)
def test_mistakes_are_told(settings, message):
    with pytest.raises(ConfigError) as error:
        plan_of(tiny(analyses={"kin": settings}))
    assert message in str(error.value)


def test_kin_may_be_made_alone():
    plan = several()
    assert "all_kin" in targets.names(plan.graph)
    assert {job.stage.name for job in jobs_of(plan, "all_kin")} >= {"kin", "train_sae", "encode"}
