"""Reading a store: every token once a pass, the same order in any state, entered anywhere."""

import shutil
import threading
import time
from itertools import islice

import numpy as np
import pytest

from saegrid.base.tensors import open_tensors
from saegrid.base.words import Site
from saegrid.saes.cache.locks import alone
from saegrid.saes.training.loop import train, train_many, world_of
from saegrid.saes.training.state import Run
from saegrid.store import reader, stream
from saegrid.store.beside import filling
from saegrid.store.fill import WAIT, fill_as
from saegrid.store.manifest import LOCK, read_manifest, shard_path
from saegrid.store.settings import StoreError
from saegrid.store.stream import StoreStream
from saegrid.text.split import held_out
from stores import column, make, make_model, spec_of, words, write_texts

SHARE, SEED = 0.2, 7


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return make_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return write_texts(tmp_path_factory.mktemp("texts"), words(80))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, source):
    """A store of one site in shards of 120 tokens and more."""
    folder = tmp_path_factory.mktemp("store")
    make(folder, model, source, ["L1R"], shard_tokens=120)
    return folder


@pytest.fixture(scope="module")
def tagged(tmp_path_factory, folder):
    """The store with the number of each token in its first channel: no two are alike (D12)."""
    copy = shutil.copytree(folder, tmp_path_factory.mktemp("tagged") / "store")
    for path in (copy / "L1R").iterdir():
        tensors = open_tensors(path)
        n, width = tensors.arrays["x"].shape
        place = tensors.places["x"]
        x = np.memmap(path, np.float32, "r+", offset=place, shape=(n, width))
        x[:, 0] = tensors.arrays["token"]
        x.flush()
    return copy


@pytest.fixture(scope="module")
def tokens(tagged):
    """x of all tokens, whether each is held out, and its shard."""
    counts = [shard.entries for shard in read_manifest(tagged).shards]
    held = held_out(column(tagged, "L1R", "row"), SHARE, SEED)
    return column(tagged, "L1R"), held, np.repeat(range(len(counts)), counts)


def numbers_of(rows, x):
    """Which rows of x these are."""
    numbers = rows[:, 0].astype(int)
    assert rows.tobytes() == x[numbers].tobytes()
    return numbers


def test_every_training_token_comes_once_a_pass_within_its_window(tagged, tokens):
    x, held, shard = tokens
    found = StoreStream(tagged, "L1R", SHARE, SEED, window=3)
    n = found.n_train
    assert n == (~held).sum()
    given = np.concatenate(list(islice(found.batches(1, seed=3), 2 * n)))
    first, second = numbers_of(given[:n], x), numbers_of(given[n:], x)
    for order in (first, second):
        assert sorted(order.tolist()) == np.flatnonzero(~held).tolist()
    # The first pass mixes three shards at a time, in their order; the second takes any three.
    window = shard[first] // 3
    assert (np.diff(window) >= 0).all()
    later = shard[second]
    begins = np.flatnonzero(np.diff(later // 3, prepend=-1))
    assert len(begins) > len(set(window))
    # Mixed within a window: neighbours come from the same shard as often as chance has it.
    inside = first[window == 0]
    shares = np.bincount(shard[inside]) / len(inside)
    same = (np.diff(shard[inside]) == 0).mean()
    expected = (shares**2).sum()
    assert abs(same - expected) < 5 * (expected * (1 - expected) / len(inside)) ** 0.5
    assert abs(np.corrcoef(np.arange(len(inside)), inside)[0, 1]) < 5 / len(inside) ** 0.5


def test_batches_can_be_entered_anywhere(folder, monkeypatch):
    found = StoreStream(folder, "L1R", SHARE, SEED, window=2)
    batches = [b.tobytes() for b in islice(found.batches(48, seed=3), 120)]
    read = []
    original = reader.Reader.read
    monkeypatch.setattr(
        reader.Reader,
        "read",
        lambda self, n, *a: (read.append((n, a[0])), original(self, n, *a))[1],
    )
    for start in (0, 1, 7, 20, 61, 119):
        read.clear()
        again = StoreStream(folder, "L1R", SHARE, SEED, window=2)
        given = again.batches(48, seed=3, start=start)
        assert next(given).tobytes() == batches[start]
        given.close()
        # The window it is in, and the one ahead; not what came before.
        assert len([n for n, size in read if size]) <= 3 * 2
        assert next(again.batches(48, seed=4, start=start)).tobytes() != batches[start]


def test_held_out_tokens_come_in_order_and_never_in_batches(tagged, tokens):
    x, held, _ = tokens
    found = StoreStream(tagged, "L1R", SHARE, SEED)
    blocks = list(found.held_out())
    assert np.concatenate(blocks).tobytes() == x[held].tobytes()
    assert all(len(block) == stream.BLOCK for block in blocks[:-1])


def test_moments_and_samples_are_of_the_first_training_tokens(tagged, tokens, monkeypatch):
    x, held, _ = tokens
    monkeypatch.setattr(stream, "SAMPLE", 200)
    monkeypatch.setattr(stream, "BLOCK", 64)
    found = StoreStream(tagged, "L1R", SHARE, SEED)
    first = x[~held][:200].astype(np.float64)
    norm, mean, variance = found.moments()
    assert norm == pytest.approx(np.linalg.norm(first, axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(mean, first.mean(axis=0), rtol=1e-10, atol=1e-12)
    assert variance == pytest.approx(((first - first.mean(axis=0)) ** 2).sum(axis=1).mean())
    chosen = numbers_of(found.sample(150, seed=1), x)
    assert len(set(chosen.tolist())) == 150
    assert set(chosen.tolist()) <= set(np.flatnonzero(~held)[:200].tolist())
    for n in (200, 300):
        every = np.flatnonzero(~held)[:n].tolist()
        assert sorted(numbers_of(found.sample(n, seed=1), x)) == every, "more are asked for"
    assert len(found.sample(10**6, seed=1)) == (~held).sum()
    assert found.sample(9, seed=1).tobytes() == found.sample(9, seed=1).tobytes()


def test_the_order_is_the_same_while_the_store_is_filled(tmp_path, model, source, folder):
    """Reading starts before the second shard is there, and waits for each."""
    expected = [b.tobytes() for b in islice(StoreStream(folder, "L1R").batches(32, 1), 150)]
    go_on, told = threading.Event(), []

    def say(line):
        told.append(line)
        if "shard 1" in line:
            go_on.wait(20)  # holds the filling up until something has been read

    def make_it():
        make(tmp_path, model, source, ["L1R"], shard_tokens=120, say=say)

    thread = threading.Thread(target=make_it)
    thread.start()
    while not any("shard 1" in line for line in told):
        time.sleep(0.01)
    found = StoreStream(tmp_path, "L1R", window=1)
    assert not found.reader.manifest.complete
    moments = StoreStream(folder, "L1R", window=1)
    alike = [b.tobytes() for b in islice(moments.batches(32, 1), 150)]
    batches = found.batches(32, 1)
    assert next(batches).tobytes() == alike[0]
    go_on.set()
    assert [alike[0], *(b.tobytes() for b in islice(batches, 149))] == alike
    thread.join()
    assert found.n_train == moments.n_train
    assert found.moments()[0] == moments.moments()[0]
    again = StoreStream(tmp_path, "L1R")
    assert [b.tobytes() for b in islice(again.batches(32, 1), 150)] == expected


@pytest.mark.slow
def test_a_process_fills_beside_and_all_sites_come_from_one_pass(tmp_path, model, source, folder):
    with filling(tmp_path, spec_of(model, source, shard_tokens=120), ["L1R", "L0R"], 6000):
        found = StoreStream(tmp_path, "L1R")
        given = [b.tobytes() for b in islice(found.batches(32, 1), 150)]
    expected = [b.tobytes() for b in islice(StoreStream(folder, "L1R").batches(32, 1), 150)]
    assert given == expected
    assert read_manifest(tmp_path).is_complete("L0R")


def test_a_filling_that_fails_says_so(tmp_path, source):
    spec = spec_of({"path": "nowhere", "name": "nowhere"}, source)
    with (
        pytest.raises(StoreError, match="filling the store has failed"),
        filling(tmp_path, spec, ["L0R"], 6000),
    ):
        pass


def interrupted(folder, tmp_path, **told):
    """A copy of a store of which only two shards are there, as if its filling had been killed."""
    shutil.copytree(folder, tmp_path)
    manifest = read_manifest(tmp_path)._replace(complete=False, **told)
    manifest._replace(shards=manifest.shards[:2]).write(tmp_path)


@pytest.mark.slow
def test_who_comes_second_follows_and_takes_over(tmp_path, model, source, folder):
    """It reads while another fills, and goes on where that one has ended."""
    expected = [
        b.tobytes() for b in islice(StoreStream(folder, "L1R", window=1).batches(32, 1), 150)
    ]
    store = tmp_path / "store"
    interrupted(folder, store)
    spec = spec_of(model, source, shard_tokens=120)
    with alone(store / LOCK) as other, filling(store, spec, ["L1R"], 6000):
        batches = StoreStream(store, "L1R", window=1).batches(32, 1)
        given = [next(batches).tobytes()]
        assert not read_manifest(store).complete
        other.close()
        given += [b.tobytes() for b in islice(batches, 149)]
    assert given == expected
    assert read_manifest(store) == read_manifest(folder)


@pytest.mark.parametrize("told", [{"extent": {"max_tokens": 9, "max_texts": None}}, {"widths": {}}])
def test_who_comes_second_waits_where_another_store_is_there(tmp_path, model, source, folder, told):
    store = tmp_path / "store"
    interrupted(folder, store, **told)
    ready = threading.Event()

    def make_it():
        fill_as(store, spec_of(model, source, shard_tokens=120), ["L1R"], ready=ready.set)

    with alone(store / LOCK):
        thread = threading.Thread(target=make_it)
        thread.start()
        assert not ready.wait(3 * WAIT)
    thread.join()
    assert ready.is_set()
    assert read_manifest(store) == read_manifest(folder)


@pytest.mark.slow
def test_training_begins_before_the_store_is_complete(tmp_path, model, source, folder, monkeypatch):
    """And comes to the same bytes."""
    monkeypatch.setattr(stream, "SAMPLE", 150)  # within the shards that are there
    runs = [Run("topk", {"k": 4, "steps": 12, "batch": 64, "validate_every": 5}, 2)]
    store = tmp_path / "store"
    interrupted(folder, store)
    spec = spec_of(model, source, shard_tokens=120)
    with alone(store / LOCK) as other, filling(store, spec, ["L1R"], 6000):
        early = StoreStream(store, "L1R", SHARE, SEED, window=1)
        begun = []

        def batches(*arguments, plain=early.batches):
            for batch in plain(*arguments):
                begun.append(read_manifest(store).complete)
                other.close()
                yield batch

        early.batches = batches
        (found,) = train_many(early, runs, site=Site(1, "R"))
    assert begun[0] is False
    whole = StoreStream(folder, "L1R", SHARE, SEED, window=1)
    (expected,) = train_many(whole, runs, site=Site(1, "R"))
    assert found.history.equals(expected.history)
    for name, tensor in expected.tensors.items():
        assert found.tensors[name].tobytes() == tensor.tobytes()


def test_how_long_a_pass_is_can_be_asked_before_its_end(tagged, tokens, tmp_path, monkeypatch):
    _, held, shard = tokens
    monkeypatch.setattr(reader, "PATIENCE", 0.0)
    n = int((~held).sum())
    whole = StoreStream(tagged, "L1R", SHARE, SEED)
    assert [whole.exceeds(m) for m in (0, n - 1, n, n + 1)] == [True, True, False, False]
    interrupted(tagged, tmp_path / "store")
    part, there = StoreStream(tmp_path / "store", "L1R", SHARE, SEED), int((~held[shard < 2]).sum())
    assert part.exceeds(there - 1)
    with pytest.raises(StoreError, match="nobody is filling"):
        part.exceeds(there)


def test_held_out_tokens_of_the_first_shards_are_measured(tagged, tokens, monkeypatch):
    x, held, shard = tokens
    monkeypatch.setattr(stream, "SAMPLE", int((~held[shard < 2]).sum()))
    found = StoreStream(tagged, "L1R", SHARE, SEED)
    assert found.measured(10_000).tobytes() == x[held & (shard < 2)].tobytes()
    some = numbers_of(found.measured(9), x)
    assert 5 <= len(some) <= 9
    assert len(set(np.diff(np.searchsorted(np.flatnonzero(held), some)))) == 1  # evenly spaced


def test_a_shard_that_is_not_whole_can_be_mended(tmp_path, model, source):
    """As where a disk was full while a store was copied: by deleting it, to the same bytes."""
    make(tmp_path, model, source, ["L1R"], shard_tokens=120)
    path = shard_path(tmp_path, "L1R", 1)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(StoreError, match=r"(?s)truncated.*shard 1 of L1R.*delete it and .*json"):
        list(StoreStream(tmp_path, "L1R").held_out())
    path.unlink()
    make(tmp_path, model, source, ["L1R"], shard_tokens=120)
    assert path.read_bytes() == whole


def test_who_waits_for_nobody_is_told(tmp_path, model, source, monkeypatch):
    make(tmp_path, model, source, ["L1R"], shard_tokens=120)
    manifest = read_manifest(tmp_path)
    manifest._replace(complete=False, shards=manifest.shards[:2]).write(tmp_path)
    monkeypatch.setattr(reader, "PATIENCE", 0.0)
    batches = StoreStream(tmp_path, "L1R", window=1).batches(16, 0)
    with pytest.raises(StoreError, match="shard 2 of L1R is not there, and nobody is filling"):
        list(islice(batches, 1000))
    with pytest.raises(StoreError, match="holds no site L0R; it holds L1R"):
        StoreStream(tmp_path, "L0R")
    with pytest.raises(StoreError, match="holds no site"):
        StoreStream(tmp_path / "nowhere", "L0R")


def test_a_stream_can_be_left_while_it_waits(tmp_path, model, source, monkeypatch):
    make(tmp_path, model, source, ["L1R"], shard_tokens=120)
    manifest = read_manifest(tmp_path)
    manifest._replace(complete=False, shards=manifest.shards[:2]).write(tmp_path)
    monkeypatch.setattr(reader, "_is_locked", lambda path: True)
    batches = StoreStream(tmp_path, "L1R", window=1).batches(16, 0)
    next(batches)
    start = time.monotonic()
    batches.close()
    assert time.monotonic() - start < 30, "it waited for what nobody writes"


def test_saes_learn_from_the_whitened_tokens_of_a_store(folder, tokens):
    """Its training tokens, all of which are looked at, have the identity as their covariance."""
    _, held, _ = tokens
    world = world_of(StoreStream(folder, "L1R", SHARE, SEED), 0).whitened("zca")
    white = world.affine(column(folder, "L1R")[~held]).astype(np.float64)
    centred = white - white.mean(axis=0)
    np.testing.assert_allclose(centred.T @ centred / len(white), np.eye(white.shape[1]), atol=2e-3)
    assert world.variance == pytest.approx(white.shape[1], rel=1e-3)
    assert world.norm == pytest.approx(np.linalg.norm(white, axis=1).mean(), rel=1e-5)
    trained = train(
        world.stream,
        "topk",
        {"k": 4, "steps": 30, "batch": 32, "whiten": "zca"},
        expansion=2,
        site=Site(1, "R"),
    )
    assert trained.health["fvu"]["value"] < 0.9
