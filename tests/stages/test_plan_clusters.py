"""Clusters in a study: their jobs, what decides them, and mistakes that are told before a run."""

import json

import pytest

from asking import cell_at, changed, config, files, inputs, jobs_of, mistakes, plan_of, spec, wants
from saegrid.config import ConfigError
from saegrid.stages.index import pages
from saegrid.stages.stage import At
from studies import tiny

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE = At("headlines", site="L1R")


def grouped(**settings):
    return plan_of(tiny(analyses={"clusters": settings}))


def test_a_site_is_a_job_and_the_page_comes_last():
    plan = grouped()
    jobs = jobs_of(plan, "all_clusters")
    assert [job.at.site for job in jobs if job.stage.name == "clusters"] == ["L1A", "L1R"]
    assert jobs[-1].stage.name == "clusters_page"
    assert files(plan, "clusters.members", SITE) == [
        "results/tiny/headlines/clusters/L1R/members.parquet"
    ]
    assert inputs(plan, "clusters", "features", SITE) == [
        "results/tiny/headlines/cells/L1R-8x/features.safetensors"
    ]
    assert pages(plan) == [["Clusters", "clusters.html"]]
    assert mistakes(plan) == []


def test_saes_are_read_where_directions_are_asked_for():
    assert inputs(grouped(), "clusters", "saes", SITE) == []
    by_decoder = grouped(features=["firing", "decoder"])
    assert len(inputs(by_decoder, "clusters", "saes", SITE)) == 2
    assert wants(grouped(), "clusters", SITE)["hub"] == 0


def test_settings_decide_clusters_and_nothing_else():
    plan = grouped()

    def five(study):
        study["analyses"]["clusters"]["k"] = 5

    other = changed(plan, five)
    assert spec(plan, "clusters", SITE) != spec(other, "clusters", SITE)
    assert json.loads(spec(other, "clusters", SITE))["clusters"]["k"] == 5
    cell = cell_at("headlines", "L1R-8x")
    assert spec(plan, "encode", cell) == spec(other, "encode", cell)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"method": "kmean"},
            "analyses.clusters.method: 'kmean' is unknown. Did you mean 'kmeans'",
        ),
        (
            {"weighting": "tfidf"},
            "analyses.clusters.weighting: 'tfidf' is unknown. Did you mean 'i",
        ),
        ({"unit": "prompt"}, "analyses.clusters.unit: 'prompt' is unknown. Known: original"),
        (
            {"features": ["fire"]},
            "analyses.clusters.features: 'fire' is unknown. Did you mean 'fir",
        ),
        ({"picture": "tsne"}, "analyses.clusters.picture: 'tsne' is unknown. Known: svd"),
        (
            {"label": "topics"},
            "analyses.clusters.label: 'topics' must be a label of headlines that",
        ),
        (
            {"namer": "openai"},
            "analyses.clusters.namer: 'openai' takes its settings from analyses.n",
        ),
        ({"namer": "opena"}, "analyses.clusters.namer: 'opena' is unknown. Did you mean"),
    ],
)
def test_a_mistake_is_told_once_in_one_sentence(settings, words):
    problems = mistakes(grouped(**settings), "all_clusters")
    assert len(problems) == 1 and problems[0].startswith(words), problems


def test_umap_is_missed_before_the_run(monkeypatch):
    monkeypatch.setattr("saegrid.stages.clusters.find_spec", lambda name: None)
    (problem,) = mistakes(grouped(picture="umap"), "all_clusters")
    assert problem.startswith("analyses.clusters.picture: umap needs the package umap-learn")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"k": 1}, "analyses.clusters.k must be"),
        ({"draws": 5}, "analyses.clusters.draws must be at least 20; got 5."),
        ({"seeds": 5}, "analyses.clusters.seeds is not a key. Did you mean 'seed'?"),
    ],
)
def test_values_out_of_range_are_told(settings, words):
    with pytest.raises(ConfigError) as error:
        grouped(**settings)
    assert words in str(error.value)


def test_the_report_reads_clusters_where_a_study_names_them():
    plan = plan_of(config("hooks"))
    read = inputs(plan, "hooks_report", "clusters")
    assert len(read) == 15 and read[0] == "results/hooks/written/clusters/L7R/clusterings.parquet"

    def without(study):
        study["analyses"]["clusters"] = None

    assert inputs(changed(plan, without), "hooks_report", "clusters") == []
