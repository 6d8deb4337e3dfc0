"""Fixtures of all tests."""

import os
from collections.abc import Iterator
from pathlib import Path

import surroundings

OF_THE_CALLER = surroundings.clear()

import pytest  # noqa: E402  after the environment is cleared
from hypothesis import settings  # noqa: E402

# A busy machine is no failure.
settings.register_profile("saegrid", deadline=None)
settings.load_profile("saegrid")

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Runs of the pipeline first: they take minutes, and at the end a core would wait for them."""
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)


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


@pytest.fixture
def beside_repository(monkeypatch, tmp_path) -> None:
    """Paths of the configs, relative to the repository, hold; nothing is written there."""
    for part in ("resources", "workflow"):
        (tmp_path / part).symlink_to(REPOSITORY / part)
    monkeypatch.chdir(tmp_path)
