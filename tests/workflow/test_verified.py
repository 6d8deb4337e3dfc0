"""A study with checkpoints whose numbers are known: refused early, and rerun rarely."""

import json
import re

import numpy as np
import pytest
import yaml
from disk import sae, write_sae
from pipeline import checkout, jobs_to_run, planned, run, snakemake

from checkpoints import to_bits
from saegrid.config import ConfigError

STUDY = ("--configfile", "config/known.yaml")
CELLS = ("L1A-8x", "L1R-8x")
ALL_OF_A_CELL = ("encode", "density", "concepts", "top_tokens", "logit_effects")


def direction(values, feature):
    column = (to_bits(values["decoder.weight"]).astype(np.uint32) << 16).view(np.float32)[
        :, feature
    ]
    column = column.astype(np.float64) / np.linalg.norm(column.astype(np.float64))
    return {int(c): round(float(column[c]), 3) for c in np.argsort(-column)[:3]}


def expect(work, **changed):
    """The file of known numbers; right but for what is changed."""
    right = direction(sae(1), 5)
    norms = {"factor": 1000.0, "tokens": 50, "source": "test", "value": {"R": {1: 3.0}}}
    decoder = {"tolerance": 0.001, "source": "test", "value": {"L1R-8x": {5: right}}}
    expected = {"norms": norms, "decoder_top3": decoder | changed}
    (work / "known.yaml").write_text(yaml.safe_dump(expected))


def configure(work, **verify):
    study = yaml.safe_load((work / "config/tiny.yaml").read_text())
    study |= {"study": "known", "verify": verify}
    study["saes"] = {
        "8x": {"source": "checkpoint", "format": "llama_scope", "path": "sae/L{layer}{position}"}
    }
    (work / "config/known.yaml").write_text(yaml.safe_dump(study))


def to_do(work):
    return jobs_to_run(work, study=STUDY, targets=("cells",))


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("known") / "saegrid")
    for seed, position in enumerate("AR"):
        write_sae(folder / f"sae/L1{position}", position, seed)
    return folder


@pytest.mark.slow
@pytest.mark.workflow
def test_wrong_weights_stop_the_study_and_right_ones_are_verified_once(work):
    configure(work, expected="known.yaml")
    wrong = {7: 0.9, 8: 0.1, 9: 0.1}
    expect(work, value={"L1R-8x": {5: wrong}})
    refused = snakemake(work, "--cores", "2", study=STUDY)
    assert refused.returncode != 0
    root = work / "results/known"
    log = (work / "logs/known/verify_checkpoint.log").read_text()
    told = "L1R-8x: the largest entries of the decoder direction of feature 5 must be 7: +0.900"
    assert told in log
    assert told in refused.stdout + refused.stderr
    assert not (root / "verified.json").exists()
    assert not (root / "headlines/activations").exists()
    assert not list(root.glob("headlines/cells/*/features.safetensors"))

    expect(work)
    run(work, "cells", study=STUDY)
    facts = json.loads((root / "verified.json").read_text())
    assert facts["verified"] is True
    assert [fact["name"] for fact in facts["facts"]] == [
        "L1R-8x: decoder direction 5",
        "L1R: norm",
    ]
    assert planned(work, "cells", study=STUDY) == to_do(work) == {}

    # What decides the verification alone runs it alone.
    expect(work, tolerance=0.002)
    assert to_do(work) == {"verify_checkpoint": 1}
    configure(work)
    assert to_do(work) == {"verify_checkpoint": 1}
    expect(work)
    configure(work, expected="known.yaml")
    assert to_do(work) == {}

    # Without the file, as after a refusal, what stands on it is made again.
    (root / "verified.json").rename(work / "verified.json")
    jobs = to_do(work)
    assert jobs["verify_checkpoint"] == 1
    assert jobs["encode"] == 2
    (work / "verified.json").rename(root / "verified.json")
    assert to_do(work) == {}

    # One cell's checkpoint was replaced: this cell, and the numbers.
    hyperparams = work / "sae/L1R/hyperparams.json"
    hyperparams.write_text(hyperparams.read_text() + " ")
    jobs = to_do(work)
    assert {rule: jobs[rule] for rule in ("verify_checkpoint", *ALL_OF_A_CELL)} == {
        "verify_checkpoint": 1,
        **dict.fromkeys(ALL_OF_A_CELL, 1),
    }
    assert "capture" not in jobs


def test_the_golden_sentence_asks_for_a_checkpoint_outside_the_grid(work):
    golden = {"cell": "L9R-8x", "d_sae": 128, "text": "a", "source": "test"}
    golden |= {"l0": {"value": [1], "near": 1, "near_share": 1, "most": 1, "mean": 1}}
    golden |= {"mse": {"value": 1, "tolerance": 1}}
    (work / "golden.yaml").write_text(yaml.safe_dump({"golden": [golden]}))
    configure(work, expected="golden.yaml")
    needs = (
        "verify.golden: the published sentence needs the SAE of L9R-8x, which is not on the grid"
    )
    mend = "no checkpoint of L9R-8x at sae/L9R. Get it too, or set `verify: {golden: false}`."
    with pytest.raises(ConfigError, match=f"^{re.escape(needs)}.*{re.escape(mend)}$"):
        to_do(work)
    configure(work, expected="golden.yaml", golden=False)
    assert to_do(work)["encode"] > 0
    configure(work, expected="goldne.yaml")
    message = "verify.expected: the file goldne.yaml is not there."
    with pytest.raises(ConfigError, match=re.escape(message)):
        to_do(work)
