"""The tiny study on a real SLURM of one node: retries, kills, and how many jobs are submitted."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import impatient
import pytest
from cluster import Cluster, missing, slurm
from finished import finished
from pipeline import ROOT, TINY, checkout, edit, planned, results, results_of_cells

from saegrid.base import io

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

# The model runs on a GPU where there is one: its jobs ask SLURM for one.
GPU = ("model:\n", "model:\n  device: auto\n")


# A job that needs more memory than its first attempt gets; this module is in no fingerprint.
SPEC = "    spec = snakemake.params.spec\n"
HUNGRY = (
    SPEC,
    SPEC + '    if snakemake.rule == "density" and snakemake.resources.mem_mb < 4000:\n'
    '        raise MemoryError("too little memory")\n',
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    lacking = missing()
    if lacking:
        pytest.skip(lacking)
    with slurm(tmp_path_factory.mktemp("slurm") / "cluster") as running:
        yield running


def study(folder: Path) -> Path:
    """A checkout whose study asks for GPUs."""
    checkout(folder)
    edit(folder / "config/tiny.yaml", *GPU)
    return folder


class Run:
    """Snakemake in the background, its output in a file beside the checkout."""

    def __init__(self, folder: Path, *command: str, environment: dict | None = None) -> None:
        self.folder = folder
        self.out = folder.with_suffix(".out")
        with self.out.open("w") as out:
            self.process = subprocess.Popen(
                [*command, *TINY],
                cwd=folder,
                env={**(environment or os.environ), "PYTHONPATH": str(folder / "src")},
                stdout=out,
                stderr=out,
            )

    def kill(self) -> None:
        """End it as a machine that loses its power does."""
        self.process.kill()
        self.process.wait()

    def finish(self, seconds: float = 600) -> str:
        """Its output, once it has come to a good end."""
        try:
            status = self.process.wait(seconds)
        finally:
            self.kill()
        text = self.out.read_text()
        assert status == 0, text[-8000:]
        return text


@contextmanager
def on(cluster: Cluster, folder: Path) -> Iterator[Run]:
    """The study on the cluster."""
    command = (sys.executable, impatient.__file__, "--workflow-profile", "slurm")
    run = Run(folder, *command, environment=cluster.environment)
    try:
        yield run
    finally:
        run.kill()


def last(cluster: Cluster) -> int:
    """The number of the latest job."""
    return max(map(int, cluster.jobs()), default=0)


def names(cluster: Cluster, since: int) -> dict[str, str]:
    """The name of each job of a later number than `since`: of its rule, or of its group."""
    return {
        job: re.match(r"rule_([a-z]+)", comment)[1]
        for job, comment in cluster.jobs().items()
        if int(job) > since
    }


def inodes(folder: Path, *patterns: str) -> dict[str, int]:
    """The inode of each result of these patterns: one that is written anew is another file."""
    found = [p for pattern in patterns for p in (folder / "results/tiny").glob(pattern)]
    return {str(p): p.stat().st_ino for p in found if p.is_file()}


def values(folder: Path) -> dict[str, object]:
    """Tensors and tables of the cells and of what they are made of, without their specs."""
    found: dict[str, object] = {}
    for name in results_of_cells(folder):
        path = folder / "results" / name
        if path.suffix == ".safetensors":
            found[name] = {k: v.tobytes() for k, v in io.read_tensors(path).items()}
        elif path.suffix == ".parquet":
            found[name] = io.read_table(path).replace_schema_metadata(None)
    assert len(found) > 20
    return found


FINISHED = ("*/*.parquet", "*/*.json", "*/activations/*/*", "saes/*/*", "*/cells/L1A-8x/*")
"""Patterns of the files that are there once the SAE of cell L1R-8x has been trained again."""


@pytest.fixture(scope="module")
def done(cluster, tmp_path_factory):
    """A run in which one job was killed and another lacked memory: its folder, the number of the
    job that was killed, and what Snakemake printed."""
    folder = study(tmp_path_factory.mktemp("tiny") / "saegrid")
    edit(folder / "src/saegrid/job.py", *HUNGRY)
    with on(cluster, folder) as run:
        # A node that dies takes its job with it.
        killed = cluster.running("capture")
        cluster("scancel", "--signal=KILL", "--full", killed)
        return folder, killed, run.finish()


def test_jobs_that_fail_are_retried_with_more(cluster, done):
    folder, killed, said = done
    jobs = names(cluster, 0)
    # Two cells are seven submissions; two of these were needed twice, and nothing else.
    once = ["capture", "corpus", "encoders", "study", "trainings"]
    assert sorted(jobs.values()) == sorted([*once, *["capture"] * 2, *["cells"] * 2])
    facts = {job: cluster.facts(job) for job in jobs}
    first, second = (facts[job] for job in jobs if jobs[job] == "cells")
    assert {j for j in jobs if facts[j]["JobState"] != "COMPLETED"} == {killed, first["JobId"]}
    # Members of a group take turns: the most memory of one and the time of all, of two cells.
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("8000M", "16000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("01:30:00", "03:00:00")
    assert {facts[job]["NumCPUs"] for job in jobs} == {"1"}
    assert "too little memory" in said
    assert planned(folder) == {}


def test_only_capture_and_encode_run_on_gpu_nodes(cluster, done):
    for job, name in names(cluster, 0).items():
        facts = cluster.facts(job)
        gpu = name in ("capture", "encoders")
        found = (facts["Partition"], facts.get("TresPerJob"))
        assert found == (("gpu", "gres:gpu:1") if gpu else ("cpu", None)), name


def test_every_job_has_a_log_and_failed_ones_that_of_slurm(done):
    folder, *_ = done
    jobs = [path.with_suffix(".log") for path in (folder / "logs/tiny").rglob("*.tsv")]
    assert len(jobs) == 23
    assert all(path.is_file() for path in jobs)
    assert len(list((folder / "logs/slurm").rglob("*.log"))) == 2


def recover(cluster: Cluster, folder: Path) -> None:
    """Do what the README says after the death of Snakemake."""
    text = (ROOT / "README.md").read_text()
    section = text.partition("## On a SLURM cluster")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```\n(.*?)^```", section, re.S | re.M)
    command = next(block for block in blocks if "--unlock" in block)
    assert "config/humor.yaml" in command
    programs = f"{Path(sys.executable).parent}:{cluster.environment['PATH']}"
    environment = {**cluster.environment, "PATH": programs, "PYTHONPATH": str(folder / "src")}
    command = command.replace("config/humor.yaml", TINY[1])
    subprocess.run(["bash", "-ec", command], cwd=folder, env=environment, check=True)


def test_a_killed_coordinator_goes_on(cluster, done, tmp_path):
    folder = tmp_path / "saegrid"
    shutil.copytree(done[0], folder)
    edit(folder / "src/saegrid/job.py", *reversed(HUNGRY))
    # One cell is to be made again, of which the other must see nothing.
    for lost in ("saes/L1R-8x", "headlines/cells/L1R-8x"):
        shutil.rmtree(folder / "results/tiny" / lost)
    before = last(cluster)
    with on(cluster, folder) as run:
        cluster.running("trainings")
        run.kill()
    # What runs on the cluster goes on without it; what has finished by then is not done again.
    cluster.empty()
    kept = inodes(folder, *FINISHED)
    recover(cluster, folder)
    with on(cluster, folder) as run:
        cluster.running("encoders")
        run.kill()
    # What still runs is cancelled, for Snakemake would submit it a second time.
    recover(cluster, folder)
    assert not cluster.jobs("PENDING,RUNNING,COMPLETING")
    with on(cluster, folder) as run:
        run.finish()
    jobs = list(names(cluster, before).values())
    assert jobs == ["trainings", "encoders", "encoders", "cells", "study"], jobs
    assert inodes(folder, *FINISHED) == kept
    assert planned(folder) == {}
    assert results(folder) == results(done[0])
    # Specs of files know that the model may run on a GPU.
    found, without = values(folder), values(finished("tiny"))
    assert {path for path in found if found[path] != without[path]} == set()
    # What finished unseen is on record now: a changed setting is noticed.
    edit(folder / TINY[1], "steps: 40", "steps: 41")
    assert planned(folder)["train_sae"] == 2
