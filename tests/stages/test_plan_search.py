"""Search in a study: its one job, what it reads for words and for prompts, and its mistakes."""

import json

import pytest

from asking import changed, files, inputs, jobs_of, mistakes, plan_of, spec, wants
from saegrid.stages.sizes import Sizes
from studies import displayed, tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
WORDS = {"words": ["dog"]}
PROMPTS = {"prompts": ["The dog barks."], "pairs": [["A dog", "A cat", "A cow"]]}


def searched(**settings):
    return plan_of(tiny(analyses={"search": settings}))


def test_words_need_no_model_and_no_sae():
    plan = searched(**WORDS)
    assert [j.stage.name for j in jobs_of(plan, "all_search")].count("search") == 1
    assert mistakes(plan, "all_search") == []
    assert inputs(plan, "search", "saes") == inputs(plan, "search", "model") == []
    assert [path.split("/")[-2] for path in inputs(plan, "search", "features")] == [
        *("L1A-8x", "L1R-8x")
    ]
    assert files(plan, "search.page") == ["results/tiny/search.html"]
    known = json.loads(spec(plan, "search"))
    assert "model" not in known and known["search"]["words"] == ["dog"]


def test_prompts_read_each_encoder_once_and_the_model():
    plan = searched(**PROMPTS)
    assert mistakes(plan, "all_search") == []
    assert [path.split("/")[-2] for path in inputs(plan, "search", "saes")] == [
        *("L1A-8x", "L1A-8x", "L1R-8x", "L1R-8x")
    ]
    assert inputs(plan, "search", "model")[0].endswith("model.safetensors")
    known = json.loads(spec(plan, "search"))
    assert known["weighed"] == known["cells"] and known["model"]["path"] and known["tokenizer"]
    sizes = Sizes(plan)
    place = plan.graph.stages["search"].ends(plan)[0]
    read = plan.graph.stages["search"].weighs(sizes, place).read
    assert read == 2 * 64 * 512 * 4
    assert wants(plan, "search")["memory"] == plan.study.memory.capture


def test_another_query_runs_only_the_search_again():
    one = searched(**PROMPTS)
    other = changed(one, lambda study: study["analyses"]["search"].update(words=["cat"]))
    assert spec(one, "search") != spec(other, "search")
    assert spec(one, "index") == spec(other, "index")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "analyses.search: names no words, prompts or pairs to look for. Name one."),
        ({"words": [" "]}, "analyses.search.words: a text is blank and has no token. Take it out."),
        ({"prompts": [""]}, "analyses.search.prompts: a text is blank and has no token."),
        ({"pairs": [["a dog", "\n"]]}, "analyses.search.pairs: a text is blank and has no token."),
    ],
)
def test_a_mistake_is_one_sentence(settings, sentence):
    (problem,) = mistakes(searched(**settings), "all_search")
    assert problem.startswith(sentence)


def test_pages_alone_have_words_and_no_prompts():
    study = displayed()
    study["analyses"]["search"] = WORDS
    assert mistakes(plan_of(study), "all_search") == []
    study["analyses"]["search"] = PROMPTS
    problems = mistakes(plan_of(study), "all_search")
    assert problems and "no cell of the study has weights" in problems[0]
