"""Set up and run saegrid with nothing but Python 3.11 and git.

python3 make.py toy     set up, then run the embedded study to results/toy/index.html
python3 make.py test    set up, then pass all tests but the slow ones (some minutes)
python3 make.py slow    set up, then pass the slow tests
python3 make.py whole   set up, then pass all tests
python3 make.py check   set up, then lint, and pass the tests that a change may concern (a minute)
python3 make.py lint    set up, then run the linters
python3 make.py faults  set up, then kill runs at random moments and compare how they end (1 hour)
python3 make.py schema  write anew what is made from the code: config/schema.json, blocks of the
                        documents, the groups of the SLURM profile
"""

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if sys.platform == "win32" else "bin")
LOCK = ROOT / "requirements.lock"


def run(*command: str) -> None:
    """Run a program of the virtual environment in the repository; exit where it fails."""
    status = subprocess.run([str(BIN / command[0]), *command[1:]], cwd=ROOT, check=False).returncode
    if status:
        sys.exit(status)


def setup() -> None:
    """Make .venv with the locked packages, unless it is there already."""
    wanted = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    stamp = VENV / "saegrid.lock"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    if sys.version_info < (3, 11):  # noqa: UP036  a person may well call it with an older one
        sys.exit(f"saegrid needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    print("Setting up .venv (some minutes the first time)", flush=True)
    if Path(sys.prefix).resolve() != VENV:  # within itself, as when activated, it need not be made
        venv.create(VENV, with_pip=True)
    # The lock has every package; modules are compiled as they are used, not thousands beforehand.
    install = ("python", "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile")
    run(*install, "--requirement", str(LOCK))
    run(*install, "--editable", ".")
    stamp.write_text(wanted)


def toy() -> None:
    """The embedded study."""
    run("snakemake", "--cores", "2")


def test() -> None:
    """All tests but the slow ones."""
    run("python", "tests/suite.py", "test")


def slow() -> None:
    """The slow tests."""
    run("python", "tests/suite.py", "slow")


def whole() -> None:
    """All tests."""
    run("python", "tests/suite.py", "whole")


def check() -> None:
    """The linters of the code, and the tests whose imports have changed since they passed."""
    lint_code()
    run("python", "tests/suite.py", "check")


def lint_code() -> None:
    """The linters of Python code."""
    run("ruff", "check", ".")
    run("ruff", "format", "--check", ".")
    run("lint-imports")


def lint() -> None:
    """The linters."""
    lint_code()
    run("snakefmt", "--check", "Snakefile", "workflow/rules")
    run("snakemake", "--lint")


def faults() -> None:
    """Kill the tiny study twenty times and the embedded one three times."""
    run("python", "tests/workflow/faults.py", "--kills", "20")
    run("python", "tests/workflow/faults.py", "--study", "toy", "--kills", "3", "--cores", "2")


def schema() -> None:
    """Files that are made from the code."""
    run("python", "-m", "saegrid.stages.written")


COMMANDS = {
    "toy": toy,
    "test": test,
    "slow": slow,
    "whole": whole,
    "check": check,
    "lint": lint,
    "faults": faults,
    "schema": schema,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in COMMANDS:
        sys.exit(__doc__)
    setup()
    COMMANDS[sys.argv[1]]()
