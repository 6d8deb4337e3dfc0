"""Classifiers in a study: their jobs, and what is told of names."""

import pytest

from asking import changed, check, jobs_of, plan_of, spec, targets
from saegrid.stages.stage import At
from studies import STUDIES, tiny

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE = At("headlines", site="L1R")


def problems(**analyses):
    plan = plan_of(tiny(analyses=analyses))
    return check(plan.graph, targets.ends(plan.graph, ["all_probes"]))


def test_a_site_is_a_job_and_the_texts_are_another():
    names = [job.stage.name for job in jobs_of(plan_of(STUDIES["tested"]()), "all_probes")]
    assert [names.count(n) for n in ("probes_texts", "probes", "probes_summary")] == [1, 2, 1]


def test_probes_need_the_plan_of_the_tests():
    assert problems(probes={}) == [
        "analyses.probes needs the plan of analyses.tests, which the study does not name: add "
        "`analyses: {tests: {}}` to its config."
    ]


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("representations", "analyses.probes.representations: 'codez' is unknown. Did you mean"),
        ("probes", "analyses.probes.probes: 'codez' is unknown. "),
    ],
)
def test_a_name_that_is_unknown_is_told_once(key, words):
    (problem,) = problems(tests={}, probes={key: ["codez"]})
    assert problem.startswith(words)


def test_settings_of_the_probes_decide_their_jobs():
    plan = plan_of(STUDIES["tested"]())

    def fewer(study):
        study["analyses"]["probes"]["ks"] = [1]

    assert spec(plan, "probes", SITE) != spec(changed(plan, fewer), "probes", SITE)
    assert spec(plan, "contrasts", SITE._replace(cell="L1R-8x")) == spec(
        changed(plan, fewer), "contrasts", SITE._replace(cell="L1R-8x")
    )
