"""The parts of names of cells, said once on each page that has such names."""

import re
import sys
from pathlib import Path

import pytest

from saegrid.base.words import POSITIONS
from saegrid.pages.browser.index import index
from saegrid.pages.browser.legend import NAMED, legend

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld

from telling import made, page_of


def test_by_hand():
    assert legend(["L15R-32x", "L3A-8x", "L3A-8x", "L3A-seed0"]) == [
        ("L15 in L15R-32x", "layer 15, counted from 0"),
        ("A", POSITIONS["A"]),
        ("R", POSITIONS["R"]),
        ("8x, 32x", "SAE with 8 or 32 features for each dimension it reads"),
        ("seed0", "SAE by its name in the config"),
    ]
    assert legend(["L2M"]) == [
        ("L2 in L2M", "layer 2, counted from 0"),
        ("M", POSITIONS["M"]),
    ]
    assert legend([]) == []


@pytest.mark.parametrize(("n", "end"), [(NAMED, "s5"), (NAMED + 1, "s5 …")])
def test_of_a_sweep_the_first_names_are_listed(n, end):
    name, _ = legend([f"L0N-s{i}" for i in range(n)])[-1]
    assert name.startswith("s0, s1") and name.endswith(end)


def test_the_index_and_the_findings_say_them_once():
    study = made()
    pages = [
        page_of(study),
        index(pageworld.STUDY, pageworld.cells(), pageworld.CORPORA, [("figures/a.svg", "A.")]),
    ]
    for page in pages:
        assert page.count('id="cell-names"') == 1
        (said,) = re.findall(r'id="cell-names">(.*?)</p>', page)
        assert f"<strong>R</strong> {POSITIONS['R']}" in said and "<strong>8x" in said
        assert '<a href="#cell-names">' in page
