"""Dashboards in the JSON of Neuronpedia: true numbers, its shape, read by its own reader."""

import json

import numpy as np
import pyarrow as pa
import pytest

import saegrid
from saegrid.base import io
from saegrid.codes.sparse import from_pairs
from saegrid.command import main
from saegrid.command.sharing.neuronpedia import (
    BATCH,
    Known,
    Source,
    Texts,
    aligned,
    dashboard,
    name_of,
)
from saegrid.meaning.names.kept import write_kept
from searching import write_study
from toys import tokens_table

CELL = "L1R-a"
NAMED = Source("gpt2", 1, "r-a", "small/plain")


def effects():
    rows = [
        {"feature": f, "side": side, "rank": r, "token": f" {side}{r}", "effect": sign * (9.5 - r)}
        for f in range(96)
        for side, sign in (("top", 1), ("bottom", -1))
        for r in reversed(range(10))
    ]
    return pa.Table.from_pylist(rows)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("results"))
    cell = folder / "plain/cells" / CELL
    io.write_table(cell / "logit_effects.parquet", effects())
    names = {"feature": [3, 5], "name": ["dogs", None], "namer": ["lexical"] * 2}
    io.write_table(cell / "names.parquet", pa.table(names))
    write_kept("small", folder / "plain", CELL, {3: "<b>dogs & cats"}, {})
    return folder.parent


@pytest.fixture(scope="module")
def folder(results, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    options = ["--study", "small", "--results", str(results), "--out", str(out), "--cells", CELL]
    assert main(["neuronpedia", *options]) == 0
    return out / CELL


@pytest.fixture(scope="module")
def batch(folder):
    return json.loads((folder / "batch-0.json").read_text())


# --- known answers --------------------------------------------------------------------------------


def by_hand(captured=tuple(range(1, 12)), whole=False):
    """Three rows of four tokens; a feature fires with 4 and 1 in the first, 2 in the last."""
    tokens, _ = tokens_table([[1, 5, 6, 7], [1, 8, 9, 5], [1, 6, 7, 8]])
    kept = [t for t in captured if t % 4]
    features = from_pairs(
        np.zeros(3, int), np.array([1, 3, 10]), np.array([4.0, 1.0, 2.0]), np.array(kept), 2
    )
    return Known(features, Texts.of(tokens, features.token), {}, {}, 0, whole)


def test_numbers_of_a_feature_by_hand():
    body = dashboard(by_hand(), NAMED, 0)
    assert body["frac_nonzero"] == 3 / 9, "nine captured tokens"
    assert (body["n_prompts_total"], body["n_tokens_in_prompt"]) == (3, 3)
    heights = body["freq_hist_data_bar_heights"]
    assert len(heights) == len(body["freq_hist_data_bar_values"]) == 50 and sum(heights) == 3
    assert body["freq_hist_data_bar_values"][0] == pytest.approx(1.03), "(4 - 1) / 50 / 2 from 1"
    top = [a for a in body["activations"] if a["bin_contains"] == -1]
    assert [(a["tokens"], a["values"], a["qualifying_token_index"]) for a in top] == [
        (["t5", "t6", "t7"], [4, 0, 1], 0),  # one a text: the 1 of the same row is not its own
        (["t6", "t7", "t8"], [0, 2, 0], 1),
    ]
    assert {(a["bin_min"], a["bin_max"]) for a in top} == {(-1, 4.0)}
    rest = [a for a in body["activations"] if a["bin_contains"] != -1]
    # Of 0.8 wide intervals the last holds 4, the third 2, the second 1; silent tokens are 0.
    assert [(a["bin_min"], a["bin_max"], a["bin_contains"]) for a in rest] == [
        (3.2, 4.0, 1 / 9),
        (1.6, 2.4, 1 / 9),
        (0.8, 1.6, 1 / 9),
    ]
    assert [a["values"][a["qualifying_token_index"]] for a in rest] == [4, 2, 1]


def test_what_was_not_captured_is_not_shown_as_silent():
    """Token 2, between the two that fire, was not captured."""
    known = by_hand(captured=(1, 3, 9, 10, 11))
    top = [a for a in dashboard(known, NAMED, 0)["activations"] if a["bin_contains"] == -1]
    assert [a["tokens"] for a in top] == [["t5"], ["t6", "t7", "t8"]]
    whole = by_hand(captured=(1, 3, 9, 10, 11), whole=True)
    top = [a for a in dashboard(whole, NAMED, 0)["activations"] if a["bin_contains"] == -1]
    assert top[0]["tokens"] == ["t5", "t6", "t7"] and top[0]["values"] == [4, 0, 1]


def test_a_silent_feature_is_empty():
    body = dashboard(by_hand(), NAMED, 1)
    assert body["frac_nonzero"] == 0 and body["activations"] == []
    assert body["freq_hist_data_bar_values"] == body["freq_hist_data_bar_heights"] == []


def test_channels_of_a_decoder_row_by_hand():
    row = np.array([0.5, -2.0, 1.0, 0.25, 0.25], np.float32)
    assert aligned(row) == {
        "neuron_alignment_indices": [2, 0, 3],
        "neuron_alignment_values": [1.0, 0.5, 0.25],
        "neuron_alignment_l1": [0.25, 0.125, 0.0625],
    }


def test_names_on_the_site():
    named = name_of("gpt2-small/6-res-jb", "gpt2", 7, "b-x", "d")
    assert (named.model, named.layer, named.sae_set, named.source) == (
        *("gpt2-small", 6, "res-jb"),
        "6-res-jb",
    )
    other = name_of(None, "openai-community/gpt2", 7, "b-x", "d")
    assert (other.model, other.source, other.is_there) == ("gpt2", "7-b-x", False)
    assert named.is_there


# --- of a cell ------------------------------------------------------------------------------------


def test_a_cell_has_all_its_features_with_the_numbers_of_its_pages(results, batch):
    cell = saegrid.open("small", results).cell(CELL)
    features = {one["feature_index"]: one for one in batch["features"]}
    assert list(features) == sorted(cell.features.index) and len(features) <= BATCH
    assert (batch["model_id"], batch["layer"], batch["sae_set"]) == ("model", 1, "r-a")
    z, tokens = cell.z("csc"), cell.tokens["text"].tolist()
    for feature in list(features)[:6]:
        body, own = features[feature], cell.feature(feature)
        assert body["frac_nonzero"] == own.summary["n_active"] / z.shape[0]
        assert body["freq_hist_data_bar_heights"] == own.histogram["count"].tolist()
        assert body["pos_str"][0] == " top0" and body["neg_values"][0] == -9.5
        best = body["activations"][0]
        place = best["qualifying_token_index"]
        largest = z[:, feature].argmax()
        assert best["tokens"][place] == tokens[largest]
        assert np.float32(best["values"][place]) == z[largest, feature]
        assert "".join(best["tokens"]).strip() == cell.study.corpus["edited"].iloc[largest_item(
            cell, largest)]  # fmt: skip
        row = cell.sae.decoder(feature)[0]
        assert body["neuron_alignment_indices"] == np.argsort(-row, kind="stable")[:3].tolist()


def largest_item(cell, row):
    return int(cell.tokens["item"].iloc[row])


def test_explanations_go_along(folder):
    lines = [json.loads(line) for line in (folder / "explanations.jsonl").read_text().splitlines()]
    assert [(one["index"], one["layer"], one["description"]) for one in lines] == [
        ("3", "1-r-a", "dogs"),
        ("3", "1-r-a", "<b>dogs & cats"),
    ]
    about = json.loads((folder / "about.json").read_text())
    assert about["link"] is None, "nobody says that the site has it"
    assert "correlated_neurons" in about["fields"] and about["files"] == ["batch-0.json"]


def test_the_same_bytes_again(results, folder, tmp_path):
    options = ["--study", "small", "--results", str(results), "--out", str(tmp_path)]
    assert main(["neuronpedia", *options]) == 0
    for name in ("batch-0.json", "explanations.jsonl"):
        assert (tmp_path / CELL / name).read_bytes() == (folder / name).read_bytes()


def test_a_cell_that_is_not_there_writes_nothing(results, tmp_path, capsys):
    options = ["--study", "small", "--results", str(results), "--out", str(tmp_path / "out")]
    assert main(["neuronpedia", *options, "--cells", CELL, "L9R-a"]) == 1
    assert "has no cell 'L9R-a'" in capsys.readouterr().err and not (tmp_path / "out").exists()


def kinds(value):
    """The kinds of a JSON value: of a list those of its entries; 0 and 0.0 are both numbers."""
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


def test_the_shape_is_that_of_the_sample(batch, shared_data):
    """Field by field: names, kinds, lengths of what belongs together."""
    sample = json.loads((shared_data / "neuronpedia-json-gpt2/batch-0.json").read_text())
    assert batch.keys() == sample.keys()
    theirs, ours = sample["features"][0], batch["features"][0]
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        if ours[name] != []:
            assert kinds(ours[name]) == kinds(value), name
            if isinstance(value, list) and name != "activations":
                assert len(ours[name]) == len(value), name
    empty = {name for name, value in ours.items() if value == []} - {"decoder_weights_dist"}
    assert {name.rpartition("_")[0] for name in empty} == {
        "correlated_neurons", "correlated_features", "logits_hist_data_bar"}  # fmt: skip
    for one in ours["activations"]:
        assert one.keys() == theirs["activations"][0].keys()
        assert len(one["tokens"]) == len(one["values"])
        assert 0 <= one["qualifying_token_index"] < len(one["tokens"])
    bins = [(a["bin_min"], a["bin_max"]) for a in ours["activations"] if a["bin_contains"] != -1]
    assert bins == sorted(bins, reverse=True), "intervals from above, as there"
    top = [a for a in theirs["activations"] if a["bin_contains"] == -1]
    assert len(top) == 30 and {a["bin_min"] for a in top} == {-1}


def test_the_code_of_the_upload_reads_it(folder, batch):
    reader = pytest.importorskip(
        "sae_dashboard.neuronpedia.neuronpedia_dashboard", reason="sae-dashboard is not installed"
    )
    read = reader.NeuronpediaDashboardBatch(**batch)
    assert len(read.features) == len(batch["features"])
    assert (
        read.features[0].activations[0].tokens == batch["features"][0]["activations"][0]["tokens"]
    )
    again = read.to_dict()
    for one, mine in zip(again["features"], batch["features"], strict=True):
        assert {name: one[name] for name in mine} == mine


def test_the_clients_types_take_it(folder, batch):
    """The client of the site: an activation and an explanation in its own types."""
    activation = pytest.importorskip(
        "neuronpedia.np_activation", reason="the client neuronpedia is not installed"
    )
    explained = pytest.importorskip("neuronpedia.np_explanation")
    for one in batch["features"][0]["activations"]:
        share = one["bin_contains"] if one["bin_contains"] >= 0 else None
        activation.Activation(
            "m", "s", 0, one["tokens"], one["values"], one["bin_max"], one["bin_min"], share
        )
    line = json.loads((folder / "explanations.jsonl").read_text().splitlines()[0])
    assert explained.Explanation.from_np_db_json(line).text == "dogs"
