"""Names of sites and cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saegrid.base.words import Cell, Site


@given(
    st.integers(0, 200), st.sampled_from("AMRN"), st.from_regex(r"[A-Za-z0-9_.]+", fullmatch=True)
)
def test_names_round_trip(layer, position, sae):
    cell = Cell(Site(layer, position), sae)
    assert Cell.parse(str(cell)) == cell


def test_llama_scope_names():
    assert Cell.parse("L15R-32x") == Cell(Site(15, "R"), "32x")
    assert str(Site(7, "A")) == "L7A"


@pytest.mark.parametrize("text", ["15R", "L15", "L15X", "L15R", "l15r-8x", "L15R-", "L15R-8 x"])
def test_other_names_are_refused(text):
    with pytest.raises(ValueError, match="must be written like"):
        Cell.parse(text)


def test_sites_sort_by_layer_as_a_number():
    assert sorted([Site(16, "A"), Site(7, "R")]) == [Site(7, "R"), Site(16, "A")]
