"""A grid whose checkpoints come from a hub, through a cache that holds two of its four."""

import numpy as np
import pytest
import yaml
from pipeline import ROOT, checkout, planned, snakemake

from checkpoints import llama_scope
from loopback import COMMIT, environment, serve
from saegrid.base.words import Cell
from saegrid.saes.hooks import hook_of

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CELLS = [f"L{layer}{position}-8x" for layer in (0, 1) for position in "AR"]
D_MODEL, D_SAE = 64, 512
STUDY = ("--configfile", "config/remote.yaml")


def tensors(seed):
    rng = np.random.default_rng(seed)
    return {
        "encoder.weight": rng.normal(size=(D_SAE, D_MODEL)),
        "encoder.bias": np.zeros(D_SAE),
        "decoder.weight": rng.normal(size=(D_MODEL, D_SAE)) / 8,
        "decoder.bias": rng.normal(size=D_MODEL),
    }


def publish(root):
    """Write the checkpoints of all cells; bytes of one.

    Their features are sparse: the files of a cell are then smaller than the activations, which is
    what Snakemake goes by where priorities do not tell jobs apart.
    """
    for seed, cell in enumerate(CELLS):
        hook = hook_of(Cell.parse(cell).site)
        folder = root / f"some/saes-{cell[-4]}" / f"Base-{cell}"
        facts = {"hook_point_in": hook, "hook_point_out": hook, "d_model": D_MODEL}
        facts["jump_relu_threshold"] = {"A": 4.0, "R": 12.0}[cell[2]]
        llama_scope(folder, tensors=tensors(seed), d_sae=D_SAE, **facts)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def write_study(folder, budget_gb, cache="somewhere/checkpoints", layers=(0, 1)):
    study = yaml.safe_load((ROOT / "config/tiny.yaml").read_text())
    study["study"] = "remote"
    del study["corpora"]["generated"]
    study["corpora"]["headlines"]["tokens"] = {"context": 100}
    study["saes"] = {
        "8x": {
            "source": "checkpoint",
            "format": "llama_scope",
            "repo": "some/saes-{position}",
            "folder": "Base-L{layer}{position}-8x",
            "revision": COMMIT,
        }
    }
    study["grid"] = [{"layers": list(layers), "positions": ["a", "r"], "saes": ["8x"]}]
    study["hub"] = {"cache": cache, "budget_gb": budget_gb}
    (folder / "config/remote.yaml").write_text(yaml.safe_dump(study))


@pytest.mark.parametrize("scheduler", ["greedy", "ilp"])
def test_each_checkpoint_is_fetched_once(tmp_path, monkeypatch, scheduler):
    folder = checkout(tmp_path / "saegrid")
    with serve(tmp_path / "hub") as hub:
        size = publish(hub.root)
        write_study(folder, 2.5 * size / 1e9)
        for name, value in environment(hub, HF_HUB_CACHE=str(tmp_path / "own")).items():
            monkeypatch.setenv(name, value)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.delenv(name, raising=False)
        done = snakemake(folder, "cells", "--cores", "2", "--scheduler", scheduler, study=STUDY)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
        fetched = hub.fetched()
    assert set(fetched.values()) == {1}
    assert len(fetched) == 2 * len(CELLS)
    cache = folder / "somewhere/checkpoints"
    assert len([path for path in cache.iterdir() if path.is_dir()]) == 2
    assert sum(p.stat().st_size for p in cache.rglob("*") if p.is_file()) <= 2.5 * size
    logs = [p.read_text() for p in (folder / "logs/remote").rglob("*.log")]
    assert sum("checksum" in log for log in logs) == len(CELLS), "the logs tell of downloads"
    assert not any("waiting for" in log for log in logs), "two cells at a time, as there are cores"
    results = folder / "results/remote"
    captured = max(p.stat().st_mtime for p in results.glob("*/activations/*/*.safetensors"))
    assert captured < min(p.stat().st_mtime for p in results.glob("saes/*/reference.json"))
    # Neither another budget nor another folder, nor the end of a checkpoint, is a reason to run.
    write_study(folder, 17, cache="elsewhere")
    assert planned(folder, "cells", study=STUDY) == {}
    write_study(folder, 17, layers=(0, 1, 2))
    jobs = planned(folder, "cells", study=STUDY)
    assert (jobs["capture"], jobs["import_sae"], jobs["encode"]) == (1, 2, 2)
