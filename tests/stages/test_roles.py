"""Corpora beside the main one: their jobs, and what a change of one of them runs."""

import json
from collections import Counter
from pathlib import Path

import pytest

from asking import (
    STUDY,
    ancient,
    cell_at,
    changed,
    files,
    finish,
    inputs,
    jobs_of,
    mistakes,
    named,
    plan_of,
    spec,
    spec_of,
    write,
)
from saegrid.stages.settled import is_settled, to_do
from saegrid.stages.stage import At
from studies import TARGETS, TEXTS, compared, tiny

pytestmark = pytest.mark.usefixtures("beside_repository")
CELLS = ("L1A-8x", "L1R-8x")
TABLES = {"items": 1, "selection": 1, "tokens": 1, "capture": 1}
OF_CELLS = {"vocabulary": 1, "encode": 2, "density": 2, "top_tokens": 2, "concepts": 2}
AT_THE_END = {"summary_by_corpus": 1, "index": 1}


def rerun(plan, before):
    """The jobs of `all` whose specs are other than before, or new, counted by stage and corpus."""
    known = {(one.stage.name, one.at): spec_of(before, one) for one in jobs_of(before)}
    jobs = {(one.stage.name, one.at): spec_of(plan, one) for one in jobs_of(plan)}
    new = [place for place, text in jobs.items() if known.get(place) != text]
    return Counter((name, at.corpus) for name, at in new)


def of(corpus, *counts):
    """Counts of jobs on a corpus, and of those at the end of the study."""
    merged = {(stage, corpus): n for several in counts for stage, n in several.items()}
    return merged | {(stage, ""): n for stage, n in AT_THE_END.items()}


def remade(plan):
    """The jobs of `all` that a run starts, counted by stage and corpus."""
    return Counter((one.stage.name, one.at.corpus) for one in to_do(plan.graph, jobs_of(plan)))


# --- jobs ---------------------------------------------------------------------------------------


def test_a_corpus_more_is_captured_once_and_touches_no_other_job():
    """Neither an SAE, nor a table, page or figure of the main corpus."""
    before, study = plan_of(tiny()), tiny()
    Path("texts.txt").write_text("The dog runs.\n")
    for role in ("reference", "holdout"):
        study["corpora"]["more"] = {"role": role, "source": TEXTS}
        assert rerun(plan_of(study), before) == of("more", TABLES, OF_CELLS)


def test_a_filter_is_that_of_its_corpus_alone():
    before = plan_of(compared())
    chosen = {"column": "meanGrade", "comparator": "ge", "value": 1.5}
    plan = changed(before, lambda study: study["corpora"]["unseen"].update(filter=chosen))
    described = {"selection": 1, "vocabulary": 1, "density": 2, "top_tokens": 2, "concepts": 2}
    assert rerun(plan, before) == of("unseen", described)
    plan = changed(before, lambda study: study["corpora"]["headlines"]["filter"].update(value=1.0))
    assert {corpus for _, corpus in rerun(plan, before)} == {"headlines", ""}


def test_texts_of_a_corpus_run_its_own_jobs_again():
    before = plan_of(compared())
    Path("more.txt").write_text("A bird sings.\n")
    source = TEXTS | {"files": {"all": "more.txt"}}
    plan = changed(before, lambda study: study["corpora"]["plain"].update(source=source))
    assert rerun(plan, before) == of("plain", TABLES, OF_CELLS)


def test_the_name_of_a_role_stands_at_the_end_alone():
    before = plan_of(compared())
    plan = changed(before, lambda study: study["corpora"]["plain"].update(role="holdout"))
    assert rerun(plan, before) == of("plain")


def test_targets_have_the_corpora_beside_the_main_one():
    plan = plan_of(compared())

    def corpora(*names):
        return {one.at.corpus for one in jobs_of(plan, *names)} - {""}

    every = {"headlines", "generated", "unseen", "plain"}
    for target in ("corpus", "activations", "cells", "pages", "all"):
        assert corpora(target) == every, target
    assert corpora("figures") == {"headlines", "generated"}, "those of the main corpus"
    assert corpora("saes") == corpora("metrics") == {"generated"}
    assert corpora("layers") == {"headlines", "generated"}, "others where survey.corpora names them"


def test_a_page_of_another_corpus_is_made_where_it_is_asked_for():
    plan = plan_of(compared())
    assert {j.at.corpus for j in jobs_of(plan) if j.stage.name == "page"} == {"headlines"}
    jobs = named(jobs_of(plan, "results/tiny/plain/cells/L1R-8x/features.html"))
    assert {(job[0], job[1]) for job in jobs} >= {("page", "plain"), ("logit_effects", "plain")}


def test_tables_of_a_corpus_in_shards_are_known_with_their_shards():
    plan = plan_of(compared())
    expected = json.loads(spec(plan, "summary_by_corpus"))["expected"]
    shared = {"features.parquet", "features.safetensors", "top_tokens.parquet"}
    shared |= {
        "examples.parquet",
        "near_misses.parquet",
        "concepts.parquet",
        "combinations.parquet",
    }
    shared |= {"concept_best.parquet", "concept_chance.parquet"}
    parts = {f"features/shard-{n}-of-2.safetensors" for n in (1, 2)}
    assert {corpus: set(cells) for corpus, cells in expected.items()} == {
        "unseen": set(CELLS),
        "plain": set(CELLS),
    }
    assert set(expected["plain"]["L1A-8x"]) == shared
    assert set(expected["unseen"]["L1A-8x"]) == shared | parts


def test_a_study_without_others_has_no_table_of_them():
    plan = plan_of(tiny())
    assert inputs(plan, "index", "compared") == []
    assert "summary_by_corpus" not in {one.stage.name for one in jobs_of(plan)}


def test_figures_of_edits_are_drawn_where_the_main_corpus_has_some():
    plan = plan_of(compared())
    drawn = {Path(path).stem for path in files(plan, "plot.figures")}

    def swap(study):
        corpora = study["corpora"]
        corpora["headlines"]["role"], corpora["plain"]["role"] = "reference", "main"

    other = changed(plan, swap)
    assert drawn - {Path(path).stem for path in files(other, "plot.figures")} == {"edit_lengths"}
    assert "edit_lengths" not in json.loads(spec(other, "index"))["figures"]


# --- a control ---------------------------------------------------------------------------------


def controlled(base=tiny):
    """A study with a control corpus of its main pairs with random edits."""
    study = base()
    pairs = study["corpora"]["headlines"]["source"]
    source = pairs | {"kind": "random_edits", "of": pairs["kind"], "seed": 0}
    study["corpora"]["random"] = {"role": "control", "source": source}
    return study


def test_a_control_adds_no_job_to_any_target():
    for base in (tiny, compared):
        before, plan = plan_of(base()), plan_of(controlled(base))
        assert mistakes(plan, *TARGETS) == []
        assert rerun(plan, before) == {}
        assert named(jobs_of(plan, *TARGETS)) == named(jobs_of(before, *TARGETS))
        assert "random" not in plan.corpora.studied and "random" not in plan.used_corpora()
        assert plan.corpora.encoded == [*plan.corpora.studied, "random"]


def test_a_control_is_captured_and_encoded_where_something_asks():
    plan = plan_of(controlled())
    path = "results/tiny/random/cells/L1R-8x/features.safetensors"
    jobs = {(one.stage.name, one.at.corpus) for one in jobs_of(plan, path)}
    own = {(stage, "random") for stage in ("items", "tokens", "selection", "capture", "encode")}
    assert (
        own - {("selection", "random")}
        <= jobs
        <= own | {(stage, corpus) for stage, corpus in jobs if corpus in ("generated", "")}
    )
    assert ("capture", "headlines") not in jobs
    (source,) = inputs(plan, "items", "source", At("random"))
    assert source == "resources/toy/headlines.csv"


def test_stale_features_of_a_control_keep_what_its_sae_learns_from_unsettled():
    """Stale features of a studied corpus do so, and those of a control lead there as well."""
    plan = plan_of(controlled())
    finish(plan, jobs_of(plan))
    assert is_settled(plan.graph, "L1R-8x")
    write(files(plan, "encode.features", cell_at("random", "L1R-8x"))[0], "another spec")
    plan = plan_of(controlled())
    assert not is_settled(plan.graph, "L1R-8x")
    assert is_settled(plan.graph, "L1R-8x", corpora=["headlines"])


# --- one corpus that is studied and learned from ------------------------------------------------


def of_one_corpus(**tokens):
    """The tiny study, its SAEs trained on the main corpus; nobody names the other one."""
    study = tiny()
    study["saes"]["8x"]["corpus"] = "headlines"
    study["corpora"]["headlines"]["tokens"] |= tokens
    return study


def test_a_corpus_that_is_studied_and_learned_from_is_captured_once():
    plan = plan_of(of_one_corpus())
    jobs = Counter((one.stage.name, one.at.corpus) for one in jobs_of(plan, "all", "metrics"))
    assert {corpus for _, corpus in jobs} == {"headlines", ""}
    assert jobs["capture", "headlines"] == 1
    learned = inputs(plan, "train_sae", "activations", At(cell="L1R-8x"))
    assert learned == [inputs(plan, "encode", "activations", cell_at("headlines", "L1R-8x"))]
    assert (
        inputs(plan, "train_sae", "tokens", At(cell="L1R-8x"))
        == files(plan, "tokens.tokens", At("headlines"))[0]
    )
    assert jobs_of(plan, "layers") and mistakes(plan, "all", "metrics", "layers") == []


def test_it_is_judged_on_the_texts_that_were_held_out_of_it():
    plan = plan_of(of_one_corpus())
    assert plan.judged.corpus("L1R-8x") == "headlines"
    held = plan.trainings.recipe("L1R-8x").hold_out
    settings = json.loads(spec(plan, "measure", cell_at("headlines", "L1R-8x")))
    assert settings["split"] == {"share": held, "seed": 0} and held > 0
    assert inputs(plan, "measure", "activations", cell_at("headlines", "L1R-8x")) == inputs(
        plan, "train_sae", "activations", At(cell="L1R-8x")
    )


def test_its_choice_of_tokens_is_that_of_the_training_too_and_its_filter_is_not():
    before = plan_of(of_one_corpus())
    more = rerun(plan_of(of_one_corpus(context=500)), before)
    assert more["capture", "headlines"] == 1 and more["train_sae", ""] == 2
    fewer = of_one_corpus()
    fewer["corpora"]["headlines"]["filter"]["value"] = 1.0
    again = rerun(plan_of(fewer), before)
    assert again["density", "headlines"] == 2 and again["train_sae", ""] == 0


def test_a_reference_corpus_is_learned_from_without_a_second_capture():
    study = compared()
    study["saes"]["8x"]["corpus"] = "plain"
    jobs = Counter((one.stage.name, one.at.corpus) for one in jobs_of(plan_of(study)))
    assert jobs["capture", "plain"] == 1 and ("capture", "generated") not in jobs
    assert jobs["encode", "plain"] == jobs["encode", "headlines"] == 2


# --- what stands, and what is lost --------------------------------------------------------------


def test_a_finished_study_does_nothing_and_a_lost_table_is_made_again():
    plan = plan_of(compared())
    finish(plan, jobs_of(plan))
    assert remade(plan_of(compared())) == {}
    Path(files(plan, "density.table", cell_at("plain", "L1R-8x"))[0]).unlink()
    again = remade(plan_of(compared()))
    assert again == {("density", "plain"): 1, ("top_tokens", "plain"): 1} | of("plain")


def test_a_corpus_more_leaves_a_finished_study_alone():
    plan = plan_of(tiny())
    finish(plan, jobs_of(plan))
    plan = plan_of(compared())
    again = remade(plan)
    assert {corpus for _, corpus in again} == {"unseen", "plain", ""}
    assert {stage for stage, corpus in again if not corpus} == set(AT_THE_END)


def test_dates_of_activations_count_by_corpus():
    """A stale table keeps the cell on its own corpus, and what its SAE learns from, unsettled."""
    plan = plan_of(compared())
    finish(plan, jobs_of(plan))
    for corpus in ("headlines", "plain", "unseen"):
        at = cell_at(corpus, "L1R-8x")
        assert "activations" in ancient(plan_of(compared()), "encode", at), corpus
    write(files(plan, "density.table", cell_at("plain", "L1R-8x"))[0], "another spec")
    plan = plan_of(compared())
    assert "activations" not in ancient(plan, "encode", cell_at("plain", "L1R-8x"))
    assert "activations" in ancient(plan, "encode", cell_at("headlines", "L1R-8x"))
    assert "activations" in ancient(plan, "encode", cell_at("plain", "L1A-8x"))
    assert "activations" not in ancient(plan, "train_sae", At(cell="L1R-8x"))
    assert "activations" in ancient(plan, "train_sae", At(cell="L1A-8x"))
    assert is_settled(plan.graph, "L1R-8x", corpora=["headlines"])
    assert not is_settled(plan.graph, "L1R-8x")


def test_a_lost_file_of_a_corpus_is_told_before_it_runs():
    study = compared()
    plan = plan_of(study)
    Path("texts.txt").unlink()
    told = mistakes(plan)
    assert len(told) == 1 and told[0].startswith("corpora.plain.source: the file texts.txt is not")


def test_no_job_of_a_corpus_reads_another_one():
    plan = plan_of(compared())
    for one in jobs_of(plan):
        if one.at.corpus:
            for name in one.stage.reads:
                read = plan.graph.listed(one.stage, name, one.at)
                assert {source.at.corpus for source in read} <= {one.at.corpus, ""}, (one, name)


def test_the_index_names_every_corpus_the_main_one_first():
    plan = plan_of(compared())
    settings = json.loads(spec(plan, "index", STUDY))
    expected = [["headlines", "main"], ["unseen", "holdout"], ["plain", "reference"]]
    assert settings["corpora"] == expected
    assert inputs(plan, "index", "facts") == [
        f"results/tiny/{name}/corpus.json" for name, _ in expected
    ]
