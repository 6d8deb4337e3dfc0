"""Small studies of every kind, as configs; paths hold in a folder beside the repository's parts."""

from pathlib import Path

import numpy as np

from asking import config
from checkpoints import llama_scope

TEXTS = {"kind": "text", "files": {"all": "texts.txt"}}


def tiny(**sections):
    """Two cells that are trained on a corpus of a grammar."""
    return config() | sections


def judged():
    """The tiny study with all that can be asked for."""
    return tiny(metrics={"all": True})


def sharded():
    """The tiny study, its corpora cut in three and in two."""
    study = tiny()
    study["corpora"]["headlines"]["shards"] = 3
    study["corpora"]["generated"]["shards"] = 2
    return study


def compared():
    """The tiny study with a holdout corpus of other headlines, cut in two, and plain reference
    text."""
    Path("texts.txt").write_text("The dog runs.\nA cat sleeps.\n")
    study = tiny()
    corpora = study["corpora"]
    corpora["unseen"] = corpora["headlines"] | {"role": "holdout", "shards": 2, "filter": None}
    corpora["plain"] = {"role": "reference", "source": TEXTS}
    return study


def streamed(**store):
    """The tiny study whose SAEs learn from a stream."""
    Path("texts.txt").write_text("The dog runs.\nA cat sleeps.\n")
    study = tiny()
    study["corpora"]["generated"] = {"role": "train", "source": TEXTS, "store": store}
    return study


def beside():
    """The same, its store filled by the trainings."""
    return streamed(beside=True)


def together():
    """Two SAEs of a site that are trained together, and one that is not."""
    study = tiny()
    base = study["saes"]["8x"]
    study["saes"] = {
        "8x": base | {"together": "a"},
        "4x": base | {"expansion": 4, "together": "a"},
        "2x": base | {"expansion": 2},
    }
    study["grid"] = [{"layers": [1], "positions": ["a"], "saes": ["8x", "4x", "2x"]}]
    return study


def swept():
    """Every recipe of a sweep, and one cell with settings of its own."""
    study = tiny()
    base = study["saes"]["8x"] | {"settings": {"steps": 40}}
    recipes = ["topk", "batchtopk", "jumprelu", "relu_l1"]
    study["sweeps"] = {"s": {"base": base, "over": {"recipe": recipes, "seed": [0, 1]}}}
    study["grid"] = [{"layers": [1, 2], "positions": ["r"], "saes": ["s"]}]
    study["overrides"] = {"L1R-s.recipe_topk.seed_0": {"train": {"settings": {"k": 4}}}}
    return study


def tensors():
    """Weights of an SAE of 128 features."""
    rng = np.random.default_rng(0)
    shapes = {"encoder.weight": (128, 64), "encoder.bias": 128}
    shapes |= {"decoder.weight": (64, 128), "decoder.bias": 64}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def checkpoint(**verify):
    """Two cells whose SAEs are checkpoints on disk."""
    for position, suffix in (("A", "attn_out"), ("R", "resid_post")):
        hook = f"blocks.1.hook_{suffix}"
        points = {"hook_point_in": hook, "hook_point_out": hook}
        llama_scope(Path(f"sae/L1{position}"), tensors=tensors(), d_model=64, d_sae=128, **points)
    sae = {"source": "checkpoint", "format": "llama_scope", "path": "sae/L{layer}{position}"}
    return tiny(saes={"8x": sae}, verify=verify)


def hub():
    """The same, on the hub."""
    sae = {"source": "checkpoint", "format": "llama_scope", "repo": "r/s", "folder": "L{layer}R"}
    return tiny(saes={"8x": sae | {"revision": "0" * 40}})


def tested():
    """The tiny study with contrasts and classifiers of its texts."""
    return tiny(analyses={"tests": {"permutations": 50}, "probes": {}})


def displayed():
    """The tiny study of published pages alone: two cells without weights."""
    Path("pages.jsonl").write_text("{}\n")
    files = ["pages.jsonl"]
    sae = {"source": "dashboards", "files": files}
    return tiny(saes={"8x": sae}, analyses={"published": {"files": files}})


def continued():
    """The tiny study with prompts that the model continues, and a report on what it writes."""
    Path("prompts.csv").write_text("id,prompt\n1,The dog runs\n2,A cat\n")
    source = {"kind": "continued", "of": "csv", "files": {"all": "prompts.csv"}, "new_tokens": 8}
    study = tiny(analyses={"hooks": {}})
    columns = {"id": "id", "text": "prompt"}
    study["corpora"]["headlines"] = {"role": "main", "source": source | {"columns": columns}}
    return study


STUDIES = {
    one.__name__: one
    for one in (
        tiny,
        judged,
        sharded,
        compared,
        streamed,
        beside,
        together,
        swept,
        checkpoint,
        hub,
        tested,
    )
}
TARGETS = ("all", "metrics", "layers", "corpus", "activations", "saes", "cells", "pages", "figures")
