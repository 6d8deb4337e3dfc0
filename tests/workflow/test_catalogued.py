"""The workflow under the path that the catalogue of workflows expects is the same workflow."""

import pytest
from finished import copy, finished
from pipeline import planned

pytestmark = pytest.mark.workflow


def test_it_has_the_same_jobs(tmp_path):
    """A finished study is planned alike, if all is to be made again, and if nothing is."""
    folder = copy(finished("tiny"), tmp_path / "saegrid")
    other = ("--snakefile", "workflow/Snakefile")
    again = planned(folder, "--forceall", *other)
    assert again.pop("everything") == 1
    assert again == planned(folder, "--forceall") and again["encode"] == 2
    assert planned(folder, *other) in ({}, {"everything": 1})
