"""Errors of Snakemake itself, told with what is known of the run."""

import json

from saegrid.base.progress import record
from saegrid.base.progress.run import Run
from snakemake_logger_plugin_saegrid import problems

LOCKED = "Error: Directory cannot be locked. Please make sure"


def test_a_lock_without_a_record_is_as_it_was(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert problems.plain(LOCKED, "LockException", "toy") == LOCKED
    assert problems.plain("another", "WorkflowError", "toy") == "another"


def test_a_lock_of_a_run_that_goes_on_and_of_one_that_does_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record.write(Run(study="toy"))
    assert "another run of toy goes on" in problems.plain(LOCKED, "LockException", "toy")
    path = record.place("toy")
    path.write_text(json.dumps({**json.loads(path.read_text()), "ended": "stopped"}))
    monkeypatch.setattr("sys.argv", ["snakemake", "--cores", "1", "--configfile", "my own.yaml"])
    said = problems.plain(LOCKED, "LockException", "toy")
    assert "`snakemake --unlock --configfile 'my own.yaml'`" in said
    monkeypatch.setattr(problems, "coordinators", lambda folder: [12, 15])
    said = problems.plain(LOCKED, "LockException", "toy")
    assert "(process 12, 15)" in said and "--unlock" not in said


def test_a_config_that_is_no_yaml_is_named_with_its_line(tmp_path, monkeypatch):
    path = tmp_path / "mine.yaml"
    path.write_text("study: x\nsaes: {a: {path: nowhere/{layer}}\n")
    monkeypatch.setattr("sys.argv", ["snakemake", "--configfile", str(path)])
    text = problems.plain(f"WorkflowError:\n{problems.NO_YAML}.", "WorkflowError", "")
    assert text.startswith(f"{path}, line 2")
