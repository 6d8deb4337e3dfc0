"""The graph of jobs: what a clean tree asks for."""

import re
import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
import yaml
from pipeline import ROOT, TINY, checkout, jobs_to_run, planned, snakemake

from checkpoints import llama_scope
from saegrid.config import ConfigError
from saegrid.stages import load
from studies import tensors as sae_tensors

HOOKS = {"A": "attn_out", "M": "mlp_out", "R": "resid_post"}


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return checkout(tmp_path_factory.mktemp("dag") / "saegrid")


@pytest.mark.workflow
def test_the_published_20_cells_and_a_null(clean):
    jobs = planned(clean, study=())
    cells = {"train_sae", "encode", "density", "concepts", "top_tokens", "logit_effects", "page"}
    cells |= {"contrasts"}
    assert jobs == {
        **dict.fromkeys(cells, 21),
        "probes": 14,
        **dict.fromkeys(("surprisal", "nuisances", "analysis_plan", "tests", "findings"), 1),
        **dict.fromkeys(("probes_texts", "probes_summary"), 1),
        **dict.fromkeys(("items", "selection", "tokens", "capture"), 2),
        **dict.fromkeys(("vocabulary", "concept_map", "map", "summary", "plot", "index"), 1),
        **dict.fromkeys(("concept_effects", "themes"), 1),
    }
    assert jobs == jobs_to_run(clean, study=())


def test_all_150_cells_share_their_captures(clean):
    jobs = jobs_to_run(clean, {"grid": "full"}, study=())
    assert jobs["encode"] == jobs["train_sae"] == jobs["page"] == 150
    # All 75 sites of a corpus in one pass of the model.
    assert jobs["capture"] == 2


def test_metrics_come_when_they_are_asked_for(clean):
    jobs = jobs_to_run(clean, study=(), targets=("metrics",))
    assert jobs["measure"] == jobs["train_sae"] == 21
    assert jobs["baselines"] == 14, "one a site"
    # Of a trained SAE the held-out texts of its own corpus are measured: the main one is not read.
    assert jobs["capture"] == jobs["tokens"] == 1
    assert "encode" not in jobs
    told = jobs_to_run(clean, {"metrics": {"all": True}})
    assert told["measure"] == told["baselines"] == 2
    assert jobs_to_run(clean).keys() & {"measure", "baselines"} == set()


@pytest.mark.workflow
@pytest.mark.slow
def test_snakemake_plans_the_same(clean):
    full = ("--config", "grid=full")
    assert planned(clean, *full, study=()) == jobs_to_run(clean, {"grid": "full"}, study=())
    for targets in (("metrics",), ("layers",), ("saes", "figures")):
        assert planned(clean, *targets, study=()) == jobs_to_run(clean, study=(), targets=targets)


@pytest.mark.workflow
def test_the_corpus_asks_for_no_model(clean):
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["model"] = {"path": "nowhere/at/all", "tokenizer": "resources/toy/model"}
    study["saes"]["8x"] = {"source": "checkpoint", "format": "llama_scope", "path": "also/nowhere"}
    (clean / "config/elsewhere.yaml").write_text(yaml.safe_dump(study))
    elsewhere = ("--configfile", "config/elsewhere.yaml")
    assert planned(clean, "corpus", study=elsewhere) == {"items": 1, "selection": 1, "tokens": 1}
    with pytest.raises(ConfigError, match=r"^model.path: there is no folder nowhere/at/all\.$"):
        jobs_to_run(clean, study=elsewhere)


MISTAKES = [
    ("layers: [1]", "layers: [1, 40]", "layers [40] are not in the model"),
    ("recipe: topk", "recipe: topkk", "recipe 'topkk' is unknown. Did you mean 'topk'?"),
    ("steps: 40", "stpes: 40", "stpes"),
    ("headlines.csv", "headlnes.csv", "headlnes.csv is not there."),
    ("kind: csv", "kind: cvs", "'cvs' is unknown. Did you mean 'csv'?"),
    ("study: tiny", "study: tiny\nmodle: {}", "modle is not a key. Did you mean 'model'?"),
]
WRONG = ("--configfile", "config/wrong.yaml")


def write_wrong(clean, old, new):
    text = (ROOT / "config/tiny.yaml").read_text()
    assert text.count(old) == 1
    (clean / WRONG[-1]).write_text(text.replace(old, new))


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_mistakes_are_told_when_a_study_is_planned(clean, old, new, message):
    write_wrong(clean, old, new)
    with pytest.raises(ValueError, match=re.escape(message)):
        jobs_to_run(clean, study=WRONG)


@pytest.mark.workflow
@pytest.mark.parametrize(("old", "new", "message"), [MISTAKES[0], MISTAKES[-1]])
def test_mistakes_stop_snakemake_before_anything_runs(clean, old, new, message):
    write_wrong(clean, old, new)
    done = snakemake(clean, "--cores", "1", study=WRONG)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
    assert not list((clean / "results").rglob("*.parquet"))


def test_only_jobs_with_the_model_or_an_encoder_ask_for_a_gpu():
    """The stages say who needs a GPU; profiles say which."""
    asking = {name for name, stage in load().items() if stage.needs.gpu}
    model = {"capture", "surprisal", "encode", "fill_store", "measure", "verify_checkpoint"}
    model |= {"continuations", "attribution", "steering", "filling", "hooks_clamps", "search"}
    model |= {"readout_codes", "readout_padded"}
    # These only where they fill a store beside.
    assert asking == model | {"train_sae", "train_together"}


SLURM = ("--workflow-profile", "slurm")


def listed(folder: Path, *arguments: str, study: tuple[str, ...]) -> str:
    """The output of a dry run of the SLURM profile, which needs no SLURM."""
    done = snakemake(folder, *SLURM, "--dry-run", *arguments, study=study)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.mark.workflow
@pytest.mark.slow
@pytest.mark.parametrize(("device", "gpus"), [("cpu", "0"), ("auto", "1"), ("cuda", "1")])
def test_the_slurm_profile_gives_gpus_to_capture_and_encode_alone(clean, device, gpus):
    text = listed(clean, "--config", f"model={{device: {device}}}", study=TINY)
    found = re.findall(r"^ *rule (\w+):\n(?:.*\n)*?.*\bresources: (.*)", text, re.M)
    assert {rule for rule, _ in found} >= {"items", "capture", "encode", "page", "index"}
    asked = {rule: re.search(r"\bgpu=(\d+)", told) for rule, told in found}
    # A training says 0: it asks for one only where it fills a store beside.
    expected = {"capture": gpus, "encode": gpus, "train_sae": "0"}
    assert {rule: m[1] for rule, m in asked.items() if m} == expected


@pytest.fixture
def humor(clean, tmp_path, monkeypatch):
    """The humor study with tiny checkpoints: 150 cells whose SAEs are not trained here."""
    (tmp_path / "humicroedit").mkdir()
    shutil.copy(ROOT / "resources/toy/headlines.csv", tmp_path / "humicroedit/train.csv")
    for layer, position, size in product(range(7, 32), "AMR", ("8x", "32x")):
        hook = f"blocks.{layer}.hook_{HOOKS[position]}"
        facts = {"hook_point_in": hook, "hook_point_out": hook, "d_model": 64, "d_sae": 128}
        folder = tmp_path / f"Llama3_1-8B-Base-L{layer}{position}-{size}"
        llama_scope(folder, tensors=sae_tensors(), **facts)
    monkeypatch.setenv("SAEGRID_DATA", str(tmp_path))
    monkeypatch.setenv("LLAMA_SCOPE", str(tmp_path))
    monkeypatch.setenv("LLAMA", str(ROOT / "resources/toy/model"))
    return ("--configfile", "config/humor.yaml")


@pytest.mark.workflow
@pytest.mark.slow
def test_150_cells_are_a_few_dozen_submissions(clean, humor):
    text = listed(clean, study=humor)
    groups = Counter(re.findall(r"Group job (\w+) \(", text))
    alone = Counter(re.findall(r"^rule (\w+):", text, re.M))
    print(groups, alone)
    several = {"saes": 10, "encoders": 25, "cells": 10, "pages": 10}
    # The map and the index are each a study's last jobs.
    assert groups == {"corpus": 1, **several, "study": 2}
    assert alone == {"verify_checkpoint": 1, "capture": 1}
    # No job of a cell is in two groups, and none is left out.
    assert len(set(re.findall(r"^    rule encode:\n(?:.*\n)*?.*\bjobid: (\d+)", text, re.M))) == 150
