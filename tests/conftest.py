"""Fixtures of all tests."""

import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import surroundings

OF_THE_CALLER = surroundings.clear()

import pytest  # noqa: E402  after the environment is cleared
from hypothesis import settings  # noqa: E402

# A busy machine is no failure.
settings.register_profile("saegrid", deadline=None)
settings.load_profile("saegrid")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--outcome", help="file for what failed, seconds of each file, slow ones")


@pytest.hookimpl(tryfirst=True)  # before marks deselect
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files with runs of the pipeline first, and of them the longest: they take minutes, for which
    a core would wait at the end."""
    long = {item.path for item in items if item.get_closest_marker("workflow")}
    items.sort(key=lambda item: (item.path not in long, item.path.name not in LONGEST))
    config.stash[SLOW] = sum(item.get_closest_marker("slow") is not None for item in items)


SLOW = pytest.StashKey[int]()
LONGEST = ("test_toy.py", "test_slurm.py")


class Outcome:
    """The outcome of a run, for `suite.py`."""

    def __init__(self, path: str) -> None:
        self.path, self.slow = Path(path), 0
        self.failed: set[str] = set()
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        file = report.nodeid.partition("::")[0]
        if not {"slow", "workflow", "browser"} & report.keywords.keys():  # those that `check` runs
            self.seconds[file] += report.duration
        if report.failed:
            self.failed.add(file)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid.partition("::")[0])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node) -> None:
        self.slow = max(self.slow, getattr(node, "workeroutput", {}).get("slow", 0))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        slow = self.slow or session.config.stash.get(SLOW, 0)
        told = {"failed": sorted(self.failed), "seconds": self.seconds, "slow": slow}
        self.path.write_text(json.dumps(told))


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--outcome")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Outcome(path))


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["slow"] = session.config.stash.get(SLOW, 0)


@pytest.fixture(autouse=True)
def same_surroundings() -> Iterator[None]:
    """Whatever a test does to the environment and the working folder, the next sees none of it."""
    before, folder = dict(os.environ), Path.cwd()
    yield
    os.chdir(folder)
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data files; tests that need it are skipped where it is absent."""
    named = OF_THE_CALLER.get("SAEGRID_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        where = (
            f"SAEGRID_DATA names {named}" if named else "no ../shared/data beside the repository"
        )
        pytest.skip(f"needs the public data files: {where}; set SAEGRID_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def wordnet_files() -> Path:
    """Folder of WordNet's own files; tests that need it are skipped where it is absent."""
    folder = Path(OF_THE_CALLER.get("SAEGRID_WORDNET", "/usr/share/wordnet"))
    if not (folder / "data.noun").is_file():
        pytest.skip(
            f"needs WordNet's files, which are not in {folder}: install Debian's package "
            "wordnet-base, or set SAEGRID_WORDNET to their folder"
        )
    return folder


@pytest.fixture
def beside_repository(monkeypatch, tmp_path) -> None:
    """Paths of the configs, relative to the repository, hold; nothing is written there."""
    for part in ("resources", "workflow"):
        (tmp_path / part).symlink_to(REPOSITORY / part)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def few_headlines(beside_repository) -> None:
    """The same with some of the headlines, of which each look at a config reads all."""
    toy, here = REPOSITORY / "resources/toy", Path("resources/toy")
    Path("resources").unlink()
    here.mkdir(parents=True)
    for path in toy.iterdir():
        (here / path.name).symlink_to(path)
    Path("resources/gender").symlink_to(REPOSITORY / "resources/gender")
    (here / "headlines.csv").unlink()
    with (toy / "headlines.csv").open(newline="") as file:
        (here / "headlines.csv").write_text("".join(islice(file, 200)), newline="")


@pytest.fixture(scope="session")
def failing() -> Path:
    """Inputs that were refused late or taken wrongly; tests of them are skipped without."""
    folder = REPOSITORY.parent / "shared" / "failing"
    if not folder.is_dir():
        pytest.skip("needs the folder of inputs that fail, ../shared/failing beside the repository")
    return folder
