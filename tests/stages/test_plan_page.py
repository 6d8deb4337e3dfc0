"""The settings of a page of features: the origin of what is on it, and labels that people gave."""

import json

import pyarrow as pa
import pytest

from asking import ROOT, cell_at, plan_of, spec
from saegrid.base.errors import ConfigError
from saegrid.meaning.names.kept import labelled, path_of, read_state, state_of, write_kept
from saegrid.stages.page import origin
from studies import tiny

CELL = "L1R-8x"
REPO = {"source": "checkpoint", "format": "llama_scope", "repo": "a/b-L{layer}{position}",
        "revision": "0" * 40}  # fmt: skip


def plan(**more):
    return plan_of(tiny(grid=[{"layers": [1], "positions": ["r"], "saes": ["8x"]}], **more))


def of_page(**more):
    return json.loads(spec(plan(**more), "page", cell_at("headlines", CELL)))


def test_the_origin_of_a_trained_sae_and_of_the_model():
    own = origin(plan(), CELL)
    assert own["SAE from"] == "trained here: topk, seed 0, order seed 0"
    assert own["model from"] == f"content {plan().model.identity[:12]}"
    assert own["seed of the examples"] == "0"
    other = origin(plan(overrides={CELL: {"top_tokens": {"seed": 7}}}), CELL)
    assert other["seed of the examples"] == "7"
    assert of_page()["more"] == own


def test_the_commit_of_a_checkpoint_on_the_hub():
    own = origin(plan(saes={"8x": REPO}), CELL)
    assert own["SAE from"] == f"a/b-L1R, commit {'0' * 40}"


def test_labels_change_the_spec_of_the_page_and_of_the_map(tmp_path, monkeypatch):
    (tmp_path / "resources").symlink_to(ROOT / "resources")
    monkeypatch.chdir(tmp_path)
    corpus = tmp_path / "results/tiny/headlines"
    before = of_page()
    assert "labels" not in before
    write_kept("tiny", corpus, CELL, {3: "hair"}, {})
    path, digest = of_page()["labels"]
    assert path == f"results/tiny/headlines/labels/{CELL}.json"
    write_kept("tiny", corpus, CELL, {3: "hair"}, {3: ["wigs"]})
    assert of_page()["labels"] == [path, digest], "what was not taken is not shown"
    write_kept("tiny", corpus, CELL, {3: "wigs"}, {})
    assert of_page()["labels"][1] != digest and read_state([path, digest]) == {3: "wigs"}
    of_map = json.loads(spec(plan(), "map", cell_at("", "")))
    assert of_map["labels"] == {CELL: of_page()["labels"]}


@pytest.mark.parametrize("content", [
    "{", "[]", '{"labels": null}', '{"labels": ["a"]}', '{"labels": {"x": "y"}}',
    '{"labels": {"3": null}}', '{"labels": {"3": {"a": 1}}}', '{"labels": {"-3": "a"}}',
    '{"labels": {"99999999999": "a"}}', '{"labels": {"3": "\\ud800"}}',
    '{"labels": {"3": "a"}, "conflicts": {"3": 5}}',
])  # fmt: skip
def test_a_file_that_holds_no_labels_is_one_sentence(tmp_path, content):
    path = path_of(tmp_path, CELL)
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"expected labels as `saegrid labels import`"):
        state_of(tmp_path, CELL)


def test_a_label_stands_before_a_name(tmp_path):
    names = pa.table({"feature": [3, 4], "name": ["a name", "another"]})
    write_kept("tiny", tmp_path, CELL, {3: "hair", 9: "food"}, {})
    write_kept("tiny", tmp_path, "L2R-8x", {1: "dogs"}, {})
    states = {cell: state_of(tmp_path, cell) for cell in (CELL, "L2R-8x")}
    tables = labelled({CELL: names, "L3R-8x": names}, states)
    by_cell = {c: {r["feature"]: r["name"] for r in t.to_pylist()} for c, t in tables.items()}
    assert by_cell == {
        CELL: {3: "hair", 4: "another", 9: "food"},
        "L2R-8x": {1: "dogs"},
        "L3R-8x": {3: "a name", 4: "another"},
    }
    assert labelled({}, {}) == {}
