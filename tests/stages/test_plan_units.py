"""Tests of units and localisation: their jobs, and what decides them."""

import pytest

from asking import config, inputs, jobs_of, plan_of, spec
from saegrid.stages.readout_localisation import candidates, groups
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE = At("words", site="L15R")


@pytest.fixture(scope="module")
def study():
    return config("gender")


@pytest.fixture(scope="module")
def plan(study):
    return plan_of(study)


def with_readout(study, **settings):
    analyses = {"readout": study["analyses"]["readout"] | settings}
    return plan_of(study | {"analyses": analyses})


def test_a_job_a_site_and_the_page_reads_their_tables(plan):
    jobs = jobs_of(plan, "all_readout")
    for name in ("readout_units", "readout_localisation"):
        assert [j.at.site for j in jobs if j.stage.name == name] == ["L15M", "L15N", "L15R"]
    names = {path.rpartition("/")[2] for path in inputs(plan, "readout", "tables")}
    assert {"L15R-listed.parquet", "L15N-curves.parquet", "L15M-metric.parquet"} <= names


def test_saes_that_differ_by_seed_alone_are_a_group(study, plan):
    seeds = {f"L15M-seed{number}": "seed0" for number in range(3)}
    assert groups(plan, "L15M") == seeds | {"L15M-frozen": "frozen"}
    other = study["saes"]["seed1"]
    saes = study["saes"] | {"seed1": other | {"settings": other["settings"] | {"k": 13}}}
    changed = groups(plan_of(study | {"saes": saes}), "L15M")
    assert changed["L15M-seed1"] == "seed1" and changed["L15M-seed2"] == "seed0"


def test_all_descriptions_choose_from_as_many_as_the_narrowest_site_has(study, plan):
    assert candidates(plan) == 64
    assert candidates(with_readout(study, localisation={"candidates": 20})) == 20


def test_settings_of_one_change_the_jobs_of_that_one_alone(study, plan):
    other = with_readout(study, units={"permutations": 200})
    assert spec(other, "readout_units", SITE) != spec(plan, "readout_units", SITE)
    for name in ("readout_localisation", "readout_vectors", "readout_texts"):
        assert spec(other, name, SITE if name != "readout_texts" else At("words")) == spec(
            plan, name, SITE if name != "readout_texts" else At("words")
        ), name
