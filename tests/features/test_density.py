"""Densities: arithmetic that can be done by hand, the published figures, and laws."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.base.words import SIDES
from saegrid.codes.sparse import Features, from_pairs, select
from saegrid.features.density import density, facts, schema
from saegrid.features.statistics import registered


def make_tokens(
    texts: list[list[int]], side: str = "edited", items: list[int] | None = None
) -> pa.Table:
    """Rows of one BOS and tokens that are in the edit (1) or not (0)."""
    rows = [[-1, *text] for text in texts]
    flat = np.array([token for row in rows for token in row], dtype=np.int64)
    row = np.repeat(np.arange(len(rows), dtype=np.int32), [len(row) for row in rows])
    number = np.arange(len(rows)) if items is None else np.array(items)
    return pa.table(
        {
            "row": row,
            "position": np.concatenate([np.arange(len(row)) for row in rows]).astype(np.int32),
            "token_id": np.arange(len(flat), dtype=np.int32),
            "text": [f" t{i}" for i in range(len(flat))],
            "side": pa.DictionaryArray.from_arrays(
                np.full(len(flat), SIDES.index(side), np.int8), list(SIDES)
            ),
            "group": row,
            "item": number[row].astype(np.int32),
            "special": flat < 0,
            "in_edit": flat > 0,
        }
    )


def make_features(z: np.ndarray, captured: np.ndarray) -> Features:
    """Sparse features of z (captured token, d_sae)."""
    at, feature = np.nonzero(z)
    return from_pairs(feature, captured[at], z[at, feature], captured, z.shape[1])


def captured_tokens(tokens: pa.Table) -> np.ndarray:
    return np.flatnonzero(~tokens["special"].to_numpy())


def random_cell(seed: int, d_sae: int = 12, items: int = 15) -> tuple[Features, pa.Table]:
    rng = np.random.default_rng(seed)
    texts = [rng.integers(0, 2, rng.integers(1, 9)).tolist() for _ in range(items)]
    tokens = make_tokens(texts)
    captured = captured_tokens(tokens)
    z = rng.random((len(captured), d_sae)) * (rng.random((len(captured), d_sae)) < 0.3)
    return make_features(z.astype(np.float32), captured), tokens


def test_the_masked_example_of_the_text() -> None:
    """S0.16: fifteen tokens, four of them in the edit, three of those active."""
    z = np.array([0, 0.3, 0.5, 0.6, 0.1, 0, 0, 0, 0.2, 0.9, 0, 0, 0, 0, 0], dtype=np.float32)
    tokens = make_tokens([[0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]])
    features = make_features(z[:, None], np.arange(1, 16))
    table = density(features, tokens, np.array([True]))
    assert table.schema == schema(registered())
    row = table.to_pylist()[0]
    assert (row["n_active"], row["density"], row["density_in_edit"]) == (3, 3 / 15, 3 / 4)
    assert row["density_context"] == 3 / 11
    assert row["max_activation"] == np.float32(0.6)
    assert row["mean_activation"] == pytest.approx((0.5 + 0.6 + 0.1) / 3)
    assert facts(features, tokens, np.array([True])) == {
        "d_sae": 1,
        "n_tokens": 15,
        "n_masked": 4,
        "n_context": 11,
        "n_captured": 15,
        "n_active": 1,
        "n_above_0.001": 1,
        "n_above_0.01": 1,
        "dead_share": 0.0,
        "median_density": 0.2,
        "max_density": 0.2,
        "l0_masked": 0.75,
        "l0_context": 3 / 11,
        "l0": 6 / 15,
    }


def test_cuts_at_the_published_number_of_positions() -> None:
    """D6: of 9,984 positions 100 active pass 0.01 and 99 do not; 10 pass 0.001 and 9 do not."""
    tokens = make_tokens([[1] * 127] * 78)
    captured = captured_tokens(tokens)
    z = np.zeros((len(captured), 4), dtype=np.float32)
    for feature, n in enumerate((9, 100, 10, 99)):
        z[:n, feature] = 1
    features, kept = make_features(z, captured), np.ones(78, dtype=bool)
    table = density(features, tokens, kept, "packed")
    assert table["feature"].to_pylist() == [1, 3, 2, 0]
    assert table["n_active"].to_pylist() == [100, 99, 10, 9]
    densities = np.array(table["density"])
    assert (densities > 0.01).tolist() == [True, False, False, False]
    assert (densities >= 1e-3).tolist() == [True, True, True, False]
    assert round(densities[0], 6) == 0.010016
    assert round(densities[2], 7) == 0.0010016
    assert density(features, tokens, kept)["density"][0].as_py() == 100 / (78 * 127)


def test_golden_densities_and_histograms(shared_data: Path) -> None:
    """The published pages: counts of a histogram sum to n_active, densities are n / 9,984."""
    path = shared_data / "published-dashboards" / "features_4_pages.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        published: list[dict[str, Any]] = [json.loads(line) for line in lines]
    tokens = make_tokens([[1] * 127] * 78)
    captured = captured_tokens(tokens)
    pages: dict[str, list[dict[str, Any]]] = {}
    for feature in published:
        pages.setdefault(feature["dashboard"], []).append(feature)
    assert {name: len(page) for name, page in pages.items()} == {
        "l7r_32x": 148,
        "l15a_32x": 92,
        "l23m_32x": 74,
        "l31r_32x": 45,
    }
    for page in pages.values():
        counts = [sum(feature["histogram"]["y"]) for feature in page]
        assert counts == [feature["n_active_positions"] for feature in page]
        z = (np.arange(len(captured))[:, None] < counts).astype(np.float32)
        table = density(make_features(z, captured), tokens, np.ones(78, bool), "packed")
        order = table["feature"].to_numpy()
        shown = [f"{100 * value:.3f}" for value in table["density"].to_pylist()]
        assert shown == [f"{page[number]['density_pct']:.3f}" for number in order]
        assert np.all(table["density"].to_numpy() >= 1e-3)
        ranks = [page[number]["rank_by_density"] for number in order]
        assert [counts[r] for r in ranks] == sorted(counts, reverse=True)


def test_only_kept_items_count() -> None:
    tokens = make_tokens([[1, 0], [1, 0], [0, 1]])
    z = np.ones((6, 1), dtype=np.float32)
    features = make_features(z, captured_tokens(tokens))
    table = density(features, tokens, np.array([True, False, True]))
    assert table.select(["n_active", "density", "density_context"]).to_pylist() == [
        {"n_active": 2, "density": 0.5, "density_context": 1.0}
    ]


def test_originals_are_not_counted() -> None:
    edited = make_tokens([[1, 0]])
    original = make_tokens([[0, 0, 0]], side="original", items=[-1])
    tokens = pa.concat_tables([edited, original])
    features = make_features(np.ones((5, 2), np.float32), captured_tokens(tokens))
    table = density(features, tokens, np.array([True]))
    assert table["density"].to_pylist() == [0.5, 0.5]
    assert table["feature"].to_pylist() == [0, 1]
    assert facts(features, tokens, np.array([True]))["n_tokens"] == 2


def test_density_in_context_is_over_what_was_captured() -> None:
    tokens = make_tokens([[1, 0, 0, 0]])
    features = make_features(np.ones((2, 1), np.float32), np.array([1, 3]))
    row = density(features, tokens, np.array([True])).to_pylist()[0]
    assert (row["density"], row["density_context"]) == (1 / 4, 1.0)
    bare = make_features(np.ones((1, 1), np.float32), np.array([1]))
    row = density(bare, tokens, np.array([True])).to_pylist()[0]
    assert (row["density_in_edit"], row["density_context"]) == (1.0, None)
    assert facts(bare, tokens, np.array([True]))["l0_context"] is None


def test_plain_text_counts_every_captured_token() -> None:
    tokens = make_tokens([[0, 0, 0], [0, 0]], side="plain")
    z = np.array([[1, 0], [0, 0], [1, 2]], dtype=np.float32)
    features = make_features(z, np.array([1, 2, 5]))
    table = density(features, tokens, np.array([True, True]))
    assert table["density"].to_pylist() == [2 / 3, 1 / 3]
    assert table["density_in_edit"].null_count == table["density_context"].null_count == 2


def test_what_was_not_captured_is_not_taken_for_silent() -> None:
    tokens = make_tokens([[1, 1, 0]])
    features = make_features(np.ones((1, 1), np.float32), np.array([1]))
    with pytest.raises(ValueError) as error:
        density(features, tokens, np.array([True]))
    assert str(error.value) == (
        "activations: 1 of 2 tokens of the edits were not captured, the first is token 2; "
        "densities need all. Set tokens: {edited: all}."
    )


def test_a_selection_of_another_corpus_stops() -> None:
    tokens = make_tokens([[1], [1]])
    features = make_features(np.ones((2, 1), np.float32), captured_tokens(tokens))
    with pytest.raises(ValueError) as error:
        density(features, tokens, np.array([True]))
    assert str(error.value) == (
        "selection: kept must say of 2 items whether they count; got 1. "
        "Make selection and tokens from the same corpus."
    )


def test_a_silent_cell_has_no_rows() -> None:
    tokens = make_tokens([[1]])
    features = make_features(np.zeros((1, 3), np.float32), np.array([1]))
    assert density(features, tokens, np.array([True])).num_rows == 0
    found = facts(features, tokens, np.array([True]))
    assert (found["dead_share"], found["max_density"], found["l0"]) == (1.0, None, 0.0)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_agrees_with_dense_arithmetic(seed: int) -> None:
    features, tokens = random_cell(seed)
    kept = np.random.default_rng(seed).random(15) < 0.7
    table = density(features, tokens, kept)
    z = np.zeros((tokens.num_rows, features.d_sae), dtype=np.float32)
    z[features.indices, features.owners()] = features.data
    ours = kept[tokens["item"].to_numpy()] & ~tokens["special"].to_numpy()
    masked = z[ours & tokens["in_edit"].to_numpy()]
    counts = (masked > 0).sum(axis=0)
    order = sorted(np.flatnonzero(counts), key=lambda f: (-counts[f], f))
    assert table["feature"].to_pylist() == order
    assert table["rank"].to_pylist() == list(range(len(order)))
    assert table["density"].to_pylist() == [counts[f] / ours.sum() for f in order]
    assert table["max_activation"].to_pylist() == [float(masked[:, f].max()) for f in order]
    means = [masked[:, f].sum(dtype=np.float64) / counts[f] for f in order]
    np.testing.assert_allclose(table["mean_activation"].to_numpy(), means, rtol=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_permuting_features_permutes_rows(seed: int) -> None:
    features, tokens = random_cell(seed)
    kept, order = np.ones(15, bool), np.random.default_rng(seed).permutation(features.d_sae)
    moved = from_pairs(
        order[features.owners()], features.indices, features.data, features.token, features.d_sae
    )
    one, other = density(features, tokens, kept), density(moved, tokens, kept)
    renamed = one.set_column(0, "feature", pa.array(order[one["feature"].to_numpy()], pa.int32()))
    columns = [name for name in one.column_names if name != "rank"]
    assert renamed.select(columns).sort_by("feature") == other.select(columns).sort_by("feature")


@given(st.integers(0, 10_000), st.integers(1, 14))
@settings(max_examples=25, deadline=None)
def test_halves_make_the_whole(seed: int, cut: int) -> None:
    """Counts of two halves of the items add up to the counts of all."""
    features, tokens = random_cell(seed)
    sides = [np.arange(15) < cut, np.arange(15) >= cut]
    halves = np.zeros((2, features.d_sae), dtype=np.int64)
    totals = []
    for half, kept in zip(halves, sides, strict=True):
        table = density(features, tokens, kept)
        half[table["feature"].to_numpy()] = table["n_active"].to_numpy()
        totals.append(facts(features, tokens, kept)["n_tokens"])
    whole = density(features, tokens, np.ones(15, bool))
    ids = whole["feature"].to_numpy()
    assert whole["n_active"].to_pylist() == halves.sum(axis=0)[ids].tolist()
    assert halves.sum() == whole["n_active"].to_numpy().sum()
    expected = halves.sum(axis=0)[ids] / sum(totals)
    assert whole["density"].to_pylist() == expected.tolist()


def test_a_feature_beside_others_is_counted_the_same() -> None:
    features, tokens = random_cell(3)
    kept, lone = np.ones(15, bool), select(features, features.owners() == 7)
    row = next(row for row in density(features, tokens, kept).to_pylist() if row["feature"] == 7)
    assert density(lone, tokens, kept).to_pylist() == [{**row, "rank": 0}]
