"""Inputs of a survey, and changes that make its tables again."""

import json
from pathlib import Path

import pytest
import yaml

from asking import inputs, jobs_of, spec
from saegrid.config import ConfigError, resolve
from saegrid.stages import targets
from saegrid.stages.base_rates import word_lists
from saegrid.stages.plan import Plan
from saegrid.stages.survey import corpora as surveyed

pytestmark = pytest.mark.usefixtures("beside_repository")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config/tiny.yaml").read_text()


def plan_of(**changed):
    return Plan(resolve({**yaml.safe_load(TEXT), **changed}))


STAGES = ("survey", "base_rates", "survey_page")
TABLES = ["layers", "dimensions", "pairs", "passes"]


def shown(plan):
    """The tables that the page shows, by the names of its inputs."""
    names = plan.graph.stages["survey_page"].reads
    return {name: path for name in names if (path := inputs(plan, "survey_page", name))}


def test_common_kinds_of_words_stand_beside_the_studys_topics():
    plan = plan_of()
    assert list(word_lists(plan)) == [
        "concepts.lexicons: lists:resources/toy/topics.yaml",
        "survey.lists",
    ]
    assert shown(plan) == {
        name: f"results/tiny/survey/{name}.parquet" for name in [*TABLES, "base_rates"]
    }
    alone = plan_of(concepts={"lexicons": ["wordnet"]})
    assert list(word_lists(alone)) == ["survey.lists"], "found from any folder"
    assert spec(alone, "base_rates") != spec(plan, "base_rates")


def test_without_lists_there_are_no_base_rates():
    plan = plan_of(concepts={"lexicons": ["wordnet"]}, survey={"lists": None})
    assert word_lists(plan) == {}
    assert list(shown(plan)) == TABLES
    stages = {job.stage.name for job in jobs_of(plan, "layers")}
    assert stages >= {"survey", "survey_page"} and "base_rates" not in stages
    assert not [path for path in targets.files(plan.graph, "layers") if "base_rates" in path]
    with_lists, without = (json.loads(spec(p, "survey_page")) for p in (plan_of(), plan))
    assert [len(one["inputs"]) for one in (with_lists, without)] == [2, 1]


def test_other_words_make_base_rates_and_the_page_again_and_nothing_else(tmp_path):
    lists = tmp_path / "own.yaml"
    lists.write_text("topics: {weather: [rain]}")
    before, after = [], []
    for specs in (before, after):
        plan = plan_of(survey={"lists": str(lists)})
        specs += [spec(plan, stage) for stage in STAGES]
        lists.write_text("topics: {weather: [rain, snow]}")
    assert [one != other for one, other in zip(before, after, strict=True)] == [False, True, True]


def test_a_missing_file_is_named_by_its_key():
    with pytest.raises(ConfigError, match=r"^survey\.lists: the file nowhere\.yaml is not there"):
        spec(plan_of(survey={"lists": "nowhere.yaml"}), "base_rates")


def test_a_corpus_beside_those_in_use_is_surveyed_where_it_is_asked_for():
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["other"] = corpora["generated"] | {"role": "reference"}
    plan, asked = plan_of(corpora=corpora), plan_of(corpora=corpora, survey={"corpora": ["other"]})
    assert surveyed(plan) == ["headlines", "generated"]
    again = plan_of(corpora=corpora, survey={"corpora": ["generated", "other", "headlines"]})
    assert surveyed(again) == surveyed(asked) == ["headlines", "generated", "other"]
    before, after = (inputs(one, "survey", "activations") for one in (plan, asked))
    added = [path.split("/") for path in after if path not in before]
    assert [(parts[2], parts[-1]) for parts in added] == [
        ("other", "L1A.safetensors"),
        ("other", "L1R.safetensors"),
    ]
    assert inputs(asked, "base_rates", "texts")[-1] == "results/tiny/other/items.parquet"
    # Nothing else needs it.
    for target in ("activations", "metrics", "all"):
        assert targets.files(asked.graph, target) == targets.files(plan.graph, target)
    with pytest.raises(
        ConfigError, match=r"^survey\.corpora must name one of the corpora; got 'oth"
    ):
        plan_of(corpora=corpora, survey={"corpora": ["othr"]})


def test_what_is_done_to_the_activations_of_each_corpus_is_told(tmp_path):
    (tmp_path / "t.txt").write_text("a text\n")
    source = {"kind": "text", "files": {"all": "t.txt"}}
    corpora = yaml.safe_load(TEXT)["corpora"]
    corpora["generated"] = {"role": "train", "source": source, "store": {"norm": "layer"}}
    parts = json.loads(spec(plan_of(corpora=corpora), "survey"))["parts"]
    assert {(part["corpus"], part["normed"]) for part in parts} == {
        ("headlines", "none"),
        ("generated", "layer"),
    }
