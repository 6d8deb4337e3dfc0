"""Memory that jobs ask for: as much as sizes need, never less than the stage's own figure."""

import pytest

from asking import cell_at, changed, config, wants
from asking import plan_of as plan_of_config
from saegrid.metrics.baselines import memory as baselines
from saegrid.saes.training import memory as training
from saegrid.saes.training.settings import parse
from saegrid.stages.stage import At

pytestmark = pytest.mark.usefixtures("beside_repository")

D, EIGHT = 4096, 8 * 4096
CELL, TOGETHER = cell_at("", "L1R-s0"), At(site="L1R", together="a")
SITE = At("generated", site="L1R")


def plan_of(n=1, store=None, device="cpu"):
    """n SAEs of a site that are trained together."""
    study = config()
    study["model"]["device"] = device
    base = study["saes"]["8x"] | {"together": "a"}
    study["saes"] = {f"s{i}": base for i in range(n)}
    study["grid"] = [{"layers": [1], "positions": ["r"], "saes": list(study["saes"])}]
    if store is not None:
        files = {"a": "resources/toy/headlines.csv"}
        source = {"kind": "csv", "files": files, "columns": {"text": "original"}}
        study["corpora"]["generated"] = {"role": "train", "store": store, "source": source}
    return plan_of_config(study)


def wide(plan, monkeypatch, width):
    """The plan with a model of so many channels, 0 as where it is on the hub."""
    monkeypatch.setattr(plan.model, "width", lambda site: width)
    return plan


def test_small_trainings_ask_for_the_stages_figure():
    assert wants(plan_of(), "train_sae", CELL)["memory"] == 4000
    assert wants(plan_of(3), "train_together", TOGETHER)["memory"] == 8000
    assert wants(plan_of(), "baselines", SITE)["memory"] == 4000


def test_large_ones_ask_for_what_they_hold(monkeypatch):
    """Four copies of the weights of each: 4.3 GB at 8x of 4,096 channels."""
    one = wants(wide(plan_of(), monkeypatch, D), "train_sae", CELL)["memory"]
    assert 2 * D * EIGHT * 16 / 1e6 < one < 6000
    three = wants(wide(plan_of(3), monkeypatch, D), "train_together", TOGETHER)["memory"]
    assert three - one == pytest.approx(2 * (one - training.TORCH / 1e6), abs=3)
    assert wants(wide(plan_of(3), monkeypatch, D), "baselines", SITE)["memory"] > 4000


def test_weights_are_held_four_times_and_whitening_twice_more():
    """17.2 GB at 32x of 4,096 channels; activations of a batch beside."""
    settings = parse("topk", {"batch": 1000})
    numbers = 16 * 2 * D * 4 * EIGHT + 16 * 1000 * 4 * EIGHT + (500 << 20)
    assert training.held([(D, 4 * EIGHT, settings)]) == -(-numbers // 10**6)
    assert 17_179 < training.held([(D, 4 * EIGHT, settings)]) < 20_000
    white = parse("topk", {"batch": 1000, "whiten": "zca"})
    copies = 2 * 8 * 2 * D * 4 * EIGHT
    assert training.held([(D, 4 * EIGHT, white)]) == -(-(numbers + copies) // 10**6)
    small = [64, 512]
    sample = training.held([(*small, white)]) - training.held([(*small, settings)])
    assert sample == pytest.approx((1 << 30) / 1e6, abs=1)


def test_baselines_hold_a_sample_moments_and_a_random_dictionary():
    sample = 16_384 * (D + 256) * 8 * 6
    numbers = (150 << 20) + sample + 3 * D**2 * 8 + 3 * EIGHT * D * 4
    assert baselines.held(D, 3 * EIGHT) == -(-numbers // 10**6)
    narrow = (150 << 20) + 16_384 * 2 * 64 * 8 * 6 + 3 * 64**2 * 8 + 512 * 64 * 4
    assert baselines.held(64, 512) == -(-narrow // 10**6), "no more components than channels"


def test_where_the_model_is_not_at_hand_the_stages_figure_stands(monkeypatch):
    plan = wide(plan_of(), monkeypatch, 0)
    assert wants(plan, "train_sae", CELL)["memory"] == 4000
    assert wants(plan, "baselines", SITE)["memory"] == 4000
    assert wants(wide(plan_of(3), monkeypatch, 0), "train_together", TOGETHER)["memory"] == 8000


def test_a_filling_is_asked_for_by_the_trainings_that_fill_alone():
    for beside in (False, True):
        plan = plan_of(2, {"beside": beside})
        capture, threads = plan.study.memory.capture, plan.study.threads
        one, both = wants(plan, "train_sae", CELL), wants(plan, "train_together", TOGETHER)
        assert one["memory"] == 4000 + beside * capture
        assert both["memory"] == 8000 + beside * capture
        for job, members in ((one, 1), (both, min(2, threads.together))):
            assert job["filling_memory"] == beside * capture
            assert job["filling_threads"] == beside * threads.capture
            assert job["threads"] == members * threads.train + beside * threads.capture
            assert job["gpu"] == 0
        cuda = plan_of(2, {"beside": beside}, "cuda")
        assert wants(cuda, "train_sae", CELL)["gpu"] == beside
        assert wants(cuda, "train_together", TOGETHER)["gpu"] == beside


def test_threads_grow_with_the_members_that_are_trained_at_a_time():
    plan = changed(plan_of(3), lambda study: study["threads"].update(train=2, together=2))
    assert wants(plan, "train_together", TOGETHER)["threads"] == 4
    assert wants(plan, "train_sae", CELL)["threads"] == 2


def test_only_jobs_with_the_model_or_an_encoder_ask_for_a_gpu():
    plan = plan_of(device="cuda")
    place = At("headlines", "L1R-s0", "", "L1R", "a")
    present = [stage.name for stage in plan.graph.present]
    asking = {name for name in present if wants(plan, name, place)["gpu"]}
    models = {"continuations", "capture", "surprisal", "fill_store", "measure"}
    assert asking == {*models, "verify_checkpoint", "encode"}
