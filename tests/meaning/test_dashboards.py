"""Published pages: read, placed in our texts, made the tables of a cell; the real ones too."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from displayed import page, row, write
from saegrid.features.density import counted
from saegrid.features.density import density as densities
from saegrid.features.examples import top_tokens
from saegrid.features.histogram import BINS
from saegrid.meaning.dashboards import (
    LOOKED_AT,
    DashboardError,
    Displayed,
    Places,
    bars_of,
    imported,
    of_cell,
    of_page,
    read_dashboards,
    stands_in,
)

BOS, EOS = 1, 2
ROW = row([5, 6, 7], [0.0, 1.5, 0.0], 1)


def corpus() -> tuple[pa.Table, pa.Table]:
    """Two packed rows of BOS, six tokens and EOS; tokens 3 and 4 of each are the edit of an item.

    Of the second row the ids are 25 to 30, but its edit has the ids of the first one's.
    """
    ids = [BOS, 11, 12, 5, 6, 13, 14, EOS, BOS, 25, 26, 5, 6, 27, 28, EOS]
    edit = [i % 8 in (3, 4) for i in range(16)]
    tokens = pa.table(
        {
            "row": np.repeat([0, 1], 8).astype(np.int32),
            "position": np.tile(np.arange(8), 2).astype(np.int32),
            "token_id": np.array(ids, np.int32),
            "text": [f" t{i}" if i > 2 else "<s>" for i in ids],
            "side": ["edited"] * 16,
            "group": np.repeat([0, 1], 8).astype(np.int32),
            "item": np.array([-1, *[0] * 7, -1, *[1] * 7], np.int32),
            "special": np.isin(ids, [BOS, EOS]),
            "in_edit": edit,
        }
    )
    return tokens, pa.table({"item": [0, 1], "id": ["7", "9"]})


def made(*features: Displayed) -> Any:
    tokens, items = corpus()
    return imported(features, tokens, items, np.ones(2, bool), "packed")


def read(folder: Path, *pages: Any) -> list[Displayed]:
    return read_dashboards([write(folder / "pages.jsonl", pages)])


def test_what_is_read(tmp_path: Path) -> None:
    bars = {"x": (np.arange(BINS) + 0.5).tolist(), "y": list(range(BINS))}
    said = {"writeup_concept": "food", "writeup_count": "12/20", "writeup_words": None}
    first = page(64, [ROW], histogram=bars)
    (feature,) = read(tmp_path, first)
    assert (feature.cell, feature.label, feature.n_active) == ("L3R-32x", 64, 5)
    assert (feature.density, feature.max_activation, feature.said) == (0.1, 2.0, {})
    assert np.allclose(feature.histogram.edges, np.arange(BINS + 1))
    (shown,) = feature.rows
    assert (shown.token, shown.activation, shown.headline) == (" t6", 1.5, "7")
    assert (shown.ids, shown.acts, shown.center) == ((5, 6, 7), (0.0, 1.5, 0.0), 1)
    # A later file, a list and gzipped, says what it is about.
    later = tmp_path / "named.json.gz"
    later.write_bytes(gzip.compress(json.dumps([first | said]).encode()))
    (both,) = read_dashboards([tmp_path / "pages.jsonl", later])
    assert both == feature._replace(said={"concept": "food", "count": "12/20"})


@pytest.mark.parametrize(
    ("lines", "wanted"),
    [
        ("{]", "line 1: this is no JSON"),
        ("\n[1", "this is no JSON"),
        ("3", "line 1: a JSON object was expected; got 3"),
        ([page(1, [])], "line 1: feature 1 of L3R-32x has no tokens"),
        ([page(1, [ROW]), page(1, [ROW])], "line 2: the page of L3R-32x has a feature 1 already, "
         "in line 1"),
        ([{"layer": 3}], "line 1: a feature has layer, position, .*; it lacks 'position'"),
        ([page("x", [ROW])], "line 1: a feature has .*invalid literal"),
        ([page(99_999, [ROW])], "label of a feature lies from 0 to 14,335; got 99,999"),
        ([page(1, [ROW], histogram={"x": [1], "y": [1]})], "50 bins, not 1 and 1"),
        ([page(1, [row([5, 6], [1.0, 0.5, 2.0], 1)])], "2 token_ids, 3 acts"),
    ],
)  # fmt: skip
def test_bad_files_are_a_sentence(tmp_path: Path, lines: Any, wanted: str) -> None:
    path = tmp_path / "pages.jsonl"
    if isinstance(lines, str):
        path.write_text(lines)
    else:
        write(path, lines)
    with pytest.raises(DashboardError, match=wanted) as problem:
        read_dashboards([path])
    assert str(path) in str(problem.value) and "\n" not in str(problem.value)


def test_files_that_are_none_or_do_not_agree(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(b"\x1f\x8bnothing")
    for path in (broken, tmp_path / "missing"):
        with pytest.raises(DashboardError, match="JSON lines, gzipped or not"):
            read_dashboards([path])
    one = write(tmp_path / "one", [page(1, [ROW])])
    other = write(tmp_path / "other", [page(1, [ROW], n_active_positions=6)])
    with pytest.raises(DashboardError, match=r"other: line 1: .* differs"):
        read_dashboards([one, other])


def test_a_cell_without_a_page(tmp_path: Path) -> None:
    features = read(tmp_path, page(1, [ROW]))
    assert of_page(features, "L3R-32x") == of_cell(features, "L3R-32x") == features
    assert of_page(features, "L4R-32x") == []
    with pytest.raises(DashboardError, match=r"no page of L4R-32x .* which have L3R-32x"):
        of_cell(features, "L4R-32x")


def test_places(tmp_path: Path) -> None:
    """By the window where it stands once and within a row; else by token and headline."""
    rows = [
        row([12, 5, 6], [0, 1, 0], 1),  # once
        row([5, 6], [0, 1], 1, humicroedit={"id": "9"}),  # twice: the headline decides
        row([28, EOS, BOS], [1, 0, 0], 0),  # not there
        row([14, EOS, BOS], [1, 0, 0], 0),  # leaves the row
        {"bold_token": "t6", "bold_act": None, "humicroedit": {"id": "7"}},
        {"bold_token": "t6", "bold_act": None, "humicroedit": {"id": "7"}},  # it has one alone
    ]
    (feature,) = read(tmp_path, page(1, rows))
    assert Places(*corpus()).of(feature.rows).tolist() == [3, 12, -1, -1, 4, -1]


def test_the_tables_of_a_cell(tmp_path: Path) -> None:
    bars = {"x": np.linspace(0.5, 1.5, BINS).tolist(), "y": [3] + [0] * (BINS - 2) + [1]}
    features = read(
        tmp_path,
        page(70, [row([12, 5, 6], [0, 1, 0.5], 1), row([26, 5], [0, 0], 1)], n_active_positions=2),
        page(3, [row([26, 5, 6], [0, 0, 1.5], 2)], histogram=bars, n_active_positions=4),
        page(5, [row([12, 5], [0, 1], 1)], n_active_positions=2),
    )
    result = made(*features)
    assert result.codes.d_sae == LOOKED_AT
    entries = {f: dict(zip(*map(list, result.codes.of(f)), strict=True)) for f in (3, 5, 70)}
    assert entries == {3: {12: 1.5}, 5: {3: 1.0}, 70: {3: 1.0, 4: 0.5}}
    table = result.table
    assert table["feature"].to_pylist() == [3, 5, 70]  # by density, ties by label
    assert table["n_active"].to_pylist() == [4, 2, 2]
    assert table["density"].to_pylist() == [4 / 16, 2 / 16, 2 / 16]
    assert table["density_in_edit"].to_pylist() == [1, 2 / 4, 2 / 4]
    assert table["density_context"].null_count == table["mean_activation"].null_count == 3
    assert table["rank"].to_pylist() == [0, 1, 2]
    tokens, _ = corpus()
    assert table.schema == densities(result.codes, tokens, np.ones(2, bool), "packed").schema
    assert (result.facts["n_tokens"], result.facts["n_masked"]) == (16, 4)
    counts = bars_of(result.histograms)
    assert counts.counts.sum(axis=1).tolist() == [4, 0, 0]
    assert np.allclose(counts.edges[0, [0, -1]], [0.5 - 1 / 98, 1.5 + 1 / 98])


def test_of_a_picture_the_order_is_known_alone(tmp_path: Path) -> None:
    """Activations count down; the number of active tokens follows from the density."""
    rows = [
        {"bold_token": " t6", "bold_act": None, "humicroedit": {"id": "9"}},
        {"bold_token": " t5", "bold_act": None, "humicroedit": {"id": "7"}},
    ]
    (feature,) = read(tmp_path, page(64, rows, n_active_positions=None, density_pct=12.6))
    assert stands_in(feature)
    result = made(feature)
    assert result.codes.of(64)[0].tolist() == [3, 12]
    assert result.codes.of(64)[1].tolist() == [1, 2]
    assert result.table["n_active"].to_pylist() == [2]


def test_rows_that_cannot_be_used(tmp_path: Path) -> None:
    (strange,) = read(tmp_path, page(1, [row([99, 6], [0, 1], 1, humicroedit=None)]))
    with pytest.raises(DashboardError, match=r"' t6' of headline None stands nowhere"):
        made(strange)
    rows = [row([12, 5, 6], [0, 1, 0.5], 1), row([5, 6, 13], [0.75, 0.5, 0], 1)]
    (torn,) = read(tmp_path, page(1, rows))
    with pytest.raises(DashboardError, match=r"the activations 1 and 0\.75 on one token"):
        made(torn)


# --- the real pages ---------------------------------------------------------------------------

NAMED = {
    ("L7R-32x", 1216): (0.841, 0.910), ("L7R-32x", 9920): (1.072, 1.570),
    ("L7R-32x", 14080): (0.791, 0.914), ("L23A-8x", 13056): (1.312, 1.320),
    ("L31A-8x", 5696): (5.208, 1.938), ("L15R-32x", 8000): (0.791, 1.383),
    ("L7M-32x", 8448): (1.372, 0.707), ("L23R-32x", 6528): (0.771, 3.562),
    ("L15R-32x", 13952): (0.811, 2.469), ("L15R-32x", 6272): (0.431, 2.875),
}  # fmt: skip
"""Density in % and MAX of the named features (requirements, S0.26)."""


@pytest.fixture(scope="module")
def pages(shared_data: Path) -> list[Displayed]:
    folder = shared_data / "published-dashboards"
    names = ("features_4_pages.jsonl.gz", "named_features.json")
    return read_dashboards([folder / name for name in names])


@pytest.fixture(scope="module")
def texts(shared_data: Path) -> tuple[pa.Table, pa.Table, np.ndarray]:
    """Tokens, items and kept items of the published rows."""
    pytest.importorskip("tokenizers")
    from saegrid.text.corpora.items import items
    from saegrid.text.tokenizer import load
    from saegrid.text.tokens import tokens

    source = {
        "kind": "csv",
        "files": {"train": str(shared_data / "humicroedit" / "train.csv")},
        "columns": {"id": "id", "original": "original", "edit": "edit"},
        "labels": {"meanGrade": "number"},
    }
    table = items(source, "left", ("9150", "7187")).table
    kept = table["meanGrade"].to_numpy() >= 2
    llama = load(shared_data / "llama3-tokenizer")
    return tokens(table, kept, llama, "packed", "difference").tokens, table, kept


def test_counts_of_the_real_pages(pages: list[Displayed]) -> None:
    cells = [feature.cell for feature in pages]
    counts = {cell: cells.count(cell) for cell in sorted(set(cells))}
    assert counts == {
        "L7R-32x": 148, "L15A-32x": 92, "L23M-32x": 74, "L31R-32x": 45, "L15R-32x": 3,
        "L7M-32x": 1, "L23R-32x": 1, "L23A-8x": 1, "L31A-8x": 1,
    }  # fmt: skip
    named = {(f.cell, f.label): (100 * f.density, f.max_activation) for f in pages if f.said}
    assert named.keys() == NAMED.keys()
    for key, numbers in NAMED.items():
        assert named[key] == pytest.approx(numbers, abs=1e-9)


def test_real_pages_become_tables_whose_top_tokens_are_theirs(
    pages: list[Displayed], texts: tuple[pa.Table, pa.Table, np.ndarray], shared_data: Path
) -> None:
    """Every row of every feature; words against the edits that the source lists by eye."""
    tokens, items, kept = texts
    source = json.loads((shared_data / "published-dashboards/named_features.json").read_text())
    words = {(one["dashboard"].split("_")[0], one["label"]): one["top20_edit_words"]
             for one in source}  # fmt: skip
    places = Places(tokens, items)
    for cell in sorted({feature.cell for feature in pages}):
        own = of_cell(pages, cell)
        result = imported(own, tokens, items, kept, "packed")
        assert counted(tokens, kept, result.codes.token, "packed").n_tokens == 9984
        top = top_tokens(
            result.codes, result.table, tokens, kept, 0.001, 20, (5, 5), "packed", True, True
        )
        assert "label" not in top.column_names
        by_label: dict[int, list[dict[str, Any]]] = {}
        for one in top.to_pylist():
            by_label.setdefault(one["feature"], []).append(one)
        for feature in own:
            shown = by_label[feature.label]
            assert len(shown) == 20
            values = [row.activation for row in feature.rows]
            if not stands_in(feature):
                assert [one["activation"] for one in shown] == [np.float32(v) for v in values]
            # Equal values stood on the pages in no order.
            sure = [k for k, v in enumerate(values) if v is None or v > (values[-1] or 0)]
            ours = {shown[k]["token_index"] for k in range(20)}
            assert {places.of(feature.rows)[k] for k in sure} <= ours
            if feature.said:
                listed = words[cell.split("-")[0].lower(), feature.label]
                theirs = sorted(word.lower() for word in listed)
                assert sorted(one["word"].lower() for one in shown) == theirs
