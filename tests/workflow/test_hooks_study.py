"""The hooks study, cut small: what the model writes is captured, and the report is of one cell."""

import html
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from pipeline import checkout, planned, run

from saegrid.capture import activations

pytestmark = [pytest.mark.workflow, pytest.mark.slow]
STUDY = ("--configfile", "config/hooks.yaml", "config/small.yaml")
SMALL = {
    "corpora": {"written": {"source": {"samples": 1, "new_tokens": 16}}},
    "saes": {"4x": {"settings": {"k": 4, "steps": 20}}},
    "grid": [{"layers": [7, 15], "positions": ["r"], "saes": ["4x"]}],
    "survey": {"layers": [14, 15]},
    "concepts": {"permutations": 19},
    "analyses": {
        "hooks": {
            **{"strata": 2, "each": 2, "texts": 2, "clamped": 2, "read": 2, "shown": 1},
            **{"new_tokens": 4, "least": 3},
        },
        "clusters": {
            **{"k": 3, "draws": 20, "nulls": 1, "intervals": 20, "permutations": 19},
            **{"features": ["decoder"], "feature_ks": [2]},
        },
    },
}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("hooks") / "saegrid")
    (folder / "config/small.yaml").write_text(yaml.safe_dump(SMALL))
    run(folder, "all_hooks", "all_clusters", study=STUDY)
    return folder


def table(work, name):
    return pq.read_table(work / f"results/hooks/{name}.parquet")


def test_one_row_of_activations_a_drawn_token(work):
    drawn, tokens = table(work, "written/continuations"), table(work, "written/tokens")
    assert drawn.num_rows == 1600
    special = np.isin(drawn["token_id"].to_numpy(), [0, 1, 2])
    for site in ("L7R", "L14R", "L15R"):
        (path,) = (work / "results/hooks/written/activations").glob(f"*/{site}.safetensors")
        x, token = activations.read(path)
        ids = tokens["token_id"].to_numpy()[token]
        assert x.shape == (1600 - special.sum(), 64)
        assert ids.tolist() == drawn["token_id"].to_numpy()[~special].tolist()


def test_the_report_is_of_the_chosen_cell(work):
    """Cells stand in the order of the grid, L7R before L15R; by their letters it is the other."""
    page = (work / "results/hooks/report.html").read_text()
    facts = json.loads((work / "results/hooks/hooks/facts.json").read_text())
    cell = facts["cell"]
    chosen = [row["site"] for row in table(work, "hooks/choice").to_pylist() if row["chosen"]]
    assert [f"{site}-4x" for site in chosen] == [cell]
    features = table(work, "hooks/features")["feature"].to_pylist()
    own = table(work, f"written/cells/{cell}/features").to_pydict()
    counted = dict(zip(own["feature"], own["n_active"], strict=True))
    active = dict(zip(*table(work, "hooks/features").select(["feature", "n_active"]), strict=True))
    assert all(counted[f.as_py()] == n.as_py() for f, n in active.items())
    judged = table(work, f"written/cells/{cell}/concepts").to_pylist()
    words = [row["words"] for row in judged if row["feature"] in features]
    assert words and all(html.escape(one, quote=False) in html.unescape(page) for one in words)
    history = table(work, f"../hooks/saes/{cell}/history").to_pylist()
    assert f'in <span class="num" title="saes/{cell}/history.parquet: step">20<' in page
    assert history[-1]["step"] == 20


def test_prompts_are_clustered_beside_their_themes(work):
    items = table(work, "written/items")
    for site in ("L7R", "L15R"):
        rows = table(work, f"written/clusters/{site}/clusterings").to_pylist()
        texts = {(r["representation"], r["variant"]): r for r in rows if r["of"] == "texts"}
        assert {r["n"] for r in texts.values()} == {len(set(items["group"].to_pylist()))} == {100}
        assert {r["k"] for key, r in texts.items() if key[1] == "as many"} == {5}
        assert all(r["ari_low"] <= r["ari"] <= r["ari_high"] for r in texts.values())
        (decoder,) = (row for row in rows if row["of"] == "features")
        assert decoder["representation"] == "decoder" and decoder["k"] == 2
        members = table(work, f"written/clusters/{site}/members").to_pylist()
        themes = dict(zip(items["item"].to_pylist(), items["theme"].to_pylist(), strict=True))
        ours = [row for row in members if row["label"] is not None]
        assert ours and all(themes[row["member"]] == row["label"] for row in ours)
    page = (work / "results/hooks/clusters.html").read_text()
    assert "Texts by the codes of L15R-4x" in page and "Features of L7R-4x, by where they" in page
    assert "Do its features put texts" in (work / "results/hooks/report.html").read_text()


def test_a_second_run_does_nothing(work):
    assert planned(work, "all_hooks", study=STUDY) == {}
