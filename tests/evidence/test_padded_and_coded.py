"""Vectors of texts in rows of one length against a plain model, and their codes by an SAE."""

import itertools
import json

import numpy as np
import pytest
import torch

from plain import network, plain_sites
from saegrid.base.words import Site
from saegrid.evidence.contrast import Unusable
from saegrid.evidence.probes import vectors as module
from saegrid.evidence.probes.coded import coded
from saegrid.evidence.probes.convention import Rows, means
from saegrid.evidence.probes.vectors import pad_of, padded_vectors
from saegrid.saes.sae import decode, encode
from subjects import random_sae
from toys import save, toy_gpt2, toy_llama

SITES = [Site(0, "M"), Site(1, "R"), Site(0, "N")]
PAD = 2
WORDS = [np.array(ids) for ids in ([9, 5], [9, 5, 30], [9], [40, 41, 42, 43])]
"""Token ids of words; the first three begin alike."""


@pytest.fixture(scope="module", params=[toy_llama, toy_gpt2])
def model(request):
    return request.param()


def test_padded_is_the_mean_over_all_positions_of_a_plain_batch(model, tmp_path):
    kind = model.model.config.model_type
    whole = network(save(model, tmp_path), kind)
    made = padded_vectors(model, WORDS, PAD, SITES, ["padded"])
    batch = np.full((4, 4), PAD)  # the published batch: right-padded, no BOS, no attention mask
    for row, ids in enumerate(WORDS):
        batch[row, : len(ids)] = ids
    for row in range(4):
        expected = plain_sites(whole, kind, batch[row])
        for site in SITES:
            mean = expected[site.layer, site.position].double().mean(dim=0).numpy()
            assert np.abs(made[site]["x/padded"][row] - mean).max() < 1e-6 * np.abs(mean).max()


def test_the_number_of_tokens_enters_through_the_pads(model):
    """Pads make up (1 - m / n) of the vector of a word of m tokens in a row of n."""
    made = padded_vectors(model, WORDS, PAD, SITES[:1], ["padded"])[SITES[0]]["x/padded"]
    longer = padded_vectors(model, [*WORDS, np.arange(9, 17)], PAD, SITES[:1], ["padded"])
    # A longer word in the batch moves the vectors of all others.
    assert np.abs(longer[SITES[0]]["x/padded"][:4] - made).max() > 1e-3
    same = padded_vectors(model, WORDS[3:], PAD, SITES[:1], ["padded"])
    assert np.array_equal(same[SITES[0]]["x/padded"][0], made[3])  # it has no pads


def test_pads_change_nothing_before_them_in_a_causal_model(model):
    from saegrid.models.forward import capture
    from saegrid.models.tiles import Rows as Input

    starts = np.cumsum([0, *map(len, WORDS)])
    plain = capture(model, Input(np.concatenate(WORDS), starts), np.arange(starts[-1]), SITES)
    padded = np.full((4, 4), PAD)
    for row, ids in enumerate(WORDS):
        padded[row, : len(ids)] = ids
    real = np.flatnonzero((np.arange(4) < np.array(list(map(len, WORDS)))[:, None]).ravel())
    filled = capture(model, Input(padded.ravel(), np.arange(5) * 4), real, SITES)
    for site in SITES:
        assert torch.allclose(plain[site], filled[site], atol=1e-6)
        rows = Rows(filled[site].numpy(), np.arange(len(real)), starts)
        expected = [plain[site][a:b].double().mean(dim=0) for a, b in itertools.pairwise(starts)]
        assert np.allclose(means(rows), torch.stack(expected), atol=1e-6)


def test_how_many_positions_are_held_decides_no_byte(model, monkeypatch):
    whole = padded_vectors(model, WORDS, PAD, SITES, ["padded"])
    monkeypatch.setattr(module, "HELD", 4)
    parts = padded_vectors(model, WORDS, PAD, SITES, ["padded"])
    for site in SITES:
        assert np.array_equal(whole[site]["x/padded"], parts[site]["x/padded"])


def test_bfloat16_is_widened_exactly():
    narrow = toy_llama(dtype=torch.bfloat16)
    made = padded_vectors(narrow, WORDS, PAD, SITES[:1], ["padded"])[SITES[0]]["x/padded"]
    assert made.dtype == np.float32 and np.isfinite(made).all() and np.abs(made).max() > 0


def test_a_tokenizer_without_an_end_of_text_is_one_sentence():
    class Encoder:
        eos = None

    with pytest.raises(Unusable, match=r"analyses.readout.vectors: padded fills rows up with"):
        pad_of(Encoder())


def test_the_published_example_is_such_a_row(shared_data):
    facts = json.loads((shared_data / "gender-words-312/published_results.json").read_text())
    assert facts["activations"]["example_token_ids"]["Abigail"] == [4826, 328, 603, 50256]
    model = toy_gpt2(vocab=50_257, layers=1)
    words = [np.array([4826, 328, 603]), np.array([11, 12, 13, 14])]
    made = padded_vectors(model, words, 50_256, SITES[:1], ["padded"])[SITES[0]]["x/padded"]
    named = padded_vectors(model, [np.array([4826, 328, 603, 50256])], 0, SITES[:1], ["padded"])
    assert np.abs(made[0] - named[SITES[0]]["x/padded"][0]).max() < 1e-6


def test_codes_are_of_the_vector_and_x_hat_is_their_reconstruction():
    sae = random_sae(d=16, m=64, k=5)
    rng = np.random.default_rng(3)
    tokens = rng.standard_normal((40, 16)).astype(np.float32)
    x = tokens.reshape(10, 4, 16).mean(axis=1)
    made = coded(sae, {"x/mean": x, "x/last": tokens[3::4]}, 500)
    for name, vector in (("mean", x), ("last", tokens[3::4])):
        z = np.zeros((10, 64))
        data, indices, indptr = (made[f"codes/{name}/{k}"] for k in ("data", "indices", "indptr"))
        for row, (start, stop) in enumerate(itertools.pairwise(indptr)):
            z[row, indices[start:stop]] = data[start:stop]
        expected = encode(sae.encoder, vector)
        assert np.array_equal(z > 0, expected > 0) and np.allclose(z, expected, rtol=1e-5)
        assert np.allclose(made[f"x_hat/{name}"], decode(sae, expected), atol=1e-5)
    # f(mean x) is not mean f(x): more features are active on the mean of four than five.
    assert made["d_sae"].tolist() == [64]
    mean_of_codes = encode(sae.encoder, tokens).reshape(10, 4, 64).mean(axis=1)
    assert (mean_of_codes > 0).sum() > (encode(sae.encoder, x) > 0).sum() == 50
