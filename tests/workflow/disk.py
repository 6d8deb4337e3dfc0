"""A study whose model, SAEs and texts are files of the user's, and ways in which these change."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from pipeline import checkout
from safetensors.torch import load_file, save_file

from checkpoints import llama_scope

STUDY = ("--configfile", "config/disk.yaml")
MODEL, TEXTS = Path("mine/model"), Path("mine/headlines.csv")
D_MODEL, D_SAE = 64, 128
HOOKS = {"A": "attn_out", "R": "resid_post"}


def sae(seed: int) -> dict[str, np.ndarray]:
    """Tensors of an SAE."""
    rng = np.random.default_rng(seed)
    return {
        "encoder.weight": rng.normal(size=(D_SAE, D_MODEL)) / 8,
        "encoder.bias": rng.normal(size=D_SAE) / 10,
        "decoder.weight": rng.normal(size=(D_MODEL, D_SAE)) / 8,
        "decoder.bias": rng.normal(size=D_MODEL) / 10,
    }


def write_sae(folder: Path, position: str, seed: int) -> Path:
    """A checkpoint of a site of layer 1."""
    hook = f"blocks.1.hook_{HOOKS[position]}"
    facts = {"hook_point_in": hook, "hook_point_out": hook, "jump_relu_threshold": 0.5}
    sizes = {"d_model": D_MODEL, "d_sae": D_SAE}
    return llama_scope(folder, tensors=sae(seed), **facts, **sizes)


def disk(folder: Path) -> Path:
    """A checkout with such a study."""
    checkout(folder)
    toy = folder / "resources/toy"
    (folder / MODEL).mkdir(parents=True)
    for path in (toy / "model").iterdir():
        if path.suffix == ".safetensors":
            _in_two_shards(load_file(path), folder / MODEL)
        else:
            (folder / MODEL / path.name).write_bytes(path.read_bytes())
    (folder / TEXTS).write_bytes((toy / "headlines.csv").read_bytes())
    for seed, position in enumerate(HOOKS):
        write_sae(folder / f"mine/sae/L1{position}", position, seed)
    study = yaml.safe_load((folder / "config/tiny.yaml").read_text())
    study |= {"study": "disk", "model": {"path": str(MODEL)}}
    study["corpora"]["headlines"]["source"]["files"] = {"all": str(TEXTS)}
    del study["corpora"]["generated"]
    checkpoint = {"source": "checkpoint", "format": "llama_scope"}
    study["saes"] = {"8x": checkpoint | {"path": "mine/sae/L{layer}{position}"}}
    (folder / STUDY[-1]).write_text(yaml.safe_dump(study))
    return folder


def _in_two_shards(tensors: dict[str, torch.Tensor], folder: Path) -> None:
    names = sorted(tensors)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    where = {}
    for number, half in enumerate(halves, 1):
        file = f"model-{number:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in half}, folder / file, {"format": "pt"})
        where |= dict.fromkeys(half, file)
    index = {"metadata": {}, "weight_map": where}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def reverse_rows(work: Path) -> None:
    """The rows of an encoder in reverse, in the same file of the same size."""
    path = work / "mine/sae/L1R/checkpoints/final.safetensors"
    raw = bytearray(path.read_bytes())
    length = int.from_bytes(raw[:8], "little")
    where = json.loads(raw[8 : 8 + length])["encoder.weight"]
    start, stop = (8 + length + offset for offset in where["data_offsets"])
    rows = np.frombuffer(bytes(raw[start:stop]), np.uint16).reshape(where["shape"])
    raw[start:stop] = rows[::-1].tobytes()
    with path.open("r+b") as file:
        file.write(raw)


def copy_over(work: Path) -> None:
    """Another checkpoint in the place of one, with its older date."""
    path = work / "mine/sae/L1A/checkpoints/final.safetensors"
    size = path.stat().st_size
    write_sae(work / "mine/sae/L1A", "A", seed=7)
    assert path.stat().st_size == size
    os.utime(path, (10**9, 10**9))


def edit_threshold(work: Path) -> None:
    """A number of a checkpoint's facts."""
    path = work / "mine/sae/L1R/hyperparams.json"
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"jump_relu_threshold": 0.75}))


def flip_byte(work: Path) -> None:
    """One byte in the middle of a shard of the model."""
    path = work / MODEL / "model-00001-of-00002.safetensors"
    middle = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(middle)
        byte = file.read(1)[0]
        file.seek(middle)
        file.write(bytes([byte ^ 1]))


def edit_text(work: Path) -> None:
    """A word of one headline."""
    path = work / TEXTS
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    column = rows[0].index("edit")
    rows[5][column] = "elephant"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


TAIL = {"summary": 1, "plot": 1, "index": 1, "concept_map": 1, "map": 1}
OF_A_CELL = ("encode", "density", "concepts", "top_tokens", "logit_effects", "page")
ONE_SAE = {"import_sae": 1, **dict.fromkeys(OF_A_CELL, 1), **TAIL}
BOTH_CELLS = {"capture": 1, **dict.fromkeys(OF_A_CELL, 2), **TAIL}

CHANGES: dict[str, tuple[Callable[[Path], None], dict[str, int]]] = {
    "encoder rows are reversed": (reverse_rows, ONE_SAE),
    "an older checkpoint is copied over": (copy_over, ONE_SAE),
    "a threshold is edited": (edit_threshold, ONE_SAE),
    "a byte of the model": (flip_byte, BOTH_CELLS),
    "a headline is edited": (
        edit_text,
        {"items": 1, "selection": 1, "tokens": 1, "vocabulary": 1, **BOTH_CELLS},
    ),
}
"""Each with the jobs, by rule, that depend on what it changes."""
