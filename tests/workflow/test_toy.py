"""The embedded study in seven of its cells: what it finds, and what its controls do not find.

That it is 21 cells, and which jobs these are, is told by test_dag.py.
"""

import json
import re
import shutil
import statistics
from pathlib import Path

import pytest
import yaml
from pipeline import ROOT, as_options, checkout, jobs_to_run, planned, run
from saegrid.features.topics import judge, shuffled

import saegrid
from saegrid.base import io
from saegrid.stages import load
from saegrid.text.wordlists import read_lists

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

LISTS = read_lists(ROOT / "resources/toy/topics.yaml")
FEWER = [
    {"layers": [7, 31], "positions": ["a"], "saes": ["8x", "32x"]},
    {"layers": [15], "positions": ["m", "r"], "saes": ["32x"]},
    {"layers": [15], "positions": ["r"], "saes": ["frozen"]},
]
"""Cells that are trained here: the first layer, one in the middle and the last of them, each
position, each size, and the null."""
CONTROL = [
    {"layers": [7], "positions": ["a"], "saes": ["8x"]},
    {"layers": [15], "positions": ["m", "r"], "saes": ["32x"]},
]
"""Cells of the untrained model: one of each position, in layers that are soon reached."""
ONLY = as_options({"grid": FEWER})
SHUFFLES = 50


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = checkout(tmp_path_factory.mktemp("toy") / "saegrid")
    run(folder, *ONLY, study=())
    return folder


@pytest.fixture(scope="module")
def untrained(toy):
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    study |= {"study": "untrained", "grid": CONTROL}
    study["model"]["weights"] = "random"
    (toy / "config/untrained.yaml").write_text(yaml.safe_dump(study))
    run(toy, study=("--configfile", "config/untrained.yaml"))
    return toy


def judged(folder: Path, study: str = "toy") -> dict[str, list[dict]]:
    """The judgement of every feature shown, by cell."""
    tables = sorted((folder / "results" / study / "headlines/cells").glob("*/topics.parquet"))
    assert tables
    return {path.parent.name: io.read_table(path).to_pylist() for path in tables}


def test_a_second_run_does_nothing(toy):
    assert planned(toy, *ONLY, study=()) == {}


def test_its_cells_are_some_of_the_20(toy):
    """The rest of the study is to be made, by the same command without an option."""
    jobs = jobs_to_run(toy, study=())
    assert jobs["train_sae"] == jobs["encode"] == jobs["page"] == 21 - 7
    assert jobs["capture"] == 2 and not jobs.keys() & {"items", "selection", "tokens"}


def test_each_topic_has_a_feature_in_the_median_cell(toy):
    cells = judged(toy)
    cells.pop("L15R-frozen")
    assert len(cells) == 6
    found = {cell: {row["topic"] for row in rows if row["found"]} for cell, rows in cells.items()}
    counts = {topic: sum(topic in topics for topics in found.values()) for topic in LISTS}
    print(counts, {cell: len(topics) for cell, topics in found.items()})
    for topic in LISTS:
        best = [
            max(
                (row["n_topic"] for row in rows if row["topic"] == topic and row["n_words"] >= 6),
                default=0,
            )
            for rows in cells.values()
        ]
        assert statistics.median(best) >= 16, (topic, sorted(best))
        assert counts[topic] > len(cells) / 2, (topic, counts)


def test_a_found_topic_is_what_the_definition_says(toy):
    """Enough tokens, enough words, and no form that more of the tokens bear."""
    for rows in judged(toy).values():
        for row in rows:
            enough = row["n_topic"] >= 16 and row["n_words"] >= 6
            bear = {"e": row["n_suffix"], "s": row["n_letter"]}
            n_form = bear[row["form"][0]] if row["form"] else 0  # ends with, or starts with
            assert row["found"] == (enough and row["n_topic"] >= n_form), row


def test_spelling_is_found_and_named_as_such(toy):
    forms = {row["form"] for rows in judged(toy).values() for row in rows if row["form"]}
    assert 'ends with "ing"' in forms
    assert any(form.startswith("starts with") for form in forms), forms


def test_shuffled_topics_are_not_found(toy):
    """Never in two cells. Of hundreds of features a cell one may have six words of a topic, or of a
    form, that were all dealt to one list: one cell of a hundred."""
    paths = sorted((toy / "results/toy/headlines/cells").glob("*/top_tokens.parquet"))
    tables, chance = [io.read_table(path) for path in paths], 0
    for seed in range(SHUFFLES):
        lists = shuffled(LISTS, seed)
        again = [judge(table, lists).to_pylist() for table in tables]
        found = [{row["topic"] for row in rows if row["found"]} for rows in again]
        for topic in lists:
            assert sum(topic in topics for topics in found) <= 1, (seed, topic)
        chance += sum(map(bool, found))
    print(f"{chance} of {SHUFFLES * len(tables)} cells have a topic of shuffled lists")
    assert chance <= 0.02 * SHUFFLES * len(tables)


def test_an_untrained_model_has_no_topics(untrained):
    cells = judged(untrained, "untrained")
    assert len(cells) == 3
    assert not [
        (cell, row["topic"]) for cell, rows in cells.items() for row in rows if row["found"]
    ]


FUNNY = ("food", "sex")
"""Topics whose edits are funnier, by 0.8 and 0.35 of a grade (see the recipe of the toy world)."""
LABELLED = ("k2", "k3", "k3g", "k4")


def contrasts(folder: Path, study: str = "toy") -> dict[str, dict]:
    """The facts of each contrast of a study."""
    facts = io.read_json(folder / "results" / study / "tests.json")
    return {one["name"]: one for one in facts["contrasts"]}


def test_the_planted_effect_is_found_and_confirmed(toy):
    """Features of funny topics stand out among the confirmed ones that prefer a high grade, in each
    contrast of the grade, and stay so with the nuisances out."""
    table = io.read_table(toy / "results/toy/discoveries.parquet").to_pandas()
    topics = {word: topic for topic, words in LISTS.items() for word in words}
    for name in LABELLED:
        own = table[(table.contrast == name) & (table.frozen == "none") & (table.sign > 0)]
        own = own[own.confirmed == True]  # noqa: E712
        assert len(own) > 0, name
        shares = []
        for words in own.words:
            counts = [word.rsplit(" ", 1) for word in words.split(", ")]
            total = sum(int(n) for _, n in counts)
            shares.append(sum(int(n) for w, n in counts if topics.get(w) in FUNNY) / total)
        assert statistics.median(shares) >= 0.5, (name, sorted(shares))
        assert (own.p_maxt_nuisances <= 0.05).any(), name
        assert own.high_given_fires.median() > 0.45, "of all edits .37 have a grade of 1.2 or more"


def test_form_is_not_told_as_humor(toy):
    """A feature of spelling that prefers a high grade does not stay with the nuisances out."""
    table = io.read_table(toy / "results/toy/discoveries.parquet").to_pandas()
    forms = {
        (cell, row["feature"])
        for cell, rows in judged(toy).items()
        for row in rows
        # Of a feature that is about a funny topic too, the topic is the reason.
        if row["form"] and not row["found"] and row["n_topic"] < 10
    }
    told = table[table.contrast.isin(LABELLED) & (table.sign > 0) & (table.confirmed == True)]  # noqa: E712
    told = told[(told.p_maxt_nuisances <= 0.05) & (told.p_maxt_word <= 0.05)]
    assert not forms & set(zip(told.cell, told.feature, strict=True))


def test_shuffled_labels_give_nothing_and_a_frozen_sae_nearly_as_much(toy):
    """A decoder that stays random is nearly as good (arXiv 2602.14111): what is confirmed is no
    merit of the learned dictionary, and stands beside it."""
    facts = contrasts(toy)
    print(
        {name: (one["n_confirmed"], one["shuffled"], one["frozen"]) for name, one in facts.items()}
    )
    for name, one in facts.items():
        assert sum(confirmed for _, confirmed in one["shuffled"]) <= 1, name
        frozen = one["frozen"]
        assert frozen["n_cells"] == 1
        share = one["n_confirmed"] / one["n_tested"]
        assert share / 5 < frozen["n_confirmed"] / frozen["n_tested"] < 5 * share, name


def test_an_untrained_model_confirms_less(toy, untrained):
    trained, control = contrasts(toy), contrasts(untrained, "untrained")
    for name in LABELLED:
        share, null = (
            one[name]["n_confirmed"] / one[name]["n_tested"] for one in (trained, control)
        )
        print(name, share, null)
        assert null < 0.5 * share, name


def test_the_summary_and_the_index_tell_the_same(toy):
    rows = io.read_table(toy / "results/toy/summary.parquet").to_pylist()
    cells = judged(toy)
    for row in rows:
        mine = cells[row["cell"]]
        assert row["topics"] == sorted({r["topic"] for r in mine if r["found"]})
        assert row["n_shown"] == len(mine)
    text = (toy / "results/toy/index.html").read_text()
    links = set(re.findall(r'href="(headlines/cells/[^"#]+)"', text))
    assert links >= {f"headlines/cells/{row['cell']}/features.html" for row in rows}
    assert all((toy / "results/toy" / link).is_file() for link in links)


def test_provenance_is_written_beside_and_read_by_no_rule(toy):
    facts = json.loads((toy / "results/toy/config.json").read_text())
    assert facts["study"] == "toy"
    assert facts["versions"]["snakemake"].startswith("9.")
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert text.count("config.json") == 1, "where it is written"
    for stage in load().values():
        assert not any("config.json" in stage.write(name).path for name in stage.writes)


def test_the_readme_shows_how_to_look_from_python(toy, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    monkeypatch.chdir(toy)
    for block in blocks:
        exec(block, {})
    cell = saegrid.open("toy").cell("L15R-32x")
    top = io.read_table(toy / "results/toy/headlines/cells/L15R-32x/top_tokens.parquet").to_pandas()
    shown = cell.feature(int(top.feature.iloc[0])).top_tokens
    assert list(shown.word) == list(top[top.feature == top.feature.iloc[0]].word)


def test_every_page_opens_offline(toy):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium (apt-get install chromium)")
    pages = sorted((toy / "results/toy/headlines/cells").glob("*/features.html"))
    assert len(pages) == 7
    flags = [
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=flags)
        context = browser.new_context()
        context.set_offline(True)
        faults: list[str] = []
        page = context.new_page()
        page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda r: (
                None if r.url.startswith(("file:", "data:", "blob:")) else faults.append(r.url)
            ),
        )
        for path in [toy / "results/toy/index.html", *pages]:
            page.goto(path.as_uri())
            if path in pages:
                page.wait_for_selector("body[data-ready]", timeout=30_000)
        browser.close()
    assert faults == []
