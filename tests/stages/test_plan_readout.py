"""The readout of labelled texts: its jobs, what decides them, and what is told before a run."""

import json

import pytest

from asking import changed, config, files, inputs, jobs_of, mistakes, plan_of, spec
from saegrid.stages.readout_texts import cells, described
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")
SITE, NEURONS = At("words", site="L15R"), At("words", site="L15N")


@pytest.fixture(scope="module")
def study():
    return config("gender")


@pytest.fixture(scope="module")
def plan(study):
    return plan_of(study)


def with_readout(study, **settings):
    analyses = {"readout": study["analyses"]["readout"] | settings}
    return plan_of(study | {"analyses": analyses})


def test_the_shipped_study_has_no_mistakes_and_its_page_comes_last(plan):
    assert mistakes(plan) == []
    jobs = jobs_of(plan, "all_readout")
    names = [job.stage.name for job in jobs]
    assert names[-1] == "readout" and files(plan, "readout.page") == ["results/gender/probes.html"]
    assert names.count("readout_codes") == len(plan.cells) == 8
    assert [j.at.site for j in jobs if j.stage.name == "readout_vectors"] == [
        "L15M",
        "L15N",
        "L15R",
    ]


def test_a_further_site_is_captured_and_has_no_codes(plan):
    captured = files(plan, "capture.activations", At("words"))
    assert [path.rpartition("/")[2] for path in captured] == [
        "L15M.safetensors",
        "L15N.safetensors",
        "L15R.safetensors",
    ]
    assert described(plan, NEURONS)["cells"] == []
    named = ["L15R-frozen", "L15R-seed0", "L15R-seed1", "L15R-seed2"]
    assert [place.cell for place in cells(plan, "L15R")] == named
    assert described(plan, SITE)["cells"] == named


def test_padded_rows_are_run_where_they_are_asked_for(study, plan):
    assert inputs(plan, "readout_vectors", "padded", SITE) == [
        "results/gender/words/readout/padded/L15R.safetensors"
    ]
    fewer = with_readout(study, vectors=["mean", "last"])
    assert inputs(fewer, "readout_vectors", "padded", SITE) == []
    assert "readout_padded" not in {job.stage.name for job in jobs_of(fewer, "all_readout")}


def test_settings_of_probes_decide_no_vector(plan):
    def other(change, stage, at):
        return spec(changed(plan, change), stage, at) != spec(plan, stage, at)

    def ks(study):
        study["analyses"]["readout"]["ks"] = [1]

    def seed(study):
        study["analyses"]["readout"]["seed"] = 1

    assert other(ks, "readout", At())
    for stage in ("readout_texts", "readout_vectors"):
        assert not other(ks, stage, SITE)
    assert other(seed, "readout_texts", At("words"))
    assert json.loads(spec(plan, "readout_vectors", SITE))["vectors"] == ["mean", "last", "padded"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"label": "topics"}, "analyses.readout.label: words has no label 'topics'. Did you mean"),
        ({"type": "lemma"}, "analyses.readout.type: words has no label 'lemma'. Its labels: word"),
        ({"vectors": ["means"]}, "analyses.readout.vectors: 'means' is unknown. Did you mean 'm"),
        (
            {"representations": ["code"]},
            "analyses.readout.representations: 'code' is unknown. Did you mean 'codes'?",
        ),
        ({"classes": ["food", "food"]}, "analyses.readout.classes: must be two different names"),
        ({"sites": ["L40N"]}, "analyses.readout.sites: resources/toy/model has no site L40N: its"),
        ({"sites": ["mlp"]}, "analyses.readout.sites: A site must be written like L15R"),
    ],
)
def test_a_mistake_is_one_sentence(study, settings, words):
    problems = mistakes(with_readout(study, **settings), "all_readout")
    assert len(problems) == 1 and problems[0].startswith(words)


def test_sampled_tokens_are_refused(study):
    def sampled(study):
        study["corpora"]["words"]["tokens"]["context"] = 100

    problems = mistakes(changed(plan_of(study), sampled), "all_readout")
    assert len(problems) == 1
    assert problems[0].startswith("corpora.words.tokens.context: analyses.readout needs every")
