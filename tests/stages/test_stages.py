"""Stages: each is told once, and what follows from them are the jobs of a study."""

import ast
import re
from collections import Counter
from pathlib import Path
from pkgutil import resolve_name

import pytest
from snakemake.iocontainers import InputFiles, OutputFiles

from asking import ROOT, SCRIPTS, cell_at, changed, config, files, jobs_of, mistakes, named, plan_of
from saegrid.config.check import STAGES as OVERRIDDEN
from saegrid.stages import ANALYSES, STAGES, load, targets
from saegrid.stages.stage import (
    RECORDING,
    RESERVED,
    At,
    Many,
    Needs,
    One,
    Read,
    Source,
    Stage,
    Write,
)
from studies import STUDIES, TARGETS, sharded, streamed, tiny

pytestmark = pytest.mark.usefixtures("beside_repository")
RULES = {path.stem: path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk")}
MODULES = sorted((ROOT / "src/saegrid/stages").rglob("*.py"))


def filled(plan, job, ending=".log"):
    """The path of a job's log."""
    parts = plan.graph.parts(job.stage, job.at.corpus)
    return job.stage.log(ending).format(study=plan.study.study, **job.at._asdict(), **parts)


@pytest.fixture(params=STUDIES)
def plan(request):
    """The plan of each kind of study."""
    return plan_of(STUDIES[request.param]())


# --- what a stage must have ---------------------------------------------------------------------


def test_every_stage_is_registered_by_its_name_and_has_a_script_of_it():
    assert list(STAGES) == [stage.name for stage in load().values()]
    assert {path.stem for path in SCRIPTS.glob("*.py")} == set(STAGES)


def test_every_stage_stands_in_one_phase():
    bound = [
        name
        for text in RULES.values()
        for listed in re.findall(r"^for name in [(\[](.*?)[)\]]:\n    bind", text, re.M | re.S)
        for name in re.findall(r'"(\w+)"', listed)
    ]
    assert sorted(bound) == sorted(STAGES)


@pytest.mark.parametrize("name", STAGES)
def test_files_of_a_stage_have_the_same_wildcards(name):
    """Snakemake wants it so; the first file's are those of the job."""
    stage = load()[name]
    for key in stage.writes:
        write = stage.write(key)
        free = set(re.findall(r"{(\w+)}", write.path)) - set(write.each)
        assert free == set(stage.wildcards), key
        assert write.path.startswith("results/{study}/")
    assert set(stage.only) <= set(stage.wildcards)
    assert set(stage.parts) <= set(stage.wildcards)
    assert set(stage.wildcards) <= {"study", *At._fields, *stage.parts}


@pytest.mark.parametrize("name", STAGES)
def test_the_log_of_a_stage_is_named_after_it(name):
    stage = load()[name]
    log = stage.log()
    assert re.search(rf"^logs/{{study}}/({{corpus}}/)?({{cell}}/)?{name}(-|{{shard}}|\.log)", log)
    assert set(re.findall(r"{(\w+)}", log)) == set(stage.wildcards)
    assert stage.log(".tsv") == log.removesuffix(".log") + ".tsv"


def test_logs_of_stages_lie_where_people_look_for_them():
    logs = {name: stage.log() for name, stage in load().items()}
    assert logs["encode"] == "logs/{study}/{corpus}/{cell}/encode{shard}.log"
    assert logs["capture"] == "logs/{study}/{corpus}/capture-{capture}{shard}.log"
    assert logs["train_sae"] == "logs/{study}/{cell}/train_sae.log"
    assert logs["train_together"] == "logs/{study}/train_together-{site}-{together}.log"
    assert logs["baselines"] == "logs/{study}/{corpus}/baselines-{site}.log"
    assert logs["summary"] == "logs/{study}/summary.log"


def test_names_that_snakemake_has_itself_are_refused():
    """A name of one of its methods would hide the file, or the method."""
    public = {name for name in (*dir(InputFiles), *dir(OutputFiles)) if name[0] != "_"}
    public -= {"index", "sort"}  # these it gives away
    assert {name for name in public if "size" not in name} <= RESERVED <= public
    for stage in load().values():
        assert not public & {*stage.reads, *stage.writes}, stage.name
    for reads, writes in (({"items": "a.b"}, {"x": "y"}), ({}, {"count": "y"})):
        with pytest.raises(
            ValueError, match=r"^Stage probe: Snakemake has its own '(items|count)'"
        ):
            Stage("probe", reads=reads, writes=writes)
    assert Stage("probe", reads={"texts": "items.table"}, writes={"table": "y"})


def test_what_is_read_is_written_by_another_stage():
    """All texts `stage.output` in the files of the stages and of the plan."""
    stages, seen = load(), Counter()
    study = plan_of(tiny()).study.model_dump()
    sections = {name: value for name, value in study.items() if isinstance(value, dict)}
    keys = {f"{name}.{key}" for name, section in sections.items() for key in section}
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                match = re.fullmatch(r"(\w+)\.(\w+)", node.value)
                others = node.value in keys or node.value.endswith(RECORDING)
                if match and match[1] in stages and not others:
                    assert match[2] in stages[match[1]].writes, f"{path.name}: {node.value}"
                    seen[match[1]] += 1
    assert len(seen) > 15 and sum(seen.values()) > 40
    for stage in stages.values():
        for name, read in stage.reads.items():
            assert isinstance(read, Read) or read.partition(".")[0] in stages, (stage.name, name)
            assert isinstance(stage.read(name), One | Many)
        assert not stage.like or stage.like in stages
        assert not stage.whole or stage.whole in stages


def test_an_output_that_is_not_there_is_named_with_its_stage():
    with pytest.raises(KeyError, match="stage encode has no output 'feature'"):
        load()["encode"].write("feature")


def test_overrides_have_the_names_of_the_sections_that_stages_have():
    """`train` is of SAEs and not of the study. Those of analyses follow from their stages."""
    sections = {section for stage in load().values() for section in stage.sections}
    assert (sections - ANALYSES.keys()) | {"train"} == set(OVERRIDDEN)
    assert "train" not in sections


def test_every_analysis_is_registered_by_its_name_with_the_section_of_its_stage():
    sections = {name: stage.config for name, stage in load().items() if stage.config}
    assert sections == {name: resolve_name(place) for name, place in ANALYSES.items()}, (
        "a stage with `config` wants a line in ANALYSES of src/saegrid/stages/__init__.py"
    )


def test_only_tables_of_cells_are_of_cells():
    """The stages are those of every study; an analysis counts where it writes such tables."""
    of_cells = [s.name for s in load().values() if s.is_of_cells and not s.config and not s.part_of]
    saes = ["import_dashboards", "encode", "merge"]
    assert of_cells == [*saes, "density", "top_tokens", "concepts", "logit_effects"]


# --- scripts ------------------------------------------------------------------------------------

FILE = {"read_table", "read_json", "read_features", "read", "kept_of", "table_facts"}
"""Functions that take one path, or none."""
LIST = {"map", "read_grid", "read_panels", "read_judged"}
"""Functions that take several."""


def uses(tree):
    """Inputs that a script names, each with the node around it."""
    around = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    aliases = {"job.input"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            names = [t for target in node.targets for t in getattr(target, "elts", [target])]
            values = getattr(node.value, "elts", [node.value])
            for name, value in zip(names, values, strict=False):
                if ast.unparse(value) == "job.input":
                    aliases.add(ast.unparse(name))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in aliases:
            yield node.attr, around[node]


@pytest.mark.parametrize("name", STAGES)
def test_a_script_uses_the_inputs_of_its_stage_as_they_are(name):
    """A list where the stage says `Many`, a path where it says `One`."""
    stage = load()[name]
    tree = ast.parse((SCRIPTS / f"{name}.py").read_text())
    for used, node in uses(tree):
        if used == "items":  # all of them, by name
            continue
        assert used in stage.reads, f"job.input.{used}"
        several = isinstance(stage.read(used), Many)
        if isinstance(node, ast.Subscript):
            assert several, f"{used}[...] is a letter of a path"
        elif isinstance(node, ast.Call):
            function = ast.unparse(node.func).rpartition(".")[2]
            assert not (several and function in FILE | {"Path"}), f"{function}({used}) is a list"
            assert several or function not in LIST, f"{function}({used}) is a path"


@pytest.mark.parametrize("name", STAGES)
def test_a_script_writes_the_outputs_of_its_stage(name):
    """By name, or all of them at once."""
    stage = load()[name]
    text = (SCRIPTS / f"{name}.py").read_text()
    written = set(re.findall(r"job\.output\.(\w+)", text)) - {"items"}
    assert written <= set(stage.writes)
    if "draw_all(" in text and "figures" in written:  # each as a picture and as a print beside it
        written.add("prints")
    by_place = re.search(r"job\.output(\[0\]|\.items\(\)|[,)])", text)
    assert by_place or written == set(stage.writes) or name == "train_sae", "nobody writes it"


# --- the jobs of a study ------------------------------------------------------------------------

CELLS = ("L1A-8x", "L1R-8x")
TABLES = ("items", "selection", "tokens", "capture")
EVERYWHERE = ("density", "top_tokens", "concepts")
OF_A_CELL = ("encode", *EVERYWHERE, "logit_effects", "page")
SUMS = ("summary", "concept_map", "map", "plot", "index")


def rows(stages, corpus="", cells=("",), shards=("",)):
    """Stage, corpus, cell and shard of jobs."""
    return [(s, corpus, cell, shard) for s in stages for cell in cells for shard in shards]


TINY = [
    *rows(TABLES, "generated"),
    *rows(TABLES, "headlines"),
    *rows(["vocabulary"], "headlines"),
    *rows(["train_sae"], cells=CELLS),
    *rows(OF_A_CELL, "headlines", CELLS),
    *rows(SUMS),
]
THREE = [f"/shard-{n}-of-3" for n in (1, 2, 3)]
TWO = [f"/shard-{n}-of-2" for n in (1, 2)]
STREAM = [job for job in TINY if job[1] != "generated"]
COMPANY = ("L1A-2x", "L1A-4x", "L1A-8x")
EXPECTED = {
    "tiny": TINY,
    "judged": [
        *TINY,
        *rows(["measure"], "generated", CELLS),
        *rows(["baselines"], "generated", ["L1A", "L1R"]),
        *rows(["health"]),
    ],
    "sharded": [
        *rows(TABLES[:3], "generated"),
        *rows(TABLES[:3], "headlines"),
        *rows(["capture"], "generated", shards=TWO),
        *rows(["capture"], "headlines", shards=THREE),
        *rows(["train_sae"], cells=CELLS),
        *rows(["encode"], "headlines", CELLS, THREE),
        *rows(["vocabulary"], "headlines"),
        *rows(["merge", *OF_A_CELL[1:]], "headlines", CELLS),
        *rows(SUMS),
    ],
    "compared": [
        *TINY,
        *rows([*TABLES[:3], "vocabulary"], "unseen"),
        *rows(["capture"], "unseen", shards=TWO),
        *rows(["encode"], "unseen", CELLS, TWO),
        *rows(["merge", *EVERYWHERE], "unseen", CELLS),
        *rows([*TABLES, "vocabulary"], "plain"),
        *rows(["encode", *EVERYWHERE], "plain", CELLS),
        *rows(["summary_by_corpus"]),
    ],
    "streamed": [*STREAM, ("fill_store", "generated", "", "")],
    "beside": [*STREAM, *rows(["begin_store", "fill_store"], "generated")],
    "together": [
        *rows(TABLES, "generated"),
        *rows([*TABLES, "vocabulary"], "headlines"),
        *rows(["train_together"], cells=["L1A"]),
        *rows(["train_sae"], cells=COMPANY),
        *rows(OF_A_CELL, "headlines", COMPANY),
        *rows(SUMS),
    ],
    "checkpoint": [
        *rows([*TABLES, "vocabulary"], "headlines"),
        *rows(["import_sae"], cells=CELLS),
        *rows(["verify_checkpoint"]),
        *rows(OF_A_CELL, "headlines", CELLS),
        *rows(SUMS),
    ],
}
EXPECTED["hub"] = EXPECTED["checkpoint"]


@pytest.mark.parametrize("study", EXPECTED)
def test_the_jobs_of_all(study):
    plan = plan_of(STUDIES[study]())
    assert sorted(named(jobs_of(plan))) == sorted(EXPECTED[study])


FILTERED = [job for job in TINY if job[:2] != ("selection", "generated")]
"""All but the filter of a corpus of which nobody asks what was kept."""
CAPTURED = [job for job in TINY if job[0] in ("items", "tokens", "capture")]
LEARNED = [job for job in CAPTURED if job[1] == "generated"] + rows(["train_sae"], cells=CELLS)
TARGET_JOBS = {
    "corpus": [job for job in TINY if job[0] in ("items", "selection", "tokens")],
    "activations": CAPTURED,
    "saes": LEARNED,
    "cells": [job for job in TINY if job[0] not in ("page", *SUMS)],
    "metrics": LEARNED + EXPECTED["judged"][len(TINY) :],
    "layers": CAPTURED + rows(["survey", "base_rates", "survey_page"]),
    "pages": FILTERED,
    "figures": [job for job in FILTERED if job[0] not in ("page", "concept_map", "map", "index")],
}


@pytest.mark.parametrize("target", TARGET_JOBS)
def test_the_jobs_of_a_target(target):
    assert sorted(named(jobs_of(plan_of(tiny()), target))) == sorted(TARGET_JOBS[target])


def test_the_published_20_cells_and_all_150():
    for grid, cells, sites in (("seed20", 20, 14), ("full", 150, 75)):
        plan = plan_of(config("config") | {"grid": grid, "analyses": {}})
        counts = Counter(job.stage.name for job in jobs_of(plan, "all", "metrics"))
        assert [counts[stage] for stage in ("train_sae", *OF_A_CELL, "measure")] == [cells] * 8
        assert counts["baselines"] == sites
        assert [counts[stage] for stage in (*TABLES, "vocabulary", *SUMS)] == [2] * 4 + [1] * 6


def test_jobs_stand_in_the_order_of_the_stages(plan):
    order = [list(STAGES).index(job.stage.name) for job in jobs_of(plan, *TARGETS)]
    assert order == sorted(order)


def test_no_two_jobs_share_a_file_or_a_log(plan):
    jobs = jobs_of(plan, *TARGETS)
    outputs = Counter(path for job in jobs for path in plan.graph.outputs(*job))
    logs = Counter(filled(plan, job) for job in jobs)
    assert max(outputs.values()) == max(logs.values()) == 1
    assert len(logs) == len(jobs) > 15


def test_every_input_is_a_file_that_is_there_or_that_a_job_before_it_makes(plan):
    made = set()
    for job in jobs_of(plan, *TARGETS):
        for name in job.stage.reads:
            paths = plan.graph.inputs(job.stage, name, job.at)
            for path in [paths] if isinstance(paths, str) else paths:
                assert path in made or Path(path).is_file() or name in ("verified", "before"), path
        made.update(plan.graph.outputs(*job))


def test_a_path_leads_to_the_job_that_makes_it(plan):
    """`snakemake results/.../features.html` checks that job, and what it needs."""
    for job in jobs_of(plan, *TARGETS):
        for path in plan.graph.outputs(*job):
            ends = targets.ends(plan.graph, [path])
            assert (job.stage.name, job.at) in map(plan.graph.maker, ends), path
            assert all(path in plan.graph.paths(end) for end in ends)


def test_a_path_leads_to_no_other_job():
    plan = plan_of(tiny())
    for job in jobs_of(plan):
        for path in plan.graph.outputs(*job):
            makers = {plan.graph.maker(one) for one in targets.ends(plan.graph, [path])}
            assert makers == {(job.stage.name, job.at)}, path


@pytest.mark.parametrize(
    "path",
    [
        "results/tiny/nowhere/tokens.parquet",
        "results/other/headlines/tokens.parquet",
        "results/tiny/headlines/cells/L1R-8x/features.htm",
        "results/tiny/figures/none.svg",
        "somewhere",
    ],
)
def test_a_path_that_nobody_makes_leads_nowhere(path):
    assert targets.ends(plan_of(tiny()).graph, [path]) == []


def test_targets_have_every_file_of_every_job_that_they_need(plan):
    """A file that was lost, or not made, is made again."""
    for target in targets.names(plan.graph):
        jobs = jobs_of(plan, target)
        paths = targets.files(plan.graph, target)
        assert paths == [path for job in jobs for path in plan.graph.outputs(*job)]
        assert len(paths) == len(set(paths)) > 0


def test_there_is_no_mistake_in_any_kind_of_study(plan):
    assert mistakes(plan, *TARGETS) == []


def test_features_of_a_corpus_in_shards_are_merged_and_of_others_are_not():
    plan = plan_of(sharded())
    whole, part = cell_at("headlines", "L1R-8x"), cell_at("headlines", "L1R-8x", THREE[0])
    assert plan.graph.maker(Source("encode.features", whole))[0] == "merge"
    assert plan.graph.maker(Source("encode.features", part))[0] == "encode"
    assert plan_of(tiny()).graph.maker(Source("encode.features", whole))[0] == "encode"
    assert files(plan, "encode.features", whole) == files(plan, "merge.features", whole)


def test_a_place_is_that_of_the_jobs_own_wildcards():
    graph = plan_of(tiny()).graph
    everything = At("headlines", "L1R-8x", "/shard-1-of-3", "L1A", "a")
    assert graph.place("summary", everything) == At()
    assert graph.place("items", everything) == At("headlines")
    assert graph.place("density", At("headlines", "L1R-8x")) == At("headlines", "L1R-8x", "", "L1R")
    assert graph.place("train_together", everything) == At(site="L1A", together="a")
    assert At.of({"corpus": "headlines", "cell": "L15M-32x", "study": "t"}).site == "L15M"


def test_files_of_several_wildcards_are_all_of_them():
    """A stage may fill more than one wildcard itself."""
    plan = plan_of(tiny())
    each = {"site": lambda plan: plan.sites, "n": lambda plan: range(2)}
    stage = Stage("probe", reads={}, writes={"x": Write("results/{study}/{n}/{site}.json", each)})
    graph = type(plan.graph)(plan, {**load(), "probe": stage})
    assert graph.paths(Source("probe.x", At())) == [
        f"results/tiny/{n}/{site}.json" for site in ("L1A", "L1R") for n in (0, 1)
    ]
    assert stage.wildcards == ("study",) and stage.log() == "logs/{study}/probe.log"


def test_a_stream_is_asked_as_a_table_is():
    """Stages do not know which of them a corpus is."""
    table, stream = (plan_of(study) for study in (tiny(), streamed()))
    kinds = [type(plan.corpora["generated"]) for plan in (table, stream)]
    public = [{name for name in dir(kind) if not name.startswith("_")} for kind in kinds]
    assert public[0] ^ public[1] <= {"is_filtered", "store"}
    for plan, output in ((table, "capture.activations"), (stream, "fill_store.facts")):
        assert plan.corpora["generated"].activations(At("generated")).output == output


def test_needs_that_grow_have_a_number_to_grow_from():
    """Memory, minutes and threads of every stage, as figures or as functions of a job."""
    for stage in load().values():
        assert isinstance(stage.needs, Needs) and stage.needs.minutes > 0
        memory = stage.needs.memory
        assert callable(memory) or isinstance(memory, str) or memory >= 1000, stage.name


def test_settings_of_the_study_are_left_as_they_are():
    """A plan is asked many times; nothing that it hands out may change it."""
    plan = plan_of(tiny())
    before = plan.study.model_dump(mode="json")
    mistakes(plan, *TARGETS)
    assert plan.study.model_dump(mode="json") == before
    assert changed(plan, lambda study: None).specs.spec("index", At()) == plan.specs.spec(
        "index", At()
    )


def test_every_caption_of_a_report_is_there():
    captions = {
        write.report[0]
        for stage in load().values()
        for write in map(stage.write, stage.writes)
        if write.report
    }
    assert captions
    missing = [c for c in sorted(captions) if not (ROOT / f"workflow/report/{c}.rst").is_file()]
    assert missing == []
