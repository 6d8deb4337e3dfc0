"""A run of `saegrid compare`: two files of texts to a page of findings."""

import pytest
import yaml
from pipeline import ROOT, checkout, run

from saegrid.base import io
from saegrid.command import main

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


def test_it_runs_to_its_page(tmp_path, capsys, monkeypatch):
    """Texts about food against texts about jobs: what tells them apart is found and confirmed."""
    monkeypatch.chdir(ROOT)
    work = checkout(tmp_path / "saegrid")
    topics = yaml.safe_load((ROOT / "resources/toy/topics.yaml").read_text())["topics"]
    files = []
    for name in ("food", "jobs"):
        words = topics[name]
        rows = [f"Senate praise {one} before {other} vote" for one in words for other in words[:3]]
        (tmp_path / f"{name}.csv").write_text("\n".join(["prompt", *rows]))
        files.append(str(tmp_path / f"{name}.csv"))
    model = str(ROOT / "resources/toy/model")
    assert main(["compare", *files, "--name", "two", "--model", model, "--config"]) == 0
    study = yaml.safe_load(capsys.readouterr().out)
    study["saes"]["sae"]["settings"] |= {"steps": 200}
    study["analyses"]["tests"] |= {"permutations": 200, "bootstrap": 50}
    (work / "config/two.yaml").write_text(yaml.safe_dump(study))
    run(work, "results/two/findings.html", study=("--configfile", "config/two.yaml"))
    (facts,) = io.read_json(work / "results/two/tests.json")["contrasts"]
    assert facts["title"] == "food or jobs" and facts["n_confirmed"] > 0
    assert "food" in (work / "results/two/findings.html").read_text()
