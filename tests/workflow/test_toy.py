"""The embedded study in seven of its cells: what it finds, and what its controls do not find.

That it is 21 cells, and which jobs these are, is told by test_dag.py.
"""

import json
import re
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
import yaml
from finished import ONLY, copy, finished
from pipeline import ROOT, jobs_to_run, planned, run
from scipy import stats

import saegrid
from saegrid.base import io
from saegrid.base.recorded import recorded_spec
from saegrid.codes.sparse import read_features
from saegrid.features.summary import FORMS
from saegrid.meaning import enrichment
from saegrid.meaning.concepts import Rule, judge
from saegrid.meaning.occurrences import fired
from saegrid.meaning.vocabulary import from_files
from saegrid.stages import load
from saegrid.text.wordlists import read_lists

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

LISTS = read_lists(ROOT / "resources/toy/topics.yaml")
CONTROL = [
    {"layers": [7], "positions": ["a"], "saes": ["8x"]},
    {"layers": [15], "positions": ["m", "r"], "saes": ["32x"]},
]
"""Cells of the untrained model: one of each position, in layers that are soon reached."""
PERMUTATIONS, LEVEL = 200, 10
"""Lexicons by which chance was counted; p is at most .05 where fewer than so many are as small."""
FRESH = 200
"""Lexicons that are dealt anew, by a seed that the study did not use."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return copy(finished("toy"), tmp_path_factory.mktemp("toy") / "saegrid")


@pytest.fixture(scope="module")
def untrained(toy):
    study = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    study |= {"study": "untrained", "grid": CONTROL}
    study["model"]["weights"] = "random"
    (toy / "config/untrained.yaml").write_text(yaml.safe_dump(study))
    run(toy, study=("--configfile", "config/untrained.yaml"))
    return toy


def judged(folder: Path, study: str = "toy") -> dict[str, list[dict]]:
    """The verdict on every feature with words enough, by cell."""
    tables = sorted((folder / "results" / study / "headlines/cells").glob("*/concepts.parquet"))
    assert tables
    return {path.parent.name: io.read_table(path).to_pylist() for path in tables}


def test_a_second_run_does_nothing(toy):
    assert planned(toy, *ONLY, study=()) == {}


def test_its_cells_are_some_of_the_20(toy):
    """The rest of the study is to be made, by the same command without an option."""
    jobs = jobs_to_run(toy, study=())
    assert jobs["train_sae"] == jobs["encode"] == jobs["page"] == 21 - 7
    assert jobs["capture"] == 2 and not jobs.keys() & {"items", "selection", "tokens"}


def of_meaning(rows: list[dict]) -> dict[str, list[dict]]:
    """The features of meaning of a cell, by their concept."""
    own = [row for row in rows if row["kind"] == "meaning"]
    return {topic: [row for row in own if row["concept"] == topic] for topic in LISTS}


def test_each_planted_topic_is_found_at_its_share_and_named(toy):
    """Most cells have a feature of it, with as large a share of the topic as ever."""
    cells = judged(toy)
    frozen = of_meaning(cells.pop("L15R-frozen"))
    assert len(cells) == 6
    found = {cell: of_meaning(rows) for cell, rows in cells.items()}
    print({topic: sum(bool(own[topic]) for own in found.values()) for topic in LISTS})
    print({cell: {t: len(rows) for t, rows in own.items()} for cell, own in found.items()})
    print("frozen", {topic: len(rows) for topic, rows in frozen.items()})
    for topic in LISTS:
        best = [
            max((row["n_concept"] for row in own[topic] if row["n_shown"] == 20), default=0)
            for own in found.values()
        ]
        assert statistics.median(best) >= 16, (topic, sorted(best))
        assert sum(map(bool, best)) > len(cells) / 2, (topic, best)
        title = topic.replace("_", " ")
        assert {row["label"] for own in found.values() for row in own[topic]} == {title}


def test_a_feature_of_meaning_is_what_the_definition_says(toy):
    """Enriched beyond chance, rows and words enough, and no form that more of the rows bear."""
    for rows in judged(toy).values():
        for row in rows:
            bear = {"ends": row["n_ending"], "starts": row["n_letter"]}
            n_form = bear.get((row["form"] or "").partition(" ")[0], 0)
            evidence = (row["n_concept"] - row["n_piece"]) / row["n_shown"]
            enough = evidence >= 0.5 and row["n_concept_types"] >= 3
            beyond = enough and row["p_maxt"] <= 0.05
            beside = enough and min(row["q"], row["p_maxt"]) <= 0.05
            assert row["kind"] != "meaning" or (beside and row["n_concept"] > n_form), row
            assert row["kind"] not in ("none", "coherent") or not beyond, row


def test_distractors_are_told_as_form(toy):
    """The gerunds of all topics, and words of one first letter."""
    rows = [row for own in judged(toy).values() for row in own]
    labels = [row["label"] for row in rows if row["kind"] in ("ending", "letter")]
    counts = {label: labels.count(label) for label in sorted(set(labels))}
    print({kind: sum(row["kind"] == kind for row in rows) for kind in (*FORMS, "meaning", "none")})
    print(counts)
    assert counts['ends with "ing"'] >= 3
    assert any(label.startswith("starts with") for label in counts), counts
    for row in rows:
        # No gerund feature is one of a topic that no more of its words have.
        if row["ending"] == "ing" and row["n_ending"] >= 0.9 * row["n_shown"] >= 9:
            assert row["kind"] != "meaning" or row["n_concept"] > row["n_ending"], row


def read_cell(folder: Path, study: str, cell: str):
    """Activations of a cell on the occurrences of its corpus, these, their words and tokens."""
    corpus = folder / "results" / study / "headlines"
    tables = (io.read_table(corpus / f"{name}.parquet") for name in ("occurrences", "vocabulary"))
    tensors = io.read_tensors(corpus / "vocabulary.safetensors")
    of, words = from_files(*tables, tensors, io.read_json(corpus / "vocabulary.json"))
    text = io.read_table(corpus / "tokens.parquet", ["text"])["text"].to_pylist()
    features = read_features(corpus / "cells" / cell / "features.safetensors")
    return fired(features, of).of_at_least(5), of, words, text


def permuted(folder: Path, study: str, rule) -> tuple[dict[str, int], dict[str, int], int]:
    """Numbers of lexicons, dealt by a seed that the study did not use: by cell those of which a
    concept is enriched at .05 and those of which a feature is of meaning; and those whose smallest
    p over all cells is as small as that of one in twenty of the study's own."""
    cells = judged(folder, study)
    enriched, named, own, anew = {}, {}, [], []
    for cell in cells:
        fires, of, words, text = read_cell(folder, study, cell)
        ranked = enrichment.ranked(fires.feature, words.type[fires.occurrence], fires.value)
        law = enrichment.tails(words.n, words.member.sum(axis=0))
        dealt = enrichment.deals(words.n, PERMUTATIONS, 0)
        other = enrichment.deals(words.n, FRESH, 12345)
        smallest = enrichment.null(ranked, words.member, law, dealt)
        path = folder / "results" / study / "headlines/cells" / cell / "concept_chance.parquet"
        assert np.array_equal(smallest, io.read_table(path)["log10_p"].to_numpy())
        fresh = enrichment.null(ranked, words.member, law, other)
        hit = np.flatnonzero(enrichment.adjusted(fresh, smallest) <= 0.05)
        enriched[cell], named[cell] = len(hit), 0
        for deal in other[hit]:
            mixed = words._replace(member=words.member[deal])
            kinds = judge(fires, of, mixed, text, dealt, rule).concepts["kind"].to_pylist()
            named[cell] += "meaning" in kinds
        own.append(smallest)
        anew.append(fresh)
    grid = enrichment.adjusted(np.min(anew, axis=0), np.min(own, axis=0))
    return enriched, named, int((grid <= 0.05).sum())


def test_permuted_lexicons_give_what_their_null_says(toy):
    """A feature of meaning in at most one cell of twenty, the frozen one among them, and one study
    of twenty by the smallest p of the whole grid."""
    path = toy / "results/toy/headlines/cells/L15R-32x/concepts.parquet"
    rule = Rule(**json.loads(recorded_spec(path))["rule"])
    enriched, named, studies = permuted(toy, "toy", rule)
    print(enriched, named, studies)
    # Of draws that are alike, those below the tenth smallest of 200.
    most = stats.betabinom(FRESH, LEVEL, PERMUTATIONS + 1 - LEVEL).ppf(1 - 1e-3)
    assert max(enriched.values()) <= most and max(named.values()) <= most
    assert all(named[cell] <= enriched[cell] for cell in enriched)
    assert studies <= most


def test_an_untrained_model_has_no_topics(untrained):
    """Family-wise .05 in each cell, so that one of three may have one by chance."""
    cells = judged(untrained, "untrained")
    assert len(cells) == 3
    found = {
        cell: sorted(row["concept"] for row in rows if row["kind"] == "meaning")
        for cell, rows in cells.items()
    }
    print(found)
    assert sum(map(bool, found.values())) <= stats.binom(len(cells), 0.05).ppf(0.99), found


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
        if row["form"] and row["kind"] != "meaning" and row["n_concept"] < 10
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
        assert row["concepts"] == sorted({r["concept"] for r in mine if r["kind"] == "meaning"})
        assert row["n_form"] == sum(r["kind"] in FORMS for r in mine)
        assert row["n_judged"] == len(mine) <= row["n_active"]
    text = (toy / "results/toy/index.html").read_text()
    links = set(re.findall(r'href="(headlines/cells/[^"#]+)"', text))
    assert links >= {f"headlines/cells/{row['cell']}/features.html" for row in rows}
    assert all((toy / "results/toy" / link).is_file() for link in links)


def test_provenance_is_written_beside_and_read_by_no_rule(toy):
    facts = json.loads((toy / "results/toy/config.json").read_text())
    assert facts["study"] == "toy"
    assert facts["versions"]["snakemake"].startswith("9.")
    text = "".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert text.count("config.json") == 2, "where it is written, and where its licences are"
    for stage in load().values():
        assert not any("config.json" in stage.write(name).path for name in stage.writes)


def test_python_shows_what_the_page_shows(toy, monkeypatch):
    monkeypatch.chdir(toy)
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
