"""What a survey is told, and what makes its tables again."""

from pathlib import Path

import pytest
import yaml
from saegrid.stages.plan.survey import SURVEY

from saegrid.config import ConfigError, resolve
from saegrid.stages.plan import Plan

pytestmark = pytest.mark.usefixtures("beside_repository")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config/tiny.yaml").read_text()


def plan_of(**changed):
    return Plan(resolve({**yaml.safe_load(TEXT), **changed}))


def test_common_kinds_of_words_stand_beside_the_studys_topics():
    plan = plan_of()
    assert list(plan.word_lists()) == ["topics.lists", "survey.lists"]
    assert list(plan.survey_tables()) == [*SURVEY, "base_rates"]
    alone = plan_of(topics={"lists": None})
    assert list(alone.word_lists()) == ["survey.lists"], "found from any folder"
    assert alone.base_rates_spec() != plan.base_rates_spec()


def test_without_lists_there_are_no_base_rates():
    plan = plan_of(topics={"lists": None}, survey={"lists": None})
    assert plan.word_lists() == {}
    assert list(plan.survey_tables()) == list(SURVEY)
    assert not [path for path in plan.survey_targets() if "base_rates" in path]
    assert "base_rates" not in plan.survey_page_spec()


def test_other_words_make_base_rates_and_the_page_again_and_nothing_else(tmp_path):
    lists = tmp_path / "own.yaml"
    lists.write_text("topics: {weather: [rain]}")
    before, after = [], []
    for found in (before, after):
        plan = plan_of(survey={"lists": str(lists)})
        found += [plan.survey_spec(), plan.base_rates_spec(), plan.survey_page_spec()]
        lists.write_text("topics: {weather: [rain, snow]}")
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True]


def test_a_missing_file_is_named_by_its_key():
    with pytest.raises(ConfigError, match=r"^survey\.lists: the file nowhere\.yaml is not there"):
        plan_of(survey={"lists": "nowhere.yaml"}).base_rates_spec()


def test_a_corpus_beside_those_in_use_is_surveyed_where_it_is_asked_for():
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["other"] = corpora["generated"] | {"role": "reference"}
    plan, asked = plan_of(corpora=corpora), plan_of(corpora=corpora, survey={"corpora": ["other"]})
    assert plan.survey_corpora() == ["headlines", "generated"]
    again = plan_of(corpora=corpora, survey={"corpora": ["generated", "other", "headlines"]})
    assert again.survey_corpora() == asked.survey_corpora() == ["headlines", "generated", "other"]
    files = [file for file in asked.survey_inputs() if file not in plan.survey_inputs()]
    assert [file.split("/")[2] for file in files] == ["other", "other"]
    assert asked.topics_inputs()[-1] == "results/tiny/other/items.parquet"
    # Nothing else needs it.
    assert asked.activation_targets() == plan.activation_targets()
    assert asked.metric_targets() == plan.metric_targets()
    with pytest.raises(
        ConfigError, match=r"^survey\.corpora must name one of the corpora; got 'oth"
    ):
        plan_of(corpora=corpora, survey={"corpora": ["othr"]})


def test_what_is_done_to_the_activations_of_each_corpus_is_told(tmp_path):
    (tmp_path / "t.txt").write_text("a text\n")
    source = {"kind": "text", "files": {"all": "t.txt"}}
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["generated"] = {"role": "train", "source": source, "store": {"norm": "layer"}}
    parts = plan_of(corpora=corpora).survey_parts()
    assert {(part["corpus"], part["normed"]) for part in parts} == {
        ("headlines", "none"),
        ("generated", "layer"),
    }
