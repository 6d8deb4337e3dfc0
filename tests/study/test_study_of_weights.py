"""Codes as scipy sparse, weights row by row, and own texts, over a small study."""

import numpy as np
import pytest
from scipy import sparse

import saegrid
from saegrid.interventions.search import SearchError
from saegrid.saes.reference import open_sae
from saegrid.saes.sae import decode, pre_activations
from saegrid.study import NotThere
from searching import CELLS, TEXTS, D, M, write_study

GATED = "L2A-b"
TOP = "L1R-a"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return saegrid.open(write_study(tmp_path_factory.mktemp("results")))


def test_codes_are_those_of_the_file(study):
    cell = study.cell(TOP)
    z = cell.z()
    assert isinstance(z, sparse.csr_matrix) and z.dtype == np.float32
    assert z.shape == (len(cell.captured), M) == (len(cell.tokens), cell.d_sae)
    assert (np.diff(z.indptr) <= CELLS[TOP]).all()
    for feature in cell.features.index[:3]:
        own = cell.feature(int(feature)).activations
        rows = np.searchsorted(cell.captured, own.index)
        assert z[rows, feature].toarray().ravel().tobytes() == own.to_numpy().tobytes()


def test_rows_are_captured_tokens_and_no_token_indices(study):
    """The first token of a row is special and not captured: row 0 is token 1."""
    cell = study.cell(TOP)
    tokens = cell.tokens
    assert tokens.index[0] == 1 and tokens.index.name == "token_index"
    assert tokens.index.tolist() == cell.captured.tolist()
    assert tokens["text"].tolist() == study.token_table.loc[cell.captured, "text"].tolist()
    assert not tokens["special"].any() and tokens["counted"].all()
    features = cell.features
    n = np.diff(cell.z("csc").indptr)[features.index]
    assert n.tolist() == features["n_active"].tolist()


def test_columns_stay_in_the_file(study):
    cell = study.cell(TOP)
    columns = cell.z("csc")
    assert isinstance(columns, sparse.csc_matrix) and not columns.data.flags.writeable
    owner = columns.data
    while owner.base is not None and not isinstance(owner, np.memmap):
        owner = owner.base
    assert isinstance(owner, np.memmap), "the values are mapped, not read"
    assert (columns != cell.z()).nnz == 0
    with pytest.raises(ValueError, match=r"^form must be csr or csc; got 'dense'\.$"):
        cell.z("dense")


@pytest.mark.parametrize("name", CELLS)
def test_weights_give_the_codes_by_hand(study, name):
    """z by the formula of `Weights` from its own arrays, against the reference."""
    sae, rng = study.cell(name).sae, np.random.default_rng(0)
    x = rng.normal(size=(5, D))
    everything = np.arange(M)
    rows = sae.encoder(everything)
    assert rows.shape == (M, D) and rows.dtype == np.float32
    pre = sae.scale * (x @ rows.astype(np.float64).T) + sae.b_enc
    with open_sae(study.folder / "saes" / name) as opened:
        assert np.allclose(pre, pre_activations(opened.encoder, x), rtol=1e-12)
        z = rng.random((5, M)) * (rng.random((5, M)) < 0.1)
        by_hand = z @ sae.decoder(everything).astype(np.float64) + sae.b_dec
        assert np.allclose(by_hand, decode(opened, z), atol=1e-6)
    assert (sae.k, sae.threshold is None) == (CELLS[name], CELLS[name] is not None)
    assert sae.norms.shape == (M,)


def test_rows_in_any_order_twice_and_alone(study):
    sae = study.cell(TOP).sae
    whole, wanted = sae.encoder(np.arange(M)), [7, 3, 4, 5, 95, 7]
    assert sae.encoder(wanted).tobytes() == whole[wanted].tobytes()
    assert sae.encoder(7).shape == (1, D) and sae.encoder([]).shape == (0, D)
    assert sae.decoder(wanted).tobytes() == sae.decoder(np.arange(M))[wanted].tobytes()
    view = study.cell(TOP).feature(int(study.cell(TOP).features.index[0]))
    assert view.encoder.tobytes() == whole[view.id].tobytes() and view.decoder.shape == (D,)


def test_only_the_rows_that_are_asked_for_are_read(study, monkeypatch):
    sae, asked = study.cell(GATED).sae, []
    encoder = sae._sae.encoder
    read = type(encoder).rows

    def spy(self, start, stop, out=None):
        asked.append((start, stop))
        return read(self, start, stop, out)

    monkeypatch.setattr(type(encoder), "rows", spy)
    sae.encoder([40, 41, 2])
    assert asked == [(2, 3), (40, 42)]


def test_what_weights_say(study):
    assert repr(study.cell(TOP).sae) == f"Weights({TOP}, d_model 64, d_sae 96, k 6)"
    assert repr(study.cell(GATED).sae).startswith(f"Weights({GATED}, d_model 64, d_sae 96, thresh")
    with pytest.raises(NotThere, match=r"^L1R-a has the features 0 to 95; got 96\.$"):
        study.cell(TOP).sae.decoder([1, 96])
    with pytest.raises(TypeError, match="named by their numbers, such as 12"):
        study.cell(TOP).sae.encoder([1.5])


@pytest.mark.parametrize("name", CELLS)
def test_own_texts_have_the_stored_codes_to_the_bit(study, name):
    cell, chosen = study.cell(name), [5, 40]
    encoded = study.encode(["Of nothing that is there", *(TEXTS[i] for i in chosen)], name)
    table, z = encoded.tokens, encoded.z
    assert z.shape == (len(table), M) and z.dtype == np.float32
    assert set(table["text"]) == {0, 1, 2}
    for number, item in enumerate(chosen, 1):
        rows = np.flatnonzero(table["text"] == number)
        stored = np.flatnonzero(cell.tokens["item"] == item)
        assert table["token"].iloc[rows].tolist() == cell.tokens["text"].iloc[stored].tolist()
        assert (z[rows] != cell.z()[stored]).nnz == 0 and z[rows].nnz > 0
    best = encoded.features(3)
    assert best["activation"].is_monotonic_decreasing
    assert best["activation"][0] == z.max() == z[:, best["feature"][0]].max()


def test_a_single_text_and_one_without_a_token(study):
    assert set(study.encode("The dog eats", TOP).tokens["text"]) == {0}
    with pytest.raises(SearchError, match="has no token of its own"):
        study.encode(" ", TOP)
