"""The line at the end of a run: the page to open, and how many others are new."""

import os
from types import SimpleNamespace as Object

import pytest

from saegrid.stages.forecast import opening


@pytest.mark.parametrize(
    ("new", "others"),
    [
        (["index.html"], ""),
        (["map.html"], " (1 other new page)"),
        (["index.html", "map.html", "texts/cells/L1R-8x/features.html"], " (2 other new pages)"),
    ],
)
def test_the_index_is_opened_first_and_others_are_counted(new, others, tmp_path):
    for name in ("index.html", "map.html", "findings.html", "texts/cells/L1R-8x/features.html"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (2000, 2000) if name in new else (1000, 1000))
    assert opening(Object(root=str(tmp_path)), 1500) == f"Open {tmp_path}/index.html{others}"


def test_a_study_without_a_page_has_none_to_open(tmp_path):
    assert opening(Object(root=str(tmp_path)), 0) == ""
