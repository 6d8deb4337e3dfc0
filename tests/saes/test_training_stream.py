"""What SAEs learn from: order, held-out texts, and moments of a stream of activations."""

from itertools import islice

import numpy as np
import pytest
import torch

from checkpoints import to_bits
from planting import DIRECTIONS, X, quick, same
from saegrid.base.io import write_tensors
from saegrid.saes.training.loop import HELD_OUT, world_of
from saegrid.saes.training.stream import Rows, evenly, of_array, of_files
from saegrid.text.split import held_out

TAGGED = np.arange(1000, dtype=np.float32)[:, None] * np.array([[1.0, 0.0]], np.float32)
"""Tokens that carry their number."""


def numbers(batches, n):
    return [batch[:, 0].astype(int).tolist() for batch in islice(batches, n)]


def test_every_pass_holds_every_training_token_once():
    stream = of_array(TAGGED, 0.2, 0)
    seen = np.concatenate(numbers(stream.batches(100, 0, 0), 3 * stream.n_train // 100 + 1))
    for number in range(3):
        one = seen[number * stream.n_train : (number + 1) * stream.n_train]
        assert sorted(one) == stream.train.tolist()
    assert seen[: stream.n_train].tolist() != seen[stream.n_train : 2 * stream.n_train].tolist()
    assert sorted(seen[: stream.n_train]) != seen[: stream.n_train].tolist()


@pytest.mark.parametrize("start", [1, 7, 8, 9, 16, 40, 123])
def test_the_sequence_is_entered_at_any_batch(start):
    """Also behind the end of a pass, and where a batch holds the end of one and the next."""
    stream = of_array(TAGGED, 0.2, 0)
    whole = numbers(stream.batches(100, 3, 0), start + 5)
    assert numbers(stream.batches(100, 3, start), 5) == whole[start:]


def test_a_batch_may_be_larger_than_a_pass():
    stream = of_array(TAGGED[:10], 0.0, 0)
    whole = numbers(stream.batches(25, 0, 0), 4)
    assert sorted(np.concatenate(whole)) == sorted(list(range(10)) * 10)
    assert numbers(stream.batches(25, 0, 2), 2) == whole[2:]


def test_the_seed_gives_the_order():
    stream = of_array(TAGGED, 0.2, 0)
    one, again, other = (numbers(stream.batches(100, seed, 0), 4) for seed in (0, 0, 1))
    assert one == again != other


def test_held_out_texts_are_held_out_whole():
    row = np.repeat(np.arange(100), 10)
    stream = of_array(TAGGED, 0.3, 5, row)
    expected = np.flatnonzero(held_out(row, 0.3, 5))
    found = np.concatenate(list(stream.held_out()))[:, 0].astype(int)
    np.testing.assert_array_equal(found, expected)
    assert len(expected) % 10 == 0 and 0 < len(expected) < 1000
    learned = np.concatenate(numbers(stream.batches(100, 0, 0), 30))
    assert not set(learned) & set(expected)
    assert not set(stream.sample(10_000, 0)[:, 0].astype(int)) & set(expected)


def test_moments_are_those_of_the_training_tokens():
    stream = of_array(X, 0.25, 1)
    x = X[~held_out(np.arange(len(X)), 0.25, 1)].astype(np.float64)
    norm, mean, variance = stream.moments()
    assert norm == pytest.approx(np.linalg.norm(x, axis=1).mean(), rel=1e-12)
    np.testing.assert_allclose(mean, x.mean(axis=0), rtol=1e-12)
    assert variance == pytest.approx(np.square(x - x.mean(axis=0)).sum(axis=1).mean(), rel=1e-9)


def test_a_sample_has_no_token_twice():
    stream = of_array(TAGGED, 0.2, 0)
    for n in (10, 300, 5000):
        found = stream.sample(n, 1)[:, 0]
        assert len(found) == min(n, stream.n_train) == len(set(found))
    assert not np.array_equal(stream.sample(10, 1), stream.sample(10, 2))


@pytest.mark.parametrize("most", [1, 7, 64, 999, 1000, 5000])
def test_held_out_tokens_are_thinned_evenly(most):
    for size in (1, 33, 1000):
        parts = (TAGGED[i : i + size] for i in range(0, 1000, size))
        found = evenly(parts, most)[:, 0].astype(int)
        assert min(1000, most) / 2 <= len(found) <= most
        assert len(set(np.diff(found))) <= 1
        assert found[0] == 0
    assert evenly(iter([]), most).shape == (0, 0)


def test_files_of_shards_are_one_stream(tmp_path):
    """As one file, and as an array; rows come from the tokens, not from the place in the file."""
    token = np.sort(np.random.default_rng(0).permutation(40_000)[: len(X)])
    row = np.arange(40_000) // 20
    paths = []
    for i, part in enumerate(np.array_split(np.arange(len(X)), 3)):
        paths.append(tmp_path / f"{i}.safetensors")
        write_tensors(paths[-1], {"x": X[part], "token": token[part]})
    whole = tmp_path / "x.safetensors"
    write_tensors(whole, {"x": X, "token": token})
    streams = [of_files(paths, row, 0.1, 0), of_files([whole], row, 0.1, 0)]
    streams.append(of_array(X, 0.1, 0, row[token]))
    assert len({stream.n_train for stream in streams}) == 1
    for batch in zip(*(islice(s.batches(512, 0, 0), 50) for s in streams), strict=True):
        assert batch[0].tobytes() == batch[1].tobytes() == batch[2].tobytes()


def test_stored_bfloat16_is_read_exactly(tmp_path):
    half = tmp_path / "half.safetensors"
    bits = torch.from_numpy(to_bits(X)).view(torch.bfloat16)
    write_tensors(half, {"x": bits, "token": torch.arange(len(X))})
    stream = of_files([half], np.arange(len(X)), 0.1, 0)
    expected = of_array(bits.float().numpy(), 0.1, 0)
    for a, b in zip(
        stream.batches(512, 0, 0), islice(expected.batches(512, 0, 0), 5), strict=False
    ):
        assert a.tobytes() == b.tobytes()


def test_without_held_out_tokens_health_is_measured_on_a_sample():
    trained = quick(hold_out=0.0)
    assert trained.health["fvu"]["n"] == 4096
    assert not same(trained, quick())


def test_nothing_to_learn_from_is_said():
    with pytest.raises(ValueError, match="here: training needs tokens; got 1 of 3"):
        Rows(TAGGED[:3], np.array([True, False, True]), "here")


def test_held_out_tokens_are_mixed_as_batches_are():
    """Neighbours in a text use the same features: a batch of them says nothing of shares."""
    x = X[np.argsort(X[:, 0])]
    stream = of_array(x, 0.2, 0)
    world = world_of(stream, 3)
    ordered = stream.measured(HELD_OUT)
    assert (np.diff(ordered[:, 0]) >= 0).all()
    assert world.measured.tobytes() == ordered.tobytes()
    mixed = world.mixed()
    assert sorted(map(bytes, mixed)) == sorted(map(bytes, ordered))
    assert abs(np.corrcoef(mixed[:, 0], np.arange(len(ordered)))[0, 1]) < 0.1
    assert mixed.tobytes() == world_of(stream, 3).mixed().tobytes()


def test_a_term_of_batches_is_that_of_training_where_tokens_are_in_order():
    """The KL of shares of active tokens, on tokens that come by their strongest direction."""
    x = X[np.argsort((X @ DIRECTIONS.T).argmax(axis=1))]
    row = quick("relu_kl", x, hold_out=0.2, log_every=20, validate_every=20).history.to_pylist()[-1]
    assert row["held_sparsity"] == pytest.approx(row["sparsity"], rel=0.25)
