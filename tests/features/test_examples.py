"""Top tokens and samples: ids, order, windows, words; the published pages' rules against them."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.base.words import SIDES
from saegrid.codes.encode import encode
from saegrid.codes.sparse import Features, from_pairs
from saegrid.features.density import counted, density
from saegrid.features.examples import examples, published_labels, top_tokens
from saegrid.features.windows import SCHEMA, bare_word
from saegrid.saes.sae import Encoder

BOS, EOS = "<bos>", "<eos>"


def make_tokens(rows: list[list[tuple[str, int]]], side: str = "edited") -> pa.Table:
    """Rows of (text, in the edit); <bos> and <eos> are special; every row is its own item.

    After an <eos> a row goes on with the next item.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("row", "position", "text", "edit")}
    items, item = [], -1
    for number, row in enumerate(rows):
        item += 1
        for position, (text, edit) in enumerate(row):
            for name, value in zip(columns, (number, position, text, edit), strict=True):
                columns[name].append(value)
            items.append(-1 if text == BOS else item)
            item += text == EOS and position < len(row) - 1
    text = columns["text"]
    return pa.table(
        {
            "row": np.array(columns["row"], np.int32),
            "position": np.array(columns["position"], np.int32),
            "token_id": np.arange(len(text), dtype=np.int32),
            "text": text,
            "side": pa.DictionaryArray.from_arrays(
                np.full(len(text), SIDES.index(side), np.int8), list(SIDES)
            ),
            "group": np.array(items, np.int32),
            "item": np.array(items, np.int32),
            "special": np.isin(text, [BOS, EOS]),
            "in_edit": np.array(columns["edit"]) > 0,
        }
    )


def headline(text: str, edit: str = "") -> list[tuple[str, int]]:
    """A row of BOS and words, where '|' divides the tokens of a word."""
    words = [word for word in text.split(" ") if word]
    row = [(BOS, 0)]
    for number, word in enumerate(words):
        parts = word.split("|")
        parts[0] = (" " if number else "") + parts[0]
        row += [(part, int(word == edit)) for part in parts]
    return row


def make_features(
    tokens: pa.Table, active: dict[int, dict[int, float]], d_sae: int, captured: Any = None
) -> Features:
    """Features from {feature: {token: activation}}."""
    if captured is None:
        captured = np.flatnonzero(~tokens["special"].to_numpy())
    entries = [(f, t, v) for f, at in active.items() for t, v in at.items()]
    feature, token, value = (np.array(column) for column in zip(*entries, strict=True))
    return from_pairs(feature, token, value.astype(np.float32), captured, d_sae)


def shown(features: Features, tokens: pa.Table, **options: Any) -> pa.Table:
    kept = np.ones(int(tokens["item"].to_numpy().max()) + 1, dtype=bool)
    layout = options.get("layout", "headline")
    return top_tokens(features, density(features, tokens, kept, layout), tokens, kept, **options)


def test_windows_words_and_order() -> None:
    tokens = make_tokens(
        [
            headline("Trump eats a marsh|mallow , says aide", "marsh|mallow"),
            headline("a “ cir|cus . ”", "cir|cus"),
        ]
    )
    features = make_features(tokens, {3: {5: 0.5, 4: 0.25, 13: 0.5, 1: 9.0}}, 8)
    table = shown(features, tokens, window=(2, 3))
    assert table.schema == SCHEMA
    assert table["feature"].to_pylist() == [3, 3, 3]
    assert table["example_rank"].to_pylist() == [0, 1, 2]
    assert table["token_index"].to_pylist() == [5, 13, 4]
    assert table["activation"].to_pylist() == [0.5, 0.5, 0.25]
    assert table["word"].to_pylist() == ["marshmallow", "circus", "marshmallow"]
    assert table["window_tokens"].to_pylist() == [
        [" a", " marsh", "mallow", " ,", " says", " aide"],
        [" “", " cir", "cus", " .", " ”"],
        [" eats", " a", " marsh", "mallow", " ,", " says"],
    ]
    assert table["window_activations"].to_pylist() == [
        [0, 0.25, 0.5, 0, 0, 0],
        [0, 0, 0.5, 0, 0],
        [0, 0, 0.25, 0.5, 0, 0],
    ]
    first = table.slice(0, 1).to_pylist()[0]
    assert (first["row"], first["position"], first["item"], first["center"]) == (0, 5, 0, 2)
    assert first["token"] == "mallow"


def test_a_window_stays_in_its_row_and_shows_inner_specials_only() -> None:
    row = [(BOS, 0), ("one", 0), (" cat", 1), (EOS, 0), ("two", 1), (" dogs", 0), (EOS, 0)]
    tokens = make_tokens([row, row])
    features = make_features(tokens, {0: {2: 1.0, 11: 2.0}}, 1)
    table = shown(features, tokens, layout="packed")
    assert table["window_tokens"].to_pylist() == [["one", " cat", EOS, "two", " dogs"]] * 2
    assert table["window_activations"].to_pylist() == [[0, 0, None, 2, 0], [0, 1, None, 0, 0]]
    assert table["center"].to_pylist() == [3, 1]
    assert table["word"].to_pylist() == ["two", "cat"]


def test_what_was_not_captured_is_unknown() -> None:
    tokens = make_tokens([headline("a b c d", "c")])
    features = make_features(tokens, {0: {3: 1.0}}, 1, captured=np.array([2, 3]))
    table = shown(features, tokens)
    assert table["window_activations"].to_pylist() == [[None, 0, 1, None]]


def test_seven_active_show_seven() -> None:
    tokens = make_tokens([headline(f"w{i}", f"w{i}") for i in range(40)])
    every = np.flatnonzero(~tokens["special"].to_numpy()).tolist()
    values = {0: dict.fromkeys(every, 1.0), 1: dict.fromkeys(every[5:12], 2.0)}
    table = shown(make_features(tokens, values, 3), tokens)
    assert table["feature"].to_pylist() == [0] * 20 + [1] * 7
    assert table["token_index"].to_pylist() == every[:20] + every[5:12]  # ties by token index
    assert table["example_rank"].to_pylist() == [*range(20), *range(7)]
    assert min(table["activation"].to_pylist()) > 0


def test_features_below_the_cut_show_nothing() -> None:
    tokens = make_tokens([headline("a b c d", "b"), headline("a b c d", "c")])
    features = make_features(tokens, {0: {2: 1.0}, 1: {2: 1.0, 8: 2.0}}, 2)
    assert set(shown(features, tokens, cut=0.25)["feature"].to_pylist()) == {1}
    assert set(shown(features, tokens, cut=0.125)["feature"].to_pylist()) == {0, 1}
    assert shown(features, tokens, cut=0.26).num_rows == 0


@pytest.mark.parametrize(
    ("word", "bare"),
    [
        ("(break)dance", "break)dance"),
        ("“circus”", "circus"),
        ("?!", "?!"),
        ("$5", "$5"),
        ("don't", "don't"),
        ("‘", "‘"),
        ("", ""),
    ],
)
def test_words_lose_the_punctuation_around_them(word: str, bare: str) -> None:
    assert bare_word(word) == bare


def test_words_of_odd_tokens() -> None:
    """Blanks alone are their own word; the later parts of a split character belong to its word."""
    row = [("h", 0), ("é", 1), ("", 1), ("llo", 0), (" ", 1), (" x", 1), ("  ", 1)]
    tokens = make_tokens([[(BOS, 0), *row]])
    active = {0: {token: 9.0 - token for token in (2, 3, 5, 6, 7)}}
    assert shown(make_features(tokens, active, 1), tokens)["word"].to_pylist() == [
        "héllo",
        "héllo",
        " ",
        "x",
        "  ",
    ]


def planted(d_sae: int = 256) -> tuple[pa.Table, np.ndarray, np.ndarray, Encoder]:
    """D5: feature 37 fires on 'circus' only, 100 on 'hair', 129 on everything."""
    words = ["circus", "hair", "taxes", "circus", "senate", "hair", "circus", "vote"] * 4
    tokens = make_tokens([headline(f"the {word} today", word) for word in words])
    captured = np.flatnonzero(~tokens["special"].to_numpy())
    texts = [text.strip() for text in tokens["text"].to_pylist()]
    names = sorted({texts[token] for token in captured})
    x = np.zeros((len(captured), 16), np.float32)
    x[np.arange(len(captured)), [names.index(texts[token]) for token in captured]] = 1
    x[:, 15] = 1
    weights = np.zeros((d_sae, 16), np.float32)
    weights[37, names.index("circus")] = 2
    weights[100, names.index("hair")] = 3
    weights[129, 15] = 1
    ones, zeros = np.ones(d_sae), np.zeros(d_sae)
    encoder = Encoder(16, d_sae, ones, zeros, zeros, None, "float32", lambda a, b: weights[a:b])
    return tokens, captured, x, encoder


@pytest.mark.parametrize("feature_block", [64, 128, 256])
def test_ids_survive_sorting(feature_block: int) -> None:
    tokens, captured, x, encoder = planted()
    features = encode(x, captured, encoder, feature_block=feature_block, threads=2)
    kept = np.ones(32, dtype=bool)
    table = density(features, tokens, kept)
    assert table["feature"].to_pylist() == [129, 37, 100]
    top = top_tokens(features, table, tokens, kept)
    words = {feature: set() for feature in (129, 37, 100)}
    for row in top.to_pylist():
        words[row["feature"]].add(row["word"])
    assert (words[37], words[100]) == ({"circus"}, {"hair"})
    assert len(words[129]) > 3
    whole = encode(x, captured, encoder)
    assert top == top_tokens(whole, density(whole, tokens, kept), tokens, kept)
    labels = published_labels(features, counted(tokens, kept, captured).masked)
    assert labels[[37, 100, 129]].tolist() == [0, 64, 128]
    assert (labels >= 0).sum() == 3


def test_published_labels_are_batch_start_plus_rank() -> None:
    tokens = make_tokens([headline("a b c", "b")])
    active = {3: {2: 1.0}, 5: {2: 2.0}, 9: {1: 5.0}, 64: {2: 0.009}, 130: {2: 0.5}, 131: {2: 0.5}}
    features = make_features(tokens, active, 192)
    labels = published_labels(features, tokens["in_edit"].to_numpy())
    assert {int(f): int(labels[f]) for f in np.flatnonzero(labels >= 0)} == {
        5: 0,
        3: 1,
        130: 128,  # 64 is dropped: its batch sums to less than 0.01
        131: 129,
    }


def random_cell(seed: int) -> tuple[Features, pa.Table]:
    rng = np.random.default_rng(seed)
    rows = [
        [(BOS, 0), *((f" w{rng.integers(9)}", int(rng.random() < 0.6)) for _ in range(6))]
        for _ in range(12)
    ]
    tokens = make_tokens(rows)
    captured = np.flatnonzero(~tokens["special"].to_numpy())
    z = rng.integers(1, 6, (len(captured), 9)) * (rng.random((len(captured), 9)) < 0.4)
    at, feature = np.nonzero(z)
    return from_pairs(feature, captured[at], z[at, feature], captured, 9), tokens


@given(st.integers(0, 10_000), st.integers(1, 9))
@settings(max_examples=25, deadline=None)
def test_agrees_with_a_loop(seed: int, n: int) -> None:
    features, tokens = random_cell(seed)
    table = density(features, tokens, np.ones(12, bool))
    masked = tokens["in_edit"].to_numpy()
    expected = []
    for feature in table["feature"].to_pylist():
        entries = [
            (-v, t) for t, v in zip(*map(np.ndarray.tolist, features.of(feature)), strict=True)
        ]
        best = sorted(entry for entry in entries if masked[entry[1]])[:n]
        expected += [(feature, token, -value) for value, token in best]
    top = shown(features, tokens, n=n)
    columns = (top[name].to_pylist() for name in ("feature", "token_index", "activation"))
    assert list(zip(*columns, strict=True)) == expected


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_a_sample_depends_on_seed_feature_and_token_alone(seed: int) -> None:
    features, tokens = random_cell(seed)
    kept = np.ones(12, bool)
    table = density(features, tokens, kept)
    first = examples(features, table, tokens, kept, seed=seed)
    assert first.column_names == [*SCHEMA.names, "group"]
    assert first == examples(features, table, tokens, kept, seed=seed)
    backwards = table.take(np.arange(table.num_rows)[::-1])
    other = examples(features, backwards, tokens, kept, seed=seed)
    keys = [(name, "ascending") for name in ("feature", "group", "example_rank")]
    assert first.sort_by(keys) == other.sort_by(keys)


def test_groups_of_a_sample() -> None:
    tokens = make_tokens([headline(f"w{i}", f"w{i}") for i in range(60)])
    every = np.flatnonzero(~tokens["special"].to_numpy())
    rng = np.random.default_rng(0)
    values = dict(zip(every[:50].tolist(), rng.permutation(50) + 1.0, strict=True))
    features = make_features(tokens, {4: values, 2: {int(every[7]): 3.0}}, 5)
    kept = np.ones(60, dtype=bool)
    table = examples(features, density(features, tokens, kept), tokens, kept, random=6, seed=1)
    rows = table.to_pylist()
    four = [row for row in rows if row["feature"] == 4]
    fifths = [f"q{1 + i // 2}" for i in range(10)]
    assert [row["group"] for row in four] == ["random"] * 6 + fifths
    for row in four[6:]:
        fifth = int(row["group"][1])
        assert 10 * (fifth - 1) < row["activation"] <= 10 * fifth
    assert [row["example_rank"] for row in four] == [*range(6), *([0, 1] * 5)]
    assert [row["activation"] for row in four[:6]] == sorted(
        (row["activation"] for row in four[:6]), reverse=True
    )
    two = [(row["group"], row["token_index"]) for row in rows if row["feature"] == 2]
    assert two == [("random", every[7]), ("q1", every[7])]
    assert rows.index(four[0]) == 0
    redrawn = examples(features, density(features, tokens, kept), tokens, kept, random=6, seed=2)
    assert redrawn["token_index"] != table["token_index"]


def published_rows(length: int = 12, rows: int = 3) -> pa.Table:
    return make_tokens(
        [[(BOS, 0), *((f" r{r}p{p}", 1) for p in range(1, length))] for r in range(rows)]
    )


def test_published_rules() -> None:
    """Positions 3.. of 12 less 2 with a window of (2, 2); fillers in order of the index."""
    tokens = published_rows()
    active = {1: {4: 1.0, 1: 9.0, 27: 2.0, 11: 5.0, 6: 3.0}}
    features = make_features(tokens, active, 70)
    table = shown(features, tokens, n=6, window=(2, 2), published=True, layout="packed")
    assert table["token_index"].to_pylist() == [6, 27, 4, 3, 5, 7]
    assert table["activation"].to_pylist() == [3, 2, 1, 0, 0, 0]
    assert table["example_rank"].to_pylist() == list(range(6))
    assert {len(window) for window in table["window_tokens"].to_pylist()} == {5}
    assert table["window_activations"][3].as_py() == [9, 0, 0, 1, 0]
    assert table["label"].to_pylist() == [0] * 6
    assert shown(features, tokens, n=6, window=(2, 2))["token_index"].to_pylist() == [
        1, 11, 6, 27, 4,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(shared_data: Path) -> pa.Table:
    """The published rows."""
    if find_spec("tokenizers") is None:
        pytest.skip("needs tokenizers")
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
    return tokens(table, kept, llama, "packed", "difference").tokens


def test_published_pages_come_out_again(corpus: pa.Table, shared_data: Path) -> None:
    """The 20 windows of every stored feature, fillers included, from its visible activations."""
    path = shared_data / "published-dashboards" / "features_4_pages.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        pages = [json.loads(line) for line in lines]
    ids = corpus["token_id"].to_numpy()
    edited = corpus["row"].to_numpy() < 78
    places = {ids[at : at + 11].tobytes(): at + 5 for at in np.flatnonzero(edited[:-11])}
    active: dict[int, dict[int, float]] = {}
    pages_windows = []
    for number, page in enumerate(pages):
        windows = [
            (places[np.array(window["token_ids"], ids.dtype).tobytes()], window["acts"])
            for window in page["sequences"]
        ]
        pages_windows.append(windows)
        active[number] = {
            center - 5 + i: act for center, acts in windows for i, act in enumerate(acts) if act
        }
    features = make_features(corpus, active, len(pages))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in shown(features, corpus, layout="packed", published=True).to_pylist():
        found.setdefault(row["feature"], []).append(row)
    for number, windows in enumerate(pages_windows):
        rows, values = found[number], [acts[5] for _, acts in windows]
        assert [row["activation"] for row in rows] == [np.float32(value) for value in values]
        ours = {row["token_index"]: row["window_activations"] for row in rows}
        theirs = {at: [float(np.float32(act)) for act in acts] for at, acts in windows}
        # Equal values stood on the pages in no order, so a tie for the last place may differ.
        sure = {at for at, acts in windows if acts[5] > values[-1] or not values[-1]}
        assert {at: ours[at] for at in sure} == {at: theirs[at] for at in sure}
    silent = sum(row["activation"] == 0 for rows in found.values() for row in rows)
    assert silent == sum(not acts[5] for windows in pages_windows for _, acts in windows) > 1000
