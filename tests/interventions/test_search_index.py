"""Indices: exact values of what they propose, their recall, and none of another SAE."""

import dataclasses

import numpy as np
import pytest

import saegrid
from saegrid.codes import screen
from saegrid.codes.encode import encode
from saegrid.interventions.search import SearchError, index
from saegrid.interventions.search.by_prompt import by_prompt
from saegrid.interventions.search.indexed import make_indices, read_indices
from saegrid.interventions.search.ranking import Query
from saegrid.saes.fronts import LAYER_NORM
from saegrid.saes.sae import Encoder
from searching import CELLS, write_study

GATES = {
    "threshold": {"threshold": 0.5},
    "k": {"k": 7},
    "bfloat16": {"dtype": "bfloat16", "k": 7},
    "centred": {"threshold": 0.5, "centred": True},
    "front": {"threshold": 0.5, "front": LAYER_NORM},
}


def drawn(name, tokens=40, d=24, m=300):
    """An encoder with scales and biases, and activations."""
    rng, settings = np.random.default_rng(1), dict(GATES[name])
    rows = (rng.normal(size=(m, d)) / np.sqrt(d)).astype(np.float32)
    stored = screen.narrow(rows) if settings.pop("dtype", None) else rows
    dtype = "float32" if stored is rows else "bfloat16"
    limit = settings.pop("threshold", None)
    encoder = Encoder(
        *(d, m, rng.uniform(0.5, 2, m), rng.normal(0, 0.1, m)),
        *(None if limit is None else np.full(m, limit), settings.pop("k", None), dtype),
        lambda start, stop: stored[start:stop],
    )
    return dataclasses.replace(encoder, **settings), rng.normal(size=(tokens, d)).astype("f4")


def same(one, other):
    return all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("gate", GATES)
def test_all_features_as_candidates_are_the_codes_to_the_last_bit(gate):
    encoder, x = drawn(gate)
    token = np.arange(len(x)) * 3
    one = index.make(encoder, x)
    assert same(index.through(one, encoder, x, token, 300), encode(x, token, encoder))


@pytest.mark.parametrize("gate", GATES)
def test_values_of_few_candidates_are_those_of_the_codes(gate):
    encoder, x = drawn(gate)
    token = np.arange(len(x))
    some = index.through(index.make(encoder, x), encoder, x, token, 40)
    whole = encode(x, token, encoder)
    values = dict(zip(zip(whole.owners(), whole.indices, strict=True), whole.data, strict=True))
    pairs = list(zip(some.owners(), some.indices, strict=True))
    assert len(pairs) > 20
    if encoder.k is None:
        assert all(values[pair] == z for pair, z in zip(pairs, some.data, strict=True))
    else:  # where one of the k was missed, the next one takes its place
        hits = [
            values[pair] == z for pair, z in zip(pairs, some.data, strict=True) if pair in values
        ]
        assert all(hits) and len(hits) > 0.5 * len(pairs)


def test_recall_by_hand():
    encoder, x = drawn("k")
    one = index.measured(index.make(encoder, x), encoder, x, 30)
    proposed = index.candidates(one, encoder, x, 30)
    codes = encode(x, np.arange(len(x)), encoder)
    first, every = [], []
    for token in range(len(x)):
        at = np.flatnonzero(codes.indices == token)
        order = np.lexsort((codes.owners()[at], -codes.data[at]))
        hit = np.isin(codes.owners()[at][order], proposed[token])
        first += hit[:5].tolist()
        every += hit.tolist()
    assert one.recall == pytest.approx((np.mean(first), np.mean(every)))
    assert index.measured(one, encoder, x, 300).recall == (1, 1)


def test_activations_of_few_directions_lose_nothing():
    """x in six directions: an index of rank six proposes what is active, up to 8 bits."""
    encoder, x = drawn("threshold", 400)
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(400, 6)) @ rng.normal(size=(6, 24))).astype(np.float32)
    one = index.measured(index.make(encoder, x[:200], rank=6), encoder, x[200:], 200)
    assert one.rows.shape == (300, 6) and one.rows.dtype == np.int8
    # Of about half of the features that are active on a token, with 200 candidates.
    assert one.recall[0] > 0.99 and one.recall[1] > 0.97


@pytest.fixture
def study(tmp_path):
    return saegrid.open(write_study(tmp_path))


def test_an_index_is_kept_told_and_used(study, capsys):
    cells = study.searched()
    indices = make_indices(cells, print)
    said = capsys.readouterr().out
    assert said.count("largest activations and") == len(CELLS) and "are read once" in said
    query = [Query("The dog eats a pizza")]
    through = by_prompt(query, cells, indices=read_indices(cells, print)).table
    # The SAEs have fewer features than there are candidates: nothing can be missed.
    assert [one.recall for one in indices.values()] == [(1, 1)] * 2
    assert "100.0% of a token's 5 largest activations" in capsys.readouterr().out
    assert through.to_pylist() == by_prompt(query, cells).table.to_pylist()


def test_an_index_of_another_sae_is_refused(study):
    cells = study.searched()
    with pytest.raises(SearchError, match="make the index with saegrid search --index"):
        read_indices(cells, print)
    make_indices(cells, print)
    first, second = (study.folder / "saes" / cell / "sae_weights.safetensors" for cell in CELLS)
    assert index.digest_of(cells.places[0]) != index.digest_of(cells.places[1])
    data = bytearray(first.read_bytes())
    data[-1] ^= 1
    first.write_bytes(bytes(data))
    with pytest.raises(SearchError, match="is an index of another SAE"):
        read_indices(cells, print)
    assert second.is_file()
