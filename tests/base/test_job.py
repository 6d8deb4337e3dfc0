"""The frame of a script: what it leaves out beside the work, and how it ends."""

import os
import subprocess
import sys

BEFORE = """
import sys
from types import SimpleNamespace as Object
snakemake = Object(
    params=Object(spec='{{"threads": 1, "name": "${{X}}"}}'), log=[{log!r}], threads=1,
    input=[], output=[], wildcards={{}}, resources={{}},
)
import atexit, gc
import pyarrow as pa
from saegrid.base.job import start
assert not gc.isenabled()
atexit.register(print, "taken apart")
"""


def script(tmp_path, work):
    """Status, output and log of a script with this work in the frame, and a line behind it."""
    log = tmp_path / "job.log"
    code = BEFORE.format(log=str(log)) + f"with start(snakemake) as job:\n{work}\nprint('behind')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, "X": "x"}
    )
    return done.returncode, done.stdout + done.stderr, log.read_text()


def test_a_script_ends_with_its_frame(tmp_path):
    status, said, log = script(tmp_path, "    print(job.settings['name'])")
    assert (status, said) == (0, "")
    assert log.startswith("x\ndone: ")


def test_a_script_that_fails_says_why_in_its_log_and_ends_as_others_do(tmp_path):
    status, said, log = script(tmp_path, "    raise ValueError('no such row')")
    assert (status, said) == (1, "taken apart\n")
    assert "Traceback" in log
    assert "ValueError: no such row" in log


def test_a_mistake_of_the_user_is_its_sentence_and_no_traceback(tmp_path):
    work = """
    from saegrid.base.errors import ConfigError
    raise ConfigError("the.key: mend it so.")
"""
    status, said, log = script(tmp_path, work)
    assert (status, said) == (1, "taken apart\n")
    assert log == "the.key: mend it so.\n"


def test_arrays_load_no_pandas_but_who_asks_for_it_gets_it(tmp_path):
    work = """
    table = pa.table({"a": pa.array([1, 2])})
    assert "pandas" not in sys.modules
    assert gc.isenabled()
    frame = table.to_pandas()
    assert type(frame).__module__.startswith("pandas")
    print(frame["a"].sum())
"""
    status, said, log = script(tmp_path, work)
    assert (status, said) == (0, "")
    assert log.startswith("3\n")


def test_in_another_process_the_frame_changes_nothing(tmp_path):
    code = (
        "import gc; from saegrid.base.job import start; from types import SimpleNamespace as O\n"
        "job = O(params=O(spec='{}'), log=['job.log'], threads=1, input=[], output=[],\n"
        "        wildcards={}, resources={})\n"
        "assert gc.isenabled()\n"
        "with start(job): pass\n"
        "print('behind')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "behind\n", done.stderr


def test_what_is_told_stands_in_the_log_and_on_the_screen(tmp_path):
    work = (
        "    from saegrid.base.job import tell\n    print('log alone')\n    tell('texts', ['seen'])"
    )
    status, said, log = script(tmp_path, work)
    assert (status, said) == (0, "texts: seen\n")
    assert log.startswith("log alone\ntexts: seen\ndone: ")
