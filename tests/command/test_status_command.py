"""saegrid status: what a record of a run and the logs beside it say."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asking import config, plan_of
from saegrid.base import io
from saegrid.base.progress import record
from saegrid.base.progress.run import Failure, Run, Task
from saegrid.command import main
from saegrid.stages import targets
from saegrid.stages.standing import log_of


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs/toy").mkdir(parents=True)
    return tmp_path


def going():
    now = time.time()
    one = Run(
        study="toy",
        page="results/toy/index.html",
        began=now - 600,
        totals={"train_sae": 3, "encode": 3},
        whole={"items": 2, "train_sae": 3, "encode": 3},
        earlier={"train_sae": 300.0, "encode": 300.0},
    )
    log = Path("logs/toy/train_sae.log")
    log.write_text("step 10 of 90\nstep 20 of 90\n")
    one.start(1, Task("train_sae", "L1R-8x", str(log), began=now - 60))
    one.start(2, Task("train_sae", "L2R-8x", "logs/toy/no.log", began=now - 60))
    one.fail(2, Failure(one.running[2], "saes.8x: no.\nMend it."))
    return one


def said(capsys, *arguments):
    status = main(["status", *arguments])
    output = capsys.readouterr()
    return status, (output.out + output.err).splitlines()


def test_a_run_that_goes_on(folder, capsys):
    record.write(going())
    status, lines = said(capsys, "--study", "toy")
    assert status == 0
    assert lines[0].startswith("toy: runs since 10 min ")
    # 300 s of the job that waits, 240 of the one that runs, 900 of the next stage.
    assert lines[0].endswith("; at most 24 min left.")
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:7]}
    assert rows["stage"] == ["done", "running", "failed", "left"]
    assert rows["items"] == ["2", "-", "-", "-"]
    assert rows["train_sae"] == ["-", "1", "1", "1"]
    assert rows["all"] == ["2", "1", "1", "4"]
    job = next(n for n, line in enumerate(lines) if line.startswith("  train_sae L1R-8x, 1 min"))
    assert lines[job + 1] == "    step 20 of 90"
    place = lines.index("  train_sae L2R-8x")
    assert lines[place + 1 :][:3] == [
        "    saes.8x: no.",
        "    Mend it.",
        "    log: logs/toy/no.log",
    ]
    assert max(map(len, lines)) <= 80


def test_a_log_of_an_earlier_job_is_not_the_present_ones(folder, capsys):
    one = going()
    old = time.time() - 500
    os.utime("logs/toy/train_sae.log", (old, old))
    record.write(one)
    assert "step 20" not in "\n".join(said(capsys)[1])


def test_a_run_that_was_killed_says_how_to_go_on(folder, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["snakemake", "--cores", "1"])
    record.write(going())
    path = record.place("toy")
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    path.write_text(json.dumps({**json.loads(path.read_text()), "pid": process.pid}))
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    _, lines = said(capsys)
    assert lines[0].startswith("toy: killed, last seen")
    assert "`snakemake --unlock` removes the lock" in " ".join(lines[-4:])
    assert "Running" not in "\n".join(lines[1:3])
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "configs": ["a.yaml", "b c.yaml"]}))
    assert "unlock --configfile a.yaml 'b c.yaml'` removes" in " ".join(said(capsys)[1])
    del content["configs"]  # a record of an earlier version
    path.write_text(json.dumps(content))
    assert "--unlock` with the same --configfile removes" in " ".join(said(capsys)[1])


@pytest.fixture
def starting(folder):
    """A process that looks like a snakemake that has only begun, in the folder."""
    script = folder / "bin/snakemake"
    script.parent.mkdir()
    script.write_text("import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    command = [sys.executable, str(script), "--cores", "1"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    yield process
    process.kill()
    process.communicate()


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="no /proc: no process is known")
def test_a_run_that_is_starting(folder, starting, capsys):
    words = f"A run is starting here (process {starting.pid})."
    status, lines = said(capsys, "--study", "toy")
    assert (status, lines) == (0, ["toy: no run has left a record here yet.", words])
    record.write(going(), "stopped")
    (folder / ".snakemake/locks").mkdir(parents=True)
    (folder / ".snakemake/locks/0.input.lock").touch()
    status, lines = said(capsys, "--study", "toy")
    assert lines[0].startswith("toy: stopped") and lines[-1] == words
    path = record.place("toy")
    path.write_text(json.dumps({**json.loads(path.read_text()), "ended": "", "written": 0}))
    assert words in " ".join(said(capsys)[1]) and "unlock" not in " ".join(said(capsys)[1])
    content = {**json.loads(path.read_text()), "ended": "", "pid": starting.pid}
    Path("logs/other").mkdir()
    record.place("other").write_text(json.dumps(content))
    known = f"A run of other goes on here (process {starting.pid})."
    assert said(capsys, "--study", "toy")[1][-1] == known
    record.place("other").write_text(json.dumps({**content, "written": 0}))
    silent = f"Its process {starting.pid} is still there, and writes nothing."
    assert said(capsys, "--study", "other")[1][-1] == silent


@pytest.mark.parametrize(("age", "alive"), [(10, True), (1000, False)])
def test_a_run_of_another_machine_lives_while_it_writes(age, alive):
    now = time.time()
    content = {"ended": "", "host": f"not-{socket.gethostname()}", "pid": 1, "written": now - age}
    assert record.is_alive(content, now) is alive


def test_a_run_that_is_done_names_its_page(folder, capsys):
    one = going()
    one.failed.clear()
    record.write(one, "done")
    (folder / one.page).parent.mkdir(parents=True)
    (folder / one.page).touch()
    _, lines = said(capsys)
    assert lines[0].startswith("toy: done after 10 min")
    assert lines[-1] == "Open results/toy/index.html"


def test_of_a_study_without_a_record_the_others_are_named(folder, capsys):
    record.write(going())
    status, lines = said(capsys, "--study", "tiny")
    assert status == 1
    assert "study tiny" in lines[0] and "toy" in lines[0]


def test_without_a_record_the_files_are_counted(beside_repository, capsys):
    plan = plan_of(config())
    io.write_json(
        f"{plan.root}/config.json", {**plan.study.model_dump(mode="json"), "versions": {}}
    )
    done, begun = plan.graph.jobs(targets.ends(plan.graph, ["saes"]))[:2]
    for path in map(Path, plan.graph.outputs(*done)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    log = Path(log_of(plan, begun))
    log.parent.mkdir(parents=True)
    log.write_text("step 3 of 9\n")
    status, lines = said(capsys, "--study", plan.study.study)
    assert status == 0
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:] if line}
    assert rows["all"][0] == rows[done.stage.name][0] == "1"
    assert lines[-2:] == [f"  {begun}: step 3 of 9", f"    log: {log}"]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"began": 1}'])
def test_a_damaged_record_is_none(folder, text):
    record.place("toy").write_text(text)
    assert record.read("toy") is None


def test_nothing_heavy_is_loaded():
    code = (
        "import sys, saegrid.command.status\n"
        "heavy = {'numpy', 'torch', 'pyarrow', 'pydantic', 'snakemake', 'pandas'}\n"
        "sys.exit(bool(heavy & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
