"""Bytes, memory and times of a run against numbers worked out by hand, and the table of them."""

import json
import re
import subprocess
import sys
from math import prod
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from asking import (
    cell_at,
    changed,
    config,
    files,
    finish,
    inputs,
    job,
    jobs_of,
    plan_of,
    spec,
    spec_of,
    write,
)
from saegrid.base import digest, io
from saegrid.capture.sizes import HEADER, HELD, activation_bytes
from saegrid.models.memory import needed
from saegrid.saes.sizes import Sae
from saegrid.stages import STAGES
from saegrid.stages import estimate as estimates
from saegrid.stages.estimate import (
    DiskError,
    Estimate,
    Line,
    duration,
    earlier,
    estimate,
    free_bytes,
    read_bytes,
)
from saegrid.stages.settled import to_do
from saegrid.stages.sizes import Sizes, Unknown
from saegrid.stages.stage import At
from saegrid.text.counts import Text

ROOT = Path(__file__).parents[2]
SMALL, LARGE = Sae(4096, 32_768, 2, 50), Sae(4096, 131_072, 2, 50)
HEADLINES = Text(9652, 300_000, 15_000, 46_000, 937, 9_270)
LLAMA = 16_060_522_496
"""Bytes of Llama-3.1-8B: 8,030,261,248 parameters, and a header beside."""
MAIN, CELL = "humicroedit", "L15R-8x"


def weight(plan, stage, at, text=HEADLINES, **saes):
    """The bytes that a job moves where the corpus and the SAEs have these sizes."""
    sizes = Sizes(plan)
    sizes.texts[MAIN] = text
    sizes._saes |= saes
    return plan.graph.stages[stage].weighs(sizes, at)


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
        "num_attention_heads": 4,
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
                sae = {"d_model": 4096, "d_sae": expansion * 4096, "dtype": "torch.bfloat16"}
                (folder / "hyperparams.json").write_text(json.dumps(sae | {"top_k": 50}))
    # Holes have nothing to tell them apart but their sizes, and take half a minute to read.
    monkeypatch.setattr(digest, "_sha256", lambda path, *_: f"{path.stat().st_size:064x}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAEGRID_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LLAMA", str(llama))
    monkeypatch.setenv("LLAMA_SCOPE", str(tmp_path / "scope"))
    study = config("humor")
    study["concepts"] = {"lexicons": []}
    study["verify"] = {}
    return plan_of(study)


@pytest.fixture
def tiny(beside_repository):
    """The tiny study, with nothing made; SAEs learn from a streamed corpus where `store` is."""

    def planned(store=None):
        study = config()
        if store is not None:
            Path("texts.txt").write_text("The dog runs.\n" * 1000)
            source = {"kind": "text", "files": {"all": "texts.txt"}}
            study["corpora"]["generated"] = {"role": "train", "source": source, "store": store}
        return plan_of(study)

    return planned


# --- the humor study: sizes as published (150 cells: 201 GB, 100.7 GB of them encoders) ----------


def test_the_encoders_and_decoders_of_150_cells(humor):
    sizes = Sizes(humor)
    sizes.texts[MAIN] = HEADLINES
    places = [At(MAIN, str(cell), site=str(cell.site)) for cell in humor.cells]
    encode, import_sae = (humor.graph.stages[name] for name in ("encode", "import_sae"))
    read = 75 * sum(sae.matrix for sae in (SMALL, LARGE))
    assert read == 100_663_296_000
    assert sum(encode.weighs(sizes, at).read for at in places) == read
    assert sum(import_sae.weighs(sizes, at).read for at in places) == read  # the decoders
    assert import_sae.weighs(sizes, At(cell="L7A-8x")).write == 4 * 32_768  # their norms
    assert not any(import_sae.weighs(sizes, at).passing for at in places)


def test_a_checkpoint_from_the_hub_takes_the_budget_once(humor):
    def change(study):
        study["saes"]["8x"] |= {"path": None, "revision": "0" * 40}
        study["hub"]["budget_gb"] = 60

    far = changed(humor, change)
    assert weight(far, "import_sae", At(cell="L7A-8x")).passing == 60 * 10**9
    assert weight(far, "import_sae", At(cell="L7A-32x")).passing == 0


def test_activations_of_75_sites(humor):
    humor = changed(humor, lambda study: study["memory"].update(capture=100_000))
    cost = weight(humor, "capture", At(MAIN))
    # 46,000 tokens x 4,096 x 2 bytes x 75 sites, and a token index of 8 bytes with each.
    assert cost.write - 75 * HEADER == 28_262_400_000 + 27_600_000
    assert cost.passing == cost.write
    # The model is an input.
    total = read_bytes(Sizes(humor), job(humor, "capture", At(MAIN)))
    assert LLAMA < total < LLAMA + 1_000_000


def test_a_small_capture_is_held_in_memory(humor):
    humor = changed(humor, lambda study: study["memory"].update(capture=100_000))
    cost = weight(humor, "capture", At(MAIN), HEADLINES._replace(captured=1000))
    assert cost.write == 75 * (1000 * 8200 + HEADER) < HELD
    assert cost.passing == 0


def test_a_capture_block_by_block(humor):
    assert needed(LLAMA) > humor.study.memory.capture * 10**6 == 6 * 10**9
    cost = weight(humor, "capture", At(MAIN))
    # The stream of 300,000 positions of 4,096, behind one block and behind the next.
    assert cost.passing == 2 * 2_457_600_000
    of_layer = 3 * (46_000 * 8200 + HEADER)
    assert cost.write == 25 * of_layer
    many = HEADLINES._replace(captured=460_000)
    of_layer = 3 * (460_000 * 8200 + HEADER)
    assert of_layer > HELD
    assert weight(humor, "capture", At(MAIN), many).passing == 2 * 2_457_600_000 + of_layer


def test_bytes_of_activations():
    assert activation_bytes(1000, [64, 64, 256], 4) == 1000 * (384 * 4 + 24) + 3 * 4096
    assert activation_bytes(1000, [], 4) == 0


def test_an_encoding(humor):
    text = HEADLINES._replace(captured=1000)
    cost = weight(humor, "encode", At(MAIN, "L7A-32x"), text)
    assert cost.write == 1000 * (50 * 8 + 8) + 131_073 * 8 + 4096
    assert cost.read == 131_072 * 4096 * 2
    whole = weight(humor, "merge", At(MAIN, "L7A-32x"), text)
    assert whole.write == cost.write


def test_of_a_shard_its_part_is_counted(humor):
    cut = changed(humor, lambda study: study["corpora"][MAIN].update(shards=3))
    shard = "/shard-2-of-3"
    part = weight(cut, "encode", At(MAIN, "L7A-32x", shard))
    assert part.write == 15_334 * (50 * 8 + 8) + 131_073 * 8 + 4096
    assert weight(cut, "capture", At(MAIN, shard=shard)).write == 75 * (15_334 * 8200 + HEADER)
    assert weight(cut, "merge", At(MAIN, "L7A-32x")).write == 46_000 * 408 + 131_073 * 8 + 4096


def test_a_training():
    plan = plan_of(config())
    plan.model.__dict__["sizes"] = None
    with pytest.raises(Unknown):
        plan.graph.stages["train_sae"].weighs(Sizes(plan), At(cell="L1R-8x"))
    sizes = Sizes(plan)
    sizes._saes["L1R-8x"] = Sae(64, 512, 4, 8)
    cost = plan.graph.stages["train_sae"].weighs(sizes, At(cell="L1R-8x"))
    assert (cost.write, cost.read, cost.passing) == (2 * 64 * 512 * 4, 0, 0)


def test_features_shown(humor, monkeypatch):
    # 937 masked tokens with 50 features each; 0.001 of 9,270 tokens are 10 activations.
    def shown(cell, cut, text=HEADLINES):
        sizes = Sizes(humor)
        sizes.texts[MAIN] = text
        monkeypatch.setattr(humor, "settings", lambda cell, section: {"cut": cut})
        return sizes.shown(At(MAIN, cell))

    assert shown("L7A-32x", 0.001) == 4685
    assert shown("L7A-32x", 0.0) == 46_850
    assert shown("L7A-8x", 0.0) == 32_768


def test_logit_effects_read_the_unembedding_and_the_decoder(humor):
    cost = weight(humor, "logit_effects", At(MAIN, "L7A-8x"))
    assert cost.read == 268_435_456 + 128_256 * 4096 * 2
    cut = humor.settings("L7A-8x", "top_tokens")["cut"]
    assert cost.write == 220 * (50 * 937 // max(1, -int(-cut * 9270 // 1)))


# --- the table -----------------------------------------------------------------------------------


def of_lines(*lines, free=10**12, notes=(), cores=1):
    return Estimate(list(lines), list(notes), cores, free, "r")


def test_the_sum_of_the_rules():
    run = of_lines(Line("a", 2, 101, 202, 80, 5, None, 52), Line("b", 1, 10, 20, 60, 3, 7.0))
    assert run.total == ("total", 3, 111, 222, 80, 5, 7.0, 52)
    assert run.needed == 222 - 52 + 5, "what is made again takes the place of what is deleted"
    assert of_lines(Line("a", 1, 0, 0, 0, 0, None)).total.seconds is None


def test_of_no_job_nothing_is_estimated(tiny):
    assert estimate(tiny(), []) is None


def test_how_it_reads():
    assert [duration(s) for s in (None, 0.44, 59, 600, 9000)] == [
        "-",
        "0.4 seconds",
        "59 seconds",
        "10 minutes",
        "2 hours and 30 minutes",
    ]
    lines = [
        Line("encode", 1500, 3 * 10**9, 0, 157_286_400, 0, 4.0),
        Line("b", 1, 1, 2, 3, 4, None),
    ]
    head, *rows = of_lines(*lines, cores=2).text().splitlines()
    assert re.split("  +", head) == ["rule", "jobs", "reads", "writes", "memory", "time, 2 cores"]
    amounts = ["3 GB", "0 bytes", "157.29 MB", "4 seconds"]
    assert [re.split("  +", row) for row in rows[:2]] == [
        ["encode", "1,500", *amounts],
        ["b", "1", "1 byte", "2 bytes", "3 bytes", "-"],
    ]
    assert re.split("  +", rows[2])[:2] == ["total", "1,501"]
    assert len({len(row) for row in [head, *rows[:3]]}) == 1, "columns of numbers end together"


def test_a_line_says_what_is_known_of_times():
    known, unknown = Line("a", 2, 0, 0, 0, 0, 100.0), Line("b", 1, 0, 0, 0, 0, None)
    took = "1 minute and 40 seconds on"
    assert f", about {took} 1 core by earlier jobs, 0 bytes" in of_lines(known).summary()
    both = of_lines(known, unknown, cores=2).summary()
    assert f", at least {took} 2 cores by earlier jobs, 0 bytes" in both
    most = of_lines(known, unknown, unknown).summary()
    assert ", 1 of 3 stages have times of earlier jobs, 0 bytes" in most and took not in most
    assert of_lines(unknown, free=5000).summary() == (
        "Estimate: 1 job, 0 bytes to read, 0 bytes to write, asks for up to 0 bytes of "
        "memory in a job; 5 KB free on the disk."
    )


def test_a_disk_that_does_not_suffice_is_refused():
    line = Line("a", 1, 0, 10**9, 0, 10**9, None)
    of_lines(line, free=3 * 10**9).check()
    assert of_lines(line, free=3 * 10**9).text().endswith("3 GB are free: enough.")
    with pytest.raises(DiskError, match=r"r: .* about 2 GB of disk, but 1\.5 GB are free.*grid"):
        of_lines(line, free=1_500_000_000).check()
    assert "NOT ENOUGH" in of_lines(line, free=1).text()


def test_a_run_that_moves_much_is_worth_a_table():
    assert of_lines(Line("a", 1, 15 * 10**9, 6 * 10**9, 0, 0, None)).is_heavy()
    assert not of_lines(Line("a", 1, 15 * 10**9, 5 * 10**9, 0, 0, None)).is_heavy()


def test_free_bytes_of_a_folder_that_is_not_there_yet(tmp_path):
    there, later = free_bytes(tmp_path), free_bytes(tmp_path / "results/a/b")
    assert there > 0 and abs(later - there) < 10**9


# --- times of earlier jobs -----------------------------------------------------------------------

HEAD = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def benchmark(path, *seconds):
    """A benchmark file of Snakemake: a row for each time that the job was tried."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{s}\t0:00:01\t1\t1\t1\t1\t0\t0\t9\t1\n" for s in seconds)
    path.write_text(HEAD + rows)


def test_the_median_of_the_jobs_of_a_rule(tmp_path):
    benchmark(tmp_path / "h/L1R-8x/encode.tsv", 3.0)
    benchmark(tmp_path / "h/L1A-8x/encode.tsv", 90.0, 5.0)  # the last try counts
    benchmark(tmp_path / "h/L1A-8x/encode/shard-1-of-3.tsv", 4.0)
    benchmark(tmp_path / "h/L1M-8x/encode.tsv", 100.0)
    benchmark(tmp_path / "h/capture-0123456789ab.tsv", 7.5)
    benchmark(tmp_path / "train_together-L1R-a.tsv", 2.0)
    (tmp_path / "h/items.tsv").write_text(HEAD)  # killed before a row was written
    (tmp_path / "h/tokens.tsv").write_text("")
    (tmp_path / "h/page.tsv").write_bytes(b"\xff\xfe\0garbage")
    (tmp_path / "h/plot.tsv").write_text(HEAD + "x\t1\n")
    (tmp_path / "h/other.tsv").write_text("feature\tn\n1\t2\n")
    assert earlier(tmp_path) == {"encode": 4.5, "capture": 7.5, "train_together": 2.0}
    assert earlier(tmp_path / "absent") == {}


def test_a_benchmark_of_every_stage_is_known_by_its_rule(tmp_path):
    """The place of its log is derived from the wildcards: all of them must lead back."""
    plan = plan_of(config())
    names = {"study": "tiny", "corpus": "headlines", "cell": "L1R-8x", "site": "L1R"}
    for number, (name, stage) in enumerate(plan.graph.stages.items()):
        shards = ["", "/shard-2-of-3"] if "shard" in stage.wildcards else [""]
        for shard in shards:
            filled = {**names, "shard": shard, "together": "a", "capture": "0" * 12}
            benchmark(tmp_path / name / stage.log(".tsv").format(**filled), number + len(shard))
        took = number + sum(map(len, shards)) / len(shards)
        assert earlier(tmp_path / name / "logs/tiny") == {name: took}


def test_times_are_those_of_earlier_jobs(humor):
    jobs = [job(humor, "density", cell_at(MAIN, str(cell))) for cell in humor.cells[:4]]
    assert estimate(humor, jobs).total.seconds is None
    benchmark(Path("logs/humor/humicroedit/L7A-8x/density.tsv"), 3.0)
    benchmark(Path("logs/humor/humicroedit/L7M-8x/density.tsv"), 5.0)
    benchmark(Path("logs/other/humicroedit/L7M-8x/density.tsv"), 500.0)
    for cores, seconds in ((1, 16), (2, 8), (3, 16 / 3), (16, 4)):  # a job is not cut up
        assert estimate(humor, jobs, cores).total.seconds == pytest.approx(seconds)


def test_jobs_take_as_many_cores_as_they_have_threads(humor):
    humor = changed(humor, lambda study: study["threads"].update(encode=4))
    benchmark(Path("logs/humor/humicroedit/L7A-8x/encode.tsv"), 6.0)
    jobs = [job(humor, "encode", cell_at(MAIN, str(cell))) for cell in humor.cells[:2]]
    for cores, seconds in ((1, 12), (2, 12), (4, 12), (8, 6)):
        assert estimate(humor, jobs, cores).total.seconds == pytest.approx(seconds)


# --- what goes in --------------------------------------------------------------------------------


def test_the_humor_study(humor):
    assert abs(humor.model.stored() - LLAMA) < 100_000  # the header
    assert Sizes(humor).sae("L15R-8x") == SMALL
    assert Sizes(humor).sae("L15R-32x") == LARGE
    text = Sizes(humor).text(MAIN)
    # "Trump to eat wall 000" and its original have 21 and 23 characters; 100 edits of 50 originals.
    assert (text.items, text.rows) == (100, 150)
    assert text.positions == 525 + 287 + 150
    assert "100 rows" in text.guess
    jobs = jobs_of(humor)
    run = estimate(humor, jobs)
    lines = {line.rule: line for line in run.lines}
    assert {rule: line.jobs for rule, line in lines.items()} == {
        **dict.fromkeys(["items", "selection", "tokens", "verify_checkpoint", "vocabulary"], 1),
        **dict.fromkeys(["import_sae", "encode", "density"], 150),
        **dict.fromkeys(["top_tokens", "concepts", "logit_effects", "page"], 150),
        **dict.fromkeys(["capture", "concept_map", "summary", "plot", "map", "index"], 1),
    }
    a_token = text.captured * (4096 * 2 + 8)
    known_numbers = lines["encode"].read - 100_663_296_000 - 150 * (a_token + HEADER)
    assert 0 <= known_numbers < 150 * 1_000_000
    assert lines["import_sae"].read == 100_663_296_000
    assert lines["capture"].write == 75 * (a_token + HEADER)
    assert lines["capture"].memory == humor.study.memory.capture * 10**6
    assert run.is_heavy()
    assert run.total.seconds is None
    assert run.notes == [
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
    io.write_json(f"{folder}/tokens.json", FACTS, spec(humor, "tokens", At(name)))
    context = 600 - 150
    assert Sizes(humor).text(name) == Text(100, 1200, 150, context + 150 + 3, 150, 600)
    chosen = {"kept": 25, "total": 100}
    io.write_json(f"{folder}/selection.json", chosen, spec(humor, "selection", At(name)))
    assert Sizes(humor).text(name) == Text(100, 1200, 150, context + 150 + 3, 38, 150)
    io.write_json(f"{folder}/tokens.json", FACTS, "{}")
    assert Sizes(humor).text(name).guess


def test_a_model_on_the_hub_is_named_as_not_counted(humor):
    def change(study):
        study["model"] |= {"path": "owner/name", "revision": "0" * 40}

    far = changed(humor, change)
    asked = [job(far, name, cell_at(MAIN, CELL)) for name in ("items", "capture")]
    run = estimate(far, asked)
    assert [line.rule for line in run.lines] == ["items"]
    assert run.notes[-1] == (
        "Not counted: capture. The model lies on the hub: name a local folder in model.path."
    )


def test_sites_in_the_store_are_not_captured_again(humor):
    capture = humor.graph.stages["capture"]
    whole = capture.weighs(Sizes(humor), At(MAIN))
    for site in humor.sites:
        if site.layer > 7:
            path = Path(files(humor, "capture.activations", At(MAIN, site=str(site)))[0])
            tensors = {"x": np.zeros((1, 1), np.float32)}
            finished = path.parent / "store" / path.name
            io.write_tensors(finished, tensors, spec(humor, "capture", At(MAIN)))
    rest = capture.weighs(Sizes(humor), At(MAIN))
    assert rest.write * 25 == whole.write  # one layer of 25
    assert rest.passing == 2 * 962 * 4096 * 2  # the residual stream, twice


def test_a_job_too_large_for_the_memory_is_named(humor, monkeypatch):
    monkeypatch.setattr(estimates, "machine_memory", lambda: 8 * 10**9)
    jobs = [job(humor, "capture", At(MAIN))]
    assert not any("may hold" in note for note in estimate(humor, jobs).notes)
    monkeypatch.setattr(estimates, "machine_memory", lambda: 10**9)
    notes = estimate(humor, jobs).notes
    assert notes[-1] == "capture: a job may hold 6 GB; this machine has 1 GB."
    monkeypatch.setattr(estimates, "machine_memory", lambda: 0)  # one that does not say
    assert not any("may hold" in note for note in estimate(humor, jobs).notes)


def test_rules_stand_in_the_order_of_the_stages(humor):
    rules = [line.rule for line in estimate(humor, jobs_of(humor)).lines]
    assert rules == [name for name in STAGES if name in rules]
    assert len(rules) == len(set(rules)) >= 13


def test_only_the_jobs_asked_for_are_counted(humor, monkeypatch):
    monkeypatch.delenv("LLAMA_SCOPE")  # a corpus needs no checkpoint
    run = estimate(humor, jobs_of(humor, "corpus"))
    assert [line.rule for line in run.lines] == ["items", "selection", "tokens"]
    assert not run.is_heavy()


def test_inputs_count_as_they_are_or_as_they_will_be(humor):
    """A site is a 75th of what a capture writes; a file that is there has its own size."""
    sizes = Sizes(humor)
    sizes.texts[MAIN] = HEADLINES
    encode = job(humor, "encode", cell_at(MAIN, CELL))
    path = Path(inputs(humor, "encode", "activations", encode.at))
    before = read_bytes(sizes, encode)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 1000)
    assert before - read_bytes(sizes, encode) == 46_000 * 8200 + HEADER - 1000


def test_logit_effects_read_of_the_model_the_unembedding(humor):
    one = job(humor, "logit_effects", cell_at(MAIN, "L7A-8x"))
    sizes = Sizes(humor)
    sizes.texts[MAIN] = HEADLINES
    rest = one.stage.weighs(sizes, one.at).read + 10_000_000  # tables beside
    assert read_bytes(sizes, one) < 1_050_673_152 + rest


def test_the_encoder_of_a_trained_sae_is_read_once(tiny):
    plan = tiny()
    one = job(plan, "encode", cell_at("headlines", "L1R-8x"))
    activations = Sizes(plan).text("headlines").captured * (64 * 4 + 8) + HEADER
    (line,) = estimate(plan, [one]).lines
    assert line.read <= activations + 2 * 64 * 512 * 4 + 10_000


def test_a_training_reads_the_store_whether_it_is_filled_or_not(tiny):
    plan = tiny({})
    one = job(plan, "train_sae", cell_at("", "L1R-8x"))
    before = read_bytes(Sizes(plan), one)
    assert before > 3000 * 64 * 4
    tokens = Sizes(plan).text("generated").captured
    for source in plan.graph.sources(one.stage, "activations", one.at):
        (path,) = plan.graph.paths(source)
        facts = {"texts": 1000, "tokens": tokens, "entries": tokens}
        io.write_json(path, facts, spec(plan, "fill_store", source.at))
    assert read_bytes(Sizes(plan), one) == pytest.approx(before, rel=0.1)


# --- what a run will start -----------------------------------------------------------------------


def test_what_is_made_with_other_settings_is_to_do(tiny):
    plan = tiny()
    jobs = jobs_of(plan)
    assert to_do(plan.graph, jobs) == jobs
    page = job(plan, "page", cell_at("headlines", "L1A-8x"))
    (path,) = files(plan, "page.page", page.at)
    assert page in jobs
    write(path, spec_of(plan, page))
    # Of the page alone nothing is to do; of all, it comes after tables that are to be made.
    assert to_do(plan.graph, [page]) == []
    assert page in to_do(plan.graph, jobs)
    write(path, "{}")
    assert to_do(plan.graph, [page]) == [page]


def test_of_a_finished_study_nothing_is_to_do(tiny):
    plan = tiny()
    jobs = jobs_of(plan)
    assert to_do(plan.graph, jobs) == jobs
    finish(plan, jobs)
    assert to_do(plan.graph, jobs) == []


@pytest.mark.parametrize(
    ("lost", "stages"),
    [
        ("headlines/cells/L1A-8x/features.html", ["page"]),
        ("headlines/cells/L1A-8x/logit_effects.parquet", ["logit_effects", "page"]),
        ("headlines/cells/L1A-8x/top_tokens.parquet", ["top_tokens", "logit_effects", "page"]),
        ("headlines/cells/L1A-8x/combinations.parquet", ["concepts", "concept_map", "page"]),
        ("summary.parquet", []),
        ("figures/layer_curves.svg", []),
        ("index.html", []),
    ],
)
def test_what_follows_on_a_lost_file_is_to_do(tiny, lost, stages):
    """The stages of one cell, and the sums of all."""
    plan = tiny()
    jobs = jobs_of(plan)
    finish(plan, jobs)
    Path(f"results/tiny/{lost}").unlink()
    sums = ["index"] if lost == "index.html" else ["summary", "plot", "index"]
    sums = ["plot", "index"] if "figures" in lost else sums
    sums = ["summary", "plot", "map", "index"] if "concepts" in stages else sums
    sums = [] if stages == ["page"] else sums
    again = to_do(plan.graph, jobs)
    assert [one.stage.name for one in again] == stages + sums
    assert {one.at.cell for one in again if one.at.cell} <= {"L1A-8x"}


def test_jobs_behind_inputs_whose_dates_count_for_nothing_are_not_to_do(tiny):
    """Another cell's files record their specs: a new capture leaves it alone."""
    plan = tiny()
    jobs = jobs_of(plan)
    finish(plan, jobs)
    (path,) = files(plan, "capture.activations", At("headlines", site="L1R"))
    Path(path).unlink()
    again = [(one.stage.name, one.at.cell) for one in to_do(plan.graph, jobs)]
    assert again == [("capture", "")]


def test_no_heavy_package_is_imported():
    code = (
        "import sys; import saegrid.stages.estimate, saegrid.stages.targets, saegrid.stages.plan\n"
        "import saegrid.stages; saegrid.stages.load()\n"
        "heavy = {'torch', 'transformers', 'pandas', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
