"""Steering in a study: its jobs, what decides them, and mistakes."""

import json

import pytest

from asking import cell_at, files, inputs, jobs_of, mistakes, plan_of, spec
from saegrid.config import ConfigError
from saegrid.stages.index import pages
from saegrid.stages.stage import At, Column, shown
from studies import tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
CELL = cell_at("headlines", "L1R-8x")


def named(**settings):
    return plan_of(tiny(analyses={"steering": settings}))


def test_each_cell_is_a_job_and_the_page_is_one():
    plan = named()
    jobs = jobs_of(plan, "all_steering")
    assert [j.at.cell for j in jobs if j.stage.name == "steering"] == ["L1A-8x", "L1R-8x"]
    assert len([j for j in jobs if j.stage.name == "steering_page"]) == 1
    assert mistakes(plan, "all_steering") == []
    assert files(plan, "steering.doses", CELL) == [
        "results/tiny/headlines/cells/L1R-8x/steering.parquet"
    ]
    assert inputs(plan, "steering", "features", CELL).endswith("L1R-8x/features.safetensors")
    assert len(inputs(plan, "steering_page", "choice", cell_at("", ""))) == 2
    assert files(plan, "steering_page.by_choice", At()) == [
        "results/tiny/steering_by_choice.parquet"
    ]


def test_the_index_opens_the_pages_of_analyses_that_are_named():
    assert pages(named()) == [["Steering", "steering.html"]]
    both = plan_of(tiny(analyses={"steering": {}, "search": {"words": ["dog"]}}))
    assert sorted(pages(both)) == [["Search", "search.html"], ["Steering", "steering.html"]]
    assert pages(plan_of(tiny())) == []
    assert "pages" not in json.loads(spec(plan_of(tiny()), "index", At()))


def test_its_gain_never_stands_without_surprisal_and_repetitions():
    names = [c.name for c in shown(named(), Column)]
    assert names == ["steering_gain", "steering_surprisal", "steering_rep3"]


def test_its_section_decides_it_and_nothing_else():
    plan, other = named(), named(doses=[1.0])
    assert spec(plan, "steering", CELL) != spec(other, "steering", CELL)
    assert spec(plan, "encode", CELL) == spec(other, "encode", CELL)
    assert json.loads(spec(other, "steering", CELL))["steering"]["doses"] == [1.0]


def test_a_template_without_words_is_refused():
    assert mistakes(named(template="A story."), "all_steering") == [
        "analyses.steering.template: it must hold {words}. Mend it."
    ]


@pytest.mark.parametrize(
    "settings, key",
    [({"doses": []}, "doses"), ({"doses": [float("nan")]}, "doses.0"), ({"length": 1}, "length")],
)
def test_settings_that_are_none_are_refused(settings, key):
    with pytest.raises(ConfigError, match=rf"analyses.steering.{key}"):
        named(**settings)
