"""The probes of a readout: their jobs, what decides them, and what is told before a run."""

import pytest

from asking import config, files, jobs_of, mistakes, plan_of, spec
from saegrid.evidence.probes.schemas import SCHEMAS
from saegrid.stages.readout_probes import TABLES, ProbeSettings
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE = At("words", site="L15R")


@pytest.fixture(scope="module")
def study():
    return config("gender")


def with_probes(study, **settings):
    readout = study["analyses"]["readout"] | {"probes": settings}
    return plan_of(study | {"analyses": {"readout": readout}})


def test_there_is_a_job_a_site_with_a_file_a_table(study):
    plan = plan_of(study)
    jobs = [job for job in jobs_of(plan, "all_readout") if job.stage.name == "readout_probes"]
    assert [job.at.site for job in jobs] == ["L15M", "L15N", "L15R"]
    assert list(TABLES) == list(SCHEMAS)
    for name in TABLES:
        assert files(plan, f"readout_probes.{name}", SITE) == [
            f"results/gender/words/readout/{name}/L15R.parquet"
        ]


def test_settings_decide_the_tables_and_the_default_is_one_hundred_controls(study):
    plain, fewer = plan_of(study), with_probes(study, controls=10)
    assert spec(plain, "readout_probes", SITE) != spec(fewer, "readout_probes", SITE)
    assert spec(plain, "readout_codes", At("words", "L15R-seed0", site="L15R")) == spec(
        fewer, "readout_codes", At("words", "L15R-seed0", site="L15R")
    )
    assert ProbeSettings().controls == 100


def test_an_unknown_method_is_told_before_the_run(study):
    (told,) = {str(one) for one in mistakes(with_probes(study, methods=["lasso", "l2"]))}
    assert "analyses.readout.probes.methods: 'lasso' is unknown." in told
    assert "Known: difference, elastic_net, l1, l2, svm, svm_published, unpenalised." in told
