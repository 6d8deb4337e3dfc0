"""Names in a study: their jobs, what decides them, and what is told before a run."""

import json

import pytest

from asking import cell_at, changed, files, inputs, jobs_of, mistakes, plan_of, spec
from saegrid.stages.names import calls, lines
from saegrid.stages.stage import At, Column, Panel, shown
from studies import STUDIES, tiny

pytestmark = pytest.mark.usefixtures("few_headlines")
CELL = cell_at("headlines", "L1R-8x")
SERVER = {"namer": "openai", "model": "m", "base_url": "http://localhost:1/v1"}


def named(**settings):
    return plan_of(tiny(analyses={"names": settings}))


def told(**settings):
    return mistakes(named(**settings), "all_names")


def test_each_cell_is_a_job_without_calls_by_default():
    plan = named()
    assert [j.at.cell for j in jobs_of(plan, "all_names") if j.stage.name == "names"] == [
        *("L1A-8x", "L1R-8x")
    ]
    assert mistakes(plan, "all_names") == []
    assert files(plan, "names.labels", CELL) == [
        "results/tiny/headlines/cells/L1R-8x/labels.parquet"
    ]
    assert inputs(plan, "names", "tests", CELL) == []
    assert inputs(plan, "names", "concepts", CELL).endswith("L1R-8x/concepts.parquet")
    assert [p.name for p in shown(plan, Panel)] == ["names", "labels"]
    assert [c.name for c in shown(plan, Column)] == [
        *("detection", "null_detection", "label_kappa")
    ]
    assert json.loads(spec(plan, "names", CELL))["answers"] == "results/tiny/answers"


def test_the_map_is_searched_by_names():
    assert inputs(named(), "map", "names", At()) == [
        f"results/tiny/headlines/cells/{cell}/names.parquet" for cell in ("L1A-8x", "L1R-8x")
    ]
    assert inputs(plan_of(tiny()), "map", "names", At()) == []


def test_tested_features_come_from_the_tests_where_there_are_some():
    study = STUDIES["tested"]()
    study["analyses"]["names"] = {}
    plan = plan_of(study)
    assert inputs(plan, "names", "tests", CELL) == (
        "results/tiny/headlines/cells/L1R-8x/contrasts.parquet"
    )
    assert mistakes(plan) == []


def test_a_cell_may_have_its_own():
    plan = plan_of(
        tiny(analyses={"names": {}}, overrides={"L1R-8x": {"names": {"features": [3, 5]}}})
    )
    own = [json.loads(spec(plan, "names", cell_at("headlines", c))) for c in ("L1A-8x", "L1R-8x")]
    assert [one["names"]["features"] for one in own] == [100, [3, 5]]


def test_calls_are_counted_over_all_cells_before_anything_runs():
    """A name, and by two names 48 contexts of detection and 24 of fuzzing, eight a question."""
    assert calls({**named(**SERVER).settings("L1R-8x", "names")}) == 100 * (1 + 2 * (6 + 3))
    assert told(**SERVER) == [
        "analyses.names.most_calls: 2 cells may take 3,800 calls to a model, and at most 3,000 may "
        "be made. Raise it, or lower features, n_scored or the number of cells."
    ]
    assert told(**SERVER, most_calls=3800) == told(**SERVER, most_calls=None) == []
    assert told(**SERVER, features=50) == []
    cells = [cell_at("headlines", cell) for cell in ("L1A-8x", "L1R-8x")]
    assert lines(named(), cells) == lines(named(**SERVER), []) == []
    (line,) = lines(named(**SERVER, features=50), cells)
    assert line.startswith("names: 2 cells may take 1,900 calls to m (openai) at most;")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"namer": "lexica"}, "names.namer: 'lexica' is unknown. Did you mean 'lexical'?"),
        ({"namer": "openai"}, "names.model: the namer openai needs it."),
        ({"namer": "openai", "model": "m"}, "names.base_url: the namer openai needs it."),
        ({**SERVER, "base_url": "ftp://x"}, "names.base_url: expected an address like https://"),
        ({**SERVER, "base_url": "http://me:pw@x/v1"}, "names.base_url: expected an address"),
        ({**SERVER, "base_url": "http://x/v1?key=pw"}, "names.base_url: expected an address"),
        ({**SERVER, "key": "sk-pw-1"}, "names.key: expected the name of an environment variable"),
        ({"namer": "local"}, "names.model: the namer local needs it."),
        ({"namer": "local", "model": "nowhere"}, "names.model: nowhere must be a folder with"),
        ({"labels": ["a.json", "a.json"]}, "names.labels: a.json stands there twice."),
        ({"labels": ["a.json"]}, "names.labels: the file a.json is not there."),
    ],
)
def test_a_mistake_is_one_sentence(settings, words):
    (problem,) = told(**settings)
    assert problem.startswith("analyses." + words)
    assert "pw" not in problem


def test_labels_are_of_their_cell_and_their_content_decides(tmp_path):
    def write(text):
        body = {"study": "tiny", "corpus": "headlines", "cell": "L1R-8x", "labels": {"3": text}}
        (tmp_path / "a.json").write_text(json.dumps(body))
        plan = named(labels=["a.json"])
        return [spec(plan, "names", cell_at("headlines", c)) for c in ("L1A-8x", "L1R-8x")]

    first, second = write("hair"), write("wig")
    assert first[0] == second[0] and first[1] != second[1]
    assert json.loads(first[0])["label_files"] == []
    assert json.loads(first[1])["label_files"][0][0] == "a.json"
    body = {"study": "other", "corpus": "headlines", "cell": "L1R-8x", "labels": {}}
    (tmp_path / "a.json").write_text(json.dumps(body))
    (problem,) = told(labels=["a.json"])
    assert "a.json holds labels of the study 'other'; expected tiny." in problem


def test_what_a_server_is_called_and_how_long_it_is_waited_for_is_in_the_spec_but_no_key():
    def set_key(study):
        study["analyses"]["names"] |= {"key": "NAMES_KEY", "most_calls": None}

    plan = changed(named(**SERVER, most_calls=None), set_key)
    text = spec(plan, "names", CELL)
    assert '"key":"NAMES_KEY"' in text
    assert json.loads(text)["names"]["model"] == "m"
