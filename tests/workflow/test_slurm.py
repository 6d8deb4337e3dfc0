"""The tiny study on a real SLURM of one node: retries, kills, and how many jobs are submitted."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import impatient
import pytest
from cluster import Cluster, missing, slurm
from faults import TEMPORARY
from finished import copy
from pipeline import ROOT, TINY, checkout, edit, planned, results
from pipeline import run as run_here

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

    def finish(self, seconds: float = 1200) -> str:
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


def names(cluster: Cluster) -> dict[str, str]:
    """The name of each job: of its rule, or of its group."""
    return {job: re.match(r"rule_([a-z]+)", comment)[1] for job, comment in cluster.jobs().items()}


def inodes(folder: Path) -> dict[str, int]:
    """The inode of each result: one that is written anew is another file."""
    paths = [folder / "results" / name for name in results(folder) if not TEMPORARY.search(name)]
    return {str(path.relative_to(folder)): path.stat().st_ino for path in paths}


def recover(cluster: Cluster, folder: Path) -> None:
    """Do what docs/slurm.md says after the death of Snakemake."""
    text = (ROOT / "docs/slurm.md").read_text()
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.S | re.M)
    command = next(block for block in blocks if "--unlock" in block)
    assert "config/humor.yaml" in command
    programs = f"{Path(sys.executable).parent}:{cluster.environment['PATH']}"
    environment = {**cluster.environment, "PATH": programs, "PYTHONPATH": str(folder / "src")}
    command = command.replace("config/humor.yaml", TINY[1])
    subprocess.run(["bash", "-ec", command], cwd=folder, env=environment, check=True)


class Done(NamedTuple):
    """A study in which much went wrong, and that came to a good end."""

    folder: Path
    """Its checkout."""
    killed: str
    """The job that was killed, as if its node had died."""
    cancelled: str
    """The job that was cancelled after the death of Snakemake."""
    kept: dict[str, int]
    """Inodes of what was there when Snakemake was started for the second time."""
    said: str
    """The output of the third Snakemake."""


@pytest.fixture(scope="module")
def done(cluster, tmp_path_factory):
    """A study in which a job was killed, another lacked memory, and Snakemake was killed twice."""
    folder = study(tmp_path_factory.mktemp("tiny") / "saegrid")
    edit(folder / "src/saegrid/base/job.py", *HUNGRY)
    with on(cluster, folder) as run:
        # A node that dies takes its job with it.
        killed = cluster.running("capture")
        cluster("scancel", "--signal=KILL", "--full", killed)
        cluster.running("trainings")
        run.kill()
    # What runs on the cluster goes on without it; what has finished by then is not done again.
    cluster.empty()
    kept = inodes(folder)
    recover(cluster, folder)
    with on(cluster, folder) as run:
        cancelled = cluster.running("encoders")
        run.kill()
    # What still runs is cancelled, for Snakemake would submit it a second time.
    recover(cluster, folder)
    assert not cluster.jobs("PENDING,RUNNING,COMPLETING")
    with on(cluster, folder) as run:
        return Done(folder, killed, cancelled, kept, run.finish())


def test_jobs_that_fail_are_retried_with_more(cluster, done):
    jobs = names(cluster)
    # Two cells are nine submissions; three of these were needed twice, and nothing else.
    once = ["corpus", "pages", "study", "study", "trainings"]
    twice = ["capture", "cells", "encoders"]
    assert sorted(jobs.values()) == sorted([*once, *twice, *twice, "capture"])
    facts = {job: cluster.facts(job) for job in jobs}
    first, second = (facts[job] for job in jobs if jobs[job] == "cells")
    ended = {job: facts[job]["JobState"] for job in jobs if facts[job]["JobState"] != "COMPLETED"}
    assert ended.keys() == {done.killed, done.cancelled, first["JobId"]}
    assert ended[done.cancelled] == "CANCELLED"
    # Members of a group take turns: the most memory of one and the time of all, of two cells.
    assert (first["MinMemoryNode"], second["MinMemoryNode"]) == ("8000M", "16000M")
    assert (first["TimeLimit"], second["TimeLimit"]) == ("01:10:00", "02:20:00")
    assert {facts[job]["NumCPUs"] for job in jobs} == {"1"}
    assert "too little memory" in done.said, done.said


def test_only_capture_and_encode_run_on_gpu_nodes(cluster, done):
    for job, name in names(cluster).items():
        facts = cluster.facts(job)
        gpu = name in ("capture", "encoders")
        found = (facts["Partition"], facts.get("TresPerJob"))
        assert found == (("gpu", "gres:gpu:1") if gpu else ("cpu", None)), name


def test_every_job_has_a_log_and_failed_ones_that_of_slurm(cluster, done):
    jobs = [path.with_suffix(".log") for path in (done.folder / "logs/tiny").rglob("*.tsv")]
    assert len(jobs) == 28
    assert all(path.is_file() for path in jobs)
    kept = {path.stem for path in (done.folder / "logs/slurm").rglob("*.log")}
    jobs = names(cluster)
    first, second = (job for job in jobs if jobs[job] == "cells")
    assert kept >= {done.killed, done.cancelled, first}
    # Snakemake was there when these had finished.
    assert not kept & {second, *(job for job in jobs if jobs[job] in ("corpus", "study"))}


def test_what_had_finished_when_snakemake_was_killed_is_not_done_again(done):
    root = "results/tiny/"
    captures = sorted((done.folder / root).glob("*/activations/*/*.safetensors"))
    assert len(captures) == 4
    assert done.kept.keys() >= {
        *(f"{root}{corpus}/tokens.parquet" for corpus in ("headlines", "generated")),
        *(f"{root}saes/L1{place}-8x/sae_weights.safetensors" for place in "AR"),
        *(str(path.relative_to(done.folder)) for path in captures),
    }
    after = inodes(done.folder)
    assert {path for path in done.kept if after[path] != done.kept[path]} == set()


def test_it_ends_in_the_bytes_of_an_undisturbed_run_elsewhere(done, tmp_path):
    assert planned(done.folder) == {}
    here = study(tmp_path / "saegrid")
    run_here(here)
    assert results(done.folder) == results(here)


def test_what_finished_unseen_is_on_record(done, tmp_path):
    """A changed setting is noticed."""
    work = copy(done.folder, tmp_path / "saegrid")
    edit(work / TINY[1], "steps: 40", "steps: 41")
    assert planned(work)["train_sae"] == 2
