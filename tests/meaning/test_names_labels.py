"""Labels of people: files of the pages, agreement of two of them, and files that are refused."""

import json

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from saegrid.base.errors import ConfigError
from saegrid.meaning.names import labels
from saegrid.meaning.names.labels import File, agreement, agreements, normalised, read, table

LABELS = {"3": "hair", "12": " Food! ", "700": "<b>x</b>", "9": "  "}


def written(tmp_path, name="a.json", **changes):
    body = {"study": "s", "corpus": "c", "cell": "L1R-8x", "labels": LABELS} | changes
    path = tmp_path / name
    path.write_text(json.dumps(body))
    return str(path)


def load(path, written_as="a.json"):
    return read(path, written_as, "s", ["c"], ["L1R-8x", "L2R-8x"])


def test_an_export_of_a_page_is_read_as_it_was_typed(tmp_path):
    file = load(written(tmp_path))
    assert file == File("a.json", "L1R-8x", {3: "hair", 12: "Food!", 700: "<b>x</b>"})
    rows = table([file, File("b.json", "L1R-8x", {3: "wig"})]).to_pylist()
    assert [(r["feature"], r["labeller"], r["label"]) for r in rows] == [
        *((3, "a.json", "hair"), (3, "b.json", "wig")),
        *((12, "a.json", "Food!"), (700, "a.json", "<b>x</b>")),
    ]
    shown = labels.rows_of_features(table([file]))
    assert shown[700] == [{"label": "<b>x</b>", "by": "a"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"study": "other"}, "holds labels of the study 'other'; expected s. Leave the file out"),
        ({"corpus": "d"}, "holds labels of the corpus 'd'; expected c."),
        ({"cell": "L9R-8x"}, "of the cell 'L9R-8x'; expected one of L1R-8x, L2R-8x."),
        ({"cell": None}, "of the cell None; expected one of"),
        ({"labels": ["x"]}, "has no mapping `labels`; expected a file that a page"),
        ({"labels": {"3": 4}}, "the label of '3' must be a text; got 4."),
        ({"labels": {"x": "a"}}, "labels stand by the number of a feature; got 'x'."),
        ({"labels": {"-1": "a"}}, "labels stand by the number of a feature; got '-1'."),
    ],
)
def test_a_file_of_something_else_is_one_sentence(tmp_path, changes, words):
    with pytest.raises(ConfigError) as error:
        load(written(tmp_path, **changes))
    assert str(error.value).startswith("analyses.names.labels: a.json")
    assert words in str(error.value)


@pytest.mark.parametrize("content", ["{", "", "\x00\xff", "[1]", '"x"', "[" * 100_000])
def test_a_file_that_is_no_export_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"a\.json (is no JSON|has no mapping)"):
        load(str(path))
    with pytest.raises(ConfigError, match=r"the file b\.json is not there"):
        load(str(tmp_path / "b.json"), "b.json")


def test_a_feature_that_there_is_not_is_one_sentence(tmp_path):
    file = load(written(tmp_path))
    labels.check_features([file], 701)
    with pytest.raises(
        ConfigError, match=r"a\.json has a label of feature 700; L1R-8x has 0 to 699"
    ):
        labels.check_features([file], 700)


@pytest.mark.parametrize("vocabulary", [["yes", "no"], ["meaning", "form", "none"], None])
def test_kappa_is_that_of_sklearn(vocabulary):
    rng = np.random.default_rng(len(vocabulary or ()))
    known = vocabulary or [f"label {i}" for i in range(30)]
    one = rng.choice(known, 80).tolist()
    other = [a if rng.random() < 0.6 else str(rng.choice(known)) for a in one]
    result = agreement(one, [text.upper() + "." for text in other])
    assert result.kappa == pytest.approx(cohen_kappa_score(one, other))
    assert result.agree == pytest.approx(np.mean(np.array(one) == np.array(other)))
    assert result.kappa_low < result.kappa < result.kappa_high


def test_kappa_by_hand():
    """3 of 4 equal; shares 3/4, 1/4 and 1/2, 1/2: chance 1/2, kappa 1/2."""
    result = agreement(["y", "y", "y", "n"], ["y", "y", "n", "n"])
    assert (result.n, result.agree, result.chance, result.kappa) == (4, 0.75, 0.5, 0.5)
    assert agreement([], []) == labels.Agreement(0)
    same = agreement(["y"] * 5, ["Y"] * 5)
    assert same.agree == same.chance == 1 and same.kappa is None
    perfect = agreement(["a", "b", "c", "d"], ["a", "b", "c", "d"])
    assert perfect.kappa == perfect.kappa_high == 1 and 0 < perfect.kappa_low < 1


@pytest.mark.parametrize("agree", [0.6, 0.9])
def test_the_interval_of_kappa_holds_what_it_says(agree):
    """Two labellers of yes and no with even shares: chance is 1/2 and kappa 2 agree - 1."""
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(1000):
        one = rng.random(40) < 0.5
        other = np.where(rng.random(40) < agree, one, ~one)
        result = agreement(one.astype(str).tolist(), other.astype(str).tolist())
        hits.append(result.kappa_low <= 2 * agree - 1 <= result.kappa_high)
    assert np.mean(hits) > 0.94


def test_two_files_are_compared_on_what_both_labelled():
    one = File("a.json", "c", {1: "Hair", 2: "food", 3: "none", 9: "x"})
    other = File("b.json", "c", {1: "hair.", 2: "drink", 3: "None", 8: "y"})
    (row,) = agreements([one, other]).to_pylist()
    assert (row["labeller"], row["other"], row["n"]) == ("a.json", "b.json", 3)
    assert row["agree"] == pytest.approx(2 / 3)
    want = cohen_kappa_score(["hair", "food", "none"], ["hair", "drink", "none"])
    assert row["kappa"] == pytest.approx(want)
    assert labels.kappa(agreements([one, other])) == row["kappa"]
    assert labels.kappa(agreements([one])) is None
    assert normalised(" Men's  Hair-dos! ") == "men s hair dos" and normalised("?!") == "?!"
