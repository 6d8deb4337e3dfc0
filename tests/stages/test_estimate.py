"""Formulas of the estimate against numbers worked out by hand, and the table made of them."""

import json
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from saegrid.stages.plan.costs import RULES, Costs, Job
from saegrid.stages.plan.counts import sae_of, text_of, weights_of
from saegrid.stages.plan.forecast import DiskError, Forecast, forecast, to_do
from saegrid.stages.rates import Rates, measure, rates

from saegrid.base import io
from saegrid.config import resolve
from saegrid.stages import estimate, totals
from saegrid.stages.estimate import Cost, Sae, Text, Weights
from saegrid.stages.plan import Plan

ROOT = Path(__file__).parents[2]
LLAMA = Weights(
    block=218_112_000,  # 2 x 4096^2 + 2 x 4096 x 1024 + 3 x 4096 x 14336 + 2 x 4096
    embedding=1_050_677_248,  # 2 x 128256 x 4096 + 4096
    n_layers=32,
    d_model=4096,
    itemsize=2,
    stored=16_060_556_376,
)
"""Llama-3.1-8B: 8,030,261,248 parameters."""
SMALL, LARGE = Sae(4096, 32_768, 2, 50), Sae(4096, 131_072, 2, 50)
HEADLINES = Text(9652, 300_000, 15_000, 46_000, 937, 9_270)


# --- the humor study: sizes as published (150 cells: 201 GB, 100.7 GB of them encoders) ----------


def test_the_encoders_of_150_cells():
    read = sum(sae.matrix for sae in (SMALL, LARGE)) * 75
    assert read == 100_663_296_000
    cells = [estimate.encode(sae, 1, 2) for sae in (SMALL, LARGE) for _ in range(75)]
    assert sum(cost.read for cost in cells) == read + 150 * (4096 * 2 + 8)


def test_the_checkpoints_of_150_cells():
    costs = [estimate.import_sae(sae) for sae in (SMALL, LARGE)]
    assert 75 * sum(cost.read for cost in costs) == 100_663_296_000  # the decoders
    # From the hub they take what the budget gives them, once.
    assert estimate.import_sae(LARGE, 60 * 10**9).passing == 60 * 10**9


SITES = dict.fromkeys(range(7, 32), [4096] * 3)


def test_activations_of_75_sites():
    cost = estimate.capture(LLAMA, HEADLINES, SITES, memory=10**11)
    # 46,000 tokens x 4,096 x 2 bytes x 75 sites, and a token index of 8 bytes with each.
    assert cost.write - 75 * 4096 == 28_262_400_000 + 27_600_000
    assert cost.passing == cost.write
    assert cost.read == 16_060_556_376
    assert cost.torch


def test_a_small_capture_is_held_in_memory():
    text = HEADLINES._replace(captured=1000)
    cost = estimate.capture(LLAMA, text, {0: [4096]}, memory=10**11)
    assert cost.passing == 0
    assert cost.memory == (500 << 20) + 16_060_522_496 + (1000 * (8192 + 8) + 4096)


def test_a_capture_block_by_block():
    cost = estimate.capture(LLAMA, HEADLINES, SITES, memory=6 * 10**9)
    assert cost.read == 32 * 436_224_000
    # The stream of 300,000 positions of 4,096, behind one block and behind the next.
    assert cost.passing == 2 * 2_457_600_000
    of_layer = 3 * (46_000 * 8200 + 4096)
    assert cost.memory == (500 << 20) + 2 * 436_224_000 + of_layer
    assert cost.write == 25 * of_layer


def test_products_of_a_forward_pass():
    text = Text(1, 1000, 50, 1000, 0, 0)  # rows of 20
    assert estimate.forward(LLAMA, text, 32) == 1000 * 32 * (218_112_000 + 163_840)
    assert estimate.forward(LLAMA, text, 16) * 2 == estimate.forward(LLAMA, text, 32)


def test_an_encoding():
    cost = estimate.encode(LARGE, 1000, 2, bfloat16=True, threads=2)
    assert cost.bfloat16 == 1000 * 4096 * 131_072
    assert cost.float32 == 0
    assert cost.write == 1000 * (50 * 8 + 8) + 131_073 * 8 + 4096
    screens = 1000 * 4096 * 8 + 2 * (8 * 2048 * 1024)
    ahead = (2 + 4) * 2048 * 4096 * 2
    assert cost.memory == (650 << 20) + screens + ahead + 1000 * 50 * 60
    plain = estimate.encode(LARGE, 1000, 2)
    assert (plain.float32, plain.bfloat16, plain.torch) == (cost.bfloat16, 0, False)


def test_a_training():
    cost = estimate.train_sae(Sae(64, 512, 4, 8), 3000, steps=40, batch=100)
    assert cost.read == 3000 * 64 * 4
    assert cost.write == 2 * 64 * 512 * 4 + 3 * 4096
    assert cost.float32 == 40 * (2 * 100 * 64 * 512 + 10 * 2 * 64 * 512)


def test_features_shown():
    # 937 masked tokens with 50 features each; 0.001 of 9,270 tokens are 10 activations.
    assert estimate.shown(LARGE, HEADLINES, 0.001) == 4685
    assert estimate.shown(LARGE, HEADLINES, 0.0) == 46_850
    assert estimate.shown(SMALL, HEADLINES, 0.0) == 32_768


def test_logit_effects_read_the_unembedding_and_the_decoder():
    cost = estimate.logit_effects(SMALL, HEADLINES, 0.001, 128_256, 2)
    assert cost.read == 1_050_673_152 + 268_435_456
    assert cost.float32 == 4685 * 4096 * 128_256


def test_the_constants_are_those_of_the_stages():
    from saegrid.capture import finished as store
    from saegrid.metrics import measure
    from saegrid.models import load
    from saegrid.saes import ahead

    assert estimate.HELD == store.HELD
    assert (estimate.ROOM, estimate.WORKING) == (load.ROOM, load.WORKING)
    assert estimate.READERS == ahead.READERS
    assert estimate.LEARNED == measure.LEARNED


# --- the table -----------------------------------------------------------------------------------

RATES = Rates(
    read=1e9,
    write=5e8,
    float32=1e10,
    bfloat16=4e10,
    model=2e10,
    entries=1e6,
    start=1,
    start_torch=4,
)


def test_seconds_of_a_job():
    cost = Cost(read=2 * 10**9, write=10**9, float32=10**11, bfloat16=8 * 10**10, entries=10**6)
    assert totals.seconds_of(cost, RATES, 1) == (4.0, 14.0)
    assert totals.seconds_of(cost._replace(torch=True), RATES, 2) == (4.0, 11.0)


def test_jobs_run_side_by_side_and_share_the_disk():
    work, reading = Cost(float32=9 * 10**10), Cost(read=10 * 10**9)
    assert totals.line("encode", [work] * 4, RATES, 1).seconds == 40
    assert totals.line("encode", [work] * 4, RATES, 2).seconds == 20
    assert totals.line("encode", [work] * 4, RATES, 16).seconds == 10  # a job is not cut up
    assert totals.line("encode", [reading] * 4, RATES, 16).seconds == 40
    wide = work._replace(threads=4)
    assert totals.line("encode", [wide] * 2, RATES, 2).seconds == 2 * (1 + 4.5)


def test_the_sum_of_the_rules():
    jobs = [("a", Cost(1, 2, 5, 70)), ("b", Cost(10, 20, 3, 60)), ("a", Cost(100, 200, 4, 80))]
    found = totals.add_up(jobs)
    assert [line.rule for line in found.lines] == ["a", "b"]
    assert found.lines[0] == ("a", 2, 101, 202, 80, None)
    assert found.total == ("total", 3, 111, 222, 80, None)
    assert found.needed == 227
    assert totals.add_up([]).total == ("total", 0, 0, 0, 0, 0)


def test_how_it_reads():
    assert [totals.size(n) for n in (512, 2 * 10**6, 100_663_296_000)] == [
        "0.5 kB",
        "2.0 MB",
        "100.7 GB",
    ]
    assert [totals.duration(s) for s in (None, 59, 600, 9000)] == ["-", "59 s", "10 min", "2.5 h"]
    text = totals.table(totals.add_up([("encode", Cost(read=3 * 10**9))], RATES, 1))
    assert text.splitlines()[0].endswith("time, 1 core")
    assert text.splitlines()[1].split() == [
        "encode",
        "1",
        "3.0",
        "GB",
        "0.0",
        "kB",
        "157.3",
        "MB",
        "4",
        "s",
    ]


def test_a_disk_that_does_not_suffice_is_refused():
    found = Forecast(totals.add_up([("a", Cost(write=10**9, passing=10**9))]), [], 3 * 10**9, "r")
    found.check()
    with pytest.raises(DiskError, match=r"r: .* about 2\.0 GB of disk, but 1\.5 GB are free.*grid"):
        found._replace(free=1_500_000_000).check()
    assert "NOT ENOUGH" in found._replace(free=1).text()


# --- what goes in --------------------------------------------------------------------------------


def shard(path: Path, tensors: dict[str, list[int]]) -> None:
    """A file of bfloat16 tensors that takes no room on disk."""
    header, at = {}, 0
    for name, shape in tensors.items():
        n = 2 * prod(shape)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + at)


@pytest.fixture
def humor(tmp_path, monkeypatch):
    """The humor study on a few headlines and files of true size that are all holes."""
    data = tmp_path / "data/humicroedit"
    data.mkdir(parents=True)
    lines = ["id,original,edit,grades,meanGrade"]
    lines += [f'{i},"Trump to <build/> wall {i % 50:03d}",eat,33220,2.0' for i in range(100)]
    (data / "train.csv").write_text("\n".join(lines) + "\n")
    llama = tmp_path / "llama"
    llama.mkdir()
    facts = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "intermediate_size": 14336,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
    }
    (llama / "config.json").write_text(json.dumps(facts))
    block = {
        "self_attn.q_proj.weight": [4096, 4096],
        "self_attn.k_proj.weight": [1024, 4096],
        "self_attn.v_proj.weight": [1024, 4096],
        "self_attn.o_proj.weight": [4096, 4096],
        "mlp.gate_proj.weight": [14336, 4096],
        "mlp.up_proj.weight": [14336, 4096],
        "mlp.down_proj.weight": [4096, 14336],
        "input_layernorm.weight": [4096],
        "post_attention_layernorm.weight": [4096],
    }
    tensors = {f"model.layers.{i}.{k}": v for i in range(32) for k, v in block.items()}
    tensors |= {"model.embed_tokens.weight": [128256, 4096], "lm_head.weight": [128256, 4096]}
    shard(llama / "model.safetensors", tensors | {"model.norm.weight": [4096]})
    for layer in range(7, 32):
        for position in "AMR":
            for expansion in (8, 32):
                folder = tmp_path / f"scope/Llama3_1-8B-Base-L{layer}{position}-{expansion}x"
                folder.mkdir(parents=True)
                told = {"d_model": 4096, "d_sae": expansion * 4096, "dtype": "torch.bfloat16"}
                (folder / "hyperparams.json").write_text(json.dumps(told | {"top_k": 50}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAEGRID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LLAMA", str(llama))
    monkeypatch.setenv("LLAMA_SCOPE", str(tmp_path / "scope"))
    config = yaml.safe_load((ROOT / "config/humor.yaml").read_text())
    config["topics"]["lists"] = None
    config["verify"] = {}
    return Plan(resolve(config), ROOT / "workflow/scripts")


def test_the_humor_study(humor):
    weights = weights_of(humor)
    assert weights._replace(stored=0) == LLAMA._replace(stored=0)
    assert abs(weights.stored - 16_060_522_496) < 100_000  # the header
    assert sae_of(humor, "L15R-8x") == SMALL
    assert sae_of(humor, "L15R-32x") == LARGE
    text = text_of(humor, "humicroedit")
    # "Trump to eat wall 000" and its original have 21 and 23 characters; 100 edits of 50 originals.
    assert (text.items, text.rows) == (100, 150)
    assert text.positions == 525 + 287 + 150
    assert "100 rows" in text.guess
    found = forecast(humor, measured=False)
    lines = {line.rule: line for line in found.estimate.lines}
    counts = {rule: line.jobs for rule, line in lines.items()}
    assert counts == {
        **dict.fromkeys(["items", "selection", "tokens", "verify_checkpoint", "capture"], 1),
        **dict.fromkeys(["import_sae", "encode", "density"], 150),
        **dict.fromkeys(["top_tokens", "logit_effects", "page"], 150),
        **dict.fromkeys(["summary", "plot", "index"], 1),
    }
    a_token = text.captured * (4096 * 2 + 8)
    assert lines["encode"].read == 100_663_296_000 + 150 * a_token
    assert lines["import_sae"].read == 100_663_296_000
    assert lines["capture"].write == 75 * (a_token + 4096)
    assert found.heavy
    assert found.estimate.total.seconds is None
    assert found.notes == [
        "humicroedit: not tokenised yet; counts are guessed from 100 rows and 4 characters a token."
    ]


COUNTS = {"items": 100, "tokens_mean": 6.0, "masked_edited": 150}
FACTS = {
    "positions": 1200,
    "rows": 150,
    "masked": {"in_rows": 150, "special": 0},
    "all": COUNTS,
    "kept": {**COUNTS, "items": 40, "masked_edited": 60},
}


def test_counts_of_what_is_tokenised(humor):
    """Two edits of one original: the word that both replace is captured once."""
    name, folder = humor.main, f"{humor.root}/{humor.main}"
    spans = {
        "side": ["edited", "original", "original", "original"],
        "row": [0, 5, 5, 6],
        "edit_start": [1, 3, 3, 2],
        "edit_stop": [9, 5, 5, 3],
    }
    io.write_table(f"{folder}/spans.parquet", pa.table(spans))
    io.write_json(f"{folder}/tokens.json", FACTS, humor.tokens_spec(name))
    context = 600 - 150
    assert text_of(humor, name) == Text(100, 1200, 150, context + 150 + 3, 150, 600)
    chosen = {"kept": 25, "total": 100}
    io.write_json(f"{folder}/selection.json", chosen, humor.selection_spec(name))
    assert text_of(humor, name) == Text(100, 1200, 150, context + 150 + 3, 38, 150)
    io.write_json(f"{folder}/tokens.json", FACTS, "{}")
    assert text_of(humor, name).guess


def test_a_model_on_the_hub_is_named_as_not_counted(humor):
    model = humor.study.model.model_copy(update={"path": "owner/name", "revision": "0" * 40})
    study = humor.study.model_copy(update={"model": model})
    far = Plan(study, humor.scripts)
    main, cell = far.main, "L15R-8x"
    jobs = [Job("capture", None, main), Job("encode", cell, main), Job("logit_effects", cell, main)]
    found = forecast(far, jobs)
    assert [line.rule for line in found.estimate.lines] == ["encode"]
    assert found.notes[-1].startswith("Not counted: capture, logit_effects. ")


def test_sites_in_the_store_are_not_captured_again(humor):
    name = humor.main
    whole = Costs(humor).of(Job("capture", None, name))
    for site in humor.sites:
        if site.layer > 7:
            path = Path(humor.activations(name, str(site)))
            found = {"x": np.zeros((1, 1), np.float32)}
            io.write_tensors(path.parent / "store" / path.name, found, humor.capture_spec(name))
    rest = Costs(humor).of(Job("capture", None, name))
    assert rest.write * 25 == whole.write  # one layer of 25
    assert rest.model * 4 == whole.model  # through 8 blocks of 32
    assert rest.passing == 2 * 962 * 4096 * 2  # the residual stream, twice


def test_a_job_too_large_for_the_memory_is_named(humor, monkeypatch):
    monkeypatch.setattr("saegrid.stages.plan.forecast.machine_memory", lambda: 8 * 10**9)
    notes = forecast(humor, [Job("capture", None, humor.main)], measured=False).notes
    assert not any("a job holds" in note for note in notes)  # block by block it fits
    monkeypatch.setattr("saegrid.stages.plan.forecast.machine_memory", lambda: 10**9)
    notes = forecast(humor, [Job("capture", None, humor.main)], measured=False).notes
    assert notes[-1] == "capture: a job holds 1.4 GB, more than this machine's 1.0 GB."


def test_rules_stand_in_the_order_of_the_stages(humor):
    jobs = to_do(humor)
    found = forecast(humor, reversed(jobs), measured=False).estimate
    assert found == forecast(humor, jobs, measured=False).estimate
    rules = [line.rule for line in found.lines]
    assert rules == [rule for rule in RULES if rule in {job.rule for job in jobs}]
    assert len(rules) == len(set(rules)) >= 13


def test_only_the_jobs_asked_for_are_counted(humor, monkeypatch):
    monkeypatch.delenv("LLAMA_SCOPE")  # a corpus needs no checkpoint
    found = forecast(humor, [Job("items", None, "humicroedit"), Job("fetch", "L7A-8x")])
    assert [line.rule for line in found.estimate.lines] == ["items"]
    assert "fetch" in found.notes[-1]
    assert not found.heavy


def test_what_is_made_with_other_settings_is_to_do(humor):
    jobs = to_do(humor)
    assert len(jobs) == 5 + 6 * 150 + 3
    page = humor.page_spec("L7A-8x", humor.main)
    quoted = page.replace('"', "&quot;")
    path = f"{humor.root}/{humor.main}/cells/L7A-8x/features.html"
    io.write_text(path, f'<meta name="saegrid-spec" content="{quoted}">')
    assert Job("page", "L7A-8x", humor.main) not in to_do(humor)
    io.write_text(path, '<meta name="saegrid-spec" content="{}">')
    assert Job("page", "L7A-8x", humor.main) in to_do(humor)


# --- rates ---------------------------------------------------------------------------------------


def test_rates_are_measured(tmp_path):
    found = measure(tmp_path, None, "float32", "cpu")
    assert all(value > 0 for value in found)
    assert found.start_torch > found.start
    assert list(tmp_path.iterdir()) == []


def test_rates_are_remembered_by_machine_and_model(tmp_path, monkeypatch):
    measured = []

    def count(*what):
        measured.append(what)
        return RATES._replace(read=float(len(measured)))

    monkeypatch.setattr("saegrid.stages.rates.measure", count)
    memory, folder = tmp_path / "rates.json", tmp_path / "results"
    assert [rates(memory, folder).read for _ in range(2)] == [1, 1]
    assert rates(memory, folder, dtype="bfloat16").read == 2
    assert rates(memory, folder).read == 1
    memory.write_text("damaged")
    assert rates(memory, folder).read == 3
    memory.write_text('{"machine": {"read": 1}}')  # of another version
    assert rates(memory, folder).read == 4
    assert measured[1] == (folder, None, "bfloat16", "cpu")
