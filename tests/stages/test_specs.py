"""Specs: what decides the result of a job is in them, and nothing else."""

import json
from pathlib import Path

import pytest
import yaml

from asking import ancient, cell_at, changed, config, files, job, jobs_of, plan_of, spec, spec_of
from saegrid.base.digest import digest
from saegrid.features.statistics import STATISTICS
from saegrid.stages.stage import At, Source
from studies import (
    STUDIES,
    TARGETS,
    beside,
    checkpoint,
    hub,
    judged,
    sharded,
    streamed,
    swept,
    tiny,
    together,
)

pytestmark = pytest.mark.usefixtures("beside_repository")
CELL = "L1R-8x"
PLACE = cell_at("headlines", CELL)
OF_THE_WHOLE = ("train_sae", "density", "top_tokens", "logit_effects", "page", "measure")
"""Stages of a cell whose results do not depend on how a corpus is cut."""


def specs(plan, *targets):
    """The spec of every job, by its name."""
    return {str(one): json.loads(spec_of(plan, one)) for one in jobs_of(plan, *targets or TARGETS)}


def differing(one, other, *targets):
    """The stages of which a job has another spec, in two plans with the same jobs."""
    first, second = specs(one, *targets), specs(other, *targets)
    assert first.keys() == second.keys()
    return {name.split()[0] for name in first if first[name] != second[name]}


def test_a_spec_names_stage_code_and_inputs_and_is_canonical():
    plan = plan_of(tiny())
    for one in jobs_of(plan, *TARGETS):
        text = spec_of(plan, one)
        found = json.loads(text)
        assert found["stage"] == one.stage.name
        assert len(found["code"]) == 12 and {"code", "inputs"} <= found.keys()
        assert json.dumps(found, sort_keys=True, separators=(",", ":"), ensure_ascii=False) == text
        assert set(one.stage.sections) <= found.keys()


def test_inputs_are_the_digests_of_the_specs_of_what_is_read():
    plan = plan_of(tiny())
    one = job(plan, "density", PLACE)
    read = ("encode", "tokens", "selection")
    wanted = [digest(spec(plan, stage, plan.graph.place(stage, PLACE))) for stage in read]
    assert json.loads(spec_of(plan, one))["inputs"] == wanted


@pytest.mark.parametrize("study", STUDIES)
def test_the_specs_of_a_study_are_the_same_each_time(study):
    first, second = (specs(plan_of(STUDIES[study]())) for _ in range(2))
    assert first == second
    assert len(first) > 15


@pytest.mark.parametrize("stage", OF_THE_WHOLE)
def test_the_spec_of_a_cell_does_not_depend_on_how_the_corpus_is_cut(stage):
    at = cell_at("generated", CELL) if stage == "measure" else PLACE
    whole, cut = plan_of(judged()), plan_of({**sharded(), "metrics": {"all": True}})
    assert spec(whole, stage, at) == spec(cut, stage, at)


def test_shards_are_named_by_captures_and_encodings_alone():
    cut = plan_of(sharded())
    part = PLACE._replace(shard="/shard-2-of-3")
    assert json.loads(spec(cut, "capture", part))["shard"] == [2, 3]
    assert spec(cut, "encode", part) != spec(cut, "encode", PLACE)
    # What is merged is of the whole, though how it is merged counts for the merged file.
    assert spec(cut, "encode", PLACE) == spec(plan_of(tiny()), "encode", PLACE)
    assert json.loads(spec(cut, "merge", PLACE))["shards"] == 3
    facts = ("capture.activations", At("headlines", site="L1R"))
    assert files(cut, *facts) == files(plan_of(tiny()), *facts)


def test_of_two_cuts_only_captures_encodings_and_merging_differ():
    two = sharded()
    two["corpora"]["headlines"]["shards"] = 2
    first, second = specs(plan_of(sharded()), "all"), specs(plan_of(two), "all")
    common = {name for name in first.keys() & second.keys() if first[name] != second[name]}
    assert {name.split()[0] for name in common} == {"merge", "summary", "plot", "index"}
    assert {name.split()[0] for name in first.keys() ^ second.keys()} == {"capture", "encode"}


def test_with_whom_an_sae_is_trained_decides_nothing():
    def alone(study):
        for sae in study["saes"].values():
            sae["together"] = None

    plan = plan_of(together())
    one = changed(plan, alone)
    for cell in map(str, plan.cells):
        at = cell_at("headlines", cell)
        for stage in ("train_sae", "encode", "page"):
            assert spec(plan, stage, at) == spec(one, stage, at), (stage, cell)
        assert "together" not in json.loads(spec(plan, "train_sae", at))["sae"]
    # Each is a member by its own spec.
    members = json.loads(spec(plan, "train_together", At(site="L1A", together="a")))["members"]
    assert members == {c: spec(plan, "train_sae", cell_at("", c)) for c in ("L1A-8x", "L1A-4x")}


def test_a_store_that_is_filled_beside_is_the_store():
    """`beside` is in no spec, and a begun store stands for a filled one."""
    filled, begun = plan_of(streamed()), plan_of(beside())
    at = At("generated")
    assert spec(filled, "fill_store", at) == spec(begun, "fill_store", at)
    assert spec(begun, "begin_store", at) == spec(begun, "fill_store", at)
    assert spec(filled, "train_sae", PLACE) == spec(begun, "train_sae", PLACE)
    paths = [
        files(plan, "fill_store.facts", at._replace(site="L1R"))[0] for plan in (filled, begun)
    ]
    assert paths[0] == paths[1]
    (path,) = files(begun, "begin_store.begun", at._replace(site="L1R"))
    assert path == paths[0].replace("L1R.json", "L1R.begun.json")


@pytest.mark.parametrize("store", [{"max_tokens": 5}, {"shard_tokens": 50}])
def test_how_far_a_store_goes_is_in_its_spec_and_not_in_its_path(store):
    plans = plan_of(streamed()), plan_of(streamed(**store))
    at = At("generated", site="L1R")
    same = files(plans[0], "fill_store.facts", at) == files(plans[1], "fill_store.facts", at)
    assert same == ("max_tokens" in store)
    assert spec(plans[0], "fill_store", at) != spec(plans[1], "fill_store", at)


RESOURCES = [
    ("memory", lambda study: study["memory"].update(capture=7000, encode=5000)),
    ("hub", lambda study: study["hub"].update(budget_gb=1, cache="elsewhere")),
    ("together", lambda study: study["threads"].update(together=7)),
]


@pytest.mark.parametrize(("name", "change"), RESOURCES, ids=[name for name, _ in RESOURCES])
@pytest.mark.parametrize("study", [judged, together, beside, checkpoint, hub])
def test_what_a_job_may_use_is_in_no_spec(study, name, change):
    plan = plan_of(study())
    assert differing(plan, changed(plan, change)) == set()


SITES = {
    "summary",
    "concept_map",
    "map",
    "plot",
    "index",
    "survey",
    "base_rates",
    "survey_page",
    "health",
}


def test_the_list_of_sites_is_in_no_spec_of_a_capture_or_of_a_store():
    """A layer more computes the new sites only."""
    for study, stage, output in (
        (tiny, "capture", "capture.activations"),
        (streamed, "fill_store", "fill_store.facts"),
    ):
        plan = plan_of(study())
        more = changed(plan, lambda study: study["grid"][0].update(layers=[1, 2]))
        at = At("generated", site="L1R")
        assert spec(plan, stage, at) == spec(more, stage, at)
        assert files(plan, output, at) == files(more, output, at)
        first, second = specs(plan), specs(more)
        changed_ones = {n.split()[0] for n in first if first[n] != second[n]}
        assert changed_ones <= SITES, changed_ones


def test_where_a_model_lies_and_on_what_it_runs_is_in_no_path():
    """Its content is: the path of a capture, and of a store, stands for the values. Where its
    tokenizer lies is in the spec of the tokens."""
    Path("moved").symlink_to(Path("resources/toy/model").resolve())

    def move(study):
        study["model"] |= {"path": "moved", "device": "cuda"}

    for study, output in ((tiny, "capture.activations"), (streamed, "fill_store.facts")):
        plan = changed(plan_of(study()), lambda s: s["model"].update(tokenizer=s["model"]["path"]))
        at = At("generated", site="L1R")
        assert files(plan, output, at) == files(changed(plan, move), output, at)
        wide = changed(plan, lambda study: study["model"].update(dtype="bfloat16"))
        assert files(plan, output, at) != files(wide, output, at)


CHANGES = [
    ("lexicons", lambda s: s["concepts"].update(lexicons=[]), {"vocabulary", "base_rates"}),
    ("senses", lambda s: s["concepts"].update(senses="all"), {"vocabulary"}),
    ("space", lambda s: s["concepts"].update(space="none"), {"vocabulary"}),
    ("level", lambda s: s["concepts"].update(alpha=0.01), {"concepts"}),
    ("permutations", lambda s: s["concepts"].update(permutations=99), {"concepts"}),
    ("cut", lambda s: s["top_tokens"].update(cut=0.5), {"top_tokens"}),
    ("logits", lambda s: s["logits"].update(n=3), {"logit_effects"}),
    (
        "title",
        lambda s: s["pages"].update(title="T"),
        {"page", "map", "index", "survey_page", "health"},
    ),
    ("cuts", lambda s: s["pages"].update(cuts=[0.5]), {"page", "summary", "plot", "index"}),
    ("screen", lambda s: s["encode"].update(screen="float32"), {"encode"}),
    ("outliers", lambda s: s["survey"].update(cut=9.0), {"survey", "survey_page"}),
    (
        "filter",
        lambda s: s["corpora"]["headlines"]["filter"].update(value=1.0),
        {"selection"},
    ),
]


@pytest.mark.parametrize(("name", "change", "first"), CHANGES, ids=[name for name, *_ in CHANGES])
def test_a_setting_changes_its_stage_and_what_follows(name, change, first):
    plan = plan_of(judged())
    found = differing(plan, changed(plan, change))
    follows = followers(plan, first)
    assert first <= found <= follows, found ^ follows


def followers(plan, stages):
    """These stages, and all that read of them, directly or not."""
    found = set(stages)
    while True:
        more = {
            one.stage.name
            for one in jobs_of(plan, *TARGETS)
            for name in one.stage.reads
            if {source.stage for source in plan.graph.listed(one.stage, name, one.at)} & found
        }
        if more <= found:
            return found
        found |= more


def test_statistics_decide_the_table_and_the_page(monkeypatch):
    """Their code, with heading and words, that of both; their order, the columns of the table."""

    def specs_with(statistics):
        for stage in ("density", "page"):
            monkeypatch.setattr(f"saegrid.stages.{stage}.STATISTICS", statistics)
        return specs(plan_of(tiny()), "all")

    def differing_in(key, one, other):
        return {name.split()[0] for name in one if one[name].get(key) != other[name].get(key)}

    now = specs_with(STATISTICS)
    more = {**STATISTICS, "other": "saegrid.metrics.lights:other"}
    further, turned = specs_with(more), specs_with(dict(reversed(more.items())))
    assert differing_in("code", now, further) == {"density", "page"}
    assert differing_in("statistics", now, further) == {"density"}
    assert differing_in("code", further, turned) == set()
    assert differing_in("statistics", further, turned) == {"density"}
    assert now[f"density {CELL} headlines"]["statistics"] == list(STATISTICS)


def test_an_override_changes_one_cell():
    plan = plan_of(tiny())
    one = changed(plan, lambda s: s.update(overrides={CELL: {"top_tokens": {"n": 17}}}))
    first, second = specs(plan, "all"), specs(one, "all")
    names = {name for name in first if first[name] != second[name]}
    assert names == {
        *(f"{stage} {CELL} headlines" for stage in ("top_tokens", "logit_effects", "page")),
        *("summary", "plot", "index"),
    }


def test_an_override_of_a_training_is_in_its_spec():
    plan = plan_of(swept())
    cell = "L1R-s.recipe_topk.seed_0"
    sae = json.loads(spec(plan, "train_sae", cell_at("", cell)))["sae"]
    other = json.loads(spec(plan, "train_sae", cell_at("", cell.replace("L1", "L2"))))["sae"]
    assert sae["settings"] == other["settings"] | {"k": 4}


def test_turning_the_verification_on_runs_nothing_else():
    known = {"norms": {"factor": 2.0, "tokens": 5, "source": "t", "value": {"R": {1: 3.0}}}}
    Path("known.yaml").write_text(yaml.safe_dump(known))
    off, on = plan_of(checkpoint()), plan_of(checkpoint(expected="known.yaml"))
    assert differing(off, on) == {"verify_checkpoint"}
    for stage in ("capture", "encode", "measure"):
        at = PLACE if stage != "capture" else At("headlines")
        assert "verified" in ancient(on, stage, at)
        source = on.graph.sources(on.graph.stages[stage], "verified", on.graph.place(stage, at))
        assert source == [Source("verify_checkpoint.facts", At())]


def test_sources_and_checkpoints_are_known_by_content_and_not_by_date():
    plan = plan_of(config())
    assert ancient(plan, "items", At("headlines")) == {"source"}
    assert "model" in ancient(plan, "capture", At("headlines"))
    assert ancient(plan, "density", PLACE) == set()
    assert ancient(plan, "train_sae", PLACE) == {"tokens"}, "of a cell without files"
