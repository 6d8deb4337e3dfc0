"""Questions to the plan of a study: specs, files, inputs, needs and jobs."""

import html
from pathlib import Path

import numpy as np
import pyarrow as pa
import yaml

from saegrid.base import io
from saegrid.config import resolve
from saegrid.pages.figures import with_spec
from saegrid.stages import settled, targets
from saegrid.stages.graph import Job, check, needs
from saegrid.stages.plan import Plan
from saegrid.stages.stage import At, Source

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow/scripts"
STUDY = At()
"""The place of the one job of a study."""


def config(name="tiny"):
    """A shipped config as Python has it."""
    return yaml.safe_load((ROOT / f"config/{name}.yaml").read_text(encoding="utf-8"))


def plan_of(study):
    """The plan of a config."""
    return Plan(resolve(study), SCRIPTS)


def changed(plan, change):
    """The plan of a study of which `change` sets something."""
    study = plan.study.model_dump(mode="json")
    change(study)
    return plan_of(study)


def cell_at(corpus, cell, shard=""):
    """The place of a cell on a corpus."""
    return At(corpus, cell, shard, cell.partition("-")[0])


def spec(plan, stage, at=STUDY):
    """The spec of a job."""
    return plan.specs.spec(stage, at)


def files(plan, output, at=STUDY):
    """The files of an output, `stage.name`."""
    return plan.graph.paths(Source(output, at))


def inputs(plan, stage, name, at=STUDY):
    """The file or the files of an input of a job."""
    return plan.graph.inputs(plan.graph.stages[stage], name, plan.graph.place(stage, at))


def wants(plan, stage, at=STUDY):
    """Resources of a job, by name."""
    return needs(plan.graph, plan.graph.stages[stage], plan.graph.place(stage, at))


def ancient(plan, stage, at=STUDY):
    """Names of the inputs of a job whose dates count for nothing."""
    return settled.ancient_inputs(plan.graph, plan.graph.stages[stage], plan.graph.place(stage, at))


def job(plan, stage, at=STUDY):
    """A job of a stage."""
    return Job(plan.graph.stages[stage], plan.graph.place(stage, at))


def jobs_of(plan, *names):
    """The jobs of targets; of `all` without any."""
    return plan.graph.jobs(targets.ends(plan.graph, names or ["all"]))


def named(several):
    """Stage, corpus, cell or site, and shard of jobs."""
    return [(j.stage.name, j.at.corpus, j.at.cell or j.at.site, j.at.shard) for j in several]


def mistakes(plan, *names):
    """Mistakes that are told before the jobs of targets run."""
    return check(plan.graph, targets.ends(plan.graph, names or ["all"]))


def spec_of(plan, one):
    """The spec of a job."""
    return spec(plan, one.stage.name, one.at)


def finish(plan, several):
    """Empty files of jobs, each with the spec that it is to record; the oldest stages first."""
    for one in several:
        for path in plan.graph.outputs(*one):
            write(path, spec_of(plan, one))


def write(path, text):
    """An empty file of its kind that records a spec."""
    kind = Path(path).suffix
    if kind == ".parquet":
        io.write_table(path, pa.table({"x": [0]}), text)
    elif kind == ".safetensors":
        io.write_tensors(path, {"x": np.zeros(1, np.float32)}, text)
    elif kind == ".json":
        io.write_json(path, {"x": 0}, text)
    else:
        head = f'<!doctype html>\n<meta name="saegrid-spec" content="{html.escape(text)}">\n'
        page = f"{head}</html>" if kind == ".html" else with_spec("<?xml?>\n<svg></svg>\n", text)
        io.write_text(path, page)
