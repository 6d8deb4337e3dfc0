"""Shards: whole rows, about equally large, and what is merged is what the whole would have been."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saegrid.base import io
from saegrid.base.words import Site
from saegrid.capture.corpus import capture_corpus
from saegrid.codes import merge
from saegrid.codes.merge import merge_features
from saegrid.codes.sparse import Features, feature_ranges, from_pairs, read_features, write_features
from saegrid.saes.joined import open_rows
from saegrid.saes.training.loop import train
from saegrid.saes.training.stream import of_files
from saegrid.text.shards import ShardError, numbers, part_of, shard_names
from toys import random_rows, save, tokens_table, toy_llama

# --- which tokens --------------------------------------------------------------------------------


def test_names_and_numbers() -> None:
    assert shard_names(1) == [""]
    assert shard_names(3) == ["/shard-1-of-3", "/shard-2-of-3", "/shard-3-of-3"]
    assert numbers("") is None
    assert numbers("/shard-2-of-13") == (2, 13)


def cut(rows: list[int], of: int) -> list[list[int]]:
    """The rows of the tokens of each shard."""
    return [np.array(rows)[part_of(np.array(rows), k, of)].tolist() for k in range(1, of + 1)]


def test_boundaries_by_hand() -> None:
    assert cut([0, 0, 0, 0], 1) == [[0, 0, 0, 0]]
    # The first boundary between rows that leaves at least half, then the rest.
    assert cut([0, 0, 1, 1, 2, 2, 3, 3], 2) == [[0, 0, 1, 1], [2, 2, 3, 3]]
    assert cut([0, 0, 0, 2, 5, 5], 2) == [[0, 0, 0], [2, 5, 5]]
    assert cut([0, 0, 2, 2, 2, 5], 2) == [[0, 0, 2, 2, 2], [5]]
    # A row of nearly all tokens: every shard has a row all the same.
    assert cut([0, 0, 0, 0, 0, 0, 1, 2], 3) == [[0] * 6, [1], [2]]
    assert cut([0, 1, 2, 2, 2, 2, 2, 2], 3) == [[0], [1], [2] * 6]


def test_more_shards_than_rows() -> None:
    with pytest.raises(ShardError) as error:
        part_of(np.array([0, 0, 4]), 1, 3)
    assert str(error.value) == (
        "shards: 3 shards need as many rows with captured tokens; the corpus has 2. "
        "Set shards to 2 or less."
    )


@settings(max_examples=200)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=60), st.data())
def test_shards_are_whole_rows_of_about_equal_size(sizes: list[int], data: st.DataObject) -> None:
    of = data.draw(st.integers(1, len(sizes)))
    row = np.repeat(np.arange(len(sizes)) * 2, sizes)
    parts = [row[part_of(row, k, of)] for k in range(1, of + 1)]
    assert np.array_equal(np.concatenate(parts), row)
    assert all(len(part) for part in parts)
    assert all(not set(a) & set(b) for a, b in pairwise(parts))
    if len(sizes) >= of * max(sizes):
        assert max(map(len, parts)) <= len(row) / of + max(sizes)


# --- capture -------------------------------------------------------------------------------------


def test_captures_of_the_shards_are_the_capture_cut(tmp_path: Path) -> None:
    """Edits, originals and the sample are chosen over the whole corpus, then cut by rows."""
    tokens, spans = tokens_table(
        random_rows([9, 17, 8, 24, 12, 9, 17, 40, 5, 12]),
        ["edited"] * 6 + ["original"] * 4,
        [(2, 4)] * 10,
    )
    model = {"path": str(save(toy_llama(), tmp_path / "model")), "dtype": "float32"}
    choice = {"edited": True, "original": True, "context": 30, "seed": 3}

    def run(folder: str, shard: tuple[int, int] | None) -> dict[str, np.ndarray]:
        path = tmp_path / folder / "L1R.safetensors"
        capture_corpus(
            model,
            tokens,
            spans,
            choice,
            [path],
            path.parent / "store",
            f"spec {shard}",
            lambda line: None,
            shard,
        )
        return io.read_tensors(path)

    whole = run("whole", None)
    parts = [run(f"shard-{k}", (k, 3)) for k in (1, 2, 3)]
    assert all(len(part["token"]) > 5 for part in parts)
    for name in ("x", "token"):
        joined = np.concatenate([part[name] for part in parts])
        assert joined.tobytes() == whole[name].tobytes()


# --- merge ---------------------------------------------------------------------------------------


def write_shards(folder: Path, whole: Features, stops: list[int]) -> Iterator[Path]:
    """Files of the features cut at ranks of captured tokens."""
    owners = whole.owners()
    rank = np.searchsorted(whole.token, whole.indices)
    for number, (start, stop) in enumerate(zip([0, *stops], [*stops, None], strict=True)):
        stop = len(whole.token) if stop is None else stop
        own = (rank >= start) & (rank < stop)
        path = folder / f"shard-{number}.safetensors"
        columns = (owners[own], whole.indices[own], whole.data[own], whole.token[start:stop])
        write_features(path, from_pairs(*columns, whole.d_sae), f"spec {number}")
        yield path


def test_merged_by_hand(tmp_path: Path) -> None:
    """Feature 1 is active in both shards, 0 in the second, 3 in the first, 2 in none."""
    one = Features(
        np.float32([1, 2, 3]), np.int32([4, 6, 4]), np.array([0, 0, 2, 2, 3]), np.array([4, 6])
    )
    two = Features(
        np.float32([4, 5]), np.int32([9, 8]), np.array([0, 1, 2, 2, 2]), np.array([8, 9])
    )
    paths = [tmp_path / "1.safetensors", tmp_path / "2.safetensors"]
    write_features(paths[0], one)
    write_features(paths[1], two)
    assert merge_features(paths, tmp_path / "z.safetensors") == 5
    found = read_features(tmp_path / "z.safetensors")
    assert found.data.tolist() == [4, 1, 2, 5, 3]
    assert found.indices.tolist() == [9, 4, 6, 8, 4]
    assert found.indptr.tolist() == [0, 1, 4, 4, 5]
    assert found.token.tolist() == [4, 6, 8, 9]


@st.composite
def sparse(draw: st.DrawFn) -> tuple[Features, list[int]]:
    """Sparse features, and where their tokens are cut."""
    n, d_sae = draw(st.integers(2, 30)), draw(st.integers(1, 12))
    token = np.array(sorted(draw(st.sets(st.integers(0, 99), min_size=n, max_size=n))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    z = rng.random((d_sae, n)) * (rng.random((d_sae, n)) < draw(st.floats(0, 1)))
    feature, place = np.nonzero(z)
    whole = from_pairs(feature, token[place], z[feature, place], token, d_sae)
    stops = draw(st.sets(st.integers(1, n - 1), max_size=5))
    return whole, sorted(stops)


@settings(max_examples=60)
@given(drawn=sparse(), entries=st.integers(1, 50))
def test_merged_is_the_whole_byte_for_byte(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[Features, list[int]], entries: int
) -> None:
    whole, stops = drawn
    folder = tmp_path_factory.mktemp("merge")
    spec = io.canonical({"stage": "merge", "of": 'a "b" \\ ü'})
    write_features(folder / "whole.safetensors", whole, spec)
    paths = list(write_shards(folder, whole, stops))
    merge_features(paths, folder / "merged.safetensors", spec, entries)
    expected = (folder / "whole.safetensors").read_bytes()
    assert (folder / "merged.safetensors").read_bytes() == expected


def test_no_more_entries_than_asked_for_are_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    feature, place = np.nonzero(rng.random((50, 40)) < 0.3)
    whole = from_pairs(feature, place, np.ones(len(place)), np.arange(40), 50)
    held = []
    block = merge._block
    monkeypatch.setattr(merge, "_block", lambda *a: held.append(len(block(*a))) or block(*a))
    merge_features(list(write_shards(tmp_path, whole, [13, 22])), tmp_path / "z", entries=60)
    assert max(held) <= 60
    assert sum(held) == 2 * len(place)


def test_shards_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    whole = from_pairs(np.array([1, 2]), np.array([3, 7]), np.ones(2), np.array([3, 7]), 4)
    one, two = write_shards(tmp_path, whole, [1])
    with pytest.raises(ValueError) as error:
        merge_features([two, one], tmp_path / "z.safetensors")
    assert str(error.value) == (
        f"{one}: the tokens of a shard must follow those of the one before; it begins with token 3 "
        "after token 7. Delete the shards of the cell and let them be encoded again."
    )
    other = tmp_path / "other.safetensors"
    write_features(other, from_pairs(*np.ones((3, 1), int), np.array([9]), 5))
    with pytest.raises(ValueError) as error:
        merge_features([one, other], tmp_path / "z.safetensors")
    assert str(error.value) == (
        f"{other}: a shard must have the 4 features of the first one; got 5. "
        "Delete the shards of the cell and let them be encoded again."
    )
    assert not (tmp_path / "z.safetensors").exists()


@settings(max_examples=100)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=30), st.integers(1, 20))
def test_ranges_of_features(counts: list[int], entries: int) -> None:
    ranges = feature_ranges(np.concatenate([[0], np.cumsum(counts)]), entries)
    assert [f for start, stop in ranges for f in range(start, stop)] == list(range(len(counts)))
    for start, stop in ranges:
        assert sum(counts[start:stop]) <= entries or stop == start + 1


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_joined_rows_are_the_rows_of_the_whole(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 1 << 15, (50, 6)).astype(np.uint16)
    x = bits if dtype == "bfloat16" else bits.astype(np.float32)
    paths = []
    for number, (start, stop) in enumerate([(0, 20), (20, 21), (21, 50)]):
        paths.append(tmp_path / f"{number}.safetensors")
        if dtype == "bfloat16":
            import torch

            part = torch.from_numpy(x[start:stop].view(np.int16)).view(torch.bfloat16)
        else:
            part = x[start:stop]
        io.write_tensors(paths[-1], {"x": part})
    joined = open_rows(paths)
    assert joined.shape == (50, 6)
    assert joined.dtype == x.dtype
    for rows in (np.arange(50), rng.integers(0, 50, 200), np.array([49, 0, 20, 21]), np.arange(0)):
        assert joined[rows].tobytes() == x[rows].tobytes()
    assert open_rows(paths[:1]).tobytes() == x[:20].tobytes()


def test_shards_of_other_width_are_refused(tmp_path: Path) -> None:
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    io.write_tensors(one, {"x": np.ones((2, 4), np.float32)})
    io.write_tensors(two, {"x": np.ones((2, 5), np.float32)})
    with pytest.raises(ValueError) as error:
        open_rows([one, two])
    assert str(error.value) == (
        f"{two}: x must be (token, 4) float32 as in {one}; got (2, 5) float32. "
        "Delete the file and capture again."
    )


def test_training_on_shards_is_training_on_the_whole(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(600, 16)).astype(np.float32)
    paths = [tmp_path / f"{number}.safetensors" for number in range(4)]
    for path, start, stop in zip(paths, (0, 0, 150, 151), (600, 150, 151, 600), strict=True):
        io.write_tensors(path, {"x": x[start:stop], "token": np.arange(start, stop)})
    told = {"k": 3, "steps": 12, "batch": 64, "log_every": 4}

    def run(given: list[Path]):
        stream = of_files(given, np.arange(600), 0.1, 0)
        return train(stream, "topk", told, expansion=4, seed=0, site=Site(1, "R"))

    whole, sharded = run(paths[:1]), run(paths[1:])
    assert sharded.cfg == whole.cfg
    assert sharded.history.equals(whole.history)
    assert {n: v.tobytes() for n, v in sharded.tensors.items()} == {
        n: v.tobytes() for n, v in whole.tensors.items()
    }


def test_features_are_mapped_not_read(tmp_path: Path) -> None:
    whole = from_pairs(np.array([1, 2]), np.array([3, 7]), np.ones(2), np.array([3, 7]), 4)
    write_features(tmp_path / "z.safetensors", whole)
    found = read_features(tmp_path / "z.safetensors")
    assert not any(column.flags.owndata for column in found)
    assert [column.dtype.name for column in found] == ["float32", "int32", "int64", "int64"]
