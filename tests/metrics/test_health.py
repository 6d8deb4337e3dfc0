"""The table, the page and the figures of judged SAEs."""

import re
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base import io
from saegrid.base.digest import digest
from saegrid.features.summary import StaleCell
from saegrid.metrics.health import flat_settings, health, varying
from saegrid.metrics.lights import FEWER, MORE, READINGS, REVIVE
from saegrid.pages import figures
from saegrid.pages.browser.health import _plain
from saegrid.pages.figures import HEALTH_FIGURES, captions
from saegrid.pages.figures.judged import Judged, read_judged

sys.path.append(str(Path(__file__).parents[1] / "browser"))
from reading import Document

from judging import SAES, page_of, table_of, write_baselines, write_metrics


def svg(name, shown):
    """A figure of the page."""
    return figures.svg(HEALTH_FIGURES[name], shown)


@pytest.fixture
def files(tmp_path):
    return write_metrics(tmp_path)


@pytest.fixture
def baselines(tmp_path):
    return write_baselines(tmp_path)


def test_one_row_a_cell_with_settings_numbers_and_lights(files, baselines):
    table = table_of(files, baselines)
    rows = {row["cell"]: row for row in table.to_pylist()}
    assert list(rows) == ["L0A-tied", "L1R-8x.k_2", "L1R-8x.k_8"]
    row = rows["L1R-8x.k_8"]
    # The nearest whole L0 is 8; of random dictionaries the one of the SAE's width.
    assert (row["pca_fvu"], row["random_fvu"], row["fvu"]) == (0.31, 0.7, 0.25)
    assert (row["set_k"], row["set_lr"], row["n_tokens"]) == ("8", "0.0001", 900)
    assert (row["light_dead_rate"], row["light_gini"], row["shape_l0"]) == ("red", "green", "red")
    assert [row[f"target_{name}"] for name in ("l0", "r2", "dead_rate")] == [
        "green",
        "amber",
        "red",
    ]
    assert row["kl"] is None and table.schema.field("kl").type == pa.float64()
    assert rows["L1R-8x.k_2"]["pca_fvu"] == 0.62 and rows["L1R-8x.k_2"]["random_fvu"] is None
    assert rows["L0A-tied"]["set_k"] is None and rows["L0A-tied"]["pca_fvu"] is None
    assert "set_seed" not in table.column_names, "seed is the same everywhere"
    assert "pca_fvu" not in table_of(files).column_names


def test_settings_in_one_mapping():
    assert flat_settings(SAES["L0A-tied"]) == {
        "recipe": "tied",
        "expansion": 8,
        "seed": 0,
        "lr": 0.5,
    }
    checkpoint = {
        "source": "checkpoint",
        "format": "sae_lens",
        "path": "/x",
        "revision": {"R": "c"},
    }
    assert flat_settings(checkpoint | {"repo": None, "folder": "f"}) == {
        "source": "checkpoint",
        "format": "sae_lens",
    }
    rows = [{"a": 1, "b": None, "c": 2}, {"a": 1, "b": 3, "d": 4}]
    assert varying(rows) == ["b", "c", "d"]
    assert varying(rows, ("a", "e")) == ["a", "b", "c", "d"]


def test_a_file_of_other_settings_is_refused(files):
    with pytest.raises(StaleCell, match="was made with other settings"):
        health(files, dict.fromkeys(files, digest("other")), SAES)


def test_what_to_do_stands_in_the_open(files, baselines):
    """Not only where a light is pointed at: on paper and on a phone nothing is."""
    text = Document(page_of(files, baselines)).text
    assert f"dead rate: {REVIVE} (3 of 3)" in text, "all have 0.4"
    assert f"density: {FEWER} (1 of 3) {MORE} (1 of 3)" in text, "0.12 and 0"
    assert "good 0.05–0.2, high > 0.3, low about 0" in text


def test_the_page_speaks_plainly(files, baselines):
    """No numbers of requirements; a light is a sign and a word, and never a colour alone."""
    page = page_of(files, baselines)
    text = Document(page).text
    assert not re.search(r"\bS\d+\.\d+", page)
    for words in ("Are these SAEs sound?", "ranges of small SAEs", "ranges for this size"):
        assert words in text
    shown = re.findall(r'class="light (\w+)"><span aria-hidden="true">(.)</span> (\w+)', page)
    assert len(shown) == 3 * sum(map(len, READINGS.values()))
    signs = {"green": "●", "amber": "◐", "red": "■"}
    states = {"green": {"good"}, "amber": {"between", "unknown", "low"}, "red": {"low", "high"}}
    assert all(sign == signs[light] and state in states[light] for light, sign, state in shown)
    assert re.search(r"\d of 6 good; ■ [^<]*dead rate high", text)
    most = max(table.count('<th scope="col"') for table in page.split("<table")[1:])
    assert most <= 13, "columns of a table"


def test_limits_are_printed_as_numbers_are():
    assert _plain("good <= .2-.3, high >= .3-.5") == "good ≤ 0.2–0.3, high ≥ 0.3–0.5"
    assert _plain("silent on 10^7 tokens, low ~0") == "silent on 10⁷ tokens, low about 0"


def test_the_page_says_what_the_table_does(files, baselines):
    page = page_of(files, baselines)
    document = Document(page)
    for text in ("st<udy", "L1R-8x.k_8", "0.3100", "what fvu & <b>such</b> is", "0.6200"):
        assert text in document.text
    assert document.images == [path for path, _ in captions(HEALTH_FIGURES)]
    assert document.metas["saegrid-spec"] == '{"a": "<b>"}'
    assert "<b>such" not in page
    # Every light says its value and what to do.
    assert "dead rate: 0.4, high (good .05-.2, high &gt; .3, low ~0). Many features never" in page
    # A number that is missing says why.
    assert page.count('title="no kl &amp; &lt;b&gt;why&lt;/b&gt;"') == 3
    assert "cosine, p95: unknown: not measured (" in page
    assert page == page_of(files, baselines)


def changed(table, name, values):
    return table.set_column(table.column_names.index(name), name, [values])


def test_places_of_a_site_are_kept_apart(tmp_path):
    """Numbers of two corpora, or of two ways of holding out, are not compared."""
    files, paths = write_metrics(tmp_path), write_baselines(tmp_path)
    table = table_of(files, paths)
    one = read_judged(table, paths, [])
    assert list(one.named_baselines()) == ["L1R"]
    other = tmp_path / "songs/baselines/L1R.parquet"
    io.write_table(other, io.read_table(paths[0]))
    songs = changed(table, "corpus", ["stories", "stories", "songs"])
    mixed = read_judged(songs, [*paths, other], [])
    assert list(mixed.names().values()) == ["L0A, stories", "L1R, stories", "L1R, songs"]
    assert set(mixed.named_baselines()) == {"L1R, stories", "L1R, songs"}
    text = svg("frontier", mixed)
    assert ">L1R, songs<" in text and text.count(">64<") == 2, "widths of random dictionaries"
    split = Judged(
        table.set_column(table.column_names.index("order_seed"), "order_seed", [[1, 2, 3]])
    )
    assert list(split.names().values()) == ["L0A, seed 1", "L1R, seed 2", "L1R, seed 3"]


def test_more_recipes_than_colours_have_dashes(files):
    table = table_of(files)
    many = pa.concat_tables([table.slice(0, 1)] * 9)
    judged = Judged(changed(many, "set_recipe", [f"r{n}" for n in range(9)]))
    assert len({tuple(look.values()) for look in judged.lines().values()}) == 9


HISTORY = pa.table(
    {
        "tokens": [512, 1024],
        "reconstruction": [0.9, 0.4],
        "sparsity": [0.0, 0.0],
        "auxiliary": [0.0, 0.1],
        "held_reconstruction": pa.array([None, 0.5], pa.float64()),
        "held_sparsity": pa.array([None, 0.0], pa.float64()),
        "held_auxiliary": pa.array([None, None], pa.float64()),
    }
)


@pytest.mark.parametrize("name", HEALTH_FIGURES)
def test_figures_of_many_of_one_and_of_none(files, baselines, name):
    table = table_of(files, baselines)
    many = read_judged(table, baselines, [])
    many = Judged(many.table, many.baselines, {"L1R-8x.k_8": HISTORY})
    one = svg(name, many)
    assert one == svg(name, many) and one.startswith("<?xml")
    assert svg(name, Judged(table.slice(0, 1))).startswith("<?xml")


def test_the_frontier_shows_what_has_an_l0(files, baselines):
    text = svg("frontier", read_judged(table_of(files, baselines), baselines, []))
    for label in ("L0A", "L1R", "pca", "random", "topk", "tied"):
        assert f">{label}<" in text


def test_what_is_recovered_is_shown_where_it_is_known(files):
    table = table_of(files)
    known = table.append_column("ce_recovered", pa.array([0.5, None, 0.9]))
    text = svg("recovered", Judged(known))
    assert ">L1R<" in text and ">topk<" in text
    assert ">tied<" not in text, "no feature is active"
    assert ">topk<" not in svg("recovered", Judged(table)), "never measured"


def test_latents_are_shown_where_any_is_active(files, baselines):
    table = table_of(files, baselines)
    text = svg("latents", read_judged(table, baselines, [], files))
    assert ">L1R<" in text and ">topk<" in text
    assert ">L0A<" not in text and ">tied<" not in text, "no feature is active"
    assert "no code is known" in svg("latents", read_judged(table, baselines, []))


def test_loss_curves_show_the_terms_that_there_are(files):
    text = svg("loss_curves", Judged(table_of(files), {}, {"L1R-8x.k_8": HISTORY}))
    assert ">topk: reconstruction<" in text and ">topk: auxiliary<" in text
    assert ": sparsity<" not in text
    assert np.isnan(HISTORY["held_auxiliary"].to_numpy().astype(float)).all()


def test_loss_curves_tell_sites_apart_and_keep_recipes_apart(files):
    many = dict.fromkeys(SAES, HISTORY)
    text = svg("loss_curves", Judged(table_of(files), {}, many))
    for label in ("L0A", "L1R", "tied: reconstruction", "topk: auxiliary"):
        assert f">{label}<" in text
    one = {cell: HISTORY for cell in SAES if cell.startswith("L1R")}
    text = svg("loss_curves", Judged(table_of(files), {}, one))
    assert ">L1R<" not in text and "tied" not in text
    for cell in one:
        assert f">{cell.removeprefix('L1R-')}<" in text


def test_loss_curves_name_the_lines_that_colours_do_not(files):
    """Colours are of sites: of several SAEs of a recipe the settings stand at the ends."""
    from saegrid.pages.figures import loss_curves

    assert loss_curves._apart(["4x.recipe_topk.k_8", "4x.recipe_topk.k_16"]) == ["k_8", "k_16"]
    assert loss_curves._apart(["8x", "8x.k_2"]) == ["8x", "8x.k_2"]
    assert loss_curves._apart(["a", "a"]) == ["a", "a"]
    text = svg("loss_curves", Judged(table_of(files), {}, dict.fromkeys(SAES, HISTORY)))
    assert ">k_2<" in text and ">k_8<" in text
    assert ">learned from<" in text and ">held out<" in text
    one = {cell: HISTORY for cell in SAES if cell.startswith("L1R")}
    assert ">k_8<" not in svg("loss_curves", Judged(table_of(files), {}, one)), "in the legend"
