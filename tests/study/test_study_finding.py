"""One search over words, concepts, names and labels; ranks as on the pages."""

import numpy as np
import pyarrow as pa
import pytest

import saegrid
from saegrid.base import io
from saegrid.interventions.search import SearchError
from saegrid.study import NotThere
from saegrid.study.kept import write_kept
from searching import write_study

CONCEPT = {"kind": "meaning", "label": "Food, meals", "concept": "food", "share": 0.75,
           "p_maxt": 0.01}  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = write_study(tmp_path_factory.mktemp("results"))
    cells = folder / "plain/cells"
    rows = [
        {"feature": 3, **CONCEPT},
        {"feature": 4, **CONCEPT, "kind": "none", "label": None},  # food, but not by chance allowed
        {"feature": 5, **CONCEPT, "label": "Seafood", "concept": "seafood"},
    ]
    io.write_table(cells / "L1R-a/concepts.parquet", pa.Table.from_pylist(rows))
    names = {"feature": [7, 8, 9], "name": ["pizza and other food", "foods", None],
             "detection": [0.9, 0.8, np.nan]}  # fmt: skip
    io.write_table(cells / "L2A-b/names.parquet", pa.table(names))
    write_kept("small", folder / "plain", "L2A-b", {11: "FOOD?"}, {})
    return saegrid.open(folder)


def test_concepts_names_and_labels_of_all_cells_in_one_table(study):
    table = study.find("food")
    shown = table[["rank", "kind", "cell", "feature", "hit"]].to_numpy().tolist()
    assert shown == [
        [1, "name", "L2A-b", 7, "pizza and other food"],
        [2, "concept", "L1R-a", 3, "Food, meals"],
        [3, "label", "L2A-b", 11, "FOOD?"],
    ], "whole words alone; a label, which has no score, is last"
    assert table["score"].tolist()[:2] == [0.9, 0.75] and np.isnan(table["score"][2])
    assert table["p"][1] == 0.01


def test_a_word_of_the_texts_too(study):
    table = study.find("pizza", top=30)
    assert {"word", "name"} <= set(table["kind"])
    words = study.find("pizza", by="word")
    assert table[table["kind"] == "word"]["score"].tolist()[:10] == words["score"].tolist()
    assert words["rank"].tolist() == list(range(1, len(words) + 1))
    assert table["score"].dropna().is_monotonic_decreasing


def test_one_kind_and_some_cells(study):
    assert study.find("food", by="concept")["feature"].tolist() == [3]
    assert study.find("food", cells=["L1R-a"])["feature"].tolist() == [3]
    assert study.find(["food", "pizza"], by="name")["query"].tolist() == [0, 1]


def test_the_best_of_each_cell(study):
    words = study.find("pizza", by="word", per_cell=True)
    every = study.find("pizza", by="word", top=999)
    first = every.drop_duplicates("cell")
    columns = ["cell", "feature", "score"]
    assert words[columns].to_numpy().tolist() == first[columns].to_numpy().tolist()
    assert set(words["cell"]) == {"L1R-a", "L2A-b"} and words["rank"].tolist() == [1, 2]
    table = study.find("food", per_cell=True)[["cell", "kind", "feature"]].to_numpy().tolist()
    assert table == [["L2A-b", "name", 7], ["L1R-a", "concept", 3]], "one of each kind of hit"
    assert len(study.find("food", per_cell=True, top=2)) == 3


def test_what_is_nowhere_is_said(study):
    with pytest.raises(
        SearchError, match=r"has the word 'zebra'.* No concept, name, label of the "
    ):
        study.find("zebra")
    with pytest.raises(SearchError, match=r"^No label of the cells has 'zebra'\.$"):
        study.find("zebra", by="label")
    with pytest.raises(SearchError, match="leave it out of a concept"):
        study.find("food", ["dog"], by="concept")


def test_a_feature_is_named_by_its_number(study):
    cell = study.cell("L1R-a")
    feature = cell.features.index[0]  # a number of numpy's
    assert cell.feature(feature).id == feature
    for wrong in ("12", 12.0, True, None):
        with pytest.raises(TypeError, match=r"named by its number, such as feature\(12\); got "):
            cell.feature(wrong)


def test_ranks_count_from_one(study):
    cell = study.cell("L1R-a")
    assert cell.features["rank"].tolist() == list(range(1, len(cell.features) + 1))
    feature = cell.feature(int(cell.features.index[0]))
    assert feature.summary["rank"] == feature.top_tokens["example_rank"][0] == 1
    assert io.read_table(cell.folder / "features.parquet")["rank"][0].as_py() == 0, "in the file"


def test_the_summary_is_made_by_a_target(study):
    with pytest.raises(NotThere, match=r"summary.parquet is not there. Make it with .* pages of"):
        _ = study.summary
