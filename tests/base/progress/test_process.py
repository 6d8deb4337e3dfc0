"""A process of this machine: it goes on, was killed, or has left its number to another."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from saegrid.base.progress import record
from saegrid.base.progress.process import goes_on, started
from saegrid.base.progress.run import Run

NO_FOLDER = not Path("/proc/self/stat").exists()


@pytest.fixture
def child():
    """A process that sleeps."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def test_a_living_process_goes_on(child):
    assert goes_on(os.getpid()) and goes_on(os.getpid(), started(os.getpid()))
    assert goes_on(child.pid, started(child.pid))


@pytest.mark.skipif(NO_FOLDER, reason="no /proc: only the number of a process is known")
def test_a_killed_process_has_ended_before_its_parent_asks(child):
    """Its number is in use until then, so that a signal still reaches it."""
    start = started(child.pid)
    child.kill()
    end = time.monotonic() + 10
    while goes_on(child.pid, start) and time.monotonic() < end:
        time.sleep(0.01)
    os.kill(child.pid, 0)
    assert not goes_on(child.pid, start) and not goes_on(child.pid)
    child.wait()
    assert not goes_on(child.pid)


@pytest.mark.skipif(NO_FOLDER, reason="no /proc: only the number of a process is known")
def test_a_later_process_with_the_same_number_is_another(child):
    assert not goes_on(child.pid, started(child.pid) - 1)
    assert started(os.getpid()) <= started(child.pid)


def test_the_start_stands_behind_a_name_with_blanks_and_brackets(tmp_path):
    (tmp_path / "7").mkdir()
    numbers = " ".join(map(str, range(1, 49)))
    (tmp_path / "7/stat").write_text(f"7 (a (b) c) S {numbers}\n")
    assert started(7, tmp_path) == 19  # the 22nd number of the line
    assert started(8, tmp_path) is None


def test_another_users_process_may_be_hidden(tmp_path, monkeypatch):
    """The process is there for a signal and has no entry, as in /proc with hidepid."""

    def kill(pid, signal):
        raise PermissionError

    monkeypatch.setattr(os, "kill", kill)
    assert goes_on(7, 5, tmp_path) and goes_on(7, None, tmp_path)


def test_without_a_folder_of_processes_the_number_counts(tmp_path, child):
    assert goes_on(child.pid, 5, tmp_path / "none")
    child.kill()
    child.wait()
    assert not goes_on(child.pid, 5, tmp_path / "none")


def test_a_record_of_a_killed_run_says_so_at_once(tmp_path, monkeypatch):
    """The record was written a moment ago, and its process is there for a signal still."""
    monkeypatch.chdir(tmp_path)
    code = (
        "import time; from saegrid.base.progress import record\n"
        "from saegrid.base.progress.run import Run\n"
        "record.write(Run('toy')); print('written', flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert run.stdout.readline()
    content = record.read("toy")
    assert record.is_alive(content, time.time())
    run.kill()
    time.sleep(1.0)
    assert record.is_alive(content, time.time()) is NO_FOLDER
    run.communicate()
    assert not record.is_alive(content, time.time())


def test_a_record_of_an_earlier_version_has_no_start(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record.write(Run("toy"))
    content = dict(record.read("toy"))
    assert content["started"] == started(os.getpid())
    del content["started"]
    assert record.is_alive(content, time.time())
