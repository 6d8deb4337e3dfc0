"""Labels of people into the results and out of them: merged, never overwritten unasked."""

import json
import shutil

import pytest

import saegrid
from saegrid.command import main
from saegrid.meaning.names.kept import merge, read_kept
from searching import write_study

CELL = "L1R-a"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("results")).parent


@pytest.fixture
def results(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "results")


def file_of(folder, texts, name="theirs.json", **changes):
    body = {"study": "small", "corpus": "plain", "cell": CELL, "labels": texts, **changes}
    path = folder / name
    path.write_text(json.dumps(body))
    return str(path)


def labels(results, what, *words):
    return main(["labels", what, "--study", "small", "--results", str(results), *words])


def kept(results):
    return read_kept(results / "small/plain", CELL)


def test_merging_by_hand():
    ours, theirs = {1: "hair", 2: "Food", 3: "sad"}, {2: "food!", 3: "happy", 4: "dog"}
    merged = merge(ours, theirs)
    assert merged.labels == {1: "hair", 2: "Food", 3: "sad", 4: "dog"}
    assert (merged.added, merged.equal, merged.conflicts) == (1, 1, [(3, "sad", "happy")])
    assert merge(ours, theirs, "theirs").labels == {1: "hair", 2: "Food", 3: "happy", 4: "dog"}
    assert merge({}, theirs).labels == theirs and merge(ours, {}).labels == ours


def test_files_are_merged_and_conflicts_listed_with_both_texts(results, capsys):
    first = {"3": "hair", "12": "food", "20": "x"}
    assert labels(results, "import", file_of(results, first)) == 0
    assert "L1R-a, 3 added, 0 the same, 0 different" in capsys.readouterr().out
    second = {"3": "Hair!", "12": "meals", "40": "dogs"}
    assert labels(results, "import", file_of(results, second)) == 0
    out = capsys.readouterr().out
    assert "1 added, 1 the same, 1 different" in out
    assert "#12  ours: food  |  theirs: meals  (ours stays, theirs is kept beside it)" in out
    # One of two agrees. Chance: three categories, of which "hair" alone is used by both, 1/2 x 1/2.
    assert "Agreement on 2 features: 50%, by chance 25%, Cohen's kappa 0.33" in out
    assert kept(results) == ({3: "hair", 12: "food", 20: "x", 40: "dogs"}, {12: ["meals"]})
    assert saegrid.open("small", results).cell(CELL).labels[40] == "dogs"


def test_prefer_settles_conflicts(results):
    labels(results, "import", file_of(results, {"3": "a"}))
    labels(results, "import", file_of(results, {"3": "b"}))
    assert kept(results) == ({3: "a"}, {3: ["b"]})
    labels(results, "import", "--prefer", "theirs", file_of(results, {"3": "b"}))
    assert kept(results) == ({3: "b"}, {})
    labels(results, "import", "--prefer", "ours", file_of(results, {"3": "c"}))
    assert kept(results) == ({3: "b"}, {})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": "other"}, "holds labels of the study 'other'; expected small."),
        ({"corpus": "other"}, "holds labels of the corpus 'other'; expected plain."),
        ({"cell": "L9R-a"}, "holds labels of the cell 'L9R-a'; expected one of"),
        ({"labels": {"96": "x"}}, "has a label of feature 96; L1R-a has 0 to 95."),
        ({"labels": [1]}, "has no mapping `labels`"),
        ({"labels": {"3": "\ud800"}}, "the label of '3' must be a text; got '\\ud800'."),
    ],
)
def test_what_is_of_another_study_is_refused_whole(results, capsys, changes, words):
    good = file_of(results, {"3": "hair"}, "good.json")
    assert labels(results, "import", good, file_of(results, {"4": "x"}, **changes)) == 1
    said = capsys.readouterr().err
    assert words in said and said.startswith("saegrid labels: ") and said.count("\n") == 1
    assert kept(results) == ({}, {}), "nothing is written where a file is refused"


def test_there_and_back(results, tmp_path, capsys):
    assert labels(results, "export", "--out", str(tmp_path / "out")) == 1
    assert "has no labels of L1R-a, L2A-b." in capsys.readouterr().err
    labels(results, "import", file_of(results, {"3": "hair <b>", "4": "é"}))
    assert labels(results, "export", "--out", str(tmp_path / "out")) == 0
    path = tmp_path / "out" / "labels-small-L1R-a.json"
    body = json.loads(path.read_text())
    assert body == {"study": "small", "corpus": "plain", "cell": CELL,
                    "labels": {"3": "hair <b>", "4": "é"}}  # fmt: skip
    (results / "small/plain/labels/L1R-a.json").unlink()
    labels(results, "import", str(path))
    assert kept(results)[0] == {3: "hair <b>", 4: "é"}
    labels(results, "import", file_of(results, {"5": "new"}))
    assert labels(results, "export", "--out", str(tmp_path / "out")) == 1
    assert "is there and holds other labels" in capsys.readouterr().err
    assert json.loads(path.read_text()) == body
    assert labels(results, "export", "--overwrite", "--out", str(tmp_path / "out")) == 0
    assert len(json.loads(path.read_text())["labels"]) == 3
