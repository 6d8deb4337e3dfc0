"""Features are read in ranges: how large they are changes no byte, and bounds what is held."""

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from saegrid.base.words import SIDES
from saegrid.codes import sparse
from saegrid.codes.sparse import find, from_pairs, read_features, write_features
from saegrid.features.density import density, facts
from saegrid.features.examples import examples, top_tokens
from saegrid.pages.browser.shown import Tokens, examples_of, row_activations, windows


def cell(rows: int, length: int, d_sae: int, share: float, side: str = "edited"):
    """Rows of one special and other tokens, every third of the edit; random z of all but these."""
    n, rng = rows * length, np.random.default_rng(0)
    position = np.tile(np.arange(length, dtype=np.int32), rows)
    row = np.repeat(np.arange(rows, dtype=np.int32), length)
    tokens = pa.table(
        {
            "row": row,
            "position": position,
            "token_id": np.arange(n, dtype=np.int32),
            "text": [f" t{i % 50}" for i in range(n)],
            "side": pa.DictionaryArray.from_arrays(np.full(n, SIDES.index(side), np.int8), SIDES),
            "group": row,
            "item": row,
            "special": position == 0,
            "in_edit": (position % 3 == 1) & (side == "edited"),
        }
    )
    captured = np.flatnonzero(position > 0)
    count = int(share * len(captured) * d_sae)
    pairs = rng.choice(len(captured) * d_sae, count, replace=False)
    values = rng.random(count).astype(np.float32) + np.float32(0.1)
    features = from_pairs(
        pairs // len(captured), captured[pairs % len(captured)], values, captured, d_sae
    )
    return features, tokens, np.ones(rows, dtype=bool)


def test_find_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    features = from_pairs(np.array([0, 0, 2]), np.array([3, 7, 5]), np.ones(3), np.arange(9), 3)
    feature, token = np.array([2, 0, 0, 0, 1, 2, 0]), np.array([5, 0, 4, 8, 4, 6, 7])
    for entries in (1, 2, 100):
        monkeypatch.setattr(sparse, "ENTRIES", entries)
        assert find(features, feature, token).tolist() == [2, 0, 1, 2, 2, 3, 1]
    assert find(features, feature[:0], token[:0]).tolist() == []


@pytest.mark.parametrize("entries", [1, 17, 200])
@pytest.mark.parametrize("layout", ["headline", "packed", "plain"])
def test_ranges_change_no_byte(layout: str, entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    features, tokens, kept = cell(30, 12, 40, 0.05, "plain" if layout == "plain" else "edited")
    rules = {"layout": layout.replace("plain", "headline"), "window": (2, 2)}

    def made():
        table = density(features, tokens, kept, rules["layout"])
        top = top_tokens(
            features, table, tokens, kept, 0.01, 4, **rules, published=layout == "packed"
        )
        sample = examples(features, table, tokens, kept, 0.01, 3, 2, **rules)
        place = np.full(features.d_sae, -1)
        place[table["feature"].to_numpy()] = np.arange(table.num_rows)
        columns = Tokens.of(tokens)
        view = windows(examples_of(top, sample), place, columns)
        found = facts(features, tokens, kept, rules["layout"])
        arrays = [array.tolist() for array in row_activations(view, columns, features)]
        return table, top, sample, found, arrays

    whole = made()
    assert whole[1].num_rows > 50
    assert whole[2].num_rows > 100
    monkeypatch.setattr(sparse, "ENTRIES", entries)
    for one, other in zip(whole, made(), strict=True):
        assert one == other


def test_a_silent_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    features, tokens, kept = cell(3, 6, 5, 0)
    table = density(features, tokens, kept)
    assert table.num_rows == top_tokens(features, table, tokens, kept).num_rows == 0
    assert examples(features, table, tokens, kept).num_rows == 0


def test_what_is_held_does_not_grow_with_the_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    features, tokens, kept = cell(100, 30, 2000, 0.2, "plain")
    path = tmp_path / "features.safetensors"
    write_features(path, features)
    n_bytes = path.stat().st_size
    assert n_bytes > 9e6
    monkeypatch.setattr(sparse, "ENTRIES", 20_000)

    def most(work) -> int:
        tracemalloc.start()
        work(read_features(path))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    table = density(features, tokens, kept)
    assert most(lambda z: facts(z, tokens, kept)) < n_bytes / 4
    assert most(lambda z: top_tokens(z, table, tokens, kept, 0.205, n=5)) < n_bytes / 2
    assert most(lambda z: examples(z, table, tokens, kept, 0.205, 2, 1)) < n_bytes / 2
