"""The python API over a small study written by hand."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import saegrid
from saegrid.base import io
from saegrid.codes.sparse import from_pairs, write_features
from saegrid.features.density import density
from saegrid.features.examples import examples, top_tokens
from saegrid.study import NotThere, open

D_SAE = 12
# Two pairs of one original: [BOS, a, X] -> X is the edit. Rows 0 and 1 edited, row 2 the original.
TEXT = ["<s>", "Trump", " eats", "<s>", "Trump", " sings", "<s>", "Trump", " speaks"]
EDIT = [2, 5]


def tokens() -> pa.Table:
    n = len(TEXT)
    side = ["edited"] * 6 + ["original"] * 3
    return pa.table(
        {
            "row": pa.array(np.arange(n) // 3, pa.int32()),
            "position": pa.array(np.arange(n) % 3, pa.int32()),
            "token_id": pa.array(range(n), pa.int32()),
            "text": TEXT,
            "side": pa.array(side).dictionary_encode(),
            "group": pa.array([0] * n, pa.int32()),
            "item": pa.array([0, 0, 0, 1, 1, 1, -1, -1, -1], pa.int32()),
            "special": [text == "<s>" for text in TEXT],
            "in_edit": [i in EDIT for i in range(n)],
        }
    )


def items() -> pa.Table:
    return pa.table(
        {
            "item": pa.array([0, 1], pa.int32()),
            "id": ["17", "23"],
            "original": ["Trump speaks"] * 2,
            "edited": ["Trump eats", "Trump sings"],
            "edit": ["eats", "sings"],
            "group": pa.array([0, 0], pa.int32()),
            "split": ["train"] * 2,
            "meanGrade": [2.0, 1.0],
        }
    )


# feature, token, activation: feature 5 on both edits, 3 on one, 7 on context only.
ACTIVE = [(5, 2, 1.5), (5, 5, 0.5), (5, 4, 9.0), (3, 5, 2.0), (7, 1, 4.0)]


def write_cell(folder, kept) -> None:
    feature, token, value = (np.array(column) for column in zip(*ACTIVE, strict=True))
    captured = np.array([1, 2, 4, 5, 8])
    features = from_pairs(feature, token, value.astype(np.float32), captured, D_SAE)
    table = density(features, tokens(), kept)
    write_features(folder / "features.safetensors", features)
    io.write_table(folder / "features.parquet", table)
    top = top_tokens(features, table, tokens(), kept)
    io.write_table(folder / "top_tokens.parquet", top)
    io.write_table(folder / "examples.parquet", examples(features, table, tokens(), kept))
    meant = {"feature": 5, "kind": "meaning", "concept": "food", "n_concept": 2}
    io.write_table(folder / "concepts.parquet", pa.Table.from_pylist([meant]))
    effects = {"feature": [5, 3], "side": ["top"] * 2, "rank": [0, 0], "token": [" pie", " la"]}
    io.write_table(folder / "logit_effects.parquet", pa.table({**effects, "effect": [1.0, 2.0]}))


def write_study(results, kept=(True, True)) -> None:
    kept = np.array(kept)
    corpus = results / "small" / "headlines"
    io.write_table(corpus / "items.parquet", items())
    selection = {"item": pa.array([0, 1], pa.int32()), "kept": kept}
    io.write_table(corpus / "selection.parquet", pa.table(selection))
    io.write_table(corpus / "tokens.parquet", tokens())
    write_cell(corpus / "cells" / "L15R-32x", kept)
    write_cell(corpus / "cells" / "L7A-8x", kept)
    io.write_table(results / "small" / "stories" / "items.parquet", items())
    io.write_json(
        results / "small" / "config.json",
        {"corpora": {"headlines": {"role": "main"}, "stories": {"role": "train"}}},
    )


@pytest.fixture
def results(tmp_path):
    write_study(tmp_path)
    return tmp_path


@pytest.fixture
def study(results):
    return open("small", results)


def said(call) -> str:
    with pytest.raises(NotThere) as error:
        call()
    return str(error.value)


def test_open_stands_in_the_package(results):
    assert saegrid.open is open
    assert repr(saegrid.open("small", results)) == "Study(small, corpus headlines, 2 cells)"
    assert saegrid.open(results / "small").name == "small"
    assert saegrid.open(str(results / "small")).name == "small"
    with pytest.raises(AttributeError, match=r"^module 'saegrid' has no attribute 'opne'$"):
        _ = saegrid.opne


def test_cells_by_layer(study):
    assert study.cells.to_dict("index") == {
        "L7A-8x": {"layer": 7, "position": "A", "sae": "8x", "n_active": 2},
        "L15R-32x": {"layer": 15, "position": "R", "sae": "32x", "n_active": 2},
    }
    assert study.cells.index.name == "cell"
    assert study.corpora == ["headlines", "stories"]


def test_features_by_rank(study):
    features = study.cell("L15R-32x").features
    assert features.index.tolist() == [5, 3]
    assert features["n_active"].tolist() == [2, 1]
    assert features["density"].tolist() == [0.5, 0.25]
    assert repr(study.cell("L15R-32x")) == "CellView(small L15R-32x, 2 active features)"


def test_one_feature(study):
    feature = study.cell("L15R-32x").feature(5)
    assert repr(feature) == "FeatureView(L15R-32x 5, density 50.000%, max 1.500)"
    assert isinstance(feature.summary, pd.Series)
    assert (feature.summary["n_active"], feature.summary["max_activation"]) == (2, 1.5)
    assert feature.top_tokens["word"].tolist() == ["eats", "sings"]
    assert feature.top_tokens["activation"].tolist() == [1.5, 0.5]
    assert set(feature.examples["group"]) >= {"random"}
    assert feature.logits["token"].tolist() == [" pie"]
    assert (feature.concept["concept"], feature.concept["n_concept"]) == ("food", 2)
    assert len(study.cell("L15R-32x").feature(3).concept) == 0, "it fires on too few words"
    assert study.cell("L15R-32x").concepts["kind"].to_dict() == {5: "meaning"}
    assert "feature" not in feature.top_tokens


def test_histogram_counts_what_density_counts(study):
    feature = study.cell("L15R-32x").feature(5)
    # The activation of 9 stands outside the edit.
    assert feature.activations.to_dict() == {2: 1.5, 5: 0.5}
    histogram = feature.histogram
    assert histogram["count"].sum() == feature.summary["n_active"]
    assert len(histogram) == 50
    assert (histogram["left"].min(), histogram["right"].max()) == (0.5, 1.5)


def test_the_tokens_that_a_feature_fires_on(study):
    tokens = study.cell("L15R-32x").feature(5).tokens
    assert tokens["count"].to_dict() == {"eats": 1, "sings": 1}
    assert tokens["share"].tolist() == [0.5, 0.5]


def test_histogram_leaves_out_what_the_filter_drops(tmp_path):
    write_study(tmp_path, kept=(False, True))
    feature = open("small", tmp_path).cell("L15R-32x").feature(5)
    assert feature.activations.to_dict() == {5: 0.5}
    assert feature.summary["n_active"] == 1


def test_only_the_rows_of_the_feature_are_read(study, monkeypatch):
    import pyarrow.parquet as pq

    asked = []
    read = pq.read_table

    def spy(path, *args, filters=None, **how):
        asked.append((path.name, filters))
        return read(path, *args, filters=filters, **how)

    cell = study.cell("L15R-32x")
    feature = cell.feature(3)
    monkeypatch.setattr(pq, "read_table", spy)
    assert len(feature.top_tokens) == 1
    assert asked == [("top_tokens.parquet", [("feature", "==", 3)])]


def test_tokens_of_an_item_and_its_original(study):
    found = study.tokens(1)
    assert found["text"].tolist() == TEXT[3:]
    assert found.index.tolist() == [3, 4, 5, 6, 7, 8]
    assert found.index.name == "token_index"
    assert study.tokens("23").equals(found)
    assert study.tokens(0)["text"].tolist() == TEXT[:3] + TEXT[6:]


def test_the_corpus(study):
    assert study.corpus["id"].tolist() == ["17", "23"]
    assert study.corpus["kept"].tolist() == [True, True]


def test_what_is_not_there(study, results):
    assert said(lambda: open("smal", results)) == (
        f"There is no study 'smal' in {results}. Did you mean 'small'? Known: small."
    )
    assert said(lambda: open("small", results, corpus="headline")) == (
        "Study small has no corpus 'headline'. Did you mean 'headlines'? Known: headlines, stories."
    )
    assert said(lambda: study.cell("L15R-23x")) == (
        "Study small has no cell 'L15R-23x' on corpus headlines. Did you mean 'L15R-32x'? "
        "Known: L7A-8x, L15R-32x."
    )
    assert said(lambda: study.tokens(2)) == "Corpus headlines has the items 0 to 1; got 2."
    assert said(lambda: study.tokens("170")) == (
        "Corpus headlines has no item of id '170'. Did you mean '17'? Known: 17, 23."
    )


def test_features_that_are_not_there(study):
    cell = study.cell("L15R-32x")
    assert said(lambda: cell.feature(12)) == "L15R-32x has the features 0 to 11; got 12."
    assert said(lambda: cell.feature(-1)) == "L15R-32x has the features 0 to 11; got -1."
    # Active on the context, but on no edit.
    assert said(lambda: cell.feature(7)) == (
        "Feature 7 of L15R-32x is not active on any counted token of headlines "
        "(2 of 12 features are). Nearest active ones: 3, 5."
    )


def test_a_feature_below_the_cut_has_no_examples(study):
    path = study.cell("L15R-32x").folder / "top_tokens.parquet"
    table = io.read_table(path)
    kept = table.filter(pa.array(table["feature"].to_numpy() == 5))
    io.write_table(path, kept)
    found = study.cell("L15R-32x").feature(3).top_tokens
    assert len(found) == 0 and "word" in found


def test_files_that_were_not_made(study):
    feature = study.cell("L15R-32x").feature(5)
    for name in ("concepts.parquet", "logit_effects.parquet", "features.safetensors"):
        (feature.cell.folder / name).unlink()
    make = "is not there. Make it with snakemake's target cells of this study."
    folder = feature.cell.folder
    assert said(lambda: feature.concept) == f"{folder / 'concepts.parquet'} {make}"
    assert said(lambda: feature.logits) == f"{folder / 'logit_effects.parquet'} {make}"
    assert said(lambda: feature.histogram) == f"{folder / 'features.safetensors'} {make}"


def test_without_config_the_only_corpus_with_cells_is_taken(results):
    (results / "small" / "config.json").unlink()
    study = open("small", results)
    assert (study.corpus_name, study.config) == ("headlines", {})
    write_cell(results / "small" / "stories" / "cells" / "L7A-8x", np.array([True, True]))
    expected = (
        f"{results / 'small'} must have one corpus of role main in config.json, or one corpus "
        "with cells; got headlines, stories. Name one: open(..., corpus=...)."
    )
    with pytest.raises(NotThere, match=f"^{re.escape(expected)}$"):
        open("small", results)
    assert open("small", results, corpus="stories").corpus_name == "stories"


def test_the_main_corpus_must_be_there(results):
    io.write_json(results / "small" / "config.json", {"corpora": {"lines": {"role": "main"}}})
    assert said(lambda: open("small", results)) == (
        "Study small has no corpus 'lines'. Did you mean 'headlines'? Known: headlines, stories."
    )
