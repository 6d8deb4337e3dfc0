"""The hooks study: its jobs, what decides them, and what is told before a run."""

import json

import pytest
import yaml

from asking import ROOT, changed, config, files, inputs, jobs_of, mistakes, plan_of, spec
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")
CORPUS = At("written")


@pytest.fixture(scope="module")
def study():
    return config("hooks")


def test_the_shipped_study_has_no_mistakes_and_its_report_comes_last(study):
    plan = plan_of(study)
    assert mistakes(plan) == []
    names = [job.stage.name for job in jobs_of(plan, "all_hooks")]
    assert {"continuations", "survey", "hooks", "hooks_clamps", "concepts"} <= {*names}
    assert names[-1] == "hooks_report"
    assert files(plan, "hooks_report.page") == ["results/hooks/report.html"]
    assert len(inputs(plan, "hooks", "codes")) == len(plan.cells) == 3
    assert len(inputs(plan, "hooks_clamps", "saes")) == 6


def test_what_is_drawn_decides_tokens_and_not_the_other_way_round(study):
    plan = plan_of(study)
    assert inputs(plan, "tokens", "drawn", CORPUS) == "results/hooks/written/continuations.parquet"
    assert inputs(plan_of(config()), "tokens", "drawn", At("headlines")) == []

    def other(change, stage):
        return spec(changed(plan, change), stage, CORPUS) != spec(plan, stage, CORPUS)

    def hotter(study):
        study["corpora"]["written"]["source"]["temperature"] = 0.5

    def fewer(study):
        study["corpora"]["written"]["tokens"]["context"] = 50

    assert other(hotter, "continuations") and other(hotter, "tokens") and other(hotter, "capture")
    assert not other(fewer, "continuations") and not other(fewer, "tokens")
    drawn = json.loads(spec(plan, "continuations", CORPUS))["drawn"]
    assert drawn == {"new_tokens": 48, "temperature": 1.0, "stop": False, "seed": 0}


def test_all_layers_are_captured_and_surveyed_and_three_have_saes(study):
    plan = plan_of(study)
    assert len(files(plan, "capture.activations", CORPUS)) == 32
    assert len(inputs(plan, "survey", "activations")) == 32
    assert [str(cell.site) for cell in plan.cells] == ["L7R", "L15R", "L23R"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"theme": "topic"}, "analyses.hooks.theme: topic must be a label of written that is"),
        (
            None,
            "analyses.hooks: it reports on what the model writes, but the main corpus",
        ),
    ],
)
def test_a_mistake_is_one_sentence(study, change, words):
    if change is None:
        plan = plan_of(config() | {"analyses": {"hooks": {}}})
    else:
        plan = plan_of(study | {"analyses": {"hooks": change}})
    problems = mistakes(plan, "all_hooks")
    assert [problem for problem in problems if problem.startswith(words)] == problems[:1] != []


def test_stories_are_the_same_study_on_another_model(study):
    over = yaml.safe_load((ROOT / "config/over/hooks-stories.yaml").read_text())
    assert over["study"] != study["study"] and {*over["saes"]} == {*over["grid"][0]["saes"]}
    assert {*over["grid"][0]["layers"]} <= {*over["survey"]["layers"]}
