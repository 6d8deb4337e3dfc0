"""Attribution in a study: its jobs, what decides them, and what is refused."""

import json

import pytest

from asking import cell_at, changed, files, inputs, jobs_of, mistakes, plan_of, spec, wants
from saegrid.stages.sizes import Sizes
from saegrid.stages.stage import Column, Figure, Panel, shown
from studies import tiny
from toys import save, toy_bert

pytestmark = pytest.mark.usefixtures("few_headlines")
CELL = cell_at("headlines", "L1R-8x")


def attributed(study=None, **settings):
    return plan_of((study or tiny()) | {"analyses": {"attribution": settings}})


def test_each_cell_is_a_job():
    plan = attributed()
    jobs = [j.at.cell for j in jobs_of(plan, "all_attribution") if j.stage.name == "attribution"]
    assert jobs == ["L1A-8x", "L1R-8x"]
    assert mistakes(plan) == []
    folder = "results/tiny/headlines/cells/L1R-8x"
    assert files(plan, "attribution.examples", CELL) == [f"{folder}/attribution_examples.parquet"]
    assert inputs(plan, "attribution", "tokens", CELL).endswith("headlines/tokens.parquet")
    assert [p.name for p in shown(plan, Panel)] == ["attribution"]
    assert [c.name for c in shown(plan, Column)] == ["attribution_r", "activation_r"]
    assert "attribution" in [f.name for f in shown(plan, Figure)]
    assert wants(plan, "attribution", CELL)["gpu"] == 0
    weight = plan.graph.stages["attribution"].weighs(Sizes(plan), CELL)
    assert 0 < weight.write < 10**8 and weight.read > 0


def test_its_settings_and_the_model_decide():
    plan = attributed(prompts=80)
    text = spec(plan, "attribution", CELL)
    assert json.loads(text)["attribution"]["prompts"] == 80
    assert spec(attributed(prompts=81), "attribution", CELL) != text
    plan = attributed(tiny(overrides={"L1R-8x": {"attribution": {"steps": 4}}}))
    own = [
        json.loads(spec(plan, "attribution", cell_at("headlines", c))) for c in ("L1A-8x", "L1R-8x")
    ]
    assert [one["attribution"]["steps"] for one in own] == [8, 4]

    def narrow(study):
        study["model"]["dtype"] = "bfloat16"

    assert spec(changed(attributed(prompts=80), narrow), "attribution", CELL) != text


def test_an_encoder_is_refused_when_the_config_is_read(tmp_path):
    save(toy_bert(), tmp_path / "bert")
    study = tiny(model={"path": str(tmp_path / "bert")})
    study["grid"] = [{"layers": [1], "positions": ["r"], "saes": ["8x"]}]
    problems = mistakes(attributed(study), "all_attribution")
    assert (
        "analyses.attribution: a bert model does not predict the next token, so that no feature "
        "can be held against its logits. Leave the section out, or take a causal model."
    ) in problems


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ablated": 300}, "ablated: expected at most prompts, 200; got 300. Lower it, or raise"),
        ({"whole": 51}, "whole: expected at most ablated, 50; got 51."),
        ({"shortest": 200}, "shortest: expected at most longest, 128; got 200."),
    ],
)
def test_a_mistake_is_one_sentence(settings, words):
    problems = mistakes(attributed(**settings), "all_attribution")
    assert len(problems) == 1
    assert problems[0].startswith(f"analyses.attribution.{words}")


def test_a_model_that_does_not_fit_is_refused_before_anything_runs():
    (problem,) = mistakes(attributed(tiny(memory={"capture": 900})), "all_attribution")
    assert problem == (
        "analyses.attribution: the whole model is needed in memory, 1,003 MB, and memory.capture "
        "is 900. Raise it, or leave the section out."
    )
