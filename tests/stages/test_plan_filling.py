"""Filling in a study: its job, what it reads, and the sentences where it cannot be."""

import json
from types import SimpleNamespace

import pytest

from asking import STUDY, changed, files, inputs, jobs_of, mistakes, plan_of, spec
from saegrid.config import ConfigError
from saegrid.stages import filling
from studies import STUDIES, displayed, tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
CELLS = ("L1A-8x", "L1R-8x")


def planned(study=None, **settings):
    study = STUDIES["tested"]() if study is None else study
    study["analyses"]["filling"] = settings
    return plan_of(study)


def test_one_job_of_the_study_reads_codes_and_saes_of_all_cells():
    plan = planned(n_originals=7)
    assert [j.at for j in jobs_of(plan, "all_filling") if j.stage.name == "filling"] == [STUDY]
    assert mistakes(plan, "all_filling") == []
    assert files(plan, "filling.table") == ["results/tiny/filling.parquet"]
    codes = [f"results/tiny/headlines/cells/{cell}/features.safetensors" for cell in CELLS]
    assert inputs(plan, "filling", "features") == codes
    assert [path.split("/")[3] for path in inputs(plan, "filling", "saes")][::2] == [*CELLS]
    decided = json.loads(spec(plan, "filling"))
    assert decided["filling"]["n_originals"] == 7 and decided["cells"] == [*CELLS]
    assert decided["model"]["path"] == plan.study.model.path


def test_the_page_of_findings_shows_it_where_the_study_has_it():
    shown = inputs(planned(), "findings", "filling")
    assert shown == [
        f"results/tiny/filling{end}" for end in (".json", ".parquet", "_texts.parquet")
    ]
    without = plan_of(STUDIES["tested"]())
    assert inputs(without, "findings", "filling") == []
    assert "filling" not in json.loads(spec(without, "findings"))


def test_only_its_own_settings_run_it_again():
    plan = planned()
    other = changed(plan, lambda study: study["analyses"]["filling"].update(seed=1))
    assert spec(plan, "filling") != spec(other, "filling")
    assert spec(plan, "tests") == spec(other, "tests")


def test_what_it_needs_is_one_sentence_each():
    study = tiny(analyses={"filling": {}})
    mistake, *others = dict.fromkeys(mistakes(plan_of(study), "all_filling"))
    assert others == []
    assert mistake.startswith("analyses.filling needs what analyses.tests makes")
    pages = displayed()
    pages["analyses"]["tests"] = {}
    assert filling.cells(plan_of(pages)) == [], "pages have no weights"
    with pytest.raises(ConfigError, match="doses"):
        planned(doses=[0])


def test_an_encoder_and_plain_texts_are_refused():
    plan = planned()

    def as_if(**parts):
        seen = SimpleNamespace(
            study=plan.study, corpora=plan.corpora, model=plan.model, main=plan.main
        )
        seen.__dict__.update(parts)
        return seen

    with pytest.raises(ConfigError, match=r"needs a causal model, and .* does not predict"):
        filling.check(as_if(model=SimpleNamespace(config={"model_type": "bert"})))
    corpora = {plan.main: SimpleNamespace(has_edits=False)}
    with pytest.raises(ConfigError, match="have no edits: leave"):
        filling.check(as_if(corpora=corpora))
    filling.check(plan)
