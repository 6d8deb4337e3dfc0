"""The commands of docs/own.md run to their pages, on tiny checkpoints under the names they have."""

import csv
import json
import re
import shlex
import shutil

import pytest
import yaml
from pipeline import ROOT, checkout, run

import foreign
import toys
from checkpoints import D_MODEL, llama_scope
from saegrid.base import io
from saegrid.base.words import Site
from saegrid.command import main
from saegrid.saes.formats.sae_lens import config, write_sae_lens

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "docs/own.md").read_text(), re.DOTALL)
PAGES = {"gpt2": "my", "gemma2": "gemma", "gpt_neox": "reviews", "llama": "headlines"}
"""Name of the study by the family of its model, in the order of the document."""
VOCAB, D = 2100, foreign.D
SENTENCES = [f"Senate praise {one} before {other} vote" for one in ("cat", "dog", "deal", "tariff",
             "sushi") for other in ("Paris", "school", "budget", "soup")]  # fmt: skip


def model(folder, kind, **sizes):
    """A tiny model of a kind with the tokenizer of the toy world."""
    toys.save(toys.toy(kind, vocab=VOCAB, **sizes), folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "resources/toy/model" / name, folder)


def write_table(path, columns, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def gpt2(work):
    model(work / "gpt2", "gpt2", layers=12, d=D, heads=2)
    for block in (6, 8):
        folder = work / f"jbloom/GPT2-Small-SAEs-Reformatted/blocks.{block}.hook_resid_pre"
        folder.mkdir(parents=True)
        facts = config("standard", Site(block - 1, "R"), D, foreign.F)
        facts["metadata"] = {"hook_name": f"blocks.{block}.hook_resid_pre"}
        tensors = foreign.tensors(block)
        del tensors["threshold"]
        write_sae_lens(folder, facts, tensors)
    write_table(work / "my.csv", ["text"], [[text] for text in SENTENCES * 2])


def gemma2(work):
    model(work / "google/gemma-2-2b", "gemma2", layers=13, d=D, heads=2)
    for name in ("layer_12/width_16k/average_l0_71", "layer_12/width_16k/average_l0_23"):
        foreign.gemma_scope(work / "google/gemma-scope-2b-pt-res" / name)
    foreign.gemma_scope(work / "google/gemma-scope-2b-pt-res/layer_5/width_65k/average_l0_9")
    text = "\ufeffid;Text\n" + "".join(f"{i};{text}\n" for i, text in enumerate(SENTENCES * 2))
    (work / "my.csv").write_text(text, encoding="utf-8")


def gpt_neox(work):
    model(work / "models/pythia-160m", "gpt_neox", layers=4, d=D, heads=2)
    for name in ("layers.2", "layers.2.mlp"):
        foreign.sparsify(work / "EleutherAI/sae-pythia-160m-32k" / name)
    rows = [
        {"title": "a", "body": f"{text} {word}", "kind": word}
        for text in SENTENCES * 2
        for word in ("cat", "deal")
    ]
    (work / "reviews.jsonl").write_text("\n".join(map(json.dumps, rows)))


def llama(work):
    model(work / "meta-llama/Llama-3.1-8B", "llama", layers=16, d=D_MODEL, heads=2)
    name = "Llama3_1-8B-Base-L15R-8x"
    folder = work / "fnlp/Llama3_1-8B-Base-LXR-8x" / name
    llama_scope(folder, jump_relu_threshold=0.2)
    with (ROOT / "resources/toy/headlines.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    write_table(work / "headlines.csv", head[:-1], [row[:-1] for row in rows[:60]])


def test_every_command_of_the_document_is_run():
    assert len(BLOCKS) == len(PAGES)


@pytest.mark.parametrize("family", PAGES)
def test_it_runs_to_its_pages(family, tmp_path, monkeypatch, capsys):
    work = checkout(tmp_path / "saegrid")
    globals()[family](work)
    monkeypatch.chdir(work)
    new, run_it = BLOCKS[list(PAGES).index(family)].strip().splitlines()
    assert main(shlex.split(new)[1:]) == 0, capsys.readouterr().err
    said = capsys.readouterr().out
    assert f"model_type {family}" in said or f": {family}" in said
    assert run_it in said, "the command that it prints is that of the document"
    study, arguments = PAGES[family], shlex.split(run_it)[1:]
    run(work, study=tuple(arguments))
    results = work / "results" / study
    settings = yaml.safe_load((work / arguments[1]).read_text())
    (block,) = settings["grid"]
    cell = f"L{block['layers'][0]}{block['positions'][0].upper()}-{block['saes'][0]}"
    page = results / "texts/cells" / cell / "features.html"
    assert (results / "index.html").is_file() and page.is_file()
    assert io.read_table(page.with_name("features.parquet")).num_rows > 0
    assert (results / "findings.html").is_file() == ("analyses" in settings)
