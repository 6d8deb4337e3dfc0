"""A function of a stage that raises: one sentence names the stage, before Snakemake looks.

Snakemake drops a job in silence where one of its functions raises and its files exist.
"""

import dataclasses

import pytest

from asking import cell_at, config, finish, jobs_of, mistakes, plan_of
from saegrid.base.errors import ConfigError
from saegrid.stages import load
from saegrid.stages.graph import Graph, Job
from saegrid.stages.stage import At, Many, One
from studies import STUDIES as WEIGHED
from studies import continued, displayed, tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
NAMES = [stage.name for stage in load().values() if not stage.config]
"""Stages but for analyses, whose settings are not known here: see test_analyses.py."""


def steered():
    """A study with steering."""
    return tiny(analyses={"steering": {}})


def grouped():
    """A study with clusters."""
    return tiny(analyses={"clusters": {}})


def labelled():
    """The study of labelled words."""
    return config("gender")


STUDIES = {
    **WEIGHED,
    "labelled": labelled,
    "grouped": grouped,
    "displayed": displayed,
    "steered": steered,
    "continued": continued,
}
WHERE = {
    "merge": ("sharded", "all"),
    "fill_store": ("streamed", "all"),
    "begin_store": ("beside", "all"),
    "train_together": ("together", "all"),
    "import_sae": ("checkpoint", "all"),
    "verify_checkpoint": ("checkpoint", "all"),
    **dict.fromkeys(("measure", "baselines", "health"), ("judged", "all")),
    **dict.fromkeys(("import_dashboards", "published_summary"), ("displayed", "all")),
    **dict.fromkeys(("continuations", "hooks_clamps", "hooks_report"), ("continued", "all")),
    "summary_by_corpus": ("compared", "all"),
    **dict.fromkeys(("nuisances", "analysis_plan", "contrasts", "findings"), ("tested", "all")),
    **dict.fromkeys(("concept_effects", "themes"), ("tested", "all")),
    **dict.fromkeys(("probes_texts", "probes_summary"), ("tested", "all")),
    "steering_page": ("steered", "all"),
    "clusters_page": ("grouped", "all"),
    **dict.fromkeys(
        ("readout_texts", "readout_padded", "readout_vectors", "readout_codes"),
        ("labelled", "all_readout"),
    ),
    **dict.fromkeys(
        ("readout_probes", "readout_units", "readout_localisation"), ("labelled", "all_readout")
    ),
    "surprisal": ("tiny", "results/tiny/headlines/surprisal.parquet"),
    **dict.fromkeys(("survey", "base_rates", "survey_page"), ("tiny", "layers")),
}
"""A study that has the stage, and the target that asks for it; else the tiny one and all."""


def fail(*given):
    raise RuntimeError("on purpose")


def refuse(*given):
    raise ConfigError("the.key: on purpose.")


def failing(stage, part, problem=fail):
    """A stage of which one function raises; None where it has no such."""
    if part in ("settings", "code"):
        return None if stage.like else dataclasses.replace(stage, **{part: problem})
    if part == "needs":
        return dataclasses.replace(stage, needs=stage.needs._replace(memory=problem))
    name = next(iter(stage.reads), None)
    read = stage.read(name) if name else None
    kind = Many if isinstance(read, Many) else One
    return name and dataclasses.replace(stage, reads={**stage.reads, name: kind(problem)})


def replaced(plan, stage):
    """The plan with another stage of its name."""
    plan.graph = Graph(plan, {**load(), stage.name: stage})
    return plan


def with_stage(name, part, problem=fail):
    """A plan whose stage has a function that raises, and the target that asks for it."""
    study, target = WHERE.get(name, ("tiny", "all"))
    stage = failing(load()[name], part, problem)
    return (
        (None, target)
        if stage is None
        else (
            replaced(plan_of(STUDIES[study]()), stage),
            target,
        )
    )


def names(text, stage):
    """Return True if a sentence begins with the name of a stage."""
    return text.replace(":", " ").split()[:2] == ["stage", stage]


PARTS = ("settings", "code", "needs", "reads")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", PARTS)
def test_a_function_that_raises_is_told_with_its_stage(name, part):
    plan, target = with_stage(name, part)
    if plan is None:
        return  # it has the spec of another
    told = mistakes(plan, target)
    assert [text for text in told if not names(text, name)] == [], "no other stage is named"
    plan.graph = Graph(plan, load())
    jobs = [job for job in jobs_of(plan, target) if job.stage.name == name]
    assert sorted(told) == sorted(f"stage {job}: RuntimeError: on purpose" for job in jobs)
    assert len(jobs) > 0


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["items", "capture", "train_sae", "density", "page", "index"])
def test_a_mistake_of_the_config_is_told_once_and_as_it_stands(name, part):
    """However many jobs it concerns."""
    plan, target = with_stage(name, part, refuse)
    assert mistakes(plan, target) == ["the.key: on purpose."]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", ["items", "encode", "page", "index"])
def test_a_finished_study_is_no_reason_to_be_silent(name, part):
    done = plan_of(STUDIES["tiny"]())
    finish(done, jobs_of(done))
    plan, target = with_stage(name, part)
    sentences = mistakes(plan, target)
    assert sentences and all(names(text, name) for text in sentences)


def test_several_mistakes_are_told_together():
    plan = plan_of(config())
    items, page = load()["items"], load()["page"]
    graph = {**load(), "items": failing(items, "needs"), "page": failing(page, "needs", refuse)}
    plan.graph = Graph(plan, graph)
    assert mistakes(plan) == [
        "stage items generated: RuntimeError: on purpose",
        "stage items headlines: RuntimeError: on purpose",
        "the.key: on purpose.",
    ]
    assert mistakes(plan, "corpus") == mistakes(plan)[:2], "a page is not asked for"


def test_an_output_that_no_stage_has_is_told():
    stage = load()["page"]
    reads = {**stage.reads, "logits": "logit_effects.effect"}
    plan = replaced(plan_of(config()), dataclasses.replace(stage, reads=reads))
    told = [text for text in mistakes(plan) if names(text, "page")]
    assert len(told) == 2
    assert "stage logit_effects has no output 'effect'" in told[0]


def test_a_mistake_as_one_sentence():
    job = Job(load()["encode"], cell_at("headlines", "L1R-8x", "/shard-2-of-3"))
    named = "stage encode L1R-8x headlines shard-2-of-3"
    assert job.mistake(ConfigError("model.path: x.")) == "model.path: x."
    assert job.mistake(ValueError("a sentence.")) == f"{named}: a sentence."
    assert job.mistake(KeyError("x")) == f"{named}: KeyError: 'x'"
    assert Job(load()["index"], At()).mistake(OSError("x")) == "stage index: OSError: x"
