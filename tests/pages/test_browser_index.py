import re
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from saegrid.pages.browser.index import index

sys.path.append(str(Path(__file__).parents[1] / "browser"))
import pageworld
from reading import Document


def grid(**changes):
    made = {
        "study_facts": pageworld.STUDY,
        "cells": pageworld.cells(),
        "corpora": pageworld.CORPORA,
        "figures": [("figures/density.svg", "Densities")],
    }
    return index(**{**made, **changes})


def test_index_links_every_cell():
    document = Document(grid())
    cells = pageworld.cells()["cell"].to_pylist()
    links = [link for link in document.links if link.endswith("features.html")]
    assert sorted(links) == sorted(2 * [f"up/cells/{cell}/features.html" for cell in cells])
    # Layers downwards; 8x before 32x, then positions.
    first = [link.split("/")[2] for link in links[: len(cells)]]
    assert first[:7] == ["L8A-8x", "L8M-8x", "L8R-8x", "L8A-32x", "L8M-32x", "L8R-32x", "L15A-8x"]
    assert document.images == ["figures/density.svg"]
    assert document.metas["saegrid-spec"] == pageworld.SPEC


def test_index_facts():
    text = Document(grid()).text
    for fact in ("630 of 9,652 (6.53%)", "322 of 9,652 (3.34%)", "937", "mean 15.84", "0.030%",
                 "8.870%", "≥ 0.1 %", "kids, <b>sex</b>", "50.2", "420"):  # fmt: skip
        assert fact in text
    assert re.search(r"rows set aside\s*17\b", text)
    assert grid() == grid()


def test_index_of_several_corpora():
    cells = pageworld.cells()
    both = pa.concat_tables(
        cells.append_column("corpus", pa.array([name] * len(cells))) for name in ("up", "down")
    )
    document = Document(grid(cells=both))
    assert "down/cells/L8A-8x/features.html" in document.links
    assert "Grid: down" in document.text


def test_index_refuses_a_figure_elsewhere():
    with pytest.raises(ValueError) as error:
        grid(figures=[("../x.svg", "x")])
    assert str(error.value) == "A figure must lie in the study's folder; got '../x.svg'."
    with pytest.raises(ValueError) as error:
        grid(cells=pageworld.cells().drop_columns(["sae"]))
    assert str(error.value) == (
        "The table of cells must hold cell, layer, position, sae; sae missing. Add what is missing "
        "where the facts are made."
    )
