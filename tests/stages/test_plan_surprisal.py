"""Surprisal in a study: no target makes it, and whoever reads it gets it for its corpus."""

import json

import pytest

from asking import changed, inputs, jobs_of, named, plan_of, spec, wants
from saegrid.stages.sizes import Sizes
from saegrid.stages.stage import At
from studies import STUDIES, TARGETS, checkpoint, compared, tiny

pytestmark = pytest.mark.usefixtures("beside_repository")
TABLE = "results/tiny/headlines/surprisal.parquet"
AT = At("headlines")


@pytest.mark.parametrize("study", [name for name in STUDIES if name != "tested"])
def test_no_target_makes_it(study):
    plan = plan_of(STUDIES[study]())
    assert "surprisal" not in {job.stage.name for job in jobs_of(plan, *TARGETS)}


def test_its_file_takes_texts_and_model_and_no_activations():
    plan = plan_of(compared())
    jobs = named(jobs_of(plan, TABLE))
    assert [job[:2] for job in jobs] == [
        ("items", "headlines"),
        ("tokens", "headlines"),
        ("surprisal", "headlines"),
    ]
    other = named(jobs_of(plan, "results/tiny/unseen/surprisal.parquet"))
    assert {job[1] for job in other} == {"unseen"} and len(other) == 3, "one job of all shards"


def test_the_model_decides_it_and_neither_filter_nor_grid():
    plan = plan_of(tiny())
    before = spec(plan, "surprisal", AT)
    assert json.loads(before)["threads"] == plan.study.threads.capture

    def other(change):
        return spec(changed(plan, change), "surprisal", AT) != before

    assert other(lambda study: study["model"].update(dtype="bfloat16"))
    assert not other(lambda study: study["corpora"]["headlines"].update(filter=None))
    assert not other(lambda study: study["grid"][0].update(layers=[1, 2]))
    assert not other(lambda study: study["corpora"]["headlines"]["tokens"].update(context=7))


def test_it_asks_for_what_a_capture_asks_for():
    plan = plan_of(tiny())
    assert wants(plan, "surprisal", AT) == wants(plan, "capture", AT)
    weight = plan.graph.stages["surprisal"].weighs(Sizes(plan), AT)
    assert weight.write > 0 and weight.passing == 0
    small = changed(plan, lambda study: study["memory"].update(capture=1000))
    assert small.graph.stages["surprisal"].weighs(Sizes(small), AT).passing > 0


def test_it_waits_for_the_known_numbers_of_checkpoints():
    plan = plan_of(checkpoint())
    assert (
        inputs(plan, "surprisal", "verified", AT) == inputs(plan, "capture", "verified", AT) != []
    )
