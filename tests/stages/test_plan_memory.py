"""What jobs ask for: as much as their sizes need, and never less than the rule's own figure."""

from pathlib import Path

import pytest
import yaml

from saegrid.config import resolve
from saegrid.stages import estimate
from saegrid.stages.estimate import Sae
from saegrid.stages.plan import Plan, memory

pytestmark = pytest.mark.usefixtures("beside_repository")

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config/tiny.yaml").read_text()
D, EIGHT = 4096, 8 * 4096


def plan_of(n=1, store=None, device="cpu"):
    """n SAEs of a site that are trained together."""
    study = yaml.safe_load(TEXT)
    study["model"]["device"] = device
    base = study["saes"]["8x"] | {"together": "a"}
    study["saes"] = {f"s{i}": base for i in range(n)}
    study["grid"] = [{"layers": [1], "positions": ["r"], "saes": list(study["saes"])}]
    if store is not None:
        files = {"a": "resources/toy/headlines.csv"}
        source = {"kind": "csv", "files": files, "columns": {"text": "original"}}
        study["corpora"]["generated"] = {"role": "train", "store": store, "source": source}
    return Plan(resolve(study))


def test_small_trainings_ask_for_the_rules_figure():
    assert memory.training(plan_of(), 4000, "L1R-s0") == 4000
    assert memory.training(plan_of(3), 8000, "L1R", "a") == 8000
    assert memory.baselines(plan_of(), 4000, "generated", "L1R") == 4000


def test_large_ones_ask_for_what_they_hold(monkeypatch):
    """Four copies of the weights of each: 4.3 GB at 8x of 4,096 channels, 17.2 GB at 32x."""
    sae = Sae(D, EIGHT, 4, 32)
    monkeypatch.setattr(memory, "sae_of", lambda plan, cell: sae)
    one = memory.training(plan_of(), 4000, "L1R-s0")
    assert 2 * D * EIGHT * 16 / 1e6 < one < 6000
    three = memory.training(plan_of(3), 4000, "L1R", "a")
    assert three - one == pytest.approx(2 * (one - estimate.TORCH / 1e6), abs=3)
    assert memory.baselines(plan_of(3), 4000, "generated", "L1R") > 4000
    monkeypatch.setattr(memory, "sae_of", lambda plan, cell: sae._replace(d_sae=4 * EIGHT))
    assert 17_179 < memory.training(plan_of(), 4000, "L1R-s0") < 20_000


def test_where_the_model_is_not_at_hand_the_rules_figure_stands(monkeypatch):
    monkeypatch.setattr(memory, "sae_of", lambda plan, cell: None)
    assert memory.training(plan_of(), 4000, "L1R-s0") == 4000
    assert memory.baselines(plan_of(), 4000, "generated", "L1R") == 4000


def test_a_filling_is_asked_for_by_the_trainings_that_fill_alone():
    for beside in (False, True):
        plan = plan_of(2, {"beside": beside})
        capture = plan.study.memory.capture
        assert memory.training(plan, 4000, "L1R-s0") == 4000 + beside * capture
        assert plan.filling_memory("L1R", "a") == beside * capture
        assert plan.filling_threads("L1R", "a") == beside * plan.study.threads.capture
        assert plan.training_gpu("L1R-s0") == 0
        assert plan_of(2, {"beside": beside}, "cuda").training_gpu("L1R-s0") == beside
