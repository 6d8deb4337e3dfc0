"""Pooled activations of texts: known spans first, then a dense brute force."""

import numpy as np
import pyarrow as pa
import pytest

from saegrid.codes.sparse import from_pairs
from saegrid.evidence.texts import (
    CONTEXT_TOKEN,
    EDIT_TOKEN,
    EDITED,
    ORIGINAL,
    TEXT,
    pool,
    texts,
    with_context,
)

SPANS = ("item", "side", "row", "start", "stop", "edit_start", "edit_stop")


def tokens_table(lengths, sides, items=None):
    """Rows of so many tokens, of which the first is special and all belong to one item."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    position = np.concatenate([np.arange(n) for n in lengths])
    items = range(len(lengths)) if items is None else items
    return pa.table(
        {
            "row": pa.array(row, pa.int32()),
            "position": pa.array(position, pa.int32()),
            "side": pa.array(np.repeat(sides, lengths)),
            "item": pa.array(np.repeat(list(items), lengths), pa.int32()),
            "special": position == 0,
            "in_edit": np.zeros(len(row), bool),
        }
    )


def spans_table(*lines):
    columns = dict(zip(SPANS, zip(*lines, strict=True), strict=True))
    return pa.table(columns)


@pytest.fixture
def pairs():
    """Three items: 0 and 1 share an original row, the original span of 2 is empty."""
    tokens = tokens_table([5, 4, 4, 4, 4], [EDITED] * 3 + [ORIGINAL] * 2, [0, 1, 2, 0, 2])
    spans = spans_table(
        (0, EDITED, 0, 1, 5, 2, 4),
        (0, ORIGINAL, 3, 1, 4, 2, 3),
        (1, EDITED, 1, 1, 4, 1, 2),
        (1, ORIGINAL, 3, 1, 4, 2, 4),
        (2, EDITED, 2, 1, 4, 3, 4),
        (2, ORIGINAL, 4, 1, 4, 3, 3),
    )
    items = pa.table({"item": [0, 1, 2], "group": pa.array([0, 0, 1], pa.int32())})
    return items, tokens, spans


def of_item(view, item):
    return view.token[view.item == item].tolist()


def test_an_original_row_serves_all_of_its_items(pairs):
    found = texts(*pairs)
    original = found.views[ORIGINAL]
    assert [of_item(original, i) for i in range(3)] == [[15], [15, 16], []]
    assert [of_item(found.views[EDITED], i) for i in range(3)] == [[2, 3], [6], [12]]
    codes = from_pairs(
        np.array([0, 1, 1]), np.array([15, 15, 16]), np.array([2.0, 1, 3]), np.arange(21), 2
    )
    assert pool(codes, original, 3).toarray().tolist() == [[2, 1], [2, 3], [0, 0]]


def test_an_empty_original_span_is_a_real_zero(pairs):
    original = texts(*pairs).views[ORIGINAL]
    assert original.present.tolist() == [True, True, True]


def test_the_places_of_edits_are_counted_in_tokens(pairs):
    spans = texts(*pairs).spans
    assert {name: values.tolist() for name, values in spans.items()} == {
        "n_tokens": [2, 1, 1],
        "position": [1, 0, 2],
        "length": [4, 3, 3],
    }


def test_special_tokens_are_in_no_view():
    tokens = tokens_table([4], ["plain"])
    spans = spans_table((0, "plain", 0, 0, 4, 0, 0))
    items = pa.table({"item": [0], "group": pa.array([0], pa.int32())})
    assert of_item(texts(items, tokens, spans).views[TEXT], 0) == [1, 2, 3]


def test_a_text_that_a_row_end_cuts_has_all_of_its_lines():
    tokens = tokens_table([4, 4], [EDITED, EDITED], [0, 0])
    spans = spans_table((0, EDITED, 0, 1, 4, 3, 4), (0, EDITED, 1, 1, 4, 1, 3))
    items = pa.table({"item": [0], "group": pa.array([0], pa.int32())})
    found = texts(items, tokens, spans)
    assert of_item(found.views[EDITED], 0) == [3, 5, 6]
    assert {name: values.tolist() for name, values in found.spans.items()} == {
        "n_tokens": [3],
        "position": [2],
        "length": [6],
    }
    # The edit in the second line alone.
    spans = spans_table((0, EDITED, 0, 1, 4, 4, 4), (0, EDITED, 1, 1, 4, 2, 3))
    assert texts(items, tokens, spans).spans["position"].tolist() == [4]


def test_items_without_a_row_are_absent():
    tokens = tokens_table([3], ["plain"], [1])
    spans = spans_table((1, "plain", 0, 1, 3, 1, 1))
    items = pa.table({"item": [0, 1], "group": pa.array([0, 1], pa.int32())})
    found = texts(items, tokens, spans)
    assert found.views[TEXT].present.tolist() == [False, True]
    assert np.isnan(found.spans["length"][0]) and found.spans["length"][1] == 2


def test_numbers_are_floats_and_texts_are_lists():
    tokens = tokens_table([2, 2], ["plain"] * 2)
    spans = spans_table((0, "plain", 0, 1, 2, 1, 1), (1, "plain", 1, 1, 2, 1, 1))
    items = pa.table(
        {"item": [0, 1], "group": pa.array([0, 1], pa.int32()), "g": [1, None], "k": ["a", None]}
    )
    labels = texts(items, tokens, spans).labels
    assert labels["g"][0] == 1 and np.isnan(labels["g"][1]) and labels["k"] == ["a", None]


def test_one_token_of_the_edit_and_one_of_the_context(pairs):
    items, tokens, spans = pairs
    in_edit = np.zeros(21, bool)
    in_edit[[2, 3, 6, 12]] = True
    tokens = tokens.set_column(5, "in_edit", pa.array(in_edit))
    for seed in range(5):
        found = with_context(texts(items, tokens, spans, seed), tokens, np.arange(21), seed)
        edit, context = found.views[EDIT_TOKEN], found.views[CONTEXT_TOKEN]
        assert edit.item.tolist() == context.item.tolist() == [0, 1, 2]
        assert edit.token[0] in (2, 3) and edit.token[1:].tolist() == [6, 12]
        assert context.token[0] in (1, 4) and set(context.token[1:]) <= {7, 8, 10, 11}
    none = with_context(texts(items, tokens, spans), tokens, np.array([1, 2]))
    assert none.views[CONTEXT_TOKEN].present.tolist() == [True, False, False]


def drawn(rng, n_items=30, n_rows=20, n_features=7):
    """A random corpus: spans anywhere, originals shared, codes on some tokens."""
    lengths = rng.integers(3, 9, n_rows)
    tokens = tokens_table(lengths, [EDITED] * n_rows)
    lines = []
    for item in range(n_items):
        for side in (EDITED, ORIGINAL):
            row = int(rng.integers(n_rows))
            a, b = sorted(rng.integers(1, lengths[row] + 1, 2).tolist())
            lines.append((item, side, row, 1, int(lengths[row]), a, b))
    items = pa.table(
        {"item": np.arange(n_items), "group": pa.array(np.arange(n_items) // 2, pa.int32())}
    )
    total = int(lengths.sum())
    dense = np.where(rng.random((total, n_features)) < 0.2, rng.random((total, n_features)), 0)
    token, feature = np.nonzero(dense)
    codes = from_pairs(feature, token, dense[token, feature], np.arange(total), n_features)
    return (items, tokens, spans_table(*lines)), codes, dense.astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_pool_is_the_largest_of_the_dense_rows(seed):
    rng = np.random.default_rng(seed)
    tables, codes, dense = drawn(rng)
    for name in (EDITED, ORIGINAL):
        view = texts(*tables).views[name]
        expected = np.zeros((30, dense.shape[1]), np.float32)
        for item, token in zip(view.item, view.token, strict=True):
            expected[item] = np.maximum(expected[item], dense[token])
        found = pool(codes, view, 30)
        assert np.array_equal(found.toarray(), expected)
        assert found.has_sorted_indices and (found.data > 0).all()


def test_pooling_some_features_is_some_features_of_the_pool():
    tables, codes, _ = drawn(np.random.default_rng(9))
    view = texts(*tables).views[EDITED]
    whole = pool(codes, view, 30).toarray()
    assert np.array_equal(pool(codes.part(2, 5), view, 30).toarray(), whole[:, 2:5])


def test_codes_without_entries_are_pooled_to_nothing():
    tables, codes, _ = drawn(np.random.default_rng(9))
    view = texts(*tables).views[EDITED]
    none = codes._replace(data=codes.data[:0], indices=codes.indices[:0], indptr=codes.indptr * 0)
    assert pool(none, view, 30).nnz == 0 and pool(none, view, 30).shape == (30, 7)
