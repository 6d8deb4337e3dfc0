"""A small finished study for searches: the toy model, two cells of drawn SAEs, one corpus."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.codes.encode import encode
from saegrid.codes.sparse import write_features
from saegrid.features.density import density
from saegrid.features.examples import top_tokens
from saegrid.models.forward import capture
from saegrid.models.load import load
from saegrid.models.tiles import rows_of
from saegrid.saes.export import export
from saegrid.saes.reference import open_sae
from saegrid.text import tokenizer
from saegrid.text.tokens import tokens
from subjects import random_sae

MODEL = Path(__file__).parents[1] / "resources/toy/model"
CELLS = {"L1R-a": 6, "L2A-b": None}
"""Cells, and k of their SAEs; None: a threshold."""
D, M = 64, 96
TEXTS = [
    f"The {animal} {verb} a {thing}"
    for animal in ("dog", "cat", "pigeon", "clown")
    for verb in ("eats", "sees", "wants", "sells")
    for thing in ("tariff", "pizza", "judge", "deal", "monster")
]


def items(texts):
    """The items table of plain texts."""
    n = len(texts)
    columns = {
        "item": pa.array(range(n), pa.int32()),
        "id": [str(i) for i in range(n)],
        "original": pa.nulls(n, pa.string()),
        "edited": texts,
        "edit": pa.nulls(n, pa.string()),
        "group": pa.array(range(n), pa.int32()),
        "split": ["all"] * n,
    }
    return pa.table(columns)


def write_study(results, texts=TEXTS):
    """Write the study `small` into a folder of results; its folder."""
    study, corpus = results / "small", results / "small" / "plain"
    kept = np.ones(len(texts), bool)
    model = {"path": str(MODEL), "dtype": "float32", "bos": "auto", "device": "cpu"}
    config = {"model": model, "corpora": {"plain": {"role": "main", "special_tokens": "plain"}}}
    io.write_text(study / "config.json", json.dumps(config))
    table = tokens(items(texts), None, tokenizer.load(MODEL), "headline", "difference").tokens
    io.write_table(corpus / "items.parquet", items(texts))
    io.write_table(
        corpus / "selection.parquet", pa.table({"item": range(len(texts)), "kept": kept})
    )
    io.write_table(corpus / "tokens.parquet", table)
    captured = np.flatnonzero(~table["special"].to_numpy())
    sites = {cell: Site.parse(cell.partition("-")[0]) for cell in CELLS}
    x = capture(load(model), rows_of(table), captured, set(sites.values()))
    for seed, (cell, k) in enumerate(CELLS.items()):
        sae = random_sae(D, M, k, seed)
        own = x[sites[cell]].numpy()
        export(replace(sae, site=sites[cell]), study / "saes" / cell)
        with open_sae(study / "saes" / cell) as opened:
            codes = encode(own, captured, opened.encoder)
        folder = corpus / "cells" / cell
        write_features(folder / "features.safetensors", codes)
        features = density(codes, table, kept)
        io.write_table(folder / "features.parquet", features)
        io.write_table(folder / "top_tokens.parquet", top_tokens(codes, features, table, kept))
    return study
