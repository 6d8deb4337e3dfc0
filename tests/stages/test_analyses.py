"""A made-up analysis: its jobs, specs and settings, and what it shows, follow from one stage.

It is the example of CONTRIBUTING.md, with a panel for each feature and one of the study; what
stands there is looked at too.
"""

import ast
import dataclasses
import json
import re
import shutil
from pkgutil import resolve_name

import pytest
from pydantic import create_model

from asking import ROOT, STUDY, cell_at, files, finish, jobs_of, mistakes, plan_of, spec, wants
from saegrid import stages
from saegrid.base.section import Strict
from saegrid.config import ConfigError, check, messages
from saegrid.config.cells import STAGES as OVERRIDDEN
from saegrid.config.models import Analyses, Study
from saegrid.stages import targets
from saegrid.stages.estimate import estimate
from saegrid.stages.places import cells, cells_on_each, of_every_cell, once
from saegrid.stages.settled import is_settled, recording
from saegrid.stages.stage import CELL, Column, Figure, Needs, Panel, Stage, Weight, shown
from studies import compared, tiny


class Settings(Strict):
    """A label is predicted from each feature."""

    label: str
    """Column of the items."""
    folds: int = 5
    """Parts of the items."""


OF = "saegrid.pages.browser.panels:columns"
"""A function from a table; its place counts here, not what it gives."""
COLUMN = Column("auc", "AUC", "{:.2f}", "held-out AUC", OF, "probe.table")
FIGURE = Figure("probe_auc", "saegrid.pages.figures.layer_curves:draw", "probe.table")
OF_FEATURES = Panel("folds", "Folds", "score of each fold", OF, "probe.table")
OF_THE_STUDY = Panel("best", "Best", "best features", OF, "ranking.table")
PROBE = Stage(
    "probe",
    reads={"features": "encode.features", "tokens": "tokens.tokens", "texts": "items.table"},
    writes={"table": CELL + "probe.parquet"},
    config=Settings,
    ends=cells,
    needs=Needs(memory=3210, minutes=20, group="cells"),
    weighs=lambda sizes, at: Weight(write=2000),
    shows=(COLUMN, FIGURE, OF_FEATURES),
)
RANKING = Stage(
    "ranking",
    reads={"tables": of_every_cell("probe.table")},
    writes={"table": "results/{study}/ranking.parquet"},
    config=Settings,
    ends=once,
    shows=(OF_THE_STUDY,),
)


def register(monkeypatch, *analyses_):
    """Have stages and sections of analyses known beside those that are there; of one name these are
    taken."""
    known = {**stages.load(), **{stage.name: stage for stage in analyses_}}
    monkeypatch.setattr(stages, "load", lambda: known)
    fields = {stage.name: (stage.config | None, None) for stage in analyses_}
    analyses = create_model("Analyses", __base__=Analyses, **fields)
    study = create_model("Study", __base__=Study, analyses=(analyses, analyses()))
    for module in (check, messages):
        monkeypatch.setattr(module, "Study", study)


@pytest.fixture(autouse=True)
def registered(beside_repository, monkeypatch, tmp_path):
    """The two analyses are known, and have scripts."""
    register(monkeypatch, PROBE, RANKING)
    scripts = shutil.copytree(tmp_path / "workflow/scripts", tmp_path / "scripts")
    for name in ("probe", "ranking"):
        (scripts / f"{name}.py").write_text('"""An analysis."""\nfrom saegrid.base import io\n')
    monkeypatch.setattr("asking.SCRIPTS", scripts)


def planned(*names, **sections):
    """The plan of the tiny study with these analyses."""
    return plan_of(tiny(analyses={name: {"label": "meanGrade"} for name in names}, **sections))


def of_cells(plan, stage):
    return [spec(plan, stage, cell_at("headlines", str(cell))) for cell in plan.cells]


def test_a_study_that_does_not_name_it_has_nothing_of_it():
    """Neither jobs, nor files, nor a word in the specs of what shows: no page is made again."""
    plan = planned()
    assert {job.stage.name for job in jobs_of(plan)} & {"probe", "ranking"} == set()
    assert "all_probe" not in targets.names(plan.graph)
    assert [shown(plan, kind) for kind in (Column, Panel)] == [[], []]
    for name, place in (
        ("summary", STUDY),
        ("index", STUDY),
        ("page", cell_at("headlines", "L1R-8x")),
    ):
        found = json.loads(spec(plan, name, place))
        assert not {"columns", "panels"} & found.keys(), name
    assert "probe_auc" not in json.loads(spec(plan, "plot"))["figures"]
    assert [output for output in recording(plan.graph) if "probe" in output] == []


UNNAMED = (
    "The study does not name the analysis probe: add `analyses: {probe: {...}}` to its config."
)


@pytest.mark.parametrize(
    "asked", ["all_probe", "results/tiny/headlines/cells/L1R-8x/probe.parquet"]
)
def test_what_is_asked_of_an_analysis_that_the_study_does_not_name_is_refused(asked):
    with pytest.raises(ConfigError) as error:
        targets.ends(planned().graph, [asked])
    assert str(error.value) == f"{asked} is of an analysis. {UNNAMED}"
    assert targets.ends(planned("probe").graph, [asked])


def test_the_name_of_its_stage_is_no_target():
    """It is that of a rule: another rule cannot have it."""
    with pytest.raises(ConfigError) as error:
        targets.ends(planned("probe").graph, ["probe"])
    assert str(error.value) == "probe is a stage and no target: ask for all_probe."
    with pytest.raises(ConfigError) as error:
        targets.ends(planned().graph, ["probe"])
    assert str(error.value) == f"probe is a stage and no target: ask for all_probe. {UNNAMED}"


def test_no_target_has_the_name_of_a_stage():
    plan = planned("probe", "ranking")
    assert not {*targets.names(plan.graph)} & {*plan.graph.stages}


def test_another_analysis_that_it_needs_must_be_named():
    """Else there would be no settings of it: one sentence, before the first job."""
    assert mistakes(planned("ranking")) == [
        "analyses.ranking needs what analyses.probe makes, which the study does not name: add "
        "`analyses: {probe: {...}}` to its config."
    ]


def test_a_study_that_names_it_has_its_jobs_and_its_target():
    plan = planned("probe")
    jobs = [str(job) for job in jobs_of(plan) if job.stage.name == "probe"]
    assert jobs == ["probe L1A-8x headlines", "probe L1R-8x headlines"]
    assert targets.names(plan.graph)[-1] == "all_probe"
    alone = {job.stage.name for job in jobs_of(plan, "all_probe")}
    assert "probe" in alone and not alone & {"density", "page", "summary", "selection"}
    assert "results/tiny/headlines/cells/L1R-8x/probe.parquet" in targets.files(plan.graph, "all")
    assert mistakes(plan) == []
    both = planned("probe", "ranking")
    assert [job.stage.name for job in jobs_of(both)].count("ranking") == 1
    assert targets.names(both.graph)[-2:] == ["all_probe", "all_ranking"]


def test_what_it_reads_comes_though_it_is_not_named_itself():
    """A ranking needs the probes of all cells; the study asks for the ranking alone."""
    plan = planned("probe", "ranking")
    found = [job.stage.name for job in jobs_of(plan, "all_ranking")]
    assert found.count("probe") == 2 and found.count("ranking") == 1


def test_its_section_decides_its_spec_and_no_other():
    plan, other = planned("probe"), planned("probe")
    found = json.loads(spec(plan, "probe", cell_at("headlines", "L1R-8x")))
    assert found["probe"] == {"label": "meanGrade", "folds": 5}
    other = plan_of(tiny(analyses={"probe": {"label": "meanGrade", "folds": 9}}))
    assert of_cells(plan, "probe") != of_cells(other, "probe")
    for stage in ("density", "top_tokens", "logit_effects"):
        assert of_cells(plan, stage) == of_cells(other, stage) == of_cells(planned(), stage)
    # What shows its numbers comes after it.
    assert of_cells(plan, "page") != of_cells(other, "page")
    for stage in ("summary", "plot", "index"):
        assert spec(plan, stage) != spec(other, stage)


def test_wrong_settings_are_told():
    with pytest.raises(ConfigError, match=r"analyses\.probe\.lable"):
        plan_of(tiny(analyses={"probe": {"lable": "x"}}))
    with pytest.raises(ConfigError, match=r"analyses\.prob is not a key\. Did you mean 'probe'\?"):
        plan_of(tiny(analyses={"prob": {"label": "x"}}))


def test_its_section_counts_whatever_its_sections_are():
    """Its settings would be in no spec: a change of them would run nothing."""
    parts = {"reads": {}, "writes": {"table": "x"}, "config": Settings, "ends": once}
    assert PROBE.sections == Stage("probe", **parts).sections == ("probe",)
    assert Stage("probe", sections=("pages",), **parts).sections == ("probe", "pages")
    assert Stage("probe", sections=("pages", "probe"), **parts).sections == ("pages", "probe")
    plan = planned("probe", "ranking")
    assert mistakes(plan) == []
    assert json.loads(spec(plan, "ranking"))["ranking"] == {"label": "meanGrade", "folds": 5}


@pytest.mark.parametrize("part", ["settings", "code"])
def test_a_function_of_an_analysis_that_raises_is_told_with_its_stage(part, monkeypatch):
    def fail(*given):
        raise RuntimeError("on purpose")

    register(monkeypatch, dataclasses.replace(PROBE, **{part: fail}), RANKING)
    plan = planned("probe")
    assert mistakes(plan, "all_probe") == [
        f"stage probe {cell} headlines: RuntimeError: on purpose" for cell in ("L1A-8x", "L1R-8x")
    ]


def test_an_analysis_without_a_line_in_the_registry_is_named(monkeypatch):
    other = Stage("other", reads={}, writes={"table": "x"}, config=Settings, ends=once)
    known = {**stages.load(), "other": other}
    monkeypatch.setattr(stages, "load", lambda: known)
    with pytest.raises(ValueError, match=r"^Stage other has a section: it wants a line in ANALYS"):
        jobs_of(planned())


@pytest.mark.parametrize("part", [{"config": Settings}, {"ends": once}])
def test_an_analysis_has_a_section_and_jobs(part):
    with pytest.raises(ValueError, match="Stage probe: an analysis has both `config` and `ends`"):
        Stage("probe", reads={}, writes={"table": "x"}, **part)


def test_a_cell_may_override_it():
    plan = planned("probe", overrides={"L1R-8x": {"probe": {"folds": 3}}})
    settings = [json.loads(text)["probe"]["folds"] for text in of_cells(plan, "probe")]
    assert settings == [5, 3]


def test_an_override_of_an_analysis_that_does_not_run_is_a_mistake_of_the_config():
    with pytest.raises(ConfigError, match=r"overrides\.L1R-8x\.probe is not a stage"):
        planned(overrides={"L1R-8x": {"probe": {"folds": 3}}})


def test_an_override_of_an_analysis_of_the_whole_study_is_refused():
    """It would change nothing."""
    with pytest.raises(ConfigError) as error:
        planned("probe", "ranking", overrides={"L1R-8x": {"ranking": {"folds": 3}}})
    assert str(error.value) == (
        "overrides.L1R-8x.ranking is of the whole study: a cell cannot override it. Known: "
        f"{', '.join(OVERRIDDEN)}, probe."
    )


def test_a_column_is_in_the_summary_and_on_the_index():
    plan = planned("probe")
    assert shown(plan, Column) == [COLUMN]
    summary = json.loads(spec(plan, "summary"))
    assert summary["columns"] == [["auc", OF, "probe.parquet"]]
    expected = summary["expected"]["L1R-8x"]
    at = cell_at("headlines", "L1R-8x")
    assert expected["probe.parquet"] == plan.specs.digest("probe", at)
    index = json.loads(spec(plan, "index"))
    assert index["columns"] == [["auc", "AUC", "{:.2f}", "held-out AUC"]]
    (table,) = files(plan, "probe.table", at)
    assert table in plan.graph.inputs(plan.graph.stages["summary"], "tables", STUDY)


def test_a_figure_is_drawn_with_the_others_and_stands_on_the_index():
    plan = planned("probe")
    assert FIGURE in shown(plan, Figure)
    plot = json.loads(spec(plan, "plot"))
    assert plot["figures"]["probe_auc"] == FIGURE.draw
    assert plot["files"] == {"probe.table": "probe.parquet"}
    assert "results/tiny/figures/probe_auc.svg" in files(plan, "plot.figures")
    assert json.loads(spec(plan, "index"))["figures"]["probe_auc"] == FIGURE.draw
    more = plan.graph.inputs(plan.graph.stages["plot"], "more", STUDY)
    assert more == [
        f"results/tiny/headlines/cells/{cell}/probe.parquet" for cell in ("L1A-8x", "L1R-8x")
    ]
    assert json.loads(spec(planned(), "plot"))["files"] == {}


def test_a_panel_of_cells_is_on_their_pages_and_one_of_the_study_on_the_index():
    plan = planned("probe", "ranking")
    assert PROBE.is_of_cells and not RANKING.is_of_cells
    assert shown(plan, Panel) == [OF_FEATURES, OF_THE_STUDY]
    at = cell_at("headlines", "L1R-8x")
    page = json.loads(spec(plan, "page", at))
    assert page["panels"] == [{**OF_FEATURES._asdict(), "file": "probe.parquet"}]
    panels = plan.graph.inputs(plan.graph.stages["page"], "panels", at)
    assert panels == ["results/tiny/headlines/cells/L1R-8x/probe.parquet"]
    index = json.loads(spec(plan, "index"))
    assert index["panels"] == [OF_THE_STUDY._asdict()]
    panels = plan.graph.inputs(plan.graph.stages["index"], "panels", STUDY)
    assert panels == ["results/tiny/ranking.parquet"]


def test_files_of_a_cell_count_where_it_is_settled():
    """A table of other settings unsettles its cell, as those of every stage do."""
    plan = planned("probe")
    finish(plan, jobs_of(plan))
    assert is_settled(planned("probe").graph, "L1R-8x")
    other = plan_of(tiny(analyses={"probe": {"label": "meanGrade", "folds": 9}}))
    assert not is_settled(other.graph, "L1R-8x")
    assert is_settled(planned().graph, "L1R-8x") is False, "its page has a panel too many"


def test_needs_weight_and_group_are_its_own():
    plan = planned("probe")
    at = cell_at("headlines", "L1R-8x")
    assert wants(plan, "probe", at)["memory"] == 3210
    run = estimate(plan, [job for job in jobs_of(plan) if job.stage.name == "probe"])
    assert [(line.rule, line.jobs, line.write) for line in run.lines] == [("probe", 2, 4000)]
    assert PROBE.log() == "logs/{study}/{corpus}/{cell}/probe.log"
    assert RANKING.log() == "logs/{study}/ranking.log"


# --- what CONTRIBUTING.md says --------------------------------------------------------------

GUIDE = (ROOT / "CONTRIBUTING.md").read_text().partition("\n## A new statistic\n")[0]
STAGE, LINES, SCRIPT = re.findall(r"```python\n(.*?)```", GUIDE, re.S)
"""The blocks of the example, in their order."""


@pytest.fixture
def guide():
    """The names of the example's stage."""
    names = {"__name__": "guide"}
    exec(STAGE, names)
    return names


def test_the_stage_of_the_guide_can_be_bound(guide, monkeypatch):
    probe = guide["PROBE"]
    register(monkeypatch, probe, RANKING)
    plan = planned("probe")
    assert plan.graph.stages["probe"] is probe and ast.get_docstring(ast.parse(STAGE))
    jobs = [job for job in jobs_of(plan, "all_probe") if job.stage is probe]
    assert [str(job) for job in jobs] == ["probe L1A-8x headlines", "probe L1R-8x headlines"]
    for job in jobs:
        assert json.loads(spec(plan, *(probe.name, job.at)))["probe"] == {"label": "meanGrade"}
        inputs = {name: plan.graph.inputs(probe, name, job.at) for name in probe.reads}
        assert all(isinstance(path, str) for path in inputs.values())
        assert wants(plan, "probe", job.at)["memory"] == 4000
    assert [column.name for column in shown(plan, Column)] == ["auc"]
    assert "probe_auc" in {figure.name for figure in shown(plan, Figure)}
    plan = planned("probe", overrides={"L1R-8x": {"probe": {"label": "grade"}}})
    assert [json.loads(text)["probe"]["label"] for text in of_cells(plan, "probe")] == [
        *("meanGrade", "grade")
    ]


def test_the_lines_of_the_guide_are_those_of_the_registries(guide):
    named = re.findall(r'"(\w+)": "([\w.:]+)"', LINES)
    ours = [place for name, place in named if name == "probe"]
    assert ours == ["saegrid.stages.probe:PROBE", "saegrid.stages.probe:Settings"]
    assert guide["PROBE"].config is guide["Settings"]
    others = {name: place for name, place in named if name != "probe"}
    assert others and others.items() <= stages.STAGES.items()
    text = (ROOT / "src/saegrid/stages/__init__.py").read_text()
    assert "ANALYSES: dict[str, str] = {" in text and "ANALYSES: dict[str, str] = {" in LINES


def test_the_script_of_the_guide_is_one_of_its_stage(guide):
    tree = ast.parse(SCRIPT)
    assert ast.get_docstring(tree)
    for part in ("input", "output"):
        used = set(re.findall(rf"job\.{part}\.(\w+)", SCRIPT))
        assert used == {*(guide["PROBE"].reads if part == "input" else guide["PROBE"].writes)}
    assert re.findall(r"job\.settings\[\"(\w+)\"\]", SCRIPT) == [*guide["PROBE"].sections]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module != "saegrid.metrics.probe":
            assert all(resolve_name(f"{node.module}:{one.name}") for one in node.names)


@pytest.mark.parametrize(
    ("ends", "corpora"), [(cells, {"headlines"}), (cells_on_each, {"headlines", "unseen", "plain"})]
)
def test_an_analysis_runs_on_the_corpora_that_it_names(monkeypatch, ends, corpora):
    """On the main one, or on each: its files then stand in the table of all corpora too."""
    register(monkeypatch, dataclasses.replace(PROBE, ends=ends), RANKING)
    plan = plan_of(compared() | {"analyses": {"probe": {"label": "meanGrade"}}})
    probed = [job for job in jobs_of(plan) if job.stage.name == "probe"]
    assert {job.at.corpus for job in probed} == corpora and len(probed) == 2 * len(corpora)
    expected = json.loads(spec(plan, "summary_by_corpus"))
    known = {name for name, of in expected["expected"].items() if "probe.parquet" in of["L1R-8x"]}
    assert known == corpora - {"headlines"}
    assert expected["columns"] == [["auc", OF, "probe.parquet"]]
    assert "probe.parquet" in json.loads(spec(plan, "summary"))["expected"]["L1R-8x"]
    assert mistakes(plan) == []
