"""Figures: what they show, and their bytes; the histogram of a feature."""

import gzip
import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import drawing
from drawing import CELLS, FACTS, SHOWN, drawn, features, grid_of, svg
from saegrid.base import io
from saegrid.base.words import Cell
from saegrid.features.histogram import histogram, histograms
from saegrid.pages.figures import (
    HEALTH_FIGURES,
    SURVEY_FIGURES,
    captions,
    density_histograms,
    draw_all,
)
from saegrid.pages.figures.grid import Grid, above, lengths, read_grid
from saegrid.pages.figures.layer_curves import l0, max_density, n_active, same
from saegrid.pages.figures.style import (
    COLOURS,
    linear_near_zero,
    looks,
    new,
    plain,
    plain_log,
    render,
)
from saegrid.stages import load
from saegrid.stages.stage import Figure

FIGURES = {name: one.draw for name, one in SHOWN.items() if not one.table}
"""The figures that stages show, drawn from densities alone."""


@pytest.fixture
def grid() -> Grid:
    return grid_of(CELLS)


def texts(image: str) -> list[str]:
    """The texts of an SVG."""
    tag = "{http://www.w3.org/2000/svg}text"
    found = ElementTree.fromstring(image.encode()).iter(tag)
    return ["".join(element.itertext()).strip().replace("\u2212", "-") for element in found]


def test_series_by_position_then_size_then_layer(grid):
    assert {name: [str(c) for c in cells] for name, cells in grid.series().items()} == {
        ("A", "8x"): ["L7A-8x", "L15A-8x"],
        ("A", "32x"): ["L7A-32x"],
        ("R", "32x"): ["L7R-32x"],
    }
    assert list(grid.series()) == [("A", "8x"), ("A", "32x"), ("R", "32x")]
    assert grid.layers() == [7, 15]


def test_values_of_a_cell(grid):
    cell = Cell.parse("L15A-8x")
    assert above(grid.density(cell), 0.009) == 3
    assert above(grid.density(cell), 0.0091) == 1
    assert n_active(grid, cell) == 4
    assert max_density(grid, cell) == 0.09
    assert l0(grid, cell) == pytest.approx(1.09)  # 109 active of 100 masked tokens
    empty = Grid({"L15A-8x": features()})
    assert (n_active(empty, cell), l0(empty, cell)) == (0, 0)
    assert np.isnan(max_density(empty, cell))


def test_l0_of_plain_text_takes_all_tokens():
    plain = Grid({"L1R-8x": features(500, 250, masked=None)})
    assert l0(plain, Cell.parse("L1R-8x")) == pytest.approx(0.75)


def test_the_cut_of_a_hundred_tokens():
    # Known answer D6.
    counts = np.array([100, 99, 10, 9]) / 9984
    assert (above(counts, 0.01), above(counts, 0.001)) == (1, 3)


def test_lengths_are_sorted_as_numbers():
    assert [part.tolist() for part in lengths(FACTS, "edit_lengths", "all")] == [
        [1, 2, 10],
        [6667, 2268, 1],
    ]
    with pytest.raises(ValueError) as error:
        lengths({"kept": {"items": 3}}, "token_lengths", "kept")
    assert str(error.value) == (
        "The facts of the corpus must have kept.token_lengths; they have items. "
        "Make tokens.json again."
    )


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_as_figures_are(name):
    drawing.check(name)


def test_figures_from_other_tables_are_looked_at_where_these_are_tested():
    """The table of a cell from which one is drawn is known there."""
    texts = [path.read_text() for path in Path(__file__).parents[1].rglob("test_*.py")]
    for name in sorted(SHOWN.keys() - FIGURES):
        wanted = f'drawing.check("{name}", '
        assert any(wanted in text for text in texts), (
            f"The figure {name!r} is drawn from {SHOWN[name].table} and is not looked at: call "
            f"{wanted}table) in the file that tests what makes this table."
        )


@pytest.mark.slow
def test_another_process_gives_the_same_bytes(grid, tmp_path):
    tables, facts = written(grid, tmp_path)
    code = (
        "from saegrid.pages.figures import draw_all;"
        "from saegrid.pages.figures.grid import read_grid; "
        f"draw_all(read_grid({tables}, {facts!r}, {grid.cuts}), {str(tmp_path)!r}, {FIGURES})"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in FIGURES:
        assert (tmp_path / f"{name}.svg").read_text(encoding="utf-8") == svg(name, grid)


def written(grid: Grid, folder: Path) -> tuple[list[str], dict]:
    """The files that a grid is read from, and its facts."""
    for cell, table in grid.cells.items():
        io.write_table(folder / cell / "features.parquet", table)
    return [str(folder / cell / "features.parquet") for cell in grid.cells], dict(grid.facts)


def test_figures_follow_the_tables(grid):
    other = Grid({**grid.cells, "L7A-8x": features(6)}, FACTS, grid.cuts)
    assert svg("density_histograms", grid) != svg("density_histograms", other)
    assert svg("layer_curves", grid) != svg("layer_curves", other)
    fewer = Grid(grid.cells, FACTS, [0.02])
    assert svg("features_above_cuts", fewer) != svg("features_above_cuts", grid)


def test_what_the_figures_say(grid):
    said = texts(svg("features_above_cuts", grid))
    assert {"density of at least 0.1 %", "density of at least 1 %", "layer"} <= set(said)
    assert "number of features" in said
    assert {"A, 8x", "A, 32x", "R, 32x"} <= set(said)
    curves = texts(svg("layer_curves", grid))
    assert {"L0", "active features per counted token", "share of all tokens", "7"} <= set(curves)
    histograms = texts(svg("density_histograms", grid))
    assert {"density (% of all tokens)", "features in a bin", "3", "4", "R, 32x"} <= set(histograms)
    edits = texts(svg("edit_lengths", grid))
    assert {"6,667", "397", "2,268", "178", "all: 8,936 pairs", "kept: 575 pairs"} <= set(edits)
    assert "4 texts: mean 11.25, longest 12 tokens" in texts(svg("tokens_per_text", grid))


def test_an_l0_that_is_the_same_in_every_cell_stands_in_the_title(grid):
    """A flat line says less than its number; the other two panels stay."""
    alike = Grid({"L1R-8x": features(50, 50), "L2R-8x": features(70, 30)}, FACTS, [0.01])
    figure = drawn("layer_curves", alike)
    assert figure.get_suptitle() == "L0: 1 active features per counted token in every cell"
    assert [axes.get_title() for axes in figure.axes] == ["active features", "largest density"]
    other = drawn("layer_curves", grid)
    assert other.get_suptitle() == "" and len(other.axes) == 3
    assert not same([12.0]) and same([12.0, 12.05]) and not same([12.0, 12.1])


def test_no_curve_lies_on_the_border(grid):
    """Above the largest number there is room, linear or not, and 0 is in view."""
    wide = Grid({"L1R-8x": features(900, 900), "L1R-32x": features(*[900] * 500)}, FACTS, [0.01])
    for one, scale in ((grid, "linear"), (wide, "symlog")):
        axes = drawn("features_above_cuts", one).axes[0]
        low, high = axes.get_ylim()
        most = max(line.get_ydata().max() for line in axes.get_lines())
        assert axes.get_yscale() == scale and low == 0 and high >= 1.05 * most


def test_heights_of_histograms_are_on_an_axis(grid):
    """The tick of n features stands as high as a bin of n features, in the row of each layer."""
    figure = drawn("density_histograms", grid)
    figure.draw_without_rendering()
    (right,) = figure.axes[-1].child_axes
    bars = figure.axes[0].patches[1].get_data().values - 1  # of the upper layer
    assert [label.get_text() for label in right.get_yticklabels()] == ["1", "1"]
    lower, upper = right.get_yticks()
    assert (upper - lower, upper - 1) == pytest.approx((1, lower))
    assert lower == pytest.approx(bars[bars > 0].min()), "one feature"


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_for_print_holds_its_letters_and_no_date(name, grid):
    """The same bytes again; fonts as TrueType (type 42), which journals take."""
    draw = resolve_name(FIGURES[name])
    image = render(draw, grid, "pdf")
    assert image == render(draw, grid, "pdf")
    assert image.startswith(b"%PDF-") and b"/FontFile2" in image
    assert b"/CreationDate" not in image and b"/Type3" not in image


def test_many_lengths_share_bars():
    """Lengths 1 to 120, a text each: 40 bars of three."""
    counts = {"token_lengths": {str(n): 1 for n in range(1, 121)}, "edit_lengths": {}}
    one = drawn("tokens_per_text", Grid(CELLS, {"all": counts, "kept": counts})).axes[0]
    assert [bar.get_height() for bar in one.patches] == [3] * 40
    assert one.patches[0].get_x() + one.patches[0].get_width() / 2 == pytest.approx(2)
    assert one.get_xlabel() == "tokens per text, 3 lengths a bar"


def test_pairs_stand_once_where_nothing_is_filtered(grid):
    same = Grid(grid.cells, {"all": FACTS["kept"], "kept": FACTS["kept"]})
    said = texts(svg("edit_lengths", same))
    assert "all: 575 pairs" in said and "kept: 575 pairs" not in said
    assert [len(a.containers) for a in drawn("edit_lengths", same).axes] == [1]
    assert [len(a.containers) for a in drawn("edit_lengths", grid).axes] == [2]


def test_the_lines_are_the_counts(grid):
    low, high = drawn("features_above_cuts", grid).axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in low.get_lines()}
    assert lines == {"A, 8x": [[7, 1], [15, 4]], "A, 32x": [[7, 2]], "R, 32x": [[7, 3]]}
    lines = {line.get_label(): line.get_xydata().tolist() for line in high.get_lines()}
    assert lines == {"A, 8x": [[7, 0], [15, 1]], "A, 32x": [[7, 1]], "R, 32x": [[7, 2]]}


def test_every_cell_has_its_histogram(grid):
    figure = drawn("density_histograms", grid)
    assert [axes.get_title() for axes in figure.axes[:3]] == ["A, 8x", "A, 32x", "R, 32x"]
    assert [len(axes.patches) for axes in figure.axes] == [2, 1, 1]
    assert [len(axes.get_lines()) for axes in figure.axes] == [2, 2, 2]


def test_many_saes_of_one_position_stand_in_rows_and_have_their_own_colours(grid):
    """Seven SAEs: six panels in a row, and one below; no two lines look alike."""
    one = next(iter(grid.cells.values()))
    cells = {f"L{layer}R-{n}": one for n in "abcdefg" for layer in (7, 15)}
    many = Grid(cells, grid.facts, grid.cuts)
    figure = drawn("density_histograms", many)
    shown = [axes for axes in figure.axes if axes.get_title()]
    tops = [round(axes.get_subplotspec().rowspan.start, 3) for axes in shown]
    assert tops == [0] * 6 + [1]
    assert all(axes.get_xlim() == shown[0].get_xlim() for axes in shown)
    assert len({look["color"] for look in looks(many).values()}) == 7


def test_lines_differ_in_more_than_colour(grid):
    found = looks(grid)
    assert len({tuple(look.values()) for look in found.values()}) == len(found)
    assert found["A", "8x"]["color"] == found["A", "32x"]["color"] == COLOURS[0]
    assert found["A", "8x"]["marker"] != found["A", "32x"]["marker"]
    assert found["A", "32x"]["linestyle"] == found["R", "32x"]["linestyle"]


def test_all_figures_are_written(grid, tmp_path):
    draw_all(grid, tmp_path, FIGURES)
    wanted = [f"{name}.{form}" for name in sorted(FIGURES) for form in ("pdf", "svg")]
    assert sorted(path.name for path in tmp_path.iterdir()) == wanted
    assert (tmp_path / "layer_curves.svg").read_text() == svg("layer_curves", grid)
    paths = [path for path, _ in captions(FIGURES)]
    assert paths == [f"figures/{name}.svg" for name in sorted(FIGURES)]


def test_the_grid_is_read_from_files(grid, tmp_path):
    found = read_grid(*written(grid, tmp_path), grid.cuts)
    assert list(found.cells) == list(grid.cells)
    assert found.facts == FACTS
    assert svg("layer_curves", found) == svg("layer_curves", grid)


def test_no_two_figures_have_one_name():
    """They lie in one folder: figures of stages, of the health page and of the survey."""
    shown = [one.name for s in load().values() for one in s.shows if isinstance(one, Figure)]
    every = [*shown, *HEALTH_FIGURES, *SURVEY_FIGURES]
    assert len(every) == len(set(every)) > 8


def test_tables_of_other_stages_are_read_by_cell(grid, tmp_path):
    """The tables of each cell's folder, as `tables` of the output that makes them."""
    tables, facts = written(grid, tmp_path)
    for number, cell in enumerate(grid.cells):
        io.write_table(tmp_path / cell / "probe.parquet", pa.table({"auroc": [number / 10]}))
    found = read_grid(tables, facts, files={"probe.table": "probe.parquet"})
    values = {
        cell: table["auroc"][0].as_py() for cell, table in found.tables["probe.table"].items()
    }
    assert values == {cell: number / 10 for number, cell in enumerate(grid.cells)}
    assert read_grid(tables, facts).tables == {}


def test_png_for_a_look(grid):
    draw = resolve_name(FIGURES["edit_lengths"])
    assert render(draw, grid, "png").startswith(b"\x89PNG")


# --- the histogram of a feature ------------------------------------------------------------


def test_histogram_of_known_values():
    found = histogram([0, 1, 2, 2.5, 3], bins=2)
    assert found.edges.tolist() == [1, 2, 3]
    assert found.counts.tolist() == [1, 3]
    assert found.centers.tolist() == [1.5, 2.5]
    assert histogram([1, 2, 3], bins=3, low=0).counts.tolist() == [0, 1, 2]


def test_histogram_of_little():
    assert histogram([]).counts.tolist() == [0] * 50
    same = histogram([2.0, 2.0])
    assert (same.counts.sum(), same.edges[0], same.edges[-1]) == (2, 1.5, 2.5)


@given(st.lists(st.floats(-100, 100, width=32), max_size=60), st.integers(1, 60))
def test_counts_add_up_to_the_non_zero_values(values, bins):
    found = histogram(np.array(values, np.float32), bins)
    assert found.counts.sum() == np.count_nonzero(values)
    assert (len(found.counts), len(found.edges)) == (bins, bins + 1)
    assert (np.diff(found.edges) > 0).all()


@given(
    st.lists(st.lists(st.floats(2**-20, 100, width=32), max_size=40), min_size=1),
    st.integers(1, 60),
)
def test_histograms_are_those_of_numpy(features, bins):
    indptr = np.cumsum([0, *map(len, features)])
    found = histograms(np.float32([x for values in features for x in values]), indptr, bins)
    for values, edges, counts in zip(features, *found, strict=True):
        if values:
            wanted = np.histogram(values, bins, (min(values), max(values)))
            assert np.array_equal(counts, wanted[0])
            assert np.array_equal(edges, wanted[1])


def test_histogram_of_values_that_cannot_be():
    with pytest.raises(ValueError, match=r"^1 of 2 values are not finite\.$"):
        histogram([1, np.nan])
    with pytest.raises(ValueError, match=r"^low must be at most the smallest value 1\.0; got 2\.$"):
        histogram([1, 3], low=2)


def test_published_histograms(shared_data):
    """S0.24: where a published page shows all its active tokens, its histogram is ours."""
    path = shared_data / "published-dashboards" / "features_4_pages.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        features = [json.loads(line) for line in file]
    compared = 0
    for feature in features:
        published = feature["histogram"]
        assert sum(published["y"]) == feature["n_active_positions"]
        values = [s["bold_act"] for s in feature["sequences"] if s["bold_act"]]
        if len(values) == feature["n_active_positions"]:
            # Pages print four decimals of bfloat16 values.
            bits = np.array(values, np.float32).view(np.uint32) + 0x8000 >> 16 << 16
            found = histogram(bits.view(np.float32))
            assert found.counts.tolist() == published["y"]
            np.testing.assert_allclose(found.centers, published["x"], rtol=6e-6, atol=6e-6)
            compared += 1
    assert (len(features), compared) == (359, 74)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (7, 290, [10, 20, 50, 100, 200]),
        (12, 34, [15, 20, 30]),
        (27.5, 36.5, [27.5, 30, 32.5, 35]),
        (0.001, 1000, [0.001, 0.1, 10, 1000]),
    ],
)
def test_log_axes_have_few_round_numbers(low, high, ticks):
    _, axes = new(3, 3)
    one = axes[0, 0]
    one.set_xscale("log")
    plain_log(one.xaxis)
    one.set_xlim(low, high)
    assert one.get_xticks() == pytest.approx(ticks)


@pytest.mark.parametrize(("typical", "high"), [(3.0, 4.0), (30.0, 5000.0)])
def test_axes_that_are_linear_near_zero_have_two_ticks(typical, high):
    _, axes = new(3, 3)
    one = axes[0, 0]
    linear_near_zero(one, typical)
    one.set_ylim(0, high)
    seen = [x for x in one.get_yticks() if 0 <= x <= high]
    assert len(seen) >= 2 and seen == sorted(set(seen))


def test_densities_that_are_nearly_alike_have_three_ticks():
    _, axes = new(3, 3)
    density_histograms._axes(axes[0, 0], [0], -2.08, -1.92)
    ticks = [text.get_text() for text in axes[0, 0].get_xticklabels()]
    assert ticks == ["0.9", "1", "1.1", "1.2"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(7e-5, "7×10⁻⁵"), (1e-5, "10⁻⁵"), (0.001, "0.001"), (-2.5, "−2.5"), (3e7, "3×10⁷")],
)
def test_numbers_of_an_axis_are_plain(value, text):
    assert plain(value) == text
